// The mailboxes that every account has from its first IMAP login on: Sent, Drafts, Trash, Junk and
// Archive, each with its special use (RFC 6154) and subscribed.
//
// Once only: what the user deletes or renames afterwards stays so. Clients find them by their use,
// so a user whose account came with other names (an import, POP3's mode "archive") gets no second
// set.
#pragma once

#include <string_view>

#include "store/write_txn.h"

namespace twinpost::imap {

// A cheap look first: whether prepare_account() has nothing to do. Any thread.
[[nodiscard]] bool is_prepared(const store::AccountInfo& account);

// The account of that name, made where it is not there yet; at its first time also the mailboxes
// above, and INBOX subscribed. A use that some mailbox has already makes no other one; a mailbox
// that has the name gets the use, if it has none. An account that is at its limit of mailboxes does
// without those that do not fit. Inside the function of Store::write().
[[nodiscard]] Result<store::AccountInfo> prepare_account(store::WriteTxn& txn,
                                                         std::string_view account);

}  // namespace twinpost::imap
