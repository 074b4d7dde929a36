#include "tools/twinpost/transfer/maildir_control.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/base/ascii.h"
#include "imap/mailbox_name.h"
#include "store/names.h"
#include "tools/twinpost/transfer/maildir_files.h"
#include "tools/twinpost/transfer/maildir_names.h"

namespace twinpost::tools {

namespace {

constexpr std::size_t kLongestLine = 8192;
constexpr std::size_t kMostSubscriptions = 100'000;
constexpr std::size_t kMostKeywords = 1'000;

void for_each_line_in(int folder, const std::string& name,
                      const std::function<bool(std::string_view)>& line) {
  const auto file = open_file(folder, name);
  if (!file) return;
  // What can't be read any further is left out: nothing here is worth more than the messages.
  (void)for_each_line(file->get(), kLongestLine, line);
}

// Dovecot's escapes within a tabbed line.
std::string tab_unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\001' || i + 1 == text.size()) {
      plain += text[i];
      continue;
    }
    const char code = text[++i];
    plain += code == 't'   ? '\t'
             : code == 'n' ? '\n'
             : code == 'r' ? '\r'
             : code == '1' ? '\001'
                           : code;
  }
  return plain;
}

std::string join_levels(std::string_view line, const MaildirOptions& options) {
  std::string mailbox;
  while (true) {
    const auto end = line.find('\t');
    if (!mailbox.empty()) mailbox += store::kHierarchySeparator;
    mailbox += level_from_disk(tab_unescape(line.substr(0, end)), options.utf8_names);
    if (end == std::string_view::npos) return store::canonical_name(mailbox);
    line.remove_prefix(end + 1);
  }
}

}  // namespace

KeywordLetters read_dovecot_keywords(int folder) {
  KeywordLetters letters;
  for_each_line_in(folder, "dovecot-keywords", [&](std::string_view line) {
    const auto space = line.find(' ');
    const auto number = ascii::parse_number<std::size_t>(line.substr(0, space));
    if (space == std::string_view::npos || !number || *number >= letters.size()) return true;
    letters[*number] = std::string(line.substr(space + 1));
    return true;
  });
  return letters;
}

std::string dovecot_keywords(const KeywordLetters& letters) {
  std::string text;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    if (!letters[i].empty()) text += fmt::format("{} {}\n", i, letters[i]);
  }
  return text;
}

std::map<std::string, std::vector<std::string>> read_courier_keywords(int folder) {
  std::map<std::string, std::vector<std::string>> by_file;
  const auto opened = open_folder(folder, "courierimapkeywords");
  if (!opened) return by_file;
  std::vector<std::string> names;
  bool in_names = true;
  for_each_line_in(opened->get(), ":list", [&](std::string_view line) {
    if (in_names) {
      in_names = !line.empty() && names.size() < kMostKeywords;
      if (in_names) names.emplace_back(line);
      return true;
    }
    const auto colon = line.rfind(':');
    if (colon == std::string_view::npos) return true;
    auto& keywords = by_file[std::string(lasting_name(line.substr(0, colon)))];
    std::string_view numbers = line.substr(colon + 1);
    while (!numbers.empty()) {
      const auto end = numbers.find(' ');
      const auto number = ascii::parse_number<std::size_t>(numbers.substr(0, end));
      if (number && *number < names.size()) keywords.push_back(names[*number]);
      numbers.remove_prefix(end == std::string_view::npos ? numbers.size() : end + 1);
    }
    return true;
  });
  // "<file>" is settled, ".<number>.<file>" a change on its way there, the highest number the latest.
  std::map<std::string, std::pair<std::uint64_t, std::string>> changes;
  for (const std::string& name : names_in(opened->get()).value_or(std::vector<std::string>{})) {
    if (name == ":list") continue;
    std::uint64_t number = ~std::uint64_t{0};
    std::string_view file = name;
    if (file.starts_with('.')) {
      const auto dot = file.find('.', 1);
      if (dot == std::string_view::npos) continue;
      number = ascii::parse_number<std::uint64_t>(file.substr(1, dot - 1)).value_or(0);
      file.remove_prefix(dot + 1);
    }
    auto& latest = changes[std::string(lasting_name(file))];
    if (latest.second.empty() || number >= latest.first) latest = {number, name};
  }
  for (const auto& [file, change] : changes) {
    std::vector<std::string> keywords;
    for_each_line_in(opened->get(), change.second, [&](std::string_view line) {
      if (!line.empty()) keywords.emplace_back(line);
      return keywords.size() < kMostKeywords;
    });
    by_file[file] = std::move(keywords);
  }
  return by_file;
}

std::set<std::string> read_subscriptions(int folder, const MaildirOptions& options) {
  std::set<std::string> mailboxes;
  bool tabbed = false;
  bool first = true;
  for_each_line_in(folder, "subscriptions", [&](std::string_view line) {
    if (std::exchange(first, false) && line == "V\t2") {
      tabbed = true;
    } else if (!line.empty()) {
      mailboxes.insert(tabbed ? join_levels(line, options) : mailbox_from_disk(line, options));
    }
    return mailboxes.size() < kMostSubscriptions;
  });
  for_each_line_in(folder, "courierimapsubscribed", [&](std::string_view line) {
    const bool below = ascii::starts_with_ignore_case(line, "INBOX.");
    if (below) line.remove_prefix(6);
    if (!line.empty()) mailboxes.insert(mailbox_from_disk(line, options));
    return mailboxes.size() < kMostSubscriptions;
  });
  return mailboxes;
}

std::string dovecot_subscriptions(const std::set<std::string>& mailboxes,
                                  const MaildirOptions& options) {
  std::string text = "V\t2\n\n";
  for (const std::string& mailbox : mailboxes) {
    std::string line = options.utf8_names ? mailbox : imap::utf7_encode(mailbox);
    std::replace(line.begin(), line.end(), store::kHierarchySeparator, '\t');
    text += line + "\n";
  }
  return text;
}

namespace {

// "<file> <size>", since version 1 with " <UID>", since 2 with ":<UIDVALIDITY>", since 3 with ":<is UTF-8>".
void add_courier_uidl(std::string_view line, bool with_uid,
                      std::map<std::string, std::string>& uidls) {
  const auto take_last = [&line]() -> std::string_view {
    const auto space = line.rfind(' ');
    if (space == std::string_view::npos) return {};
    const std::string_view word = line.substr(space + 1);
    line = line.substr(0, space);
    return word;
  };
  std::string_view ids = with_uid ? take_last() : std::string_view("0");
  if (ids.empty() || take_last().empty() || line.empty()) return;
  const std::string_view base = parse_file_name(line).base;
  const auto uid = ascii::parse_number<std::uint64_t>(ids.substr(0, ids.find(':')));
  if (!uid) return;
  std::uint64_t validity = 0;
  if (const auto colon = ids.find(':'); colon != std::string_view::npos) {
    ids.remove_prefix(colon + 1);
    validity = ascii::parse_number<std::uint64_t>(ids.substr(0, ids.find(':'))).value_or(0);
  }
  std::string& uidl = uidls[std::string(lasting_name(base))];
  if (*uid == 0) {
    uidl = courier_uidl(base);
  } else {
    uidl = validity == 0 ? fmt::format("UID{}", *uid) : fmt::format("UID{}-{}", *uid, validity);
  }
}

}  // namespace

std::optional<std::map<std::string, std::string>> read_courier_uidls(int folder) {
  if (!open_file(folder, "courierpop3dsizelist")) return std::nullopt;
  std::map<std::string, std::string> uidls;
  bool first = true;
  bool with_uid = false;
  for_each_line_in(folder, "courierpop3dsizelist", [&](std::string_view line) {
    // "/2 <next UID> <UIDVALIDITY>"; the first version of all had no such line.
    if (std::exchange(first, false) && line.starts_with('/')) {
      const auto version = line.substr(1, line.find(' ') - 1);
      with_uid = version == "1" || version == "2" || version == "3";
      return with_uid;
    }
    add_courier_uidl(line, with_uid, uidls);
    return true;
  });
  return uidls;
}

}  // namespace twinpost::tools
