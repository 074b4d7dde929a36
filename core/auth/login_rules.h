// What every frontend does alike about logging in: when a password may be sent, for how long a client may stay a stranger, what a wrong
// password costs, and how a right one becomes a registered session.
//
// Loop thread only.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "core/auth/frontend.h"
#include "core/base/clock.h"
#include "core/base/task.h"

namespace twinpost::auth {

// Over TLS always, else as the configuration says (RFC 8314 section 3).
[[nodiscard]] bool may_send_password(config::PlaintextLogin setting, bool is_tls, bool is_loopback);

// The time from the connection to the login.
class LoginTime {
 public:
  explicit LoginTime(std::chrono::milliseconds limit);  // 0: none
  [[nodiscard]] Duration left() const;                  // 1 ms at least

 private:
  bool is_limited_;
  SteadyTime deadline_;
};

// The wrong passwords of one connection.
class FailedLogins {
 public:
  static constexpr unsigned kMost = 4;

  // Holds the answer to a wrong password back, so that guessing takes long: `unit` times 1, 2, 4, and 5 from then on. Ends early once
  // `is_over` says that the session does. Nothing but the coroutine that awaits it waits.
  Task<void> hold_back(Executor& executor, Duration unit, std::function<bool()> is_over) const;
  // Counts a login that was refused, for whatever reason. True: it was one too many.
  [[nodiscard]] bool count() { return ++failed_ >= kMost; }
  void forget() { failed_ = 0; }

 private:
  unsigned failed_ = 0;
};

// Registers the session of `account`, whose password was right, so that it can be ended from outside. The accounts may have
// been reloaded while the password was being checked: kPermission where it would not do any more, kUnsupported where the
// protocol is switched off. kLimit: the account has limits.connections_per_account sessions.
[[nodiscard]] Result<std::unique_ptr<Sessions::Registration>> register_session(
    Services& services, const config::Account& account, Sessions::Entry entry);

}  // namespace twinpost::auth
