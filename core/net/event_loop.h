// The event loop: libuv as the executor that runs everything.
//
// One per process, on the thread that calls run(). All sessions, timers and sockets live there.
// Workers are libuv's own pool (UV_THREADPOOL_SIZE, set by the caller before the first loop is
// made). Timers go by the monotonic clock. Making a loop switches SIGPIPE off for the process.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <uv.h>

#include "core/base/error.h"
#include "core/base/executor.h"

namespace twinpost::net {

class EventLoop final : public Executor {
 public:
  EventLoop();
  // After run() has returned, and after the connections and listeners of this loop are gone. Work
  // that is still on a worker is waited for; its `done` is not called any more.
  ~EventLoop() override;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void post(std::function<void()> function) override;  // any thread
  void run_on_worker(std::function<void()> work, std::function<void()> done) override;
  TimerId start_timer(Duration delay, std::function<void()> function) override;
  void cancel_timer(TimerId timer) override;

  // Runs until stop(). What was posted before stop() has run when this returns.
  void run();
  // Makes run() return soon. Any thread.
  void stop();

  // Calls `handler` on the loop each time the signal arrives, until the loop ends. Loop thread,
  // before run().
  [[nodiscard]] Result<void> on_signal(int signal_number, std::function<void()> handler);

  [[nodiscard]] bool on_loop_thread() const;
  [[nodiscard]] uv_loop_t* native();

  // The one buffer (64 KiB) that every socket of this loop is read into. Good only within a read
  // callback: who gets octets there copies what it keeps.
  [[nodiscard]] std::span<char> read_buffer();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinpost::net
