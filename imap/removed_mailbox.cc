#include "imap/removed_mailbox.h"

#include <utility>

#include "imap/mailbox_name.h"

namespace twinpost::imap {

Result<std::string> removed_mailbox_name(std::string_view configured) {
  if (configured.empty()) return std::string();
  return mailbox_from_wire(configured, true, NameUse::kNew);
}

Result<bool> is_settled(const store::ReadView& view, const store::AccountInfo& account,
                        const std::string& name) {
  if (name.empty()) return account.removed_mailbox.value() == 0;
  const auto found = view.find_mailbox(account.id, name);
  if (!found && found.error().code == ErrorCode::kNotFound) return false;
  if (!found) return tl::unexpected(found.error());
  if (found->id == account.removed_mailbox) return account.removed_shown;
  return fail(ErrorCode::kExists, "another mailbox of the account has this name");
}

Result<RemovedMailboxWork> settle_some(store::WriteTxn& txn, RemovedMailboxWork work) {
  if (work.name.empty()) {
    const auto gone = txn.hide_removed(work.account);
    if (!gone) return tl::unexpected(gone.error());
    work.done = *gone;
    return work;
  }
  const auto next = txn.show_removed(work.account, work.name, work.after);
  if (!next) return tl::unexpected(next.error());
  work.after = *next;
  work.done = !next->has_value();
  return work;
}

}  // namespace twinpost::imap
