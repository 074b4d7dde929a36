// The daemon put together: configuration, store, accounts, TLS, listeners, frontends, signals.
//
// One Server per process, on the loop's thread. Life: start() binds, drops privileges, opens the store; the
// loop runs; reload() replaces what can be replaced, all or nothing; stop() ends every session politely and then
// the loop. What start() fails with is one line for the person who started it.
#pragma once

#include <array>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/auth/auth.h"
#include "core/auth/frontend.h"
#include "core/auth/sessions.h"
#include "core/base/error.h"
#include "core/config/config.h"
#include "core/net/event_loop.h"
#include "core/net/listener.h"
#include "core/net/tls.h"
#include "core/server/admin_session.h"
#include "core/server/admission.h"
#include "core/server/endpoints.h"
#include "core/server/http.h"
#include "core/server/quota_warning.h"
#include "core/server/settings.h"
#include "imap/imap.h"
#include "lmtp/lmtp.h"
#include "pop3/pop3.h"
#include "store/store.h"

namespace twinpost::server {

struct StartOptions {
  std::string config_file;
  std::string user;         // to become once the sockets are bound; empty: stay who we are
  bool watch_files = true;  // reload by itself when a configuration file changes
};

class Server {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(net::EventLoop& loop,
                                                             StartOptions options);
  ~Server();  // after the loop has ended
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Reads the files again on a worker and puts them in force, or logs why not and changes nothing.
  void reload();
  // Stops listening, ends every session politely, at the latest after limits.stop_time, then stops the loop.
  // A second call ends at once.
  void stop();

  [[nodiscard]] std::vector<net::ListenAddress> addresses(Service service) const;
  [[nodiscard]] std::size_t connections() const { return live_.size(); }

 private:
  struct Live {
    Service service;
    net::ConnectionPtr connection;
  };
  using LiveIterator = std::list<Live>::iterator;

  Server(net::EventLoop& loop, StartOptions options, Settings settings);
  using Listeners = std::multimap<Endpoint, std::unique_ptr<net::Listener>>;
  [[nodiscard]] Result<void> bind_all();
  // Binds the endpoints that do not listen yet; none of them is in force before the caller says so.
  [[nodiscard]] Result<Listeners> bind_new(const std::vector<Endpoint>& endpoints);
  [[nodiscard]] net::Listener::OnAccept acceptor(Service service);
  [[nodiscard]] Result<void> open_store();
  void accepted(Service service, net::ConnectionPtr connection);
  Task<void> run_session(LiveIterator live);
  Task<void> refuse(LiveIterator live, std::string reply);
  Task<void> run_reload();
  [[nodiscard]] Result<void> apply(Settings settings);
  Task<void> serve(LiveIterator live);
  void session_ended(LiveIterator live);
  [[nodiscard]] ServerFigures figures() const;
  void finish_stop();
  // Takes the mailboxes of removed messages away that are not configured any more (removed.mailbox):
  // of accounts, that is, whose users have not logged in by IMAP since.
  void begin_hiding();
  Task<void> hide_removed(std::vector<store::AccountInfo> accounts);
  void watch_files();
  Task<void> check_files();

  net::EventLoop& loop_;
  StartOptions options_;
  Settings settings_;
  FileStamps stamps_;
  Admission admission_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<auth::Directory> directory_;
  auth::Sessions sessions_;
  std::unique_ptr<auth::Services> services_;
  std::unique_ptr<pop3::Context> pop3_;
  std::unique_ptr<imap::Context> imap_;
  std::unique_ptr<lmtp::Context> lmtp_;
  std::unique_ptr<QuotaWarnings> quota_warnings_;
  std::unique_ptr<AdminService> admin_;
  std::unique_ptr<HttpService> http_;
  Listeners listeners_;
  std::list<Live> live_;
  UnixTime started_ = unix_now();
  SteadyTime started_steady_ = steady_now();
  std::array<std::uint64_t, kServiceCount> accepted_{};
  std::uint64_t refused_ = 0;
  bool reloading_ = false;
  bool reload_again_ = false;
  bool stopping_ = false;
  bool hiding_ = false;
};

}  // namespace twinpost::server
