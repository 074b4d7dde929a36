// What CREATE, DELETE and RENAME do to an account's tree of mailboxes (RFC 9051 6.3.4 to 6.3.6),
// each inside the function of one Store::write(). Names are the store's (mailbox_name.h).
//
// `most_mailboxes` is the account's quota of them (0: none), which is checked where mailboxes are made:
// kOverQuota, and nothing is changed.
//
// A name may have mailboxes below it without being one itself (\NonExistent): DELETE leaves it so.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "store/write_txn.h"

namespace twinpost::imap {

// With the missing parents (6.3.4). kExists; kLimit; kConflict where another mailbox has the
// special use: there is one mailbox for a use, so that every client, and POP3's modes, find the
// same one (RFC 6154 section 3 allows the refusal).
[[nodiscard]] Result<store::MailboxInfo> create_mailbox(store::WriteTxn& txn,
                                                        store::AccountId account,
                                                        const std::string& name,
                                                        store::SpecialUse use,
                                                        std::uint64_t most_mailboxes);

// What is below it stays. Its id. kInvalid for INBOX; kNotFound.
[[nodiscard]] Result<store::MailboxId> delete_mailbox(store::WriteTxn& txn,
                                                      store::AccountId account,
                                                      const std::string& name,
                                                      const store::Remover& remover);

// With everything below it, which is all there is where `from` is no mailbox itself; missing
// parents of `to` are made. INBOX: its messages go to the new mailbox, it stays (6.3.6). kNotFound,
// kExists, kInvalid, kLimit.
[[nodiscard]] Result<void> rename_mailbox(store::WriteTxn& txn, store::AccountId account,
                                          const std::string& from, const std::string& to,
                                          std::uint64_t most_mailboxes);

[[nodiscard]] Result<bool> has_mailboxes_below(const store::ReadView& view,
                                               store::AccountId account, std::string_view name);

}  // namespace twinpost::imap
