// "show": "from now on": since when POP3 shows an account's messages.
//
// The moment is kept with the mailbox (store::NoteKind::kPop3ShowFrom), and forgotten once the account is configured
// otherwise, so that it counts anew if the choice comes back. It is noted when a configuration comes into
// force, not at the first login: what arrives in between is to be shown.
#pragma once

#include <optional>

#include "core/base/clock.h"
#include "core/base/task.h"
#include "core/config/config.h"
#include "store/store.h"

namespace twinpost::pop3 {

struct ShowFrom {
  UnixTime time{};
  store::Uid uid;  // UIDNEXT then: within the second of `time` it tells old from new
};

// nullopt where none is noted.
[[nodiscard]] Result<std::optional<ShowFrom>> read_show_from(const store::ReadView& view,
                                                             store::MailboxKey maildrop);
// Of now; does nothing where one is noted.
[[nodiscard]] Result<void> note_show_from(store::WriteTxn& txn, store::MailboxKey maildrop);

// Notes the moment for the accounts that have just been configured so, and forgets it for the others. Loop
// thread; what fails is logged, and made up for at the account's login.
Task<void> note_show_from(store::Store& store, config::AccountsConfigPtr accounts);

}  // namespace twinpost::pop3
