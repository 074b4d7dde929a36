// Removals that sessions have not told their clients of yet: counted in memory only, since a hold
// lives as long as its session. Any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "store/store.h"

namespace twinpost::store {

class HoldTable : public std::enable_shared_from_this<HoldTable> {
 public:
  // `on_release` is called, on whatever thread a hold moves on or goes, where something was spared
  // for it (spares); until disconnect().
  explicit HoldTable(std::function<void()> on_release) : on_release_(std::move(on_release)) {}

  [[nodiscard]] std::unique_ptr<Store::RemovalHold> hold(MailboxKey mailbox, UnixTime since);
  // Whether what left the mailbox at `time` must stay.
  [[nodiscard]] bool spares(MailboxKey mailbox, UnixTime time);
  void disconnect();

 private:
  class Handle;
  struct Mailbox {
    std::multiset<UnixTime> since;
    bool asked_for = false;
  };

  void release(MailboxKey mailbox, UnixTime since);

  std::mutex mutex_;
  std::map<MailboxKey, Mailbox> mailboxes_;
  std::function<void()> on_release_;
};

}  // namespace twinpost::store
