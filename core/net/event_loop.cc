#include "core/net/event_loop.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/net/timer_queue.h"

namespace twinpost::net {

namespace {

constexpr std::size_t kReadBufferSize = 64 * 1024;
constexpr Duration kLongestDelay = std::chrono::hours(24 * 365);  // no overflow in deadlines

struct SignalWatch {
  uv_signal_t handle{};
  std::function<void()> handler;
};

}  // namespace

struct EventLoop::Impl {
  uv_loop_t loop{};
  uv_async_t wakeup{};
  uv_timer_t timer{};
  SteadyTime armed_for = SteadyTime::max();  // when `timer` fires
  TimerQueue timers;
  std::vector<std::unique_ptr<SignalWatch>> signals;
  std::atomic<std::thread::id> thread;
  std::array<char, kReadBufferSize> read_buffer;
  bool ending = false;

  std::mutex mutex;  // guards what follows
  std::vector<std::function<void()>> posted;
  bool stop_wanted = false;

  struct Work {
    uv_work_t request{};
    Impl* impl = nullptr;
    std::function<void()> work;
    std::function<void()> done;
  };

  // Runs what was posted up to now; what those functions post comes in the next turn, after I/O.
  void run_posted() noexcept {
    std::vector<std::function<void()>> batch;
    bool stop = false;
    {
      const std::lock_guard lock(mutex);
      batch.swap(posted);
      stop = std::exchange(stop_wanted, false);
    }
    for (auto& function : batch) {
      function();
      function = nullptr;
    }
    if (stop) uv_stop(&loop);
  }

  void run_timers() noexcept {
    armed_for = SteadyTime::max();
    const SteadyTime now = steady_now();
    while (const auto function = timers.take_due(now)) (*function)();
    arm();
  }

  // One libuv timer serves them all. It is only ever moved to an earlier time: after a cancel it
  // may fire for nothing, which is cheaper than moving it each time.
  void arm() {
    if (timers.empty() || timers.next_deadline() >= armed_for) return;
    armed_for = timers.next_deadline();
    const auto wait = std::chrono::ceil<Duration>(armed_for - steady_now()).count();
    uv_update_time(&loop);
    uv_timer_start(
        &timer, [](uv_timer_t* handle) { static_cast<Impl*>(handle->data)->run_timers(); },
        static_cast<std::uint64_t>(std::max<std::int64_t>(wait, 0)), 0);
  }
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {
  std::signal(SIGPIPE, SIG_IGN);
  if (uv_loop_init(&impl_->loop) != 0) throw std::runtime_error("uv_loop_init failed");
  impl_->wakeup.data = impl_.get();
  impl_->timer.data = impl_.get();
  const int status = uv_async_init(&impl_->loop, &impl_->wakeup, [](uv_async_t* handle) {
    static_cast<Impl*>(handle->data)->run_posted();
  });
  if (status != 0) throw std::runtime_error("uv_async_init failed");
  uv_timer_init(&impl_->loop, &impl_->timer);
  impl_->thread = std::this_thread::get_id();
}

EventLoop::~EventLoop() {
  impl_->ending = true;
  const auto close_handle = [](uv_handle_t* handle, void*) {
    if (uv_is_closing(handle) == 0) uv_close(handle, nullptr);
  };
  uv_walk(&impl_->loop, close_handle, nullptr);
  // Runs the close callbacks of what was destroyed before, and waits for workers.
  while (uv_loop_close(&impl_->loop) == UV_EBUSY) uv_run(&impl_->loop, UV_RUN_ONCE);
}

void EventLoop::post(std::function<void()> function) {
  const std::lock_guard lock(impl_->mutex);
  impl_->posted.push_back(std::move(function));
  if (impl_->posted.size() == 1) uv_async_send(&impl_->wakeup);
}

void EventLoop::run_on_worker(std::function<void()> work, std::function<void()> done) {
  auto owned = std::make_unique<Impl::Work>();
  owned->impl = impl_.get();
  owned->work = std::move(work);
  owned->done = std::move(done);
  owned->request.data = owned.get();
  const int status = uv_queue_work(
      &impl_->loop, &owned->request,
      [](uv_work_t* request) { static_cast<Impl::Work*>(request->data)->work(); },
      [](uv_work_t* request, int) {
        const std::unique_ptr<Impl::Work> ended(static_cast<Impl::Work*>(request->data));
        if (!ended->impl->ending) ended->done();
      });
  if (status != 0) throw std::runtime_error("uv_queue_work failed");
  static_cast<void>(owned.release());  // the callback above takes it back
}

Executor::TimerId EventLoop::start_timer(Duration delay, std::function<void()> function) {
  const Duration bounded = std::clamp(delay, Duration::zero(), kLongestDelay);
  const TimerId id = impl_->timers.start(steady_now() + bounded, std::move(function));
  impl_->arm();
  return id;
}

void EventLoop::cancel_timer(TimerId timer) { impl_->timers.cancel(timer); }

void EventLoop::run() {
  impl_->thread = std::this_thread::get_id();
  uv_run(&impl_->loop, UV_RUN_DEFAULT);
}

void EventLoop::stop() {
  const std::lock_guard lock(impl_->mutex);
  impl_->stop_wanted = true;
  uv_async_send(&impl_->wakeup);
}

Result<void> EventLoop::on_signal(int signal_number, std::function<void()> handler) {
  auto watch = std::make_unique<SignalWatch>();
  watch->handler = std::move(handler);
  watch->handle.data = watch.get();
  int status = uv_signal_init(&impl_->loop, &watch->handle);
  if (status != 0) return tl::unexpected(system_error("signal handler", -status));
  SignalWatch& kept = *impl_->signals.emplace_back(std::move(watch));  // the loop has it now
  status = uv_signal_start(
      &kept.handle,
      [](uv_signal_t* handle, int) { static_cast<SignalWatch*>(handle->data)->handler(); },
      signal_number);
  if (status != 0) return tl::unexpected(system_error("signal handler", -status));
  return {};
}

bool EventLoop::on_loop_thread() const { return impl_->thread == std::this_thread::get_id(); }

uv_loop_t* EventLoop::native() { return &impl_->loop; }

std::span<char> EventLoop::read_buffer() { return impl_->read_buffer; }

}  // namespace twinpost::net
