// A loop with a listener, sessions on it as the test wants them, and a client in a thread: what
// most of the tests of connections need.
#pragma once

#include <chrono>
#include <doctest/doctest.h>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/net/connection.h"
#include "core/net/event_loop.h"
#include "core/net/listener.h"
#include "tests/net/client.h"
#include "tests/net/tls_client.h"
#include "tests/support/test_certificate.h"

namespace twinpost::net::testing {

using namespace std::chrono_literals;

class Rig {
 public:
  using Serve = std::function<Task<void>(Connection&)>;
  using Use = std::function<void(std::uint16_t port)>;

  EventLoop loop;

  // Runs `serve` for each connection and `client` in a thread; returns when that and all sessions
  // have ended.
  void run(Serve serve, Use client) {
    serve_ = std::move(serve);
    auto listener = listen(loop, loopback(), [this](ConnectionPtr c) { accept(std::move(c)); });
    REQUIRE(listener);
    const std::uint16_t port = (*listener)->address().port;
    const Executor::TimerId watchdog = loop.start_timer(30s, [this] {
      FAIL_CHECK("the test hangs");
      loop.stop();
    });
    client_runs_ = true;
    accepted_ = 0;
    const int made_before = Client::made;
    std::thread thread([this, &client, port, made_before] {
      client(port);
      loop.post([this, made_before] {
        client_runs_ = false;
        expected_ = Client::made - made_before;
        stop_when_done();
      });
    });
    loop.run();
    loop.cancel_timer(watchdog);
    thread.join();
    CHECK(sessions_ == 0);
  }

  static ListenAddress loopback() {
    ListenAddress address;
    address.host = "127.0.0.1";
    return address;
  }

 private:
  void accept(ConnectionPtr connection) {
    ++accepted_;
    ++sessions_;
    spawn(own(std::move(connection), serve_), [this](std::exception_ptr exception) {
      if (exception) FAIL_CHECK("a session threw");
      --sessions_;
      stop_when_done();
    });
  }
  static Task<void> own(ConnectionPtr connection, const Serve& serve) {
    co_await serve(*connection);
  }
  void stop_when_done() {
    if (!client_runs_ && accepted_ >= expected_ && sessions_ == 0) loop.stop();
  }

  Serve serve_;
  int sessions_ = 0;
  int accepted_ = 0;
  int expected_ = 0;  // connections that the client has made, once it is done
  bool client_runs_ = false;
};

// "line" for a result that is one, "kClosed" and so on for an error.
inline std::string describe(ErrorCode code) { return "!" + std::string(to_string(code)); }
inline std::string describe(const Result<std::string_view>& result) {
  return result ? std::string(*result) : describe(result.error().code);
}
inline std::string describe(const Result<void>& result) {
  return result ? "ok" : describe(result.error().code);
}
inline std::string describe(const Result<Wake>& result) {
  if (!result) return describe(result.error().code);
  return *result == Wake::kInput ? "input" : "woken";
}

using Log = std::vector<std::string>;

// Certificates in files, and contexts made of them.
struct Identity {
  twinpost::testing::TemporaryFolder folder;
  TlsContextPtr context;

  explicit Identity(const std::string& name = "test.example.org") {
    TlsSettings settings;
    settings.main = add(name, {name});
    auto loaded = load_tls_context(settings, nullptr);
    REQUIRE(loaded);
    context = *loaded;
  }
  CertificateFiles add(const std::string& name, const std::vector<std::string>& dns_names,
                       long valid_until_seconds = 86'400) const {
    twinpost::testing::TestCertificateOptions options;
    options.common_name = name;
    options.valid_until_seconds = valid_until_seconds;
    const auto made = twinpost::testing::make_certificate(dns_names, options);
    return {folder.write(name + ".pem", made.pem), folder.write(name + ".key", made.key_pem)};
  }
};

}  // namespace twinpost::net::testing
