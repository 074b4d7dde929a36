// The old server's folders as Twinpost will have them: names, special uses, subscriptions. Pure;
// any thread.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "tools/twinpost/transfer/imap_response.h"
#include "tools/twinpost/transfer/mail.h"

namespace twinpost::tools {

// One LIST, LSUB or XLIST response.
struct ListedFolder {
  std::string native;                   // as the server writes it
  char delimiter = '\0';                // none
  std::vector<std::string> attributes;  // lower case, with their backslash
  [[nodiscard]] bool has(std::string_view attribute) const;
};
[[nodiscard]] Result<ListedFolder> read_list(const ImapResponse& response);

// RFC 2342.
struct ImapNamespaces {
  std::vector<std::string> personal;  // prefixes, the delimiter at their end included
  std::vector<std::string> foreign;   // other users', shared
};
// Empty where the response can't be read: then every folder is personal.
[[nodiscard]] ImapNamespaces read_namespaces(const ImapResponse& response);

struct FolderRules {
  std::vector<std::string> patterns;  // of Twinpost's names; empty: all
  bool other_namespaces = false;
};

struct FolderPlan {
  std::vector<MailFolder> folders;  // parents before children, INBOX first
  std::vector<std::string> notes;   // what had to be renamed
  std::size_t foreign = 0;          // left out: of other users, or shared
  std::size_t unwanted = 0;         // left out by the patterns
};

// `subscribed`: native names, of servers that tell by LSUB.
[[nodiscard]] FolderPlan plan_folders(const std::vector<ListedFolder>& listed,
                                      const std::set<std::string>& subscribed,
                                      const ImapNamespaces& namespaces, const FolderRules& rules);

}  // namespace twinpost::tools
