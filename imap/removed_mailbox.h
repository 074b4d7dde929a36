// The mailbox in which users see their removed messages (store/write_txn.h: show_removed), as the
// configuration wants it: looked after at each login, so that an account that nobody reads by IMAP
// has none. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "store/write_txn.h"

namespace twinpost::imap {

// The store's name for the configured one; empty for none. kInvalid where clients could not send
// it.
[[nodiscard]] Result<std::string> removed_mailbox_name(std::string_view configured);

// Whether there is nothing to do: it is there, whole and under this name, or none is there and none
// is wanted. kExists where it can't be, because another mailbox has the name.
[[nodiscard]] Result<bool> is_settled(const store::ReadView& view,
                                      const store::AccountInfo& account, const std::string& name);

struct RemovedMailboxWork {
  store::AccountId account;
  std::string name;                       // empty: it goes
  std::optional<store::RemovedId> after;  // where the next step goes on
  bool done = false;
};
// One step, inside the function of Store::write(): the work that is left after it.
[[nodiscard]] Result<RemovedMailboxWork> settle_some(store::WriteTxn& txn, RemovedMailboxWork work);

}  // namespace twinpost::imap
