#include "core/server/server.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>

#include "core/base/encoding.h"
#include "core/base/exception_text.h"
#include "core/base/log.h"
#include "core/server/commands/sessions.h"
#include "core/server/process.h"
#include "core/server/store_options.h"
#include "pop3/show_from.h"

namespace twinpost::server {

using namespace std::chrono_literals;

namespace {

// Files beside the connections: the store, logs, listeners, spools.
constexpr std::uint64_t kOtherFiles = 256;
// Connections that are being told that there are too many; past these they are just closed.
constexpr std::size_t kMaxRefusals = 500;
constexpr Duration kGoodbyeTime = 5s;
// An MTA runs as another user and must be able to connect, which takes write permission; who may, is said by the
// folder that the socket is in. POP3 asks for a password in any case.
constexpr int kUnixSocketMode = 0666;
// Who can open it can do everything.
constexpr int kAdminSocketMode = 0600;

std::string hostname() {
  std::string name(256, '\0');
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  name.resize(name.find('\0'));
  return name.empty() ? "localhost" : name;
}

// In the words of the protocol: a client is not let in, for now.
std::string temporary_refusal(Service service, std::string_view reason) {
  switch (service) {
    case Service::kPop3:
    case Service::kPop3s: return fmt::format("-ERR [SYS/TEMP] {}\r\n", reason);
    case Service::kImap:
    case Service::kImaps: return fmt::format("* BYE [UNAVAILABLE] {}\r\n", reason);
    case Service::kLmtp: return fmt::format("421 4.3.2 {}\r\n", reason);
    case Service::kHttp:
    case Service::kAdmin: break;  // these refuse by themselves
  }
  return {};
}

// These have limits of their own, so that they answer just when there are too many of the others.
bool is_for_admins(Service service) {
  return service == Service::kHttp || service == Service::kAdmin;
}

bool is_implicit_tls(Service service) {
  return service == Service::kPop3s || service == Service::kImaps;
}

// The text for a client whose session met a broken invariant; the log has the rest under the same id.
std::string internal_error_reply(Service service, std::string_view id) {
  switch (service) {
    case Service::kPop3:
    case Service::kPop3s: return fmt::format("-ERR [SYS/TEMP] Internal error, id {}\r\n", id);
    case Service::kImap:
    case Service::kImaps: return fmt::format("* BYE [SERVERBUG] Internal error, id {}\r\n", id);
    case Service::kLmtp: return fmt::format("421 4.3.0 Internal error, id {}\r\n", id);
    case Service::kHttp:
      return fmt::format("HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\nid {}\n",
                         id);
    case Service::kAdmin:
      return admin_error({ErrorCode::kInternal, fmt::format("internal error, id {}", id)}).dump() +
             "\n";
  }
  return {};
}

}  // namespace

Server::Server(net::EventLoop& loop, StartOptions options, Settings settings)
    : loop_(loop), options_(std::move(options)), settings_(std::move(settings)) {
  stamps_ = stamp_files(*settings_.config);
}

Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(net::EventLoop& loop, StartOptions options) {
  auto settings = load_settings(options.config_file, nullptr);
  if (!settings) return tl::unexpected(settings.error());
  if (auto logging = log::configure((*settings).config->log); !logging) {
    return tl::unexpected(logging.error());
  }
  std::unique_ptr<Server> server(new Server(loop, std::move(options), *std::move(settings)));
  const config::ServerConfig& config = *server->settings_.config;

  const std::uint64_t wanted_files = config.limits.connections + kOtherFiles;
  const std::uint64_t files = raise_file_limit(wanted_files);
  if (auto bound = server->bind_all(); !bound) return tl::unexpected(bound.error());
  if (auto made = prepare_data_folder(config.data, server->options_.user); !made) {
    return tl::unexpected(made.error());
  }
  if (auto became = become_user(server->options_.user); !became) {
    return tl::unexpected(became.error());
  }
  log::start_thread();
  if (auto opened = server->open_store(); !opened) return tl::unexpected(opened.error());
  if (files < wanted_files) {
    log::warning("file-limit", {{"files", files},
                                {"wanted", wanted_files},
                                {"reason", "fewer connections than limits.connections fit"}});
  }
  if (::geteuid() == 0) {
    log::warning("running-as-root", {{"advice", "start with --user NAME to drop root's rights"}});
  }
  for (const auto& [endpoint, listener] : server->listeners_) {
    log::info("listening", {{"service", to_string(endpoint.service)},
                            {"address", net::to_string(listener->address())}});
  }
  log::info("ready", {{"version", TWINPOST_VERSION},
                      {"accounts", server->settings_.accounts->accounts.size()},
                      {"data", config.data}});
  if (server->options_.watch_files) server->watch_files();
  spawn(pop3::note_show_from(*server->store_, server->settings_.accounts),
        [](const std::exception_ptr&) {});
  server->begin_hiding();
  return server;
}

net::Listener::OnAccept Server::acceptor(Service service) {
  return
      [this, service](net::ConnectionPtr connection) { accepted(service, std::move(connection)); };
}

Result<Server::Listeners> Server::bind_new(const std::vector<Endpoint>& endpoints) {
  Listeners bound;
  for (const Endpoint& endpoint : endpoints) {
    if (listeners_.count(endpoint) != 0) continue;
    auto listener =
        net::listen(loop_, endpoint.address, acceptor(endpoint.service),
                    endpoint.service == Service::kAdmin ? kAdminSocketMode : kUnixSocketMode);
    if (!listener) {
      return fail(listener.error().code, fmt::format("listen.{}: {}", to_string(endpoint.service),
                                                     listener.error().message));
    }
    bound.emplace(endpoint, *std::move(listener));
  }
  return bound;
}

Result<void> Server::bind_all() {
  auto endpoints = configured_endpoints(*settings_.config);
  if (!endpoints) return tl::unexpected(endpoints.error());
  auto passed = net::take_passed_sockets();
  if (!passed) return tl::unexpected(passed.error());
  for (net::PassedSocket& socket : *passed) {
    auto endpoint = endpoint_of(socket, *endpoints);
    if (!endpoint) return tl::unexpected(endpoint.error());
    auto listener = net::listen_on_fd(loop_, std::move(socket), acceptor(endpoint->service));
    if (!listener) return tl::unexpected(listener.error());
    listeners_.emplace(*endpoint, *std::move(listener));
  }
  auto bound = bind_new(*endpoints);
  if (!bound) return tl::unexpected(bound.error());
  listeners_.merge(*bound);
  for (const auto& [endpoint, listener] : listeners_) {
    if (is_implicit_tls(endpoint.service) && !settings_.tls) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("{} needs tls.certificate and tls.key", to_string(endpoint.service)));
    }
  }
  return {};
}

Result<void> Server::open_store() {
  const config::ServerConfig& config = *settings_.config;
  auto options = store_options(config);
  if (!options) return tl::unexpected(options.error());
  auto opened = store::Store::open(*std::move(options), loop_);
  if (!opened) return fail(opened.error().code, "data: " + opened.error().message);
  store_ = *std::move(opened);

  const std::size_t parallel_checks =
      config.limits.password_checks != 0
          ? config.limits.password_checks
          : std::max<std::size_t>(1, std::strtoul(std::getenv("UV_THREADPOOL_SIZE") != nullptr
                                                      ? std::getenv("UV_THREADPOOL_SIZE")
                                                      : "4",
                                                  nullptr, 10) /
                                         2);
  directory_ = std::make_unique<auth::Directory>(loop_, settings_.accounts, parallel_checks);
  services_ = std::make_unique<auth::Services>(auth::Services{
      loop_, *directory_, sessions_, [this] { return settings_.config; }, hostname()});
  const auto tls = [this] { return settings_.tls; };
  pop3_ = std::make_unique<pop3::Context>(*services_, *store_, tls);
  imap_ = std::make_unique<imap::Context>(*services_, *store_, tls);
  lmtp_ = std::make_unique<lmtp::Context>(lmtp::Context{*services_, *store_, tls});
  quota_warnings_ =
      std::make_unique<QuotaWarnings>(*store_, loop_, services_->config, services_->hostname);
  admin_ = std::make_unique<AdminService>(
      loop_, *store_,
      [this] {
        return AdminService::InForce{settings_.config, settings_.accounts};
      },
      [this](const Json& request) { return answer_about_sessions(sessions_, request); });
  http_ = std::make_unique<HttpService>(loop_, *store_, [this] { return figures(); });
  return {};
}

std::vector<net::ListenAddress> Server::addresses(Service service) const {
  std::vector<net::ListenAddress> found;
  for (const auto& [endpoint, listener] : listeners_) {
    if (endpoint.service == service) found.push_back(listener->address());
  }
  return found;
}

ServerFigures Server::figures() const {
  ServerFigures figures;
  for (std::size_t i = 0; i < kServiceCount; ++i) {
    figures.services.push_back({to_string(static_cast<Service>(i)), 0, accepted_.at(i)});
  }
  for (const Live& live : live_) ++figures.services[static_cast<std::size_t>(live.service)].open;
  figures.refused = refused_;
  figures.accounts = settings_.accounts->accounts.size();
  figures.uidls_changed = pop3_->uidls_changed;
  figures.started = started_;
  figures.uptime =
      std::chrono::duration_cast<std::chrono::milliseconds>(steady_now() - started_steady_);
  return figures;
}

void Server::accepted(Service service, net::ConnectionPtr connection) {
  ++accepted_.at(static_cast<std::size_t>(service));
  if (is_for_admins(service)) {
    live_.push_front(Live{service, std::move(connection)});
    const LiveIterator live = live_.begin();
    spawn(run_session(live), [this, live](const std::exception_ptr&) { session_ended(live); });
    return;
  }
  const Admission::Answer answer = admission_.enter(connection->peer(), settings_.config->limits);
  if (answer == Admission::Answer::kAdmitted) {
    live_.push_front(Live{service, std::move(connection)});
    const LiveIterator live = live_.begin();
    spawn(run_session(live), [this, live](const std::exception_ptr&) {
      admission_.leave(live->connection->peer());
      session_ended(live);
    });
    return;
  }
  ++refused_;
  const std::string_view reason = answer == Admission::Answer::kTooMany
                                      ? "Too many connections, try again later"
                                      : "Too many connections from your address";
  log::warning("refused", {{"service", to_string(service)},
                           {"address", connection->peer().address},
                           {"reason", reason}});
  if (is_implicit_tls(service) ||
      live_.size() > settings_.config->limits.connections + kMaxRefusals) {
    return;  // closed: words would cost a handshake
  }
  live_.push_front(Live{service, std::move(connection)});
  const LiveIterator live = live_.begin();
  spawn(refuse(live, temporary_refusal(service, reason)),
        [this, live](const std::exception_ptr&) { session_ended(live); });
}

Task<void> Server::refuse(LiveIterator live, std::string reply) {
  live->connection->queue(reply);
  co_await live->connection->close(kGoodbyeTime);
}

Task<void> Server::serve(LiveIterator live) {
  net::Connection& connection = *live->connection;
  switch (live->service) {
    case Service::kPop3: co_await pop3::serve(*pop3_, connection, false); break;
    case Service::kPop3s: co_await pop3::serve(*pop3_, connection, true); break;
    case Service::kImap: co_await imap::serve(*imap_, connection, false); break;
    case Service::kImaps: co_await imap::serve(*imap_, connection, true); break;
    case Service::kLmtp: co_await lmtp::serve(*lmtp_, connection); break;
    case Service::kHttp: co_await http_->serve(connection); break;
    case Service::kAdmin: co_await admin_->serve(connection); break;
  }
}

Task<void> Server::run_session(LiveIterator live) {
  net::Connection& connection = *live->connection;
  std::exception_ptr broken;
  try {
    co_await serve(live);
  } catch (...) {
    broken = std::current_exception();
  }
  if (broken) {
    const std::string id = fmt::format("{:08x}", random_u64() & 0xFFFFFFFFU);
    log::error("session-failed", {{"id", id},
                                  {"service", to_string(live->service)},
                                  {"address", connection.peer().address},
                                  {"reason", exception_text(broken)}});
    connection.queue(internal_error_reply(live->service, id));
    co_await connection.close(kGoodbyeTime);
  }
}

void Server::session_ended(LiveIterator live) {
  live_.erase(live);
  if (stopping_ && live_.empty()) finish_stop();
}

}  // namespace twinpost::server
