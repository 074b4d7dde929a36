#include "store/change_log.h"

#include <algorithm>

namespace twinpost::store {

namespace {

using Entry = TouchedMessages::Entry;

// The first entry above `modseq`.
auto above(const std::vector<Entry>& entries, ModSeq modseq) {
  return std::upper_bound(entries.begin(), entries.end(), modseq,
                          [](ModSeq wanted, const Entry& entry) { return wanted < entry.modseq; });
}

}  // namespace

void TouchedMessages::add(ModSeq modseq, Uid uid) {
  if (modseq <= floor_) return;
  if (entries_.size() == kMost) {
    floor_ = modseq;
    entries_ = {};
    return;
  }
  entries_.push_back({modseq, uid});
}

void ChangeLog::publish(const std::map<MailboxKey, TouchedMessages>& touched) {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, messages] : touched) publish_one(key, messages);
  while (cost_ > most_) {
    const auto oldest = mailboxes_.find(used_.front());
    cost_ -= oldest->second.entries.size() + kMailboxCost;
    mailboxes_.erase(oldest);
    used_.pop_front();
  }
}

void ChangeLog::publish_one(MailboxKey key, const TouchedMessages& touched) {
  const auto [entry, is_new] = mailboxes_.try_emplace(key);
  Mailbox& mailbox = entry->second;
  if (is_new) {
    mailbox.floor = touched.before();
    mailbox.used = used_.insert(used_.end(), key);
    cost_ += kMailboxCost;
  }
  used_.splice(used_.end(), used_, mailbox.used);
  // A modseq is committed once: what is here above `before` was published by a batch whose commit
  // failed. All that there is above it now is in this batch, whatever that one did to the floor.
  const auto stale = above(mailbox.entries, touched.before());
  cost_ -= static_cast<std::size_t>(mailbox.entries.end() - stale);
  mailbox.entries.erase(stale, mailbox.entries.end());
  mailbox.floor = std::min(mailbox.floor, touched.before());
  if (touched.floor() > touched.before()) raise_floor(mailbox, touched.floor());
  mailbox.entries.insert(mailbox.entries.end(), touched.entries().begin(), touched.entries().end());
  cost_ += touched.entries().size();
  if (mailbox.entries.size() > kMostOfMailbox) {
    // More than the surplus, so that it is not moved for every change.
    const std::size_t surplus = mailbox.entries.size() - kMostOfMailbox * 3 / 4;
    raise_floor(mailbox, mailbox.entries[surplus - 1].modseq);
  }
}

void ChangeLog::raise_floor(Mailbox& mailbox, ModSeq floor) {
  const auto kept = above(mailbox.entries, floor);
  cost_ -= static_cast<std::size_t>(kept - mailbox.entries.begin());
  mailbox.entries.erase(mailbox.entries.begin(), kept);
  mailbox.floor = floor;
}

std::optional<std::vector<Uid>> ChangeLog::touched_since(MailboxKey key, ModSeq since) {
  std::vector<Uid> uids;
  {
    const std::lock_guard lock(mutex_);
    const auto found = mailboxes_.find(key);
    if (found == mailboxes_.end() || since < found->second.floor) return std::nullopt;
    const Mailbox& mailbox = found->second;
    used_.splice(used_.end(), used_, mailbox.used);
    const auto first = above(mailbox.entries, since);
    uids.reserve(static_cast<std::size_t>(mailbox.entries.end() - first));
    std::for_each(first, mailbox.entries.end(),
                  [&uids](const Entry& entry) { uids.push_back(entry.uid); });
  }
  std::sort(uids.begin(), uids.end());
  uids.erase(std::unique(uids.begin(), uids.end()), uids.end());
  return uids;
}

std::size_t ChangeLog::cost() const {
  const std::lock_guard lock(mutex_);
  return cost_;
}

}  // namespace twinpost::store
