#include "store/holds.h"

#include <utility>

namespace twinpost::store {

class HoldTable::Handle final : public Store::RemovalHold {
 public:
  Handle(std::shared_ptr<HoldTable> table, MailboxKey mailbox, UnixTime since)
      : table_(std::move(table)), mailbox_(mailbox), since_(since) {}
  ~Handle() override { table_->release(mailbox_, since_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  void move_on(UnixTime since) override {
    if (since <= since_) return;
    {
      const std::lock_guard lock(table_->mutex_);
      table_->mailboxes_[mailbox_].since.insert(since);
    }
    table_->release(mailbox_, std::exchange(since_, since));
  }

 private:
  std::shared_ptr<HoldTable> table_;  // a hold may outlive its store
  MailboxKey mailbox_;
  UnixTime since_;
};

std::unique_ptr<Store::RemovalHold> HoldTable::hold(MailboxKey mailbox, UnixTime since) {
  {
    const std::lock_guard lock(mutex_);
    mailboxes_[mailbox].since.insert(since);
  }
  return std::make_unique<Handle>(shared_from_this(), mailbox, since);
}

bool HoldTable::spares(MailboxKey mailbox, UnixTime time) {
  const std::lock_guard lock(mutex_);
  const auto entry = mailboxes_.find(mailbox);
  if (entry == mailboxes_.end() || time < *entry->second.since.begin()) return false;
  entry->second.asked_for = true;
  return true;
}

void HoldTable::disconnect() {
  const std::lock_guard lock(mutex_);
  on_release_ = nullptr;
}

// The callback runs under the lock: disconnect() then means that it is over.
void HoldTable::release(MailboxKey mailbox, UnixTime since) {
  const std::lock_guard lock(mutex_);
  const auto entry = mailboxes_.find(mailbox);
  Mailbox& held = entry->second;
  held.since.erase(held.since.find(since));
  const bool asked = std::exchange(held.asked_for, false);
  if (held.since.empty()) mailboxes_.erase(entry);
  if (asked && on_release_) on_release_();
}

}  // namespace twinpost::store
