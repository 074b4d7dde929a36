#include "tools/twinpost/transfer/maildir_names.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <set>

#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "core/mail/unicode.h"
#include "imap/mailbox_name.h"
#include "store/names.h"

namespace twinpost::tools {

namespace {

struct FlagLetter {
  char letter;
  store::Flag flag;
};
// In the order in which they stand in a name: the alphabet's.
constexpr std::array kFlagLetters = {
    FlagLetter{'D', store::Flag::kDraft}, FlagLetter{'F', store::Flag::kFlagged},
    FlagLetter{'R', store::Flag::kAnswered}, FlagLetter{'S', store::Flag::kSeen},
    FlagLetter{'T', store::Flag::kDeleted}};

constexpr std::size_t kLongestFileName = 255;
constexpr std::size_t kDigestOctets = 8;  // of a name that had to be changed

std::string digest_of(std::string_view text) {
  Sha256 sha;
  sha.update(text);
  const Sha256Digest digest = sha.finish();
  return hex_encode(std::string_view(reinterpret_cast<const char*>(digest.data()), kDigestOctets));
}

}  // namespace

MaildirFileName parse_file_name(std::string_view name) {
  for (const std::string_view mark : {":2,", ";2,", "!2,"}) {
    const auto at = name.find(mark);
    if (at == std::string_view::npos) continue;
    const std::string_view letters = name.substr(at + mark.size());
    return {name.substr(0, at), letters.substr(0, letters.find(','))};
  }
  return {name.substr(0, name.find(':')), {}};
}

std::string_view lasting_name(std::string_view base) {
  return base.substr(0, std::min(base.find(",S="), base.find(",W=")));
}

std::uint64_t arrival_time(std::string_view base) {
  std::size_t digits = 0;
  while (digits < base.size() && ascii::is_digit(base[digits])) ++digits;
  return ascii::parse_number<std::uint64_t>(base.substr(0, digits)).value_or(~std::uint64_t{0});
}

store::FlagBits flags_of(std::string_view letters) {
  store::FlagBits flags = 0;
  for (const FlagLetter& known : kFlagLetters) {
    if (letters.find(known.letter) != std::string_view::npos) {
      flags = static_cast<store::FlagBits>(flags | store::bit(known.flag));
    }
  }
  return flags;
}

std::string letters_of(store::FlagBits flags) {
  std::string letters;
  for (const FlagLetter& known : kFlagLetters) {
    if ((flags & store::bit(known.flag)) != 0) letters += known.letter;
  }
  return letters;
}

std::string level_from_disk(std::string_view level, bool utf8) {
  std::string text(level);
  if (!utf8) {
    if (auto decoded = imap::utf7_decode(level)) text = *std::move(decoded);
  }
  if (!ascii::is_utf8(text)) {
    std::string plain;
    for (const char c : text)
      plain += ascii::is_8bit(c) ? std::string("\xEF\xBF\xBD") : std::string(1, c);
    text = std::move(plain);
  }
  for (char& c : text) {
    if (c == store::kHierarchySeparator || ascii::is_control(c)) c = '_';
  }
  return mail::normalize_nfc(text).value_or(text);
}

std::string mailbox_from_disk(std::string_view name, const MaildirOptions& options) {
  const char separator =
      options.layout == MaildirLayout::kFs ? store::kHierarchySeparator : options.separator;
  std::string mailbox;
  while (true) {
    const auto end = name.find(separator);
    const std::string level = level_from_disk(name.substr(0, end), options.utf8_names);
    if (!level.empty()) {
      if (!mailbox.empty()) mailbox += store::kHierarchySeparator;
      mailbox += level;
    }
    if (end == std::string_view::npos) return store::canonical_name(mailbox);
    name.remove_prefix(end + 1);
  }
}

FolderName folder_name(std::string_view mailbox, const MaildirOptions& options) {
  FolderName made{std::string(1, options.separator), true};
  std::string_view rest = mailbox;
  while (true) {
    const auto end = rest.find(store::kHierarchySeparator);
    std::string level(rest.substr(0, end));
    for (std::size_t i = 0; i < level.size(); ++i) {
      const bool taken =
          level[i] == options.separator || level[i] == '.' || (i == 0 && level[i] == '~');
      if (!taken && !(options.utf8_names && ascii::is_control(level[i]))) continue;
      level[i] = '_';
      made.exact = false;
    }
    made.name += options.utf8_names ? level : imap::utf7_encode(level);
    if (end == std::string_view::npos) break;
    made.name += options.separator;
    rest.remove_prefix(end + 1);
  }
  constexpr std::size_t kRoom = kLongestFileName - 2 * kDigestOctets - 1;
  if (made.name.size() > kRoom) {
    // Cut at a character's end: of the encoded forms, only the plain part is kept.
    made.name.resize(kRoom);
    made.name.resize(std::min(made.name.find('&'), made.name.size()));
    while (!made.name.empty() && ascii::is_8bit(made.name.back())) made.name.pop_back();
    made.exact = false;
  }
  if (!made.exact) made.name += "_" + digest_of(mailbox);
  return made;
}

store::SpecialUse special_use_of(std::string_view mailbox) {
  struct Known {
    std::string_view name;
    store::SpecialUse use;
  };
  static constexpr std::array kKnown = {
      Known{"Sent", store::SpecialUse::kSent},   Known{"Drafts", store::SpecialUse::kDrafts},
      Known{"Trash", store::SpecialUse::kTrash}, Known{"Junk", store::SpecialUse::kJunk},
      Known{"Spam", store::SpecialUse::kJunk},   Known{"Archive", store::SpecialUse::kArchive}};
  for (const Known& known : kKnown) {
    if (ascii::equals_ignore_case(mailbox, known.name)) return known.use;
  }
  return store::SpecialUse::kNone;
}

void set_special_uses(std::vector<MailFolder>& folders) {
  std::set<store::SpecialUse> taken;
  for (MailFolder& folder : folders) {
    const store::SpecialUse use = special_use_of(folder.name);
    if (use != store::SpecialUse::kNone && taken.insert(use).second) folder.special_use = use;
  }
}

void settle_names(std::vector<MailFolder>& folders, std::vector<std::string>& notes) {
  // The native name makes the order, and with it each name, the same in every run.
  std::sort(folders.begin(), folders.end(), [](const MailFolder& left, const MailFolder& right) {
    const auto rank = [](const MailFolder& folder) { return folder.name == store::kInbox ? 0 : 1; };
    return std::tuple(rank(left), std::string_view(left.name), std::string_view(left.native_name)) <
           std::tuple(rank(right), std::string_view(right.name),
                      std::string_view(right.native_name));
  });
  std::set<std::string> taken;
  for (MailFolder& folder : folders) {
    const std::string wanted = folder.name;
    for (int number = 2; !taken.insert(folder.name).second; ++number) {
      folder.name = fmt::format("{} ({})", wanted, number);
    }
    if (folder.name == wanted) continue;
    notes.push_back(fmt::format("folder {}: another one is {} already, so it becomes {}",
                                ascii::printable(folder.native_name), wanted, folder.name));
  }
}

store::ImportKey import_key(const std::vector<std::string_view>& parts) {
  Sha256 sha;
  for (const std::string_view part : parts) {
    sha.update(fmt::format("{}:", part.size()));
    sha.update(part);
  }
  const Sha256Digest digest = sha.finish();
  store::ImportKey key{};
  std::copy_n(digest.begin(), key.size(), key.begin());
  return key;
}

bool is_keyword(std::string_view text) {
  constexpr std::string_view kSpecial = "(){%*\"\\]";
  return !text.empty() && text.size() <= 255 && std::all_of(text.begin(), text.end(), [&](char c) {
    return c > 0x20 && c < 0x7f && kSpecial.find(c) == std::string_view::npos;
  });
}

}  // namespace twinpost::tools
