// interrupt(), abort(), close() and the end of a Connection, in each kind of wait.
#include "tests/net/rig.h"

using namespace twinpost;
using namespace twinpost::net;
using namespace twinpost::net::testing;

namespace {

enum class WaitKind { kLine, kSome, kInput, kDrained, kTls };

struct Scene {
  EventLoop& loop;
  TlsContextPtr tls;
  Log log;
  bool inside_call = false;
};

Task<void> wait_as(Scene& scene, Connection& c, WaitKind kind) {
  std::string result;
  switch (kind) {
    case WaitKind::kLine: {
      const auto line = co_await c.read_line(100, 10s);
      result = describe(line);
      break;
    }
    case WaitKind::kSome: {
      const auto some = co_await c.read_some(100, 10s);
      result = describe(some);
      break;
    }
    case WaitKind::kInput: {
      const auto wake = co_await c.wait_input(10s);
      result = describe(wake);
      break;
    }
    case WaitKind::kDrained: {
      c.queue(std::string(30'000'000, 'x'));
      const auto drained = co_await c.drained(10s);
      result = describe(drained);
      break;
    }
    case WaitKind::kTls: {
      const auto started = co_await c.start_tls(scene.tls, Alpn::kNone, 10s);
      result = describe(started);
      break;
    }
  }
  CHECK_FALSE(scene.inside_call);  // nobody is resumed from inside interrupt(), abort() or wake()
  scene.log.push_back(result);
}

Task<void> interrupted_session(Scene& scene, Connection& c, WaitKind kind) {
  const auto timer = scene.loop.start_timer(30ms, [&scene, &c] {
    scene.inside_call = true;
    c.interrupt();
    scene.inside_call = false;
  });
  co_await wait_as(scene, c, kind);
  CHECK(c.interrupted());
  CHECK_FALSE(c.has_buffered_input());
  co_await wait_as(scene, c, WaitKind::kLine);
  c.queue("* BYE\r\n");
  const auto flushed = co_await c.flushed(1s);
  scene.log.push_back(describe(flushed));
  co_await c.close(1s);
  scene.loop.cancel_timer(timer);
}

Task<void> aborted_session(Scene& scene, Connection& c, WaitKind kind) {
  const auto timer = scene.loop.start_timer(30ms, [&scene, &c] {
    scene.inside_call = true;
    c.abort();
    scene.inside_call = false;
  });
  co_await wait_as(scene, c, kind);
  CHECK(c.unsent() == 0);
  co_await wait_as(scene, c, WaitKind::kLine);
  co_await c.close(1s);
  scene.loop.cancel_timer(timer);
}

Task<void> unread_lines(Scene& scene, Connection& c) {
  const auto first = co_await c.read_line(100, 5s);
  scene.log.push_back(describe(first));
  CHECK(c.has_buffered_input());
  c.interrupt();
  co_await wait_as(scene, c, WaitKind::kLine);
  CHECK_FALSE(c.has_buffered_input());
}

Task<void> close_then_read(Scene& scene, Connection& c) {
  co_await c.close(1s);
  co_await wait_as(scene, c, WaitKind::kLine);
  c.queue("dropped");
  CHECK(c.unsent() == 0);
  co_await c.close(1s);
  c.abort();
  c.interrupt();
  c.wake();
  c.flush();
}

Task<void> vanish(Connection& c) {
  c.queue(std::string(10'000'000, 'x'));
  c.flush();
  co_return;  // the connection is destroyed with its output on the way
}

Task<void> abort_in_close(Scene& scene, Connection& c) {
  c.queue(std::string(30'000'000, 'x'));
  const auto timer = scene.loop.start_timer(30ms, [&c] { c.abort(); });
  const SteadyTime start = steady_now();
  co_await c.close(10s);
  scene.log.push_back(steady_now() - start < 5s ? "ended" : "late");
  scene.loop.cancel_timer(timer);
}

void slow_client(std::uint16_t port) {
  Client client(port, 8192);
  std::this_thread::sleep_for(1s);
}

void waiting_client(std::uint16_t port) { Client(port).rest(); }

}  // namespace

TEST_CASE("interrupt() ends each kind of read with kShutdown, and the goodbye still goes out") {
  for (const WaitKind kind : {WaitKind::kLine, WaitKind::kSome, WaitKind::kInput}) {
    CAPTURE(static_cast<int>(kind));
    Rig rig;
    Scene scene{rig.loop, nullptr, {}, false};
    std::string got;
    rig.run([&](Connection& c) { return interrupted_session(scene, c, kind); },
            [&](std::uint16_t port) { got = Client(port).rest(); });
    CHECK(scene.log == Log{"!shutdown", "!shutdown", "ok"});
    CHECK(got == "* BYE\r\n");
  }
}

TEST_CASE("interrupt() during a TLS handshake ends it, and nothing is said in the clear") {
  const Identity identity;
  Rig rig;
  Scene scene{rig.loop, identity.context, {}, false};
  std::string got;
  rig.run([&](Connection& c) { return interrupted_session(scene, c, WaitKind::kTls); },
          [&](std::uint16_t port) { got = Client(port).rest(); });
  CHECK(scene.log == Log{"!shutdown", "!tls", "!tls"});
  CHECK(got.empty());
}

TEST_CASE("input that is buffered already is not answered after interrupt()") {
  Rig rig;
  Scene scene{rig.loop, nullptr, {}, false};
  rig.run([&](Connection& c) { return unread_lines(scene, c); },
          [](std::uint16_t port) {
            Client client(port);
            client.send("a\r\nb\r\nc\r\n");
            client.rest();
          });
  CHECK(scene.log == Log{"a", "!shutdown"});
}

TEST_CASE("abort() ends each kind of wait with kClosed") {
  const Identity identity;
  for (const WaitKind kind :
       {WaitKind::kLine, WaitKind::kSome, WaitKind::kInput, WaitKind::kDrained, WaitKind::kTls}) {
    CAPTURE(static_cast<int>(kind));
    Rig rig;
    Scene scene{rig.loop, identity.context, {}, false};
    rig.run([&](Connection& c) { return aborted_session(scene, c, kind); },
            kind == WaitKind::kDrained ? slow_client : waiting_client);
    CHECK(scene.log == Log{"!closed", "!closed"});
  }
}

TEST_CASE("after close() reads fail, output is dropped, and closing again does nothing") {
  Rig rig;
  Scene scene{rig.loop, nullptr, {}, false};
  rig.run([&](Connection& c) { return close_then_read(scene, c); }, waiting_client);
  CHECK(scene.log == Log{"!closed"});
}

TEST_CASE("a connection may be destroyed with output on its way") {
  Rig rig;
  rig.run([](Connection& c) { return vanish(c); }, slow_client);
}

TEST_CASE("abort() ends a close() that waits for a slow client") {
  Rig rig;
  Scene scene{rig.loop, nullptr, {}, false};
  rig.run([&](Connection& c) { return abort_in_close(scene, c); }, slow_client);
  CHECK(scene.log == Log{"ended"});
}
