#include "core/base/task.h"

#include <doctest/doctest.h>
#include <stdexcept>
#include <string>

#include "core/base/inline_executor.h"

using namespace twinpost;
using namespace std::chrono_literals;

namespace {

Task<int> twice(int value) { co_return value * 2; }

Task<int> sum_of_many(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await twice(1);
  co_return sum;
}

Task<int> fails() {
  throw std::runtime_error("broken");
  co_return 1;
}

Task<void> use_worker(Executor& executor, std::string& log) {
  const int value = co_await on_worker(executor, [&log] {
    log += "work,";
    return 7;
  });
  log += std::to_string(value) + ",";
  co_await sleep_for(executor, 100ms);
  log += "slept";
}

Task<void> hold(Executor& executor, AsyncSemaphore& semaphore, int& inside, int& most) {
  const auto permit = co_await semaphore.acquire();
  ++inside;
  most = std::max(most, inside);
  co_await sleep_for(executor, 10ms);
  --inside;
}

}  // namespace

TEST_CASE("a hundred thousand awaits in a row take no stack") {
  int result = 0;
  spawn([](int& out) -> Task<void> { out = co_await sum_of_many(100'000); }(result), nullptr);
  CHECK(result == 200'000);
}

TEST_CASE("an exception reaches whoever awaits, and the end of a spawned task") {
  std::exception_ptr seen;
  spawn([]() -> Task<void> { co_await fails(); }(), [&](std::exception_ptr e) { seen = e; });
  REQUIRE(seen);
  CHECK_THROWS_WITH(std::rethrow_exception(seen), "broken");
}

TEST_CASE("work runs off the loop and its result comes back") {
  InlineExecutor executor;
  std::string log;
  spawn(use_worker(executor, log), nullptr);
  executor.run_until_idle();
  CHECK(log == "work,7,");
  executor.advance(99ms);
  CHECK(log == "work,7,");
  executor.advance(1ms);
  CHECK(log == "work,7,slept");
}

TEST_CASE("a semaphore lets no more in than it has permits") {
  InlineExecutor executor;
  AsyncSemaphore semaphore(executor, 2);
  int inside = 0;
  int most = 0;
  int ended = 0;
  for (int i = 0; i < 7; ++i) {
    spawn(hold(executor, semaphore, inside, most), [&](std::exception_ptr) { ++ended; });
  }
  CHECK(semaphore.waiting() == 5);
  executor.advance(100ms);
  CHECK(ended == 7);
  CHECK(most == 2);
}
