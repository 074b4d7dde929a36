// An executor without threads, for unit tests and command-line tools: work runs where it is submitted, what is
// posted runs in run_until_idle(), timers fire when advance() passes them.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>

#include "core/base/executor.h"

namespace twinpost {

class InlineExecutor final : public Executor {
 public:
  void post(std::function<void()> function) override;  // any thread
  void run_on_worker(std::function<void()> work, std::function<void()> done) override;
  TimerId start_timer(Duration delay, std::function<void()> function) override;
  void cancel_timer(TimerId timer) override;

  // Runs what was posted until nothing is left. Returns how many functions ran.
  std::size_t run_until_idle();
  // Moves the clock on, firing timers in their order.
  void advance(Duration by);

 private:
  std::mutex mutex_;
  std::deque<std::function<void()>> posted_;
  Duration now_{0};
  TimerId next_timer_ = 1;
  std::map<std::pair<Duration, TimerId>, std::function<void()>> timers_;
};

}  // namespace twinpost
