// The small files beside the messages: keywords, subscriptions, Courier's list of what POP3 showed. What is not there, or
// can't be made out, is empty: messages come without it rather than not at all. Every file is bounded.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "tools/twinpost/transfer/maildir.h"

namespace twinpost::tools {

// dovecot-keywords: "0 $Junk" says that 'a' stands for $Junk. By letter; empty: none.
using KeywordLetters = std::array<std::string, 26>;
[[nodiscard]] KeywordLetters read_dovecot_keywords(int folder);
[[nodiscard]] std::string dovecot_keywords(const KeywordLetters& letters);

// courierimapkeywords/: a list of names and of files with the numbers of theirs (":list"), and a file each for those that
// changed since. By lasting_name().
[[nodiscard]] std::map<std::string, std::vector<std::string>> read_courier_keywords(int folder);

// Subscribed mailboxes as the store calls them: Dovecot's "subscriptions" (lines of names; since 2.2 "V<TAB>2", then names with
// tabs between their levels) and Courier's courierimapsubscribed ("INBOX.Sent").
[[nodiscard]] std::set<std::string> read_subscriptions(int folder, const MaildirOptions& options);
[[nodiscard]] std::string dovecot_subscriptions(const std::set<std::string>& mailboxes,
                                                const MaildirOptions& options);

// courierpop3dsizelist, versions 1 to 3: base name -> UIDL. nullopt where there is none: no POP3 client was ever here.
[[nodiscard]] std::optional<std::map<std::string, std::string>> read_courier_uidls(int folder);

}  // namespace twinpost::tools
