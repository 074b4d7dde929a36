// A folder's messages without their octets, as the old server lists them. Blocking; one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "tools/twinpost/transfer/imap_response.h"
#include "tools/twinpost/transfer/imap_session.h"
#include "tools/twinpost/transfer/mail.h"

namespace twinpost::tools {

struct ListedMessage {
  MailItem item;
  std::vector<std::string>
      gmail_labels;  // as Gmail writes them: "\\Inbox", names in modified UTF-7
};

// System flags and keywords of a FLAGS list. \Recent, other unknown system flags and what is no
// atom are left out; `odd` counts the latter.
void read_flags(const std::vector<std::string>& flags, MailItem& item, std::size_t& odd);

// By its folder's native name, UIDVALIDITY and UID.
[[nodiscard]] store::ImportKey import_key(const MailFolder& folder, store::Uid uid);

// Ascending by UID. 1,000 messages a command.
[[nodiscard]] Result<std::vector<ListedMessage>> list_messages(
    ImapSession& session, const MailFolder& folder,
    const std::function<void(std::string_view)>& note);

}  // namespace twinpost::tools
