// The executor interface: run on a worker, come back to the loop; and the awaitables made of it.
//
// net::EventLoop is the executor of the server; InlineExecutor (tests, tools) has no threads at all.
// Coroutines are resumed on the loop thread only.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace twinpost {

using Duration = std::chrono::milliseconds;

class Executor {
 public:
  using TimerId = std::uint64_t;  // 0 is no timer

  virtual ~Executor() = default;

  // Runs `function` on the loop thread, soon, never from inside this call. Any thread.
  virtual void post(std::function<void()> function) = 0;

  // Runs `work` on a worker thread, then `done` on the loop thread. Loop thread only. `work` must not throw.
  virtual void run_on_worker(std::function<void()> work, std::function<void()> done) = 0;

  // Calls `function` once on the loop thread after `delay`. Loop thread only. Never returns 0.
  virtual TimerId start_timer(Duration delay, std::function<void()> function) = 0;
  // A timer that has fired or was cancelled is ignored. Loop thread only.
  virtual void cancel_timer(TimerId timer) = 0;
};

namespace executor_detail {

// Holds what a function returned, void included, or the exception that left it.
template <class T>
struct Outcome {
  std::optional<T> value;
  std::exception_ptr exception;
  template <class F>
  void run(F& function) noexcept {
    try {
      value.emplace(function());
    } catch (...) {
      exception = std::current_exception();
    }
  }
  T take() {
    if (exception) std::rethrow_exception(exception);
    return std::move(*value);
  }
};

template <>
struct Outcome<void> {
  std::exception_ptr exception;
  template <class F>
  void run(F& function) noexcept {
    try {
      function();
    } catch (...) {
      exception = std::current_exception();
    }
  }
  void take() const {
    if (exception) std::rethrow_exception(exception);
  }
};

}  // namespace executor_detail

template <class F>
class [[nodiscard]] OnWorker {
 public:
  using T = std::invoke_result_t<F&>;
  OnWorker(Executor& executor, F function) : executor_(executor), function_(std::move(function)) {}
  OnWorker(const OnWorker&) = delete;
  OnWorker& operator=(const OnWorker&) = delete;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) {
    executor_.run_on_worker([this] { outcome_.run(function_); }, [awaiting] { awaiting.resume(); });
  }
  T await_resume() { return outcome_.take(); }

 private:
  Executor& executor_;
  F function_;
  executor_detail::Outcome<T> outcome_;
};

// co_await on_worker(executor, [..] { return slow(); }): runs the function on a worker and resumes on the loop
// with what it returned. The function may refer to locals of the awaiting coroutine.
template <class F>
OnWorker<F> on_worker(Executor& executor, F function) {
  return OnWorker<F>(executor, std::move(function));
}

// co_await sleep_for(executor, 50ms)
class [[nodiscard]] SleepFor {
 public:
  SleepFor(Executor& executor, Duration delay) : executor_(executor), delay_(delay) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) {
    executor_.start_timer(delay_, [awaiting] { awaiting.resume(); });
  }
  void await_resume() const noexcept {}

 private:
  Executor& executor_;
  Duration delay_;
};

inline SleepFor sleep_for(Executor& executor, Duration delay) { return {executor, delay}; }

// Bounds how many coroutines do a costly thing at once (password hashes, big parses). First come, first
// served. Loop thread only; must outlive its waiters.
class AsyncSemaphore {
 public:
  AsyncSemaphore(Executor& executor, std::size_t permits) : executor_(executor), free_(permits) {}
  AsyncSemaphore(const AsyncSemaphore&) = delete;
  AsyncSemaphore& operator=(const AsyncSemaphore&) = delete;

  class Permit {
   public:
    explicit Permit(AsyncSemaphore* semaphore) : semaphore_(semaphore) {}
    Permit(Permit&& other) noexcept : semaphore_(std::exchange(other.semaphore_, nullptr)) {}
    Permit& operator=(Permit&&) = delete;
    Permit(const Permit&) = delete;
    ~Permit() {
      if (semaphore_ != nullptr) semaphore_->release();
    }

   private:
    AsyncSemaphore* semaphore_;
  };

  struct Acquire {
    AsyncSemaphore* semaphore;
    bool await_ready() const noexcept {
      if (semaphore->free_ == 0) return false;
      --semaphore->free_;
      return true;
    }
    void await_suspend(std::coroutine_handle<> awaiting) {
      semaphore->waiting_.push_back(awaiting);
    }
    Permit await_resume() const noexcept { return Permit(semaphore); }
  };

  // auto permit = co_await semaphore.acquire();  released when `permit` goes.
  [[nodiscard]] Acquire acquire() { return Acquire{this}; }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
  void release() {
    if (waiting_.empty()) {
      ++free_;
      return;
    }
    const auto next = waiting_.front();
    waiting_.pop_front();
    executor_.post([next] { next.resume(); });
  }

  Executor& executor_;
  std::size_t free_;
  std::deque<std::coroutine_handle<>> waiting_;
};

}  // namespace twinpost
