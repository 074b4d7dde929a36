#include "tools/twinpost/transfer/imap_folders.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <utility>

#include "core/base/ascii.h"
#include "core/mail/unicode.h"
#include "imap/mailbox_name.h"

namespace twinpost::tools {

namespace {

using store::SpecialUse;
using Levels = std::vector<std::string>;

constexpr std::string_view kInbox = "INBOX";

// RFC 6154, RFC 8457, and Gmail's XLIST from before them.
constexpr std::pair<std::string_view, SpecialUse> kAttributes[] = {
    {"\\all", SpecialUse::kAll},
    {"\\allmail", SpecialUse::kAll},
    {"\\archive", SpecialUse::kArchive},
    {"\\drafts", SpecialUse::kDrafts},
    {"\\flagged", SpecialUse::kFlagged},
    {"\\starred", SpecialUse::kFlagged},
    {"\\junk", SpecialUse::kJunk},
    {"\\spam", SpecialUse::kJunk},
    {"\\sent", SpecialUse::kSent},
    {"\\trash", SpecialUse::kTrash},
    {"\\important", SpecialUse::kImportant},
};

// What mail programs call these folders where the server does not say; the likelier name first.
constexpr std::pair<std::string_view, SpecialUse> kWellKnown[] = {
    {"sent", SpecialUse::kSent},           {"sent messages", SpecialUse::kSent},
    {"sent items", SpecialUse::kSent},     {"sent mail", SpecialUse::kSent},
    {"drafts", SpecialUse::kDrafts},       {"draft", SpecialUse::kDrafts},
    {"trash", SpecialUse::kTrash},         {"deleted messages", SpecialUse::kTrash},
    {"deleted items", SpecialUse::kTrash}, {"junk", SpecialUse::kJunk},
    {"spam", SpecialUse::kJunk},           {"junk e-mail", SpecialUse::kJunk},
    {"junk email", SpecialUse::kJunk},     {"archive", SpecialUse::kArchive},
    {"archives", SpecialUse::kArchive},
};

bool is_inbox(std::string_view name) { return ascii::equals_ignore_case(name, kInbox); }

// Octets that are no UTF-8 are taken for ISO 8859-1, as old clients wrote them.
std::string latin1_to_utf8(std::string_view octets) {
  std::string out;
  for (const char c : octets) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xc0 | octet >> 6);
      out += static_cast<char>(0x80 | (octet & 0x3f));
    }
  }
  return out;
}

// UTF-8, NFC. Servers are known that send names raw, or with a "&" that stands for itself.
std::string decode_level(std::string_view wire) {
  std::string name;
  if (auto decoded = imap::utf7_decode(wire)) {
    name = *std::move(decoded);
  } else {
    name = ascii::is_utf8(wire) ? std::string(wire) : latin1_to_utf8(wire);
  }
  return mail::normalize_nfc(name).value_or(name);
}

// What a level may not have in it here: '/', wildcards, controls (imap/mailbox_name.h), too many
// octets.
std::string clean_level(std::string level) {
  std::string out;
  for (std::size_t i = 0; i < level.size(); ++i) {
    const char c = level[i];
    const std::string_view rest = std::string_view(level).substr(i);
    const bool is_c1 = rest.size() > 1 && c == '\xc2' && static_cast<unsigned char>(rest[1]) < 0xa0;
    const bool is_separator = rest.starts_with("\xe2\x80\xa8") || rest.starts_with("\xe2\x80\xa9");
    if (is_c1 || is_separator) {
      out += '_';
      i += is_c1 ? 1 : 2;
    } else {
      out += c == '/' || c == '*' || c == '%' || ascii::is_control(c) ? '_' : c;
    }
  }
  if (out.size() <= imap::kMaxPartOctets) return out;
  std::size_t end = imap::kMaxPartOctets - 8;  // room for " (2)"
  while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80) --end;
  return out.substr(0, end);
}

Levels split(std::string_view native, char delimiter) {
  Levels levels;
  for (;;) {
    const auto end = delimiter == '\0' ? std::string_view::npos : native.find(delimiter);
    const std::string_view level = native.substr(0, end);
    if (!level.empty()) levels.push_back(decode_level(level));
    if (end == std::string_view::npos) return levels;
    native.remove_prefix(end + 1);
  }
}

std::string join(const Levels& levels) {
  std::string name;
  for (const std::string& level : levels) {
    if (!name.empty()) name += imap::kDelimiter;
    name += level;
  }
  return name;
}

// Past the deepest level that there may be, the rest is one name.
void limit_depth(Levels& levels) {
  if (levels.size() <= imap::kMaxDepth) return;
  std::string rest;
  for (std::size_t i = imap::kMaxDepth - 1; i < levels.size(); ++i)
    rest += (rest.empty() ? "" : "_") + levels[i];
  levels.resize(imap::kMaxDepth - 1);
  levels.push_back(clean_level(std::move(rest)));
}

const std::string* longest_prefix(const std::vector<std::string>& prefixes,
                                  const ListedFolder& folder) {
  const std::string* best = nullptr;
  for (const std::string& prefix : prefixes) {
    // A namespace's own folder ("INBOX.", "user.") is listed without the delimiter.
    const bool is_root = folder.delimiter != '\0' && prefix.ends_with(folder.delimiter) &&
                         folder.native.size() + 1 == prefix.size() &&
                         prefix.starts_with(folder.native);
    if (!folder.native.starts_with(prefix) && !is_root) continue;
    if (best == nullptr || prefix.size() > best->size()) best = &prefix;
  }
  return best;
}

// Builds the plan, name by name.
class Planner {
 public:
  Planner(const std::set<std::string>& subscribed, const ImapNamespaces& namespaces,
          const FolderRules& rules)
      : subscribed_(subscribed), namespaces_(namespaces), rules_(rules) {
    for (const std::string& text : rules.patterns)
      patterns_.emplace_back(mail::normalize_nfc(text).value_or(text));
  }

  void add(const ListedFolder& listed) {
    if (!natives_.insert(listed.native).second) return;
    std::string_view rest = listed.native;
    if (!is_inbox(rest) && !listed.has("\\inbox")) {
      const std::string* own = longest_prefix(namespaces_.personal, listed);
      const std::string* foreign = longest_prefix(namespaces_.foreign, listed);
      const bool is_foreign =
          foreign != nullptr && (own == nullptr || foreign->size() > own->size());
      if (is_foreign && !rules_.other_namespaces) {
        if (!listed.has("\\noselect") && !listed.has("\\nonexistent")) ++plan_.foreign;
        return;
      }
      if (!is_foreign && own != nullptr) rest.remove_prefix(std::min(own->size(), rest.size()));
    }
    MailFolder folder = describe(listed, rest);
    if (!folder.name.empty() && !is_wanted(folder.name)) {
      if (folder.selectable) ++plan_.unwanted;
      return;
    }
    if (!folder.name.empty()) plan_.folders.push_back(std::move(folder));
  }

  FolderPlan finish() {
    std::sort(plan_.folders.begin(), plan_.folders.end(),
              [](const MailFolder& a, const MailFolder& b) { return order_of(a) < order_of(b); });
    use_each_once();
    guess_uses();
    return std::move(plan_);
  }

 private:
  MailFolder describe(const ListedFolder& listed, std::string_view rest) {
    MailFolder folder;
    folder.native_name = listed.native;
    folder.subscribed = listed.has("\\subscribed") || subscribed_.contains(listed.native);
    folder.selectable = !listed.has("\\noselect") && !listed.has("\\nonexistent");
    for (const auto& [attribute, use] : kAttributes) {
      if (listed.has(attribute)) folder.special_use = use;
    }
    if (is_inbox(listed.native) || listed.has("\\inbox")) {
      // XLIST shows the inbox under a name in the user's language; it is opened as INBOX all the
      // same.
      folder.native_name = listed.has("\\inbox") ? std::string(kInbox) : listed.native;
      folder.name = kInbox;
      if (!names_.insert(folder.name).second) folder.name.clear();
      return folder;
    }
    folder.name = unique_name(split(rest, listed.delimiter), listed.native);
    return folder;
  }

  std::string unique_name(Levels levels, std::string_view native) {
    const std::string before = join(levels);
    for (std::string& level : levels) level = clean_level(std::move(level));
    limit_depth(levels);
    if (levels.empty()) return {};
    if (is_inbox(levels.front())) levels.front() = kInbox;
    std::string name = join(levels);
    for (unsigned number = 2; name == kInbox || names_.contains(name); ++number)
      name = fmt::format("{} ({})", join(levels), number);
    names_.insert(name);
    if (name != before && !ascii::equals_ignore_case(name, before)) {
      plan_.notes.push_back(fmt::format("folder \"{}\" becomes \"{}\" here",
                                        ascii::printable(before.empty() ? native : before), name));
    }
    return name;
  }

  [[nodiscard]] bool is_wanted(const std::string& name) const {
    return patterns_.empty() || std::any_of(patterns_.begin(), patterns_.end(),
                                            [&](const auto& p) { return p.matches(name); });
  }

  static std::pair<bool, Levels> order_of(const MailFolder& folder) {
    Levels levels;
    std::string_view rest = folder.name;
    while (!rest.empty()) {
      const auto end = std::min(rest.find(imap::kDelimiter), rest.size());
      levels.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return {folder.name != kInbox, std::move(levels)};
  }

  // A store has one mailbox of each use: the first that claims it.
  void use_each_once() {
    for (MailFolder& folder : plan_.folders) {
      if (folder.special_use == SpecialUse::kNone) continue;
      if (!uses_.insert(folder.special_use).second) folder.special_use = SpecialUse::kNone;
    }
  }

  void guess_uses() {
    for (const auto& [name, use] : kWellKnown) {
      if (uses_.contains(use)) continue;
      for (MailFolder& folder : plan_.folders) {
        if (!folder.selectable || folder.special_use != SpecialUse::kNone ||
            !ascii::equals_ignore_case(folder.name, name))
          continue;
        folder.special_use = use;
        uses_.insert(use);
        break;
      }
    }
  }

  const std::set<std::string>& subscribed_;
  const ImapNamespaces& namespaces_;
  const FolderRules& rules_;
  std::vector<imap::ListPattern> patterns_;
  std::set<std::string> natives_;
  std::set<std::string> names_;
  std::set<SpecialUse> uses_;
  FolderPlan plan_;
};

}  // namespace

bool ListedFolder::has(std::string_view attribute) const {
  return std::find(attributes.begin(), attributes.end(), attribute) != attributes.end();
}

Result<ListedFolder> read_list(const ImapResponse& response) {
  const auto malformed = [&](std::string_view why) {
    return fail(
        ErrorCode::kInvalid,
        fmt::format("the server sent a {} response that is no IMAP: {}", response.name, why));
  };
  if (!response.fault.empty()) return malformed(response.fault);
  // LIST-EXTENDED may add more (RFC 5258 section 6).
  if (response.values.size() < 3) return malformed("parts are missing");
  const ImapValue& attributes = response.values[0];
  const ImapValue& delimiter = response.values[1];
  const ImapValue& name = response.values[2];
  if (!attributes.is_list()) return malformed("it has no attributes");
  if (delimiter.is_list() || delimiter.text.size() > 1)
    return malformed("the delimiter is no octet");
  ListedFolder folder;
  // A folder may be called NIL, and old servers write it so.
  if (name.is_list()) return malformed("the name is no string");
  folder.native = name.kind == ImapValue::Kind::kNil ? "NIL" : name.text;
  if (folder.native.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
    return malformed("the name has a line end or NUL in it");
  if (!delimiter.text.empty()) folder.delimiter = delimiter.text.front();
  for (const ImapValue& attribute : attributes.list)
    folder.attributes.push_back(ascii::lower(attribute.text));
  return folder;
}

ImapNamespaces read_namespaces(const ImapResponse& response) {
  ImapNamespaces namespaces;
  for (std::size_t i = 0; i < response.values.size() && i < 3; ++i) {
    for (const ImapValue& one : response.values[i].list) {
      if (one.list.empty() || !one.list.front().is_text()) continue;
      (i == 0 ? namespaces.personal : namespaces.foreign).push_back(one.list.front().text);
    }
  }
  return namespaces;
}

FolderPlan plan_folders(const std::vector<ListedFolder>& listed,
                        const std::set<std::string>& subscribed, const ImapNamespaces& namespaces,
                        const FolderRules& rules) {
  Planner planner(subscribed, namespaces, rules);
  for (const ListedFolder& folder : listed) planner.add(folder);
  return planner.finish();
}

}  // namespace twinpost::tools
