// Sequence numbers: which UID is the n-th message of a mailbox, as one session has been told it.
//
// Kept as runs of consecutive UIDs, so that a million messages cost kilobytes (DESIGN: sequence numbers). A list
// changes only when its session tells its client so. Plain value; the session's thread.
//
// Costs, with r runs: lookups O(log r); append O(1); removal of k UIDs O(r + k).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "store/types.h"

namespace twinpost::imap {

// 1 is the first message (RFC 9051 2.3.1.2).
using SequenceNumber = std::uint32_t;

class UidList {
 public:
  UidList() = default;
  // `uids` strictly ascending.
  explicit UidList(std::span<const store::Uid> uids);

  [[nodiscard]] SequenceNumber size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

  // `number` from 1 to size().
  [[nodiscard]] store::Uid uid_at(SequenceNumber number) const;
  [[nodiscard]] std::optional<SequenceNumber> number_of(store::Uid uid) const;
  // How many messages have a UID below `uid`: the sequence number it would come after.
  [[nodiscard]] SequenceNumber count_below(store::Uid uid) const;
  [[nodiscard]] std::optional<store::Uid> last() const;

  // `uid` above last().
  void append(store::Uid uid);

  // Takes out those of `uids` (ascending) that are there and calls `removed`, where it is given, for each with the
  // number it has at that moment: every one that went before it has shifted it down (RFC 9051 7.5.1).
  void remove(std::span<const store::Uid> uids,
              const std::function<void(store::Uid, SequenceNumber)>& removed = nullptr);

  // Calls `visit` with each run (first UID, last UID, number of the first) that has UIDs in [first, last], cut to it.
  void for_each_run(store::Uid first, store::Uid last,
                    const std::function<void(store::Uid, store::Uid, SequenceNumber)>& visit) const;

  [[nodiscard]] std::size_t runs() const { return runs_.size(); }

 private:
  struct Run {
    std::uint32_t first;    // UID
    std::uint32_t last;     // UID, inclusive
    SequenceNumber number;  // of the first
  };
  [[nodiscard]] std::size_t run_at_or_after(std::uint32_t uid) const;

  std::vector<Run> runs_;
  SequenceNumber size_ = 0;
};

}  // namespace twinpost::imap
