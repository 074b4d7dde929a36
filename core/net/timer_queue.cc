#include "core/net/timer_queue.h"

#include <utility>

namespace twinpost::net {

TimerQueue::Id TimerQueue::start(SteadyTime deadline, std::function<void()> function) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t index = free_slots_.back();
  free_slots_.pop_back();
  Slot& slot = slots_[index];
  slot.used = true;
  slot.function = std::move(function);
  const auto last = static_cast<std::uint32_t>(heap_.size());
  heap_.push_back(Node{deadline, next_order_++, index});
  slot.heap_index = last;
  sift_up(last);
  return (static_cast<Id>(slot.generation) << 32) | index;
}

void TimerQueue::cancel(Id id) {
  const auto index = static_cast<std::uint32_t>(id);
  const auto generation = static_cast<std::uint32_t>(id >> 32);
  if (index >= slots_.size()) return;
  const Slot& slot = slots_[index];
  if (slot.used && slot.generation == generation) remove_at(slot.heap_index);
}

std::optional<std::function<void()>> TimerQueue::take_due(SteadyTime now) {
  if (heap_.empty() || heap_.front().deadline > now) return std::nullopt;
  return remove_at(0);
}

std::function<void()> TimerQueue::remove_at(std::uint32_t heap_index) {
  const std::uint32_t index = heap_[heap_index].slot;
  const Node last = heap_.back();
  heap_.pop_back();
  if (heap_index < heap_.size()) {
    place(heap_index, last);
    sift_up(heap_index);
    sift_down(slots_[last.slot].heap_index);
  }
  Slot& slot = slots_[index];
  slot.used = false;
  if (++slot.generation == 0) slot.generation = 1;  // an Id is never 0
  free_slots_.push_back(index);
  return std::exchange(slot.function, nullptr);
}

void TimerQueue::place(std::uint32_t heap_index, const Node& node) {
  heap_[heap_index] = node;
  slots_[node.slot].heap_index = heap_index;
}

void TimerQueue::sift_up(std::uint32_t index) {
  const Node node = heap_[index];
  while (index > 0) {
    const std::uint32_t parent = (index - 1) / 2;
    if (!node.before(heap_[parent])) break;
    place(index, heap_[parent]);
    index = parent;
  }
  place(index, node);
}

void TimerQueue::sift_down(std::uint32_t index) {
  const Node node = heap_[index];
  const auto size = static_cast<std::uint32_t>(heap_.size());
  for (;;) {
    std::uint32_t child = 2 * index + 1;
    if (child >= size) break;
    if (child + 1 < size && heap_[child + 1].before(heap_[child])) ++child;
    if (!heap_[child].before(node)) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, node);
}

}  // namespace twinpost::net
