#include "core/auth/login_rules.h"

#include <algorithm>
#include <utility>

namespace twinpost::auth {
namespace {

constexpr unsigned kMaxDelayFactor = 5;
constexpr Duration kDelaySlice{100};

bool is_enabled(const config::Account& account, Protocol protocol) {
  switch (protocol) {
    case Protocol::kPop3: return account.pop3.enabled;
    case Protocol::kImap: return account.imap.enabled;
    case Protocol::kLmtp: return true;
  }
  return false;
}

}  // namespace

bool may_send_password(config::PlaintextLogin setting, bool is_tls, bool is_loopback) {
  if (is_tls) return true;
  switch (setting) {
    case config::PlaintextLogin::kAlways: return true;
    case config::PlaintextLogin::kLoopback: return is_loopback;
    case config::PlaintextLogin::kNever: return false;
  }
  return false;
}

LoginTime::LoginTime(std::chrono::milliseconds limit)
    : is_limited_(limit.count() != 0), deadline_(steady_now() + limit) {}

Duration LoginTime::left() const {
  if (!is_limited_) return config::kNoTimeLimit;
  const auto left = std::chrono::duration_cast<Duration>(deadline_ - steady_now());
  return std::max(left, Duration(1));
}

Task<void> FailedLogins::hold_back(Executor& executor, Duration unit,
                                   std::function<bool()> is_over) const {
  const unsigned factor = std::min(1U << std::min(failed_, 8U), kMaxDelayFactor);
  const SteadyTime until = steady_now() + unit * factor;
  while (steady_now() < until && !is_over()) {
    const auto left = std::chrono::ceil<Duration>(until - steady_now());
    co_await sleep_for(executor, std::clamp(left, Duration(1), kDelaySlice));
  }
}

Result<std::unique_ptr<Sessions::Registration>> register_session(Services& services,
                                                                 const config::Account& account,
                                                                 Sessions::Entry entry) {
  const auto now = services.directory.account(account.name);
  if (!now || !now->enabled || now->password != account.password) {
    return fail(ErrorCode::kPermission, "the account has been changed");
  }
  if (!is_enabled(*now, entry.protocol)) {
    return fail(ErrorCode::kUnsupported, "the protocol is switched off for this account");
  }
  return services.sessions.add(std::move(entry), services.config()->limits.connections_per_account);
}

}  // namespace twinpost::auth
