#include "tests/support/transcript_world.h"

#include <set>
#include <stdexcept>
#include <stdlib.h>

#include "core/auth/auth.h"
#include "core/auth/sessions.h"
#include "core/net/event_loop.h"
#include "core/net/listener.h"
#include "tests/support/transcript_certificate.h"

namespace twinpost::testing {
namespace {

std::filesystem::path make_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "twinpost-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("can't make " + name);
  return name;
}

template <class T>
T need(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

}  // namespace

// Everything of the running server, on its thread. Members go in the reverse order.
struct World::Server {
  Server(World& world, const FrontendFactory& factory)
      : world_(world),
        config(std::make_shared<config::ServerConfig>(world.settings_.server)),
        store(need(store::Store::open(store_options(world), loop))),
        faulty_store(*store, loop, world.faults_),
        directory(loop, std::make_shared<config::AccountsConfig>(world.settings_.accounts), 2),
        services{loop, directory, sessions, [this] { return config; }, "mail.example.org"} {
    if (world.settings_.certificate) tls = make_tls(world.folder_);
    store::Store& used = world.settings_.faults ? static_cast<store::Store&>(faulty_store) : *store;
    frontend = factory(FrontendServices{services, used, [this] { return tls; }});
    for (const auto& [key, value] : world.settings_.frontend) {
      if (!frontend->set(key, value)) throw std::runtime_error("unknown setting " + key);
    }
    net::ListenAddress address;
    address.host = "127.0.0.1";
    listener = need(net::listen(loop, address, [this](net::ConnectionPtr connection) {
      start_session(std::move(connection));
    }));
  }

  static store::StoreOptions store_options(const World& world) {
    store::StoreOptions options;
    options.folder = (world.folder_ / "store").string();
    options.map_size_bytes = std::uint64_t{1} << 32;
    options.reserve_bytes = 0;
    options.durable = false;
    return options;
  }

  static net::TlsContextPtr make_tls(const std::filesystem::path& folder) {
    net::TlsSettings settings;
    settings.main.certificate = folder / "certificate.pem";
    settings.main.key = folder / "key.pem";
    make_certificate(settings.main.certificate, settings.main.key);
    return need(net::load_tls_context(settings, nullptr));
  }

  void start_session(net::ConnectionPtr owned) {
    const std::shared_ptr<net::Connection> connection = std::move(owned);
    live.insert(connection);
    spawn(frontend->serve(*connection, world_.settings_.implicit_tls),
          [this, connection](const std::exception_ptr& exception) {
            if (exception) std::rethrow_exception(exception);  // ends the test program
            live.erase(connection);
            if (stopping && live.empty()) loop.stop();
          });
  }

  void stop() {
    stopping = true;
    listener.reset();
    const auto connections = live;
    for (const auto& connection : connections) {
      connection->interrupt();
      connection->abort();
    }
    if (live.empty()) loop.stop();
  }

  World& world_;
  net::EventLoop loop;
  std::shared_ptr<const config::ServerConfig> config;
  std::unique_ptr<store::Store> store;
  FaultyStore faulty_store;
  auth::Directory directory;
  auth::Sessions sessions;
  auth::Services services;
  net::TlsContextPtr tls;
  std::unique_ptr<Frontend> frontend;
  std::unique_ptr<net::Listener> listener;
  std::set<std::shared_ptr<net::Connection>> live;
  bool stopping = false;
};

World::World(WorldSettings settings, FrontendFactory factory)
    : settings_(std::move(settings)), factory_(std::move(factory)), folder_(make_folder()) {
  std::promise<void> started;
  auto done = started.get_future();
  thread_ = std::thread(
      [this, started = std::move(started)]() mutable { run_thread(std::move(started)); });
  try {
    done.get();
  } catch (...) {
    thread_.join();
    std::filesystem::remove_all(folder_);
    throw;
  }
}

void World::run_thread(std::promise<void> started) {
  std::unique_ptr<Server> server;
  try {
    server = std::make_unique<Server>(*this, factory_);
  } catch (...) {
    started.set_exception(std::current_exception());
    return;
  }
  server_ = server.get();
  store_ = server->store.get();
  port_ = server->listener->address().port;
  started.set_value();
  server->loop.run();
}

World::~World() {
  server_->loop.post([this] { server_->stop(); });
  thread_.join();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void World::on_loop(std::function<void(Server&)> function) {
  const auto ran = std::make_shared<std::promise<void>>();
  server_->loop.post([&, ran] {
    function(*server_);
    ran->set_value();
  });
  ran->get_future().get();
}

void World::replace_accounts(config::AccountsConfig accounts) {
  settings_.accounts = accounts;
  on_loop([&](Server& server) {
    server.directory.replace(std::make_shared<config::AccountsConfig>(std::move(accounts)));
  });
}

void World::replace_config(config::ServerConfig server_config) {
  settings_.server = server_config;
  on_loop([&](Server& server) {
    server.config = std::make_shared<config::ServerConfig>(std::move(server_config));
  });
}

std::size_t World::end_sessions(const std::string& account, auth::EndReason reason) {
  std::size_t ended = 0;
  on_loop([&](Server& server) {
    ended = server.sessions.end_where(
        [&](const auth::Sessions::Entry& entry) { return entry.account == account; }, reason);
  });
  return ended;
}

void World::interrupt_connections() {
  on_loop([](Server& server) {
    for (const auto& connection : server.live) connection->interrupt();
  });
}

std::size_t World::connections() {
  std::size_t count = 0;
  on_loop([&](Server& server) { count = server.live.size(); });
  return count;
}

}  // namespace twinpost::testing
