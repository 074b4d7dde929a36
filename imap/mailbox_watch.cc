#include "imap/mailbox_watch.h"

#include <vector>

#include "imap/session.h"

namespace twinpost::imap {

MailboxWatch::MailboxWatch(store::Store& store)
    : store_(store), subscription_(store.subscribe([this](const store::MailboxChanged& change) {
        this->changed(change);
      })) {}

MailboxWatch::~MailboxWatch() { store_.unsubscribe(subscription_); }

void MailboxWatch::add(store::MailboxKey mailbox, Session& session) {
  sessions_[mailbox].insert(&session);
}

void MailboxWatch::remove(store::MailboxKey mailbox, Session& session) {
  const auto found = sessions_.find(mailbox);
  if (found == sessions_.end()) return;
  found->second.erase(&session);
  if (found->second.empty()) sessions_.erase(found);
}

void MailboxWatch::changed(const store::MailboxChanged& change) {
  const auto found = sessions_.find(change.mailbox);
  if (found == sessions_.end()) return;
  // A session only notes it and is woken later, from the loop: nothing here changes the set.
  for (Session* session : found->second) session->on_mailbox_changed(change);
}

}  // namespace twinpost::imap
