// The reaper: frees what was removed, once its retention is over, between deliveries.
//
// A removal's life: `messages` -> `removed` (expunge) -> its blob loses a reference (retention
// over) -> with the last one the blob is listed in `reapable` -> its chunks go, a few hundred pages
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
#include "store/pins.h"

namespace twinpost::store {

class Reaper {
 public:
  Reaper(engine::Environment& environment, const Tables& tables, PinTable& pins,
         std::uint64_t opened_at)
      : environment_(environment), tables_(tables), pins_(pins), opened_at_(opened_at) {}

  struct Step {
    bool progress = false;  // something was done, and there may be more of it
    // A running reader holds something up. (Pins make themselves heard when they go.)
    bool waiting = false;
    // When the next retention ends, where there is nothing to do before.
    std::optional<UnixTime> next_expiry;
  };
  // One step in the batch's transaction, which the caller commits. Does about kPagesAStep pages'
  // worth of work.
  [[nodiscard]] Result<Step> step(Batch& batch, std::chrono::seconds retention);
  // After a step that could not be committed.
  void start_over() { blob_from_ = 0; }

 private:
  static constexpr unsigned kPagesAStep = 450;
  static constexpr unsigned kRowsAStep = 100;

  [[nodiscard]] Result<void> reap_blobs(Batch& batch, Step& step, unsigned& pages_left);
  [[nodiscard]] Result<void> drop_expired(Batch& batch, std::chrono::seconds retention, Step& step);
  [[nodiscard]] bool may_be_seen(std::uint64_t last_reference_went) const;

  engine::Environment& environment_;
  const Tables& tables_;
  PinTable& pins_;
  std::uint64_t opened_at_;  // commit that was the last when this process opened the store
  // A pass over `reapable` takes as many steps as it needs: spared blobs don't hide those behind
  // them.
  std::uint64_t blob_from_ = 0;  // where the next step goes on; 0 begins a pass
  bool seen_ = false;            // in this pass, one that a reader may see
  bool listed_more_ = false;     // since this pass began: another one must follow
};

}  // namespace twinpost::store
