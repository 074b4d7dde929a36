#include "core/base/inline_executor.h"

#include <utility>

namespace twinpost {

void InlineExecutor::post(std::function<void()> function) {
  const std::lock_guard lock(mutex_);
  posted_.push_back(std::move(function));
}

void InlineExecutor::run_on_worker(std::function<void()> work, std::function<void()> done) {
  work();
  post(std::move(done));
}

Executor::TimerId InlineExecutor::start_timer(Duration delay, std::function<void()> function) {
  const TimerId id = next_timer_++;
  timers_.emplace(std::make_pair(now_ + delay, id), std::move(function));
  return id;
}

void InlineExecutor::cancel_timer(TimerId timer) {
  std::erase_if(timers_, [timer](const auto& entry) { return entry.first.second == timer; });
}

std::size_t InlineExecutor::run_until_idle() {
  std::size_t count = 0;
  for (;;) {
    std::function<void()> next;
    {
      const std::lock_guard lock(mutex_);
      if (posted_.empty()) return count;
      next = std::move(posted_.front());
      posted_.pop_front();
    }
    next();
    ++count;
  }
}

void InlineExecutor::advance(Duration by) {
  const Duration until = now_ + by;
  run_until_idle();
  while (!timers_.empty() && timers_.begin()->first.first <= until) {
    auto node = timers_.extract(timers_.begin());
    now_ = node.key().first;
    node.mapped()();
    run_until_idle();
  }
  now_ = until;
}

}  // namespace twinpost
