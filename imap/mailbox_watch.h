// Which sessions have which mailbox open, so that a commit reaches those that it concerns.
//
// Loop thread only. One listener on the store for all sessions.
#pragma once

#include <cstdint>
#include <map>
#include <set>

#include "store/store.h"

namespace twinpost::imap {

class Session;

class MailboxWatch {
 public:
  explicit MailboxWatch(store::Store& store);
  ~MailboxWatch();
  MailboxWatch(const MailboxWatch&) = delete;
  MailboxWatch& operator=(const MailboxWatch&) = delete;

  void add(store::MailboxKey mailbox, Session& session);
  void remove(store::MailboxKey mailbox, Session& session);

 private:
  void changed(const store::MailboxChanged& change);

  store::Store& store_;
  std::uint64_t subscription_;
  std::map<store::MailboxKey, std::set<Session*>> sessions_;
};

}  // namespace twinpost::imap
