// Reload and stop: the parts of Server that change a running daemon.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fmt/format.h>
#include <string>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/server/server.h"
#include "pop3/show_from.h"

namespace twinpost::server {

using namespace std::chrono_literals;

namespace {

constexpr Duration kWatchInterval = 1s;
// Past limits.stop_time every connection is cut; a session that does not end even then hangs in a worker.
constexpr Duration kLastResort = 20s;

// Whether nobody is to see removed messages (imap/session_login.cc).
bool is_hidden(const config::ServerConfig& config) {
  return config.removed.mailbox.empty() || config.limits.retention_days == 0;
}

}  // namespace

void Server::reload() {
  if (reloading_) {
    reload_again_ = true;
    return;
  }
  reloading_ = true;
  spawn(run_reload(), [this](const std::exception_ptr& exception) {
    reloading_ = false;
    if (exception) log::error("reload-failed", {{"reason", "internal error"}});
    if (std::exchange(reload_again_, false)) reload();
  });
}

Task<void> Server::run_reload() {
  const std::string file = options_.config_file;
  const net::TlsContextPtr previous = settings_.tls;
  // The stamps come first: a file that changes while it is read is read again.
  const config::ServerConfigPtr config = settings_.config;
  FileStamps stamps = co_await on_worker(loop_, [&config] { return stamp_files(*config); });
  Result<Settings> loaded =
      co_await on_worker(loop_, [&file, &previous] { return load_settings(file, previous); });
  if (stopping_) co_return;
  stamps_ = std::move(stamps);
  Result<void> applied = loaded ? apply(*std::move(loaded)) : tl::unexpected(loaded.error());
  if (!applied) {
    log::error("reload-failed",
               {{"reason", applied.error().message}, {"kept", "everything stays as it was"}});
  }
}

Result<void> Server::apply(Settings settings) {
  const config::ServerConfig& now = *settings_.config;
  const config::ServerConfig& next = *settings.config;
  if (next.data != now.data) {
    return fail(
        ErrorCode::kInvalid,
        fmt::format("{}: data: can't change while the server runs; restart it", next.source));
  }
  auto endpoints = configured_endpoints(next);
  if (!endpoints) return tl::unexpected(endpoints.error());
  auto bound = bind_new(*endpoints);
  if (!bound) return tl::unexpected(bound.error());
  if (auto logging = log::configure(next.log); !logging) return tl::unexpected(logging.error());

  // From here on nothing fails.
  auto listener = listeners_.begin();
  while (listener != listeners_.end()) {
    const bool kept =
        std::find(endpoints->begin(), endpoints->end(), listener->first) != endpoints->end();
    listener = kept ? std::next(listener) : listeners_.erase(listener);
  }
  listeners_.merge(*bound);
  if (next.storage.compression != now.storage.compression ||
      next.storage.key_file != now.storage.key_file) {
    log::warning("needs-restart", {{"key", "storage"},
                                   {"reason",
                                    "bodies are kept as they were until the server is "
                                    "started again"}});
  }
  const config::AccountsConfigPtr before = settings_.accounts;
  settings_ = std::move(settings);
  directory_->replace(settings_.accounts);
  const config::Limits& limits = settings_.config->limits;
  store_->set_retention(std::chrono::days(limits.retention_days));
  store_->set_removed_limits(limits.removed_size, limits.removed_messages);
  if (const std::size_t ended = auth::end_outdated(sessions_, *before, *settings_.accounts);
      ended != 0) {
    log::info("sessions-ended", {{"count", ended}});
  }
  spawn(pop3::note_show_from(*store_, settings_.accounts), [](const std::exception_ptr&) {});
  log::info("reloaded", {{"accounts", settings_.accounts->accounts.size()}});
  return {};
}

void Server::watch_files() {
  loop_.start_timer(kWatchInterval, [this] {
    if (stopping_) return;
    spawn(check_files(), [this](const std::exception_ptr&) { watch_files(); });
  });
}

Task<void> Server::check_files() {
  const config::ServerConfigPtr config = settings_.config;
  const FileStamps seen = co_await on_worker(loop_, [&config] { return stamp_files(*config); });
  if (stopping_ || reloading_ || seen == stamps_) co_return;
  log::info("configuration-changed", {});
  reload();
}

void Server::stop() {
  if (stopping_) {
    log::warning("stopping-at-once", {{"connections", live_.size()}});
    for (Live& live : live_) live.connection->abort();
    return;
  }
  stopping_ = true;
  log::info("stopping", {{"connections", live_.size()}});
  listeners_.clear();
  if (live_.empty()) {
    finish_stop();
    return;
  }
  for (Live& live : live_) live.connection->interrupt();
  const Duration limit = settings_.config->limits.stop_time;
  loop_.start_timer(limit, [this] {
    if (live_.empty()) return;
    log::warning("stop-time-over", {{"connections", live_.size()}});
    for (Live& live : live_) live.connection->abort();
  });
  loop_.start_timer(limit + kLastResort, [this] {
    if (live_.empty()) return;
    // What was acknowledged is on disk; what hangs will not end by waiting longer.
    log::error("stop-hangs", {{"connections", live_.size()}});
    std::_Exit(1);
  });
}

void Server::begin_hiding() {
  auto accounts = store_->read_now([](const store::ReadView& view) { return view.accounts(); });
  if (!accounts) {
    log::warning("removed-mailbox", {{"error", accounts.error().message}});
    return;
  }
  std::erase_if(*accounts, [](const store::AccountInfo& account) {
    return account.removed_mailbox.value() == 0;
  });
  if (accounts->empty() || !is_hidden(*settings_.config)) return;
  hiding_ = true;
  spawn(hide_removed(*std::move(accounts)), [this](const std::exception_ptr& exception) {
    hiding_ = false;
    if (exception) log::error("removed-mailbox", {{"error", "internal error"}});
    if (stopping_ && live_.empty()) finish_stop();
  });
}

// A reload may want them again; what is half done then is mended at the account's next login.
Task<void> Server::hide_removed(std::vector<store::AccountInfo> accounts) {
  std::size_t gone = 0;
  for (const store::AccountInfo& account : accounts) {
    Result<bool> done = false;
    while (done && !*done) {
      if (stopping_ || !is_hidden(*settings_.config)) co_return;
      const store::AccountId id = account.id;
      done = co_await store_->write([id](store::WriteTxn& txn) { return txn.hide_removed(id); });
    }
    if (done) {
      ++gone;
    } else {
      log::warning("removed-mailbox", {{"account", account.name}, {"error", done.error().message}});
    }
  }
  log::info("removed-mailboxes-gone", {{"accounts", gone}});
}

void Server::finish_stop() {
  if (hiding_) return;  // its end comes here again
  quota_warnings_->stop([this] {
    log::info("stopped", {});
    loop_.stop();
  });
}

}  // namespace twinpost::server
