// What connection.h promises about input.
#include "tests/net/rig.h"

using namespace twinpost;
using namespace twinpost::net;
using namespace twinpost::net::testing;

namespace {

Task<void> read_lines(Connection& c, Log& log, std::size_t limit, Duration timeout) {
  for (;;) {
    const auto line = co_await c.read_line(limit, timeout);
    log.push_back(describe(line));
    if (!line && line.error().code != ErrorCode::kTooLarge) break;
  }
  co_await c.close(1s);
}

Task<void> answer_lines(Connection& c, Log& log, EventLoop& loop) {
  for (;;) {
    const auto line = co_await c.read_line(100, 5s);
    log.push_back(describe(line));
    if (!line) break;
    const std::string answer = "+" + std::string(*line) + "\r\n";
    co_await sleep_for(loop,
                       1ms);  // as a store call does: the next command must not go out of order
    c.queue(answer);
  }
  co_await c.close(1s);
}

Task<void> hold_view(Connection& c, Log& log, EventLoop& loop) {
  const auto line = co_await c.read_line(100, 5s);
  REQUIRE(line);
  const std::string_view view = *line;
  c.queue("go on\r\n");
  c.flush();
  co_await sleep_for(loop, 100ms);  // more input comes meanwhile
  log.emplace_back(view);
  CHECK(c.has_buffered_input());
  const auto next = co_await c.read_line(100'000, 5s);
  log.emplace_back(std::to_string(next ? next->size() : 0));
  CHECK_FALSE(c.has_buffered_input());
  co_await c.close(1s);
}

Task<void> read_pieces(Connection& c, Log& log) {
  for (const std::size_t max : {3U, 100U, 4U}) {
    const auto piece = co_await c.read_some(max, 5s);
    log.push_back(describe(piece));
  }
  const auto line = co_await c.read_line(100, 5s);
  log.push_back(describe(line));
  log.push_back(std::to_string(c.octets_in()));
  co_await c.close(1s);
}

Task<void> idle(Connection& c, Log& log, EventLoop& loop) {
  c.wake();  // remembered once
  c.wake();
  for (int i = 0; i < 2; ++i) {
    const auto woken = co_await c.wait_input(30ms);
    log.push_back(describe(woken));
  }
  const auto timer = loop.start_timer(20ms, [&c] { c.wake(); });
  const auto woken = co_await c.wait_input(5s);
  loop.cancel_timer(timer);
  log.push_back(describe(woken));
  c.queue("now\r\n");
  const auto input = co_await c.wait_input(5s);
  log.push_back(describe(input));
  const auto again = co_await c.wait_input(5s);  // nothing was taken
  log.push_back(describe(again));
  const auto line = co_await c.read_line(100, 5s);
  log.push_back(describe(line));
  const auto end = co_await c.wait_input(5s);
  log.push_back(describe(end));
  co_await c.close(1s);
}

Task<void> stay_away(Connection& c, EventLoop& loop, bool& went_on) {
  const auto line = co_await c.read_line(100, 5s);
  REQUIRE(line);
  co_await sleep_for(loop, 300ms);
  CHECK(c.octets_in() <=
        64 * 1024 + 16);  // back-pressure: the rest is still with the kernel and the client
  std::uint64_t total = 0;
  for (;;) {
    const auto piece = co_await c.read_some(10'000, 5s);
    if (!piece) break;
    CHECK(piece->size() <= 10'000);
    total += piece->size();
  }
  went_on = total == 8'000'000;
  co_await c.close(1s);
}

Task<void> wait_for_end(Connection& c, int& ended) {
  const auto line = co_await c.read_line(100, 10s);
  if (!line && line.error().code == ErrorCode::kClosed) ++ended;
}

Task<void> resist_wake(Connection& c, Log& log, EventLoop& loop) {
  const auto timer = loop.start_timer(10ms, [&c] { c.wake(); });
  const auto line = co_await c.read_line(100, 60ms);
  loop.cancel_timer(timer);
  log.push_back(describe(line));
  const auto woken = co_await c.wait_input(1ms);
  log.push_back(describe(woken));
}

}  // namespace

TEST_CASE("lines end in CRLF or LF, and one over the limit is answered and gone past") {
  Rig rig;
  Log log;
  rig.run([&](Connection& c) { return read_lines(c, log, 10, 5s); },
          [](std::uint16_t port) {
            Client client(port);
            client.send("one\r\ntwo\n\r\n1234567890\r\n12345678901\r\n");
            client.send(std::string(1'000'000, 'x') + "\r\nafter\r\n");
            client.half_close();
            client.rest();
          });
  CHECK(log == Log{"one", "two", "", "1234567890", "!too-large", "!too-large", "after", "!closed"});
}

TEST_CASE("a line's timeout bounds the whole line, however slowly its octets drip") {
  Rig rig;
  Log log;
  SteadyTime ended;
  const SteadyTime start = steady_now();
  rig.run([&](Connection& c) { return read_lines(c, log, 100, 200ms); },
          [&](std::uint16_t port) {
            Client client(port);
            for (int i = 0; i < 40 && client.send("x"); ++i) std::this_thread::sleep_for(20ms);
          });
  ended = steady_now();
  CHECK(log == Log{"!timeout"});
  CHECK(ended - start >= 200ms);
}

TEST_CASE("a connection that closes in the middle of a line gives kClosed, not the part") {
  Rig rig;
  Log log;
  rig.run([&](Connection& c) { return read_lines(c, log, 100, 5s); },
          [](std::uint16_t port) {
            Client client(port);
            client.send("whole\r\npart");
          });
  CHECK(log == Log{"whole", "!closed"});
}

TEST_CASE("a reset gives kClosed") {
  Rig rig;
  Log log;
  rig.run([&](Connection& c) { return read_lines(c, log, 100, 5s); },
          [](std::uint16_t port) {
            Client client(port);
            std::this_thread::sleep_for(50ms);
            client.reset();
          });
  CHECK(log == Log{"!closed"});
}

TEST_CASE("a half-closed client gets all its answers") {
  Rig rig;
  Log log;
  std::string answers;
  rig.run([&](Connection& c) { return answer_lines(c, log, rig.loop); },
          [&](std::uint16_t port) {
            Client client(port);
            client.send("a\r\nb\r\nQUIT\r\n");
            client.half_close();
            answers = client.rest();
          });
  CHECK(log == Log{"a", "b", "QUIT", "!closed"});
  CHECK(answers == "+a\r\n+b\r\n+QUIT\r\n");
}

TEST_CASE("the answers to pipelined commands share a packet") {
  Rig rig;
  Log log;
  std::string first;
  rig.run([&](Connection& c) { return answer_lines(c, log, rig.loop); },
          [&](std::uint16_t port) {
            Client client(port);
            client.send("a\r\nb\r\nc\r\nd\r\n");
            first = client.receive();
          });
  CHECK(first == "+a\r\n+b\r\n+c\r\n+d\r\n");
}

TEST_CASE("what a read returned stays good while more input comes") {
  Rig rig;
  Log log;
  rig.run([&](Connection& c) { return hold_view(c, log, rig.loop); },
          [](std::uint16_t port) {
            Client client(port);
            client.send("first line\r\n");
            client.line();
            client.send(std::string(50'000, 'y') + "\r\n");
            client.rest();
          });
  CHECK(log == Log{"first line", "50000"});
}

TEST_CASE("octets are read as they come, never more than were asked for") {
  Rig rig;
  Log log;
  rig.run([&](Connection& c) { return read_pieces(c, log); },
          [](std::uint16_t port) {
            Client client(port);
            client.send("abcdefg");
            std::this_thread::sleep_for(50ms);
            client.send("hijklmnop\r\n");
            client.rest();
          });
  CHECK(log == Log{"abc", "defg", "hijk", "lmnop", "18"});
}

TEST_CASE("IDLE wakes for input and for wake(), which is remembered once") {
  Rig rig;
  Log log;
  rig.run([&](Connection& c) { return idle(c, log, rig.loop); },
          [](std::uint16_t port) {
            Client client(port);
            client.line();
            client.send("DONE\r\n");
          });
  CHECK(log == Log{"woken", "!timeout", "woken", "input", "input", "DONE", "!closed"});
}

TEST_CASE("a wake() does not disturb a read of a line, and is still there after it") {
  Rig rig;
  Log log;
  rig.run([&](Connection& c) { return resist_wake(c, log, rig.loop); },
          [](std::uint16_t port) {
            Client client(port);
            client.rest();
          });
  CHECK(log == Log{"!timeout", "woken"});
}

TEST_CASE("while no read waits, a client cannot fill the memory") {
  Rig rig;
  bool went_on = false;
  rig.run([&](Connection& c) { return stay_away(c, rig.loop, went_on); },
          [](std::uint16_t port) {
            Client client(port);
            client.send("go\r\n");
            client.send(std::string(8'000'000, 'z'));
            client.half_close();
            client.rest();
          });
  CHECK(went_on);
}

TEST_CASE("a thousand silent connections wait, and all see their end") {
  Rig rig;
  int ended = 0;
  rig.run([&](Connection& c) { return wait_for_end(c, ended); },
          [](std::uint16_t port) {
            std::vector<Client> clients;
            clients.reserve(1000);
            for (int i = 0; i < 1000; ++i) clients.emplace_back(port);
            std::this_thread::sleep_for(100ms);
          });
  CHECK(ended == 1000);
}
