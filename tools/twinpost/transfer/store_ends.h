// The store as a sink (import, restore) and as a source (export, backup).
#pragma once

#include <memory>
#include <string>

#include "store/store.h"
#include "tools/twinpost/store_access.h"
#include "tools/twinpost/transfer/mail.h"

namespace twinpost::tools {

struct StoreSinkOptions {
  bool ignore_quota = false;
  // Put it below this mailbox ("Old mail"): "INBOX" becomes "Old mail/INBOX". Empty: each under its own name.
  std::string below;
  bool keep_identity = true;  // UIDVALIDITY and UIDs, where the mailbox had no message before
};

// Makes the account and its mailboxes where they are missing. Gathers up to 4 MiB or 200 messages a call of the "deposit"
// operation. `access` outlives it.
[[nodiscard]] std::unique_ptr<MailSink> make_store_sink(StoreAccess& access, std::string account,
                                                        StoreSinkOptions options);

// One account of a store that is open for reading, which outlives it. Short reads; what is removed meanwhile is passed over.
// Every message's UIDL is given as POP3 shows it.
[[nodiscard]] Result<std::unique_ptr<MailSource>> make_store_source(store::Store& store,
                                                                    const std::string& account);

}  // namespace twinpost::tools
