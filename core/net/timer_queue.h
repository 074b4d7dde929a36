// The loop's timers: a binary heap by deadline, in which a timer can be cancelled in place.
//
// Every read of every session arms a timer and nearly all are cancelled, so start() and cancel()
// cost O(log n) without an allocation for small functions. Pure bookkeeping, without a clock: the
// loop says what time it is.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/base/clock.h"

namespace twinpost::net {

class TimerQueue {
 public:
  using Id = std::uint64_t;  // never 0; not used again for another timer

  Id start(SteadyTime deadline, std::function<void()> function);
  void cancel(Id id);  // unknown or ended ones are ignored

  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] SteadyTime next_deadline() const {
    return heap_.front().deadline;
  }  // not when empty

  // Takes the first timer whose deadline is not after `now`. Timers of one deadline come as they
  // were started.
  std::optional<std::function<void()>> take_due(SteadyTime now);

 private:
  struct Node {
    SteadyTime deadline;
    std::uint64_t order;  // when it was started
    std::uint32_t slot;
    [[nodiscard]] bool before(const Node& other) const {
      return deadline != other.deadline ? deadline < other.deadline : order < other.order;
    }
  };
  struct Slot {
    std::uint32_t generation = 1;
    std::uint32_t heap_index = 0;
    bool used = false;
    std::function<void()> function;
  };

  std::function<void()> remove_at(std::uint32_t heap_index);
  void place(std::uint32_t heap_index, const Node& node);
  void sift_up(std::uint32_t index);
  void sift_down(std::uint32_t index);

  std::vector<Node> heap_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::uint64_t next_order_ = 0;
};

}  // namespace twinpost::net
