// The reaper: frees what was removed, once its retention is over, between deliveries.
//
// A removal's life: `messages` -> `removed` (expunge) -> its blob loses a reference (retention over,
// or more is kept of the account than may be; but not while a session is held to it, holds.h) -> with
// the last one the blob is listed in `reapable` -> its chunks go, a few hundred pages
// a step, each step a small transaction. A blob is spared
//   - while it is pinned, and
//   - while a read transaction runs that began before its last reference went: the function in it
//     may be about to pin what it sees there.
// Writer thread only.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "store/batch.h"
#include "store/engine/engine.h"
#include "store/holds.h"
#include "store/pins.h"

namespace twinpost::store {

class Reaper {
 public:
  Reaper(engine::Environment& environment, const Tables& tables, PinTable& pins, HoldTable& holds,
         std::uint64_t opened_at)
      : environment_(environment),
        tables_(tables),
        pins_(pins),
        holds_(holds),
        opened_at_(opened_at) {}

  // What `removed` keeps.
  struct Keep {
    std::chrono::seconds retention{};
    std::uint64_t bytes = 0;     // of one account; 0: no limit
    std::uint64_t messages = 0;  // likewise
  };

  struct Step {
    bool progress = false;  // something was done, and there may be more of it
    // A running reader holds something up. (Pins make themselves heard when they go.)
    bool waiting = false;
    // When the next retention ends, where there is nothing to do before.
    std::optional<UnixTime> next_expiry;
    std::uint64_t forgotten = 0;  // rows of `removed`
    std::uint64_t reaped = 0;     // blobs, wholly
  };
  // One step in the batch's transaction, which the caller commits. Does about kPagesAStep pages'
  // worth of work.
  [[nodiscard]] Result<Step> step(Batch& batch, const Keep& keep);
  // After a step that could not be committed.
  void start_over() { blob_from_ = 0; }
  // The engine counts its commits anew (compaction): no reader of before is left.
  void commits_begin_anew(std::uint64_t opened_at) { opened_at_ = opened_at; }

 private:
  static constexpr unsigned kPagesAStep = 450;
  static constexpr unsigned kRowsAStep = 100;

  [[nodiscard]] Result<void> reap_blobs(Batch& batch, Step& step, unsigned& pages_left);
  [[nodiscard]] Result<void> drop_expired(Batch& batch, const Keep& keep, Step& step);
  [[nodiscard]] Result<void> drop_expired_of(Batch& batch, const AccountInfo& account,
                                             const Keep& keep, Step& step);
  [[nodiscard]] bool may_be_seen(std::uint64_t last_reference_went) const;

  engine::Environment& environment_;
  const Tables& tables_;
  PinTable& pins_;
  HoldTable& holds_;
  std::uint64_t opened_at_;  // commit that was the last when this process opened the store
  // A pass over `reapable` takes as many steps as it needs: spared blobs don't hide those behind
  // them.
  std::uint64_t blob_from_ = 0;  // where the next step goes on; 0 begins a pass
  bool seen_ = false;            // in this pass, one that a reader may see
  bool listed_more_ = false;     // since this pass began: another one must follow
};

}  // namespace twinpost::store
