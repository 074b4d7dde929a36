#include "core/net/event_loop.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <doctest/doctest.h>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "core/base/clock.h"
#include "core/base/task.h"
#include "core/net/timer_queue.h"

using namespace twinpost;
using namespace twinpost::net;
using namespace std::chrono_literals;

namespace {

Task<void> hop(EventLoop& loop, std::string& log) {
  const std::thread::id here = std::this_thread::get_id();
  const bool elsewhere =
      co_await on_worker(loop, [here] { return std::this_thread::get_id() != here; });
  log += elsewhere ? "worker," : "same thread,";
  log += loop.on_loop_thread() ? "back" : "lost";
  loop.stop();
}

}  // namespace

TEST_CASE("posted functions run in order, on the loop, and never inside post()") {
  EventLoop loop;
  std::string log;
  loop.post([&] {
    loop.post([&] {
      log += "c";
      loop.stop();
    });
    log += "a";
  });
  loop.post([&] { log += "b"; });
  CHECK(log.empty());
  loop.run();
  CHECK(log == "abc");
}

TEST_CASE("what was posted before stop() has run when run() returns, from any thread") {
  for (int round = 0; round < 50; ++round) {
    EventLoop loop;
    std::atomic<int> count = 0;
    std::thread other([&] {
      for (int i = 0; i < 1000; ++i) loop.post([&] { ++count; });
      loop.stop();
    });
    loop.run();
    CHECK(count == 1000);
    other.join();
  }
}

TEST_CASE("a loop that was stopped runs again") {
  EventLoop loop;
  int runs = 0;
  for (int i = 0; i < 3; ++i) {
    loop.post([&] { ++runs; });
    loop.stop();
    loop.run();
  }
  CHECK(runs == 3);
}

TEST_CASE("work runs on a worker and its result comes back to the loop thread") {
  EventLoop loop;
  std::string log;
  loop.post([&] { spawn(hop(loop, log), nullptr); });
  loop.run();
  CHECK(log == "worker,back");
  std::thread([&] { CHECK_FALSE(loop.on_loop_thread()); }).join();
}

TEST_CASE("a loop waits at its end for work that is still running") {
  std::atomic<bool> ended = false;
  bool done_called = false;
  {
    EventLoop loop;
    loop.post([&] {
      loop.run_on_worker(
          [&] {
            std::this_thread::sleep_for(50ms);
            ended = true;
          },
          [&] { done_called = true; });
      loop.stop();
    });
    loop.run();
  }
  CHECK(ended);
  CHECK_FALSE(done_called);
}

TEST_CASE("timers fire in their order, not before their time, and not when cancelled") {
  EventLoop loop;
  std::string log;
  const SteadyTime start = steady_now();
  loop.start_timer(60ms, [&] {
    log += "c";
    CHECK(steady_now() - start >= 60ms);
    loop.stop();
  });
  const auto cancelled = loop.start_timer(10ms, [&] { log += "never"; });
  loop.start_timer(20ms, [&] {
    log += "a";
    CHECK(steady_now() - start >= 20ms);
  });
  loop.start_timer(40ms, [&] { log += "b"; });
  CHECK(cancelled != 0);
  loop.cancel_timer(cancelled);
  loop.cancel_timer(cancelled);
  loop.cancel_timer(0);
  loop.run();
  CHECK(log == "abc");
}

TEST_CASE("a timer may start and cancel timers, and may be the longest one there is") {
  EventLoop loop;
  std::string log;
  Executor::TimerId second = 0;
  loop.start_timer(Duration::max(), [&] { log += "never"; });
  loop.start_timer(1ms, [&] {
    log += "a";
    loop.cancel_timer(second);
    loop.start_timer(0ms, [&] {
      log += "c";
      loop.stop();
    });
  });
  second = loop.start_timer(1ms, [&] { log += "b"; });
  loop.run();
  CHECK(log == "ac");
}

TEST_CASE("a signal calls its handler on the loop each time it comes") {
  EventLoop loop;
  int count = 0;
  REQUIRE(loop.on_signal(SIGUSR1, [&] {
    CHECK(loop.on_loop_thread());
    if (++count == 2) {
      loop.stop();
    } else {
      kill(getpid(), SIGUSR1);
    }
  }));
  loop.post([] { kill(getpid(), SIGUSR1); });
  loop.run();
  CHECK(count == 2);
  CHECK_FALSE(loop.on_signal(SIGKILL, [] {}));
}

TEST_CASE("making a loop switches SIGPIPE off") {
  const EventLoop loop;
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  close(ends[0]);
  CHECK(write(ends[1], "x", 1) == -1);  // and the test program still lives
  close(ends[1]);
}

TEST_CASE("the timer queue agrees with a simple model over a hundred thousand random steps") {
  TimerQueue queue;
  std::mt19937 random(7);                    // NOLINT: the same steps each time
  std::multiset<std::pair<int, int>> model;  // (deadline, number)
  std::vector<std::pair<TimerQueue::Id, std::pair<int, int>>> started;
  const SteadyTime epoch{};
  int fired = -1;
  int now = 0;
  int number = 0;
  for (int step = 0; step < 100'000; ++step) {
    switch (random() % 4) {
      case 0:
      case 1: {
        const std::pair<int, int> timer(now + static_cast<int>(random() % 500), number++);
        const auto id = queue.start(epoch + std::chrono::milliseconds(timer.first),
                                    [&fired, n = timer.second] { fired = n; });
        model.insert(timer);
        started.emplace_back(id, timer);
        break;
      }
      case 2:
        if (!started.empty()) {
          const auto index = random() % started.size();
          queue.cancel(started[index].first);  // perhaps one that has fired
          model.erase(started[index].second);
          started[index] = started.back();
          started.pop_back();
        }
        break;
      default:
        now += static_cast<int>(random() % 20);
        while (auto function = queue.take_due(epoch + std::chrono::milliseconds(now))) {
          (*function)();
          REQUIRE(!model.empty());
          REQUIRE(fired == model.begin()->second);
          REQUIRE(model.begin()->first <= now);
          model.erase(model.begin());
        }
        REQUIRE((model.empty() || model.begin()->first > now));
    }
    REQUIRE(queue.empty() == model.empty());
  }
}
