#include "tests/lmtp/test_server.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstdlib>
#include <cstring>
#include <doctest/doctest.h>
#include <fstream>
#include <future>
#include <list>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include "core/auth/frontend.h"
#include "core/base/log.h"
#include "core/net/event_loop.h"
#include "core/net/listener.h"
#include "lmtp/lmtp.h"
#include "tests/support/transcript_certificate.h"

namespace twinpost::lmtp_test {

namespace {

constexpr int kPatience = 10'000;  // milliseconds

config::AccountsConfigPtr accounts_config(const std::vector<config::Account>& accounts) {
  auto config = std::make_shared<config::AccountsConfig>();
  for (const auto& each : accounts) config->accounts.emplace(each.name, each);
  return config;
}

void keep_logs_quiet() {
  log::Settings settings;
  settings.level = log::Level::kError;
  REQUIRE(log::configure(settings).has_value());
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "twinpost-lmtp-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

config::Account account(const std::string& name, std::vector<std::string> aliases,
                        std::uint64_t quota, std::uint64_t quota_messages) {
  config::Account result;
  result.name = name;
  result.password = "{PLAIN}secret";
  result.aliases = std::move(aliases);
  result.quota = quota;
  result.quota_messages = quota_messages;
  return result;
}

Setup two_accounts() {
  Setup setup;
  setup.accounts = {account("ann@example.org"), account("bob@example.org")};
  return setup;
}

// Everything of the loop's thread.
struct TestServer::Impl {
  TemporaryFolder folder;
  Setup setup;
  net::EventLoop* loop = nullptr;
  std::unique_ptr<store::Store> store;
  auth::Directory* directory = nullptr;
  std::vector<std::unique_ptr<net::Listener>> listeners;
  std::list<net::ConnectionPtr> connections;
  bool is_stopping = false;
  net::ListenAddress tcp;
  net::ListenAddress unix_socket;
  std::thread thread;

  void accept(lmtp::Context& context, net::ConnectionPtr connection) {
    connections.push_front(std::move(connection));
    const auto place = connections.begin();
    spawn(lmtp::serve(context, **place), [this, place](std::exception_ptr exception) {
      if (exception) std::terminate();
      connections.erase(place);
      if (is_stopping && connections.empty()) loop->stop();
    });
  }

  void open(lmtp::Context& context) {
    net::ListenAddress any;
    any.host = "127.0.0.1";
    net::ListenAddress local;
    local.kind = net::ListenAddress::Kind::kUnix;
    local.path = (folder.path() / "lmtp.sock").string();
    for (const auto& address : {any, local}) {
      auto listener = net::listen(*loop, address, [this, &context](net::ConnectionPtr connection) {
        accept(context, std::move(connection));
      });
      if (!listener) throw std::runtime_error(listener.error().message);
      listeners.push_back(std::move(*listener));
    }
    tcp = listeners[0]->address();
    unix_socket = listeners[1]->address();
  }

  void run(std::promise<void>& started) {
    net::EventLoop own_loop;
    loop = &own_loop;
    store::StoreOptions options;
    options.folder = (folder.path() / "store").string();
    options.reserve_bytes = 1024 * 1024;
    options.durable = false;
    auto opened = store::Store::open(options, own_loop);
    if (!opened) throw std::runtime_error(opened.error().message);
    store = std::move(*opened);
    auth::Directory own_directory(own_loop, accounts_config(setup.accounts), 1);
    directory = &own_directory;
    auth::Sessions sessions;
    auto server_config = std::make_shared<config::ServerConfig>();
    server_config->limits = setup.limits;
    auth::Services services{own_loop, own_directory, sessions,
                            [server_config] { return config::ServerConfigPtr(server_config); },
                            "mx.example.org"};
    lmtp::Context context{services, *store, [this] { return setup.tls; }};
    open(context);
    own_loop.post([&started] { started.set_value(); });
    own_loop.run();
    store.reset();
  }

  void stop() {
    loop->post([this] {
      is_stopping = true;
      listeners.clear();
      for (auto& connection : connections) connection->abort();
      if (connections.empty()) loop->stop();
    });
    thread.join();
  }
};

TestServer::TestServer(Setup setup) : impl_(std::make_unique<Impl>()) {
  keep_logs_quiet();
  impl_->setup = std::move(setup);
  std::promise<void> started;
  impl_->thread = std::thread([this, &started] { impl_->run(started); });
  started.get_future().wait();
}

TestServer::~TestServer() { impl_->stop(); }

const net::ListenAddress& TestServer::tcp() const { return impl_->tcp; }
const net::ListenAddress& TestServer::unix_socket() const { return impl_->unix_socket; }
store::Store& TestServer::store() { return *impl_->store; }
const std::filesystem::path& TestServer::folder() const { return impl_->folder.path(); }

void TestServer::on_loop(const std::function<void()>& function) {
  std::promise<void> done;
  impl_->loop->post([&] {
    function();
    done.set_value();
  });
  done.get_future().wait();
}

void TestServer::replace_accounts(const std::vector<config::Account>& accounts) {
  on_loop([&] { impl_->directory->replace(accounts_config(accounts)); });
}

void TestServer::interrupt_all() {
  on_loop([this] {
    for (auto& connection : impl_->connections) connection->interrupt();
  });
}

std::size_t TestServer::connections() {
  std::size_t count = 0;
  on_loop([&] { count = impl_->connections.size(); });
  return count;
}

std::vector<StoredMessage> TestServer::inbox(const std::string& account_name) {
  const auto read = [&](const store::ReadView& view) -> Result<std::vector<StoredMessage>> {
    std::vector<StoredMessage> messages;
    const auto found = view.account(account_name);
    if (!found) {
      if (found.error().code == ErrorCode::kNotFound) return messages;
      return tl::unexpected(found.error());
    }
    const auto inbox = view.find_mailbox(found->id, "INBOX");
    if (!inbox) return tl::unexpected(inbox.error());
    const store::MailboxKey key{found->id, inbox->id};
    const auto uids = view.uids(key);
    if (!uids) return tl::unexpected(uids.error());
    for (const auto uid : *uids) {
      auto record = view.message(key, uid);
      if (!record) return tl::unexpected(record.error());
      StoredMessage message;
      const auto whole = view.read_message(*record, 0, record->size, message.octets);
      if (!whole) return tl::unexpected(whole.error());
      message.record = std::move(*record);
      messages.push_back(std::move(message));
    }
    return messages;
  };
  auto messages = impl_->store->read_now(read);
  if (!messages) FAIL("inbox of " << account_name << ": " << messages.error().message);
  return std::move(*messages);
}

std::string TestServer::only_body(const std::string& account_name) {
  const auto messages = inbox(account_name);
  REQUIRE(messages.size() == 1);
  REQUIRE(messages[0].octets.starts_with(messages[0].record.prefix));
  return messages[0].octets.substr(messages[0].record.prefix.size());
}

Client::Client(const net::ListenAddress& address) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (address.kind == net::ListenAddress::Kind::kUnix) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    REQUIRE(address.path.size() < sizeof name.sun_path);
    std::memcpy(name.sun_path, address.path.data(), address.path.size());
    std::memcpy(&storage, &name, sizeof name);
    length = sizeof name;
  } else {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(address.port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::memcpy(&storage, &name, sizeof name);
    length = sizeof name;
  }
  fd_ = ::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(fd_ >= 0);
  REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&storage), length) == 0);
  const timeval patience{kPatience / 1000, 0};
  REQUIRE(::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0);
}

Client::~Client() { ::close(fd_); }

bool Client::try_send(std::string_view octets) {
  while (!octets.empty()) {
    const ssize_t count = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (count < 0) return false;
    octets.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

void Client::send(std::string_view octets) { REQUIRE(try_send(octets)); }

void Client::half_close() { REQUIRE(::shutdown(fd_, SHUT_WR) == 0); }

bool Client::fill() {
  char buffer[16384];
  const ssize_t count = ::recv(fd_, buffer, sizeof buffer, 0);
  if (count <= 0) return false;
  input_.append(buffer, static_cast<std::size_t>(count));
  return true;
}

std::string Client::line() {
  for (;;) {
    if (const auto end = input_.find("\r\n"); end != std::string::npos) {
      std::string result = input_.substr(0, end);
      input_.erase(0, end + 2);
      return result;
    }
    pollfd waiting{fd_, POLLIN, 0};
    if (::poll(&waiting, 1, kPatience) != 1) return "<timeout>";
    if (!fill()) return "<closed>";
  }
}

std::string Client::reply() {
  std::string last = line();
  while (last.size() > 3 && last[3] == '-') last = line();
  return last;
}

std::string Client::say(std::string_view command) {
  send(std::string(command) + "\r\n");
  return reply();
}

void Client::hello() {
  REQUIRE(line().starts_with("220 mx.example.org LMTP"));
  REQUIRE(say("LHLO client.example").starts_with("250 "));
}

bool Client::is_silent_for(int milliseconds) {
  pollfd waiting{fd_, POLLIN, 0};
  return input_.empty() && ::poll(&waiting, 1, milliseconds) == 0;
}

void begin(Client& client, const std::vector<std::string>& recipients,
           const std::string& parameters) {
  REQUIRE(code_of(client.say("MAIL FROM:<carl@example.net>" + parameters)) == "250 2.1.0");
  for (const auto& recipient : recipients) {
    REQUIRE(code_of(client.say("RCPT TO:<" + recipient + ">")) == "250 2.1.5");
  }
}

std::size_t anonymous_kib() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("RssAnon:")) return std::stoul(line.substr(8));
  }
  return 0;
}

std::string code_of(const std::string& reply) {
  const auto first = reply.find(' ');
  const auto second = first == std::string::npos ? first : reply.find(' ', first + 1);
  return reply.substr(0, second);
}

std::string canonical(std::string_view octets) {
  std::string result;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    if (octets[i] == '\n' && (i == 0 || octets[i - 1] != '\r')) result += '\r';
    result += octets[i];
  }
  if (!result.empty() && !result.ends_with("\r\n")) result += "\r\n";
  return result;
}

std::string stuffed(std::string_view message) {
  std::string wire;
  for (std::size_t i = 0; i < message.size(); ++i) {
    const bool at_line_start =
        i == 0 || (i >= 2 && message[i - 1] == '\n' && message[i - 2] == '\r');
    if (at_line_start && message[i] == '.') wire += '.';
    wire += message[i];
  }
  if (!wire.empty() && !wire.ends_with("\r\n")) wire += "\r\n";
  return wire + ".\r\n";
}

net::TlsContextPtr make_tls(const std::filesystem::path& folder) {
  net::TlsSettings settings;
  settings.main.certificate = (folder / "certificate.pem").string();
  settings.main.key = (folder / "key.pem").string();
  testing::make_certificate(settings.main.certificate, settings.main.key);
  auto context = net::load_tls_context(settings, nullptr);
  if (!context) FAIL(context.error().message);
  return *context;
}

}  // namespace twinpost::lmtp_test
