// Coroutine tasks: the form in which everything on the loop is written.
//
// Task<T> is lazy: it runs when it is awaited (or spawned). One that ends without having waited for anything
// lets its awaiter go straight on, without a suspension and without stack: compilers drop the tail call of a
// symmetric transfer in debug and sanitizer builds, so the depth of a loop must not hang on it. A Task owns its frame; destroying a Task that is suspended in the middle of its work is not done
// anywhere in this code base: a session is destroyed only from its own final suspend.
//
// An exception that leaves a task is thrown again in whoever awaits it; one that leaves a spawned task goes to
// the `on_done` of spawn().
//
// Rules that keep coroutines safe (GCC 12 included): parameters by value or owned by the session; no lambda
// coroutine with captures; no braced aggregate as an argument inside a co_await expression (name it first).
#pragma once

#include <coroutine>
#include <exception>
#include <functional>
#include <optional>
#include <utility>

namespace twinpost {

template <class T = void>
class Task;

namespace task_detail {

struct PromiseBase {
  std::coroutine_handle<> continuation = std::noop_coroutine();
  std::exception_ptr exception;
  bool awaiter_is_below =
      false;  // still inside the awaiter's await_suspend: it will see that we are done

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> handle) noexcept {
      if (handle.promise().awaiter_is_below) return std::noop_coroutine();
      return handle.promise().continuation;
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() noexcept { return {}; }
  FinalAwaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { exception = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;

  Task<T> get_return_object();
  template <class U = T>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() {
    if (exception) std::rethrow_exception(exception);
    return std::move(*value);
  }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() noexcept {}
  void take() const {
    if (exception) std::rethrow_exception(exception);
  }
};

}  // namespace task_detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = task_detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  struct Awaiter {
    Handle handle;
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> awaiting) noexcept {
      auto& promise = handle.promise();
      promise.continuation = awaiting;
      promise.awaiter_is_below = true;
      handle.resume();
      if (handle.done()) return false;
      promise.awaiter_is_below = false;
      return true;
    }
    T await_resume() { return handle.promise().take(); }
  };
  Awaiter operator co_await() const noexcept { return Awaiter{handle_}; }

 private:
  Handle handle_;
};

namespace task_detail {

template <class T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

// The root of a spawned task: starts at once and frees itself at its end.
struct Detached {
  struct promise_type {
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

inline Detached run_detached(Task<void> task, std::function<void(std::exception_ptr)> on_done) {
  std::exception_ptr exception;
  try {
    co_await task;
  } catch (...) {
    exception = std::current_exception();
  }
  {
    const Task<void> ended = std::move(task);
  }  // the frame goes before on_done may free what it refers to
  if (on_done) on_done(exception);
}

}  // namespace task_detail

// Starts `task` now, on the loop thread, and lets it run to its end by itself. `on_done` is called on the loop
// thread when it has ended and its frame is gone, with the exception that left it, or null.
inline void spawn(Task<void> task, std::function<void(std::exception_ptr)> on_done) {
  task_detail::run_detached(std::move(task), std::move(on_done));
}

}  // namespace twinpost
