// The server that a transcript talks to: a real loop, store, directory and listener in one thread
// of the test process.
//
// Everything of the server lives on its own thread; the test's thread reaches it by sockets, by
// on_loop(), and by the store's blocking calls.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "core/auth/frontend.h"
#include "core/config/config.h"
#include "core/net/connection.h"
#include "core/net/tls.h"
#include "store/store.h"
#include "tests/support/transcript_faults.h"

namespace twinpost::testing {

// What a protocol's tests give the player: how its sessions are served. Made and used on the loop
// thread.
class Frontend {
 public:
  virtual ~Frontend() = default;
  virtual Task<void> serve(net::Connection& connection, bool implicit_tls) = 0;
  // A `config` line of the transcript that is no key of the server's. False: unknown here too.
  virtual bool set(std::string_view key, std::string_view value) = 0;
};

struct FrontendServices {
  auth::Services& services;
  store::Store& store;
  std::function<net::TlsContextPtr()> tls;
};
using FrontendFactory = std::function<std::unique_ptr<Frontend>(FrontendServices)>;

// What the setup lines say.
struct WorldSettings {
  config::ServerConfig server;
  config::AccountsConfig accounts;
  std::map<std::string, std::string> frontend;  // for Frontend::set()
  bool certificate = false;
  bool implicit_tls = false;
  bool faults = false;  // put a FaultyStore in front of the store
};

class World {
 public:
  // Starts the server; throws std::runtime_error where that fails.
  World(WorldSettings settings, FrontendFactory factory);
  ~World();  // ends it, sessions and all
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] store::Store& store() { return *store_; }  // read_now() and write_now() only
  [[nodiscard]] Faults& faults() { return faults_; }
  [[nodiscard]] const WorldSettings& settings() const { return settings_; }

  void replace_accounts(config::AccountsConfig accounts);  // a reload
  void replace_config(config::ServerConfig server);
  std::size_t end_sessions(const std::string& account, auth::EndReason reason);
  void interrupt_connections();  // as a graceful stop does
  [[nodiscard]] std::size_t connections();

  // Returns when the loop has done what was posted to it before: what was written is announced by then.
  void settle() {
    on_loop([](Server&) {});
  }

 private:
  struct Server;
  void run_thread(std::promise<void> started);
  void on_loop(std::function<void(Server&)> function);  // waits until it has run

  WorldSettings settings_;
  FrontendFactory factory_;
  std::filesystem::path folder_;
  Faults faults_;
  Server* server_ = nullptr;  // lives on the thread
  store::Store* store_ = nullptr;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace twinpost::testing
