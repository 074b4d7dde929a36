// The admin socket in this process: a service on a loop of its own thread, and operations that are held up by a writer that the
// test holds.
#include "core/server/admin_session.h"

#include <cstring>
#include <doctest/doctest.h>
#include <future>
#include <list>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include "core/net/event_loop.h"
#include "core/net/listener.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store::test;
using namespace std::chrono_literals;
using server::Json;

namespace {

constexpr int kPatience = 20'000;  // milliseconds

// A blocking client.
class Client {
 public:
  explicit Client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.data(), path.size());
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
  }
  ~Client() { close(); }
  Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Client& operator=(Client&&) = delete;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void send(const Json& request) {
    const std::string line = request.dump() + "\n";
    REQUIRE(::send(fd_, line.data(), line.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(line.size()));
  }
  // True where something comes within that time.
  bool hears(int milliseconds) {
    pollfd waiting{fd_, POLLIN, 0};
    return ::poll(&waiting, 1, milliseconds) == 1;
  }
  // Null where the server closed.
  Json line() {
    std::string text;
    for (;;) {
      char c = 0;
      REQUIRE(hears(kPatience));
      if (::recv(fd_, &c, 1, 0) != 1) return nullptr;
      if (c == '\n') return Json::parse(text);
      text += c;
    }
  }
  Json answer() {
    for (;;) {
      Json next = line();
      if (next.is_null() || next.contains("ok")) return next;
    }
  }
  Json call(const Json& request) {
    send(request);
    return answer();
  }

 private:
  int fd_;
};

// The service, its store and its loop, which runs until this goes.
class Service {
 public:
  Service() {
    config_->limits.idle_time_lmtp = 60s;
    accounts_->accounts["ann@example.org"].name = "ann@example.org";
    std::promise<void> ready;
    auto started = ready.get_future();
    thread_ = std::thread([this, &ready] { run(ready); });
    REQUIRE(started.wait_for(20s) == std::future_status::ready);
  }
  ~Service() {
    stop();
    thread_.join();
  }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  [[nodiscard]] Client client() const { return Client(path_); }
  // As the server does it: every connection is interrupted, and the loop ends with the last.
  void stop() {
    if (std::exchange(told_to_stop_, true)) return;
    loop_->post([this] {
      listener_.reset();
      stopping_ = true;
      for (auto& connection : connections_) connection->interrupt();
      end_if_idle();
    });
  }
  [[nodiscard]] store::Store& store() { return *store_; }

 private:
  void run(std::promise<void>& ready) {
    net::EventLoop loop;
    loop_ = &loop;
    store_ = must(store::Store::open(options_for(folder_ / "store"), loop));
    service_ = std::make_unique<server::AdminService>(loop, *store_, [this] {
      return server::AdminService::InForce{config_, accounts_};
    });
    listener_ = must(net::listen(
        loop, *net::parse_listen_address("unix:" + path_),
        [this](net::ConnectionPtr connection) { accepted(std::move(connection)); }, 0600));
    ready.set_value();
    loop.run();
    listener_.reset();
    service_.reset();
    store_.reset();
  }
  void accepted(net::ConnectionPtr connection) {
    connections_.push_front(std::move(connection));
    const auto here = connections_.begin();
    spawn(service_->serve(**here), [this, here](const std::exception_ptr& exception) {
      CHECK_FALSE(exception);
      connections_.erase(here);
      end_if_idle();
    });
  }
  void end_if_idle() {
    if (stopping_ && connections_.empty()) loop_->stop();
  }

  TempFolder folder_;
  std::string path_ = folder_ / "admin.sock";
  std::shared_ptr<config::ServerConfig> config_ = std::make_shared<config::ServerConfig>();
  std::shared_ptr<config::AccountsConfig> accounts_ = std::make_shared<config::AccountsConfig>();
  net::EventLoop* loop_ = nullptr;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<server::AdminService> service_;
  std::unique_ptr<net::Listener> listener_;
  std::list<net::ConnectionPtr> connections_;
  bool stopping_ = false;
  bool told_to_stop_ = false;  // the test's
  std::thread thread_;
};

// Keeps the store's writer busy until it is let go.
class HeldWriter {
 public:
  explicit HeldWriter(store::Store& store) {
    std::promise<void> holding;
    auto held = holding.get_future();
    thread_ = std::thread([this, &store, &holding] {
      bool first = true;
      must(store.write_now([&](store::WriteTxn&) -> Result<void> {
        if (std::exchange(first, false)) holding.set_value();
        free_.wait();
        return {};
      }));
    });
    REQUIRE(held.wait_for(20s) == std::future_status::ready);
  }
  ~HeldWriter() { let_go(); }
  HeldWriter(const HeldWriter&) = delete;
  HeldWriter& operator=(const HeldWriter&) = delete;
  void let_go() {
    if (!thread_.joinable()) return;
    let_.set_value();
    thread_.join();
  }

 private:
  std::promise<void> let_;
  std::shared_future<void> free_ = let_.get_future().share();
  std::thread thread_;
};

const Json kPing{{"do", "ping"}};
const Json kAccount{{"do", "account"}, {"account", "ann@example.org"}};

}  // namespace

TEST_CASE("so many admin operations run at once, and the next one is told") {
  Service service;
  HeldWriter writer(service.store());
  std::vector<Client> clients;
  for (std::size_t i = 0; i < server::kAdminOperations; ++i) {
    clients.push_back(service.client());
    clients.back().send(kAccount);
  }
  Client other = service.client();
  Json refused;
  for (int tries = 0; tries < 200; ++tries) {  // until the last of them has begun
    refused = other.call(kPing);
    if (refused.at("ok") == false) break;
    std::this_thread::sleep_for(20ms);
  }
  CHECK(refused.value("code", "") == "limit");
  writer.let_go();
  int created = 0;
  for (Client& client : clients) {
    const Json answer = client.answer();
    CHECK(answer.at("ok") == true);
    if (answer.at("created") == true) ++created;
  }
  CHECK(created == 1);
  CHECK(other.call(kPing).at("ok") == true);
}

TEST_CASE("an operation that can say nothing gives a sign of life every ten seconds") {
  Service service;
  HeldWriter writer(service.store());
  Client client = service.client();
  client.send(kAccount);
  CHECK_FALSE(client.hears(8'000));
  const Json sign = client.line();
  CHECK(sign.contains("progress"));
  writer.let_go();
  CHECK(client.answer().at("ok") == true);
}

TEST_CASE("a stop waits for an operation that can't end yet, and for its answer") {
  std::optional<Service> service(std::in_place);
  std::optional<HeldWriter> writer(std::in_place, service->store());
  Client client = service->client();
  client.send(kAccount);
  Client idle = service->client();
  CHECK(idle.call(kPing).at("ok") == true);
  service->stop();
  CHECK(idle.answer().value("code", "") == "shutdown");
  CHECK(idle.line().is_null());
  CHECK_FALSE(client.hears(300));
  writer.reset();
  CHECK(client.answer().at("ok") == true);
  CHECK(client.answer().value("code", "") == "shutdown");
  CHECK(client.line().is_null());
  service.reset();
}

TEST_CASE("a client that goes leaves nothing behind that holds up the others") {
  Service service;
  HeldWriter writer(service.store());
  for (std::size_t i = 0; i < server::kAdminOperations; ++i) {
    Client client = service.client();
    client.send(kAccount);
  }
  writer.let_go();
  Client other = service.client();
  Json answer;
  for (int tries = 0; tries < 200; ++tries) {
    answer = other.call(kPing);
    if (answer.at("ok") == true) break;
    std::this_thread::sleep_for(20ms);
  }
  CHECK(answer.at("ok") == true);
}

TEST_CASE("an early next request does not end the one that runs") {
  Service service;
  HeldWriter writer(service.store());
  Client client = service.client();
  client.send(kAccount);
  client.send(kPing);
  CHECK_FALSE(client.hears(300));
  writer.let_go();
  CHECK(client.answer().contains("created"));
  CHECK(client.answer().contains("version"));
}

TEST_CASE("admin connections are bounded, too") {
  Service service;
  std::vector<Client> clients;
  for (std::size_t i = 0; i < server::kAdminConnections; ++i) {
    clients.push_back(service.client());
    CHECK(clients.back().call(kPing).at("ok") == true);
  }
  Client refused = service.client();
  CHECK(refused.answer().value("code", "") == "limit");
  CHECK(refused.line().is_null());
  clients.pop_back();
  bool admitted = false;
  for (int tries = 0; tries < 200 && !admitted; ++tries) {
    Client next = service.client();
    admitted = !next.hears(200) && next.call(kPing).at("ok") == true;
    if (!admitted) std::this_thread::sleep_for(20ms);
  }
  CHECK(admitted);
}
