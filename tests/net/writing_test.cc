// What connection.h promises about output.
#include "tests/net/rig.h"

using namespace twinpost;
using namespace twinpost::net;
using namespace twinpost::net::testing;

namespace {

constexpr std::size_t kPiece = 20'000;

std::string numbered_piece(std::size_t number) {
  std::string piece = std::to_string(number) + ":";
  piece.resize(kPiece, static_cast<char>('a' + number % 26));
  return piece;
}

std::string all_pieces(std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += numbered_piece(i);
  return all;
}

// As a session that sends a mailbox does.
Task<void> send_much(Connection& c, std::size_t count, std::size_t& most_unsent, Log& log) {
  for (std::size_t i = 0; i < count; ++i) {
    c.queue(numbered_piece(i));
    const auto drained = co_await c.drained(5s);
    most_unsent = std::max(most_unsent, c.unsent());
    if (!drained) {
      log.push_back(describe(drained));
      co_return;
    }
  }
  log.push_back(std::to_string(c.octets_out()));
  co_await c.close(5s);
  log.push_back(std::to_string(c.unsent()));
}

Task<void> send_to_nobody(Connection& c, Duration timeout, Log& log) {
  for (int i = 0; i < 100'000; ++i) {
    c.queue(numbered_piece(0));
    const auto drained = co_await c.drained(timeout);
    if (!drained) {
      log.push_back(describe(drained));
      break;
    }
  }
  const auto flushed = co_await c.flushed(timeout);
  log.push_back(describe(flushed));
  const SteadyTime start = steady_now();
  co_await c.close(100ms);
  log.push_back(steady_now() - start < 3s ? "closed in time" : "closed late");
}

Task<void> queue_all_and_close(Connection& c, std::string octets) {
  c.queue(octets);
  co_await c.close(20s);
}

Task<void> threshold(Connection& c, Log& log) {
  c.queue(std::string(16 * 1024, 'a'));
  log.push_back(std::to_string(c.unsent()));  // gathered, not sent
  c.queue("b");
  log.push_back(std::to_string(c.unsent()));  // more than 16 KiB: gone
  c.queue("c");
  log.push_back(std::to_string(c.unsent()));
  c.flush();
  log.push_back(std::to_string(c.unsent()));
  const auto flushed = co_await c.flushed(1s);
  log.push_back(describe(flushed));
}

Task<void> end_three_times(Connection& c, Log& log) {
  const auto line = co_await c.read_line(100, 5s);
  log.push_back(describe(line));
  c.queue("dropped");
  log.push_back(std::to_string(c.unsent()));
  const auto drained = co_await c.drained(5s);
  log.push_back(describe(drained));
  const auto piece = co_await c.read_some(100, 5s);
  log.push_back(describe(piece));
  const auto wake = co_await c.wait_input(5s);
  log.push_back(describe(wake));
}

Task<void> greet_and_close(Connection& c) {
  const auto line = co_await c.read_line(100, 5s);
  REQUIRE(line);
  c.queue("-ERR go away\r\n");
  co_await c.close(5s);
}

Task<void> drip(Connection& c, Log& log) {
  for (int i = 0; i < 60; ++i) c.queue(numbered_piece(0));
  const auto drained = co_await c.flushed(300ms);  // the client needs longer, but never stops
  log.push_back(describe(drained));
}

Task<void> answer_at_length(Connection& c, std::size_t& most_unsent, std::size_t& answers) {
  const std::string answer(98, 'a');
  for (;;) {
    const auto line = co_await c.read_line(100, 10s);
    if (!line) break;
    c.queue(answer);
    c.queue("\r\n");
    ++answers;
    most_unsent = std::max(most_unsent, c.unsent());
  }
  co_await c.close(5s);
}

}  // namespace

TEST_CASE("a client that sends small commands and reads no answer cannot fill the memory") {
  Rig rig;
  std::size_t most_unsent = 0;
  std::size_t answers = 0;
  std::size_t sent = 0;
  std::string got;
  rig.run(
      [&](Connection& c) { return answer_at_length(c, most_unsent, answers); },
      [&](std::uint16_t port) {
        Client client(port);
        std::string commands;
        for (int i = 0; i < 10000; ++i) commands += std::string(48, 'x') + "\r\n";
        const timeval short_patience{0, 300'000};
        setsockopt(client.fd(), SOL_SOCKET, SO_SNDTIMEO, &short_patience, sizeof short_patience);
        for (;;) {
          const ssize_t count = ::send(client.fd(), commands.data(), commands.size(), MSG_NOSIGNAL);
          if (count <= 0) break;  // the server reads no more
          sent += static_cast<std::size_t>(count);
          if (sent > 300'000'000) break;
          commands = commands.substr(static_cast<std::size_t>(count)) +
                     commands.substr(0, static_cast<std::size_t>(count));
        }
        client.half_close();
        got = client.rest();
      });
  CHECK(sent < 300'000'000);
  // High water, and the answers to what one read of the socket brought (64 KiB of fifty octets each).
  CHECK(most_unsent <= kHighWater + 100 * (64 * 1024 / 50 + 2));
  CHECK(answers >= sent / 50);
  CHECK(got.size() == answers * 100);
}

TEST_CASE("much output to a slow reader arrives whole and in order, and memory stays bounded") {
  Rig rig;
  Log log;
  std::size_t most_unsent = 0;
  std::string got;
  rig.run([&](Connection& c) { return send_much(c, 600, most_unsent, log); },
          [&](std::uint16_t port) {
            Client client(port, 8192);
            std::this_thread::sleep_for(200ms);
            got = client.rest();
          });
  CHECK(got == all_pieces(600));
  CHECK(most_unsent <= kHighWater);
  CHECK(log == Log{std::to_string(600 * kPiece), "0"});
}

TEST_CASE("drained() gives kTimeout when the client takes nothing at all, and close() ends too") {
  Rig rig;
  Log log;
  rig.run([&](Connection& c) { return send_to_nobody(c, 200ms, log); },
          [](std::uint16_t port) {
            const Client client(port, 8192);
            std::this_thread::sleep_for(1500ms);
          });
  CHECK(log == Log{"!timeout", "!timeout", "closed in time"});
}

TEST_CASE("a client that is slow but takes something is not timed out") {
  Rig rig;
  Log log;
  std::size_t total = 0;
  rig.run([&](Connection& c) { return drip(c, log); },
          [&](std::uint16_t port) {
            Client client(port, 4096);
            for (;;) {
              const std::string some = client.receive(16'384);
              if (some.empty()) break;
              total += some.size();
              std::this_thread::sleep_for(5ms);
            }
          });
  CHECK(log == Log{"ok"});
  CHECK(total == 60 * kPiece);
}

TEST_CASE("close() sends all that is queued to a slow reader") {
  Rig rig;
  const std::string octets = all_pieces(300);
  std::string got;
  rig.run([&](Connection& c) { return queue_all_and_close(c, octets); },
          [&](std::uint16_t port) {
            Client client(port, 8192);
            std::this_thread::sleep_for(100ms);
            got = client.rest();
          });
  CHECK(got == octets);
}

TEST_CASE("output is gathered up to 16 KiB, then it goes out by itself") {
  Rig rig;
  Log log;
  std::string got;
  rig.run([&](Connection& c) { return threshold(c, log); },
          [&](std::uint16_t port) { got = Client(port).rest(); });
  CHECK(log == Log{"16384", "0", "1", "0", "ok"});
  CHECK(got.size() == 16 * 1024 + 2);
}

TEST_CASE("after kClosed every wait fails the same way and output is dropped") {
  Rig rig;
  Log log;
  rig.run([&](Connection& c) { return end_three_times(c, log); },
          [](std::uint16_t port) { const Client client(port); });
  CHECK(log == Log{"!closed", "0", "!closed", "!closed", "!closed"});
}

TEST_CASE("a client that resets while it is sent to ends drained() with kClosed") {
  Rig rig;
  Log log;
  rig.run([&](Connection& c) { return send_to_nobody(c, 5s, log); },
          [](std::uint16_t port) {
            Client client(port, 8192);
            std::this_thread::sleep_for(200ms);
            client.reset();
          });
  CHECK(log == Log{"!closed", "!closed", "closed in time"});
}

TEST_CASE("the last answer reaches a client that is still sending when it is closed on") {
  for (int round = 0; round < 20; ++round) {
    Rig rig;
    std::string got;
    rig.run([&](Connection& c) { return greet_and_close(c); },
            [&](std::uint16_t port) {
              Client client(port);
              client.send("x\r\n" + std::string(500'000, 'y'));
              std::this_thread::sleep_for(20ms);
              got = client.rest();
            });
    CHECK(got == "-ERR go away\r\n");
  }
}
