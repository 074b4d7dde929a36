// Which messages changed lately: what spares changes_since() the scan of a large mailbox.
//
// Per mailbox, the UIDs that came or got other flags, each with the modseq that it got, from a
// floor on: every change above the floor is here. Removals are not: the table `expunged` has them
// by modseq.
//
// The writer publishes a batch's changes before it commits them, so that a reader whose snapshot
// has a change finds it here. So what is here may be newer than a reader's snapshot, or never come
// to be: an entry says where to look, the snapshot says what is so. Bounded; what does not fit
// raises a floor. Nothing here outlives the process. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "store/types.h"

namespace twinpost::store {

// What one batch changed in one mailbox.
class TouchedMessages {
 public:
  static constexpr std::size_t kMost = 4096;

  struct Entry {
    ModSeq modseq;
    Uid uid;
  };

  // `before` is the mailbox's HIGHESTMODSEQ as it was committed last.
  explicit TouchedMessages(ModSeq before) : before_(before), floor_(before) {}

  // With ascending modseqs.
  void add(ModSeq modseq, Uid uid);

  [[nodiscard]] ModSeq before() const { return before_; }
  // Above before() where there were too many: entries() are those above it.
  [[nodiscard]] ModSeq floor() const { return floor_; }
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

 private:
  ModSeq before_;
  ModSeq floor_;
  std::vector<Entry> entries_;
};

class ChangeLog {
 public:
  // Entries of one mailbox, and of all together; a mailbox counts as kMailboxCost more.
  static constexpr std::size_t kMostOfMailbox = 16'384;
  static constexpr std::size_t kMailboxCost = 16;
  explicit ChangeLog(std::size_t most = 1'000'000) : most_(most) {}

  // Before the commit. Where that fails, the next batch that touches the mailbox takes the place of
  // this one.
  void publish(const std::map<MailboxKey, TouchedMessages>& touched);

  // The UIDs with a modseq above `since`, ascending, each once; nullopt where the log does not
  // reach so far back.
  [[nodiscard]] std::optional<std::vector<Uid>> touched_since(MailboxKey key, ModSeq since);

  [[nodiscard]] std::size_t cost() const;
  // How often a mailbox was scanned for what is not here.
  void count_scan() { ++scans_; }
  [[nodiscard]] std::uint64_t scans() const { return scans_; }

 private:
  struct Mailbox {
    ModSeq floor;
    std::vector<TouchedMessages::Entry> entries;  // by modseq, above the floor
    std::list<MailboxKey>::iterator used;
  };

  void publish_one(MailboxKey key, const TouchedMessages& touched);
  void raise_floor(Mailbox& mailbox, ModSeq floor);

  const std::size_t most_;
  std::atomic<std::uint64_t> scans_{0};
  mutable std::mutex mutex_;  // guards the rest
  std::map<MailboxKey, Mailbox> mailboxes_;
  std::list<MailboxKey> used_;  // least recently first
  std::size_t cost_ = 0;
};

}  // namespace twinpost::store
