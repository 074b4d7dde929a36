// Warnings before a quota is used up: where an account passes one of quota.warn_at's percents, a line in the log
// ("quota"), and with quota.warn_by_mail a message in the account's INBOX.
//
// The message is stored whatever the quota says, and not announced itself: a warning never brings another one. An
// account gets one a day at the most for each percent of octets and of messages; a restart forgets which.
// Loop thread only.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "core/base/clock.h"
#include "core/base/executor.h"
#include "core/base/task.h"
#include "core/config/config.h"
#include "store/store.h"

namespace twinpost::server {

class QuotaWarnings {
 public:
  // Listens to the store from here on. `hostname` is the domain of accounts that have none in their name.
  QuotaWarnings(store::Store& store, Executor& executor,
                std::function<config::ServerConfigPtr()> config, std::string hostname,
                std::function<UnixTime()> now = unix_now);
  ~QuotaWarnings();  // with no message on its way: see stop()
  QuotaWarnings(const QuotaWarnings&) = delete;
  QuotaWarnings& operator=(const QuotaWarnings&) = delete;

  // Begins no further message, and calls `done` once those that are on their way are stored; perhaps at once.
  void stop(std::function<void()> done);
  [[nodiscard]] std::size_t on_their_way() const { return on_their_way_; }

 private:
  using Threshold = std::tuple<std::string, bool, std::uint64_t>;  // account, of messages, percent

  void on_passed(const store::QuotaPassed& passed);
  [[nodiscard]] bool is_due(const Threshold& threshold);
  void send(const store::QuotaPassed& passed);
  Task<void> deliver(store::QuotaPassed passed);
  Task<Result<store::Appended>> store_message(store::QuotaPassed passed);

  store::Store& store_;
  Executor& executor_;
  std::function<config::ServerConfigPtr()> config_;
  std::string hostname_;
  std::function<UnixTime()> now_;
  std::map<Threshold, UnixTime> sent_;
  UnixTime forgotten_{};  // when `sent_` was last rid of what is older than a day
  std::size_t on_their_way_ = 0;
  bool stopping_ = false;
  std::function<void()> done_;
};

// The whole message, lines ended by CRLF. `unique` makes its Message-ID one of its own.
[[nodiscard]] std::string quota_message(const store::QuotaPassed& passed, std::string_view hostname,
                                        UnixTime now, std::uint64_t unique);

}  // namespace twinpost::server
