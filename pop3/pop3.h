// POP3 (RFC 1939, 2449, 2595, 3206, 5034): one session on one connection.
//
// Loop thread only. serve() runs the whole session, from the greeting (or, with implicit TLS, from
// the handshake) to the closed connection, and always ends: every wait in it has a timeout.
//
// Invariants of the folder:
//   - nothing is removed but by a QUIT that came in the TRANSACTION state, and its +OK is said
//   after the commit;
//   - message numbers, sizes and UIDLs never change within a session (maildrop.h);
//   - a multi-line response is either whole or has no terminating line, and then the connection is
//   dropped.
//
// The files: parser (octets to Command), response (what is sent), maildrop (the snapshot), update
// (QUIT's transaction), session (states, waiting, ending), and commands.h with one file for each
// family of commands.
#pragma once

#include <functional>
#include <memory>

#include "core/auth/frontend.h"
#include "core/base/task.h"
#include "core/net/connection.h"
#include "core/net/tls.h"
#include "pop3/expiry.h"
#include "pop3/login_delays.h"
#include "store/store.h"

namespace twinpost::pop3 {

class MaildropLocks;  // maildrop.h: which accounts' maildrops are taken

// Outlives every session.
struct Context {
  Context(auth::Services& services, store::Store& store, std::function<net::TlsContextPtr()> tls);
  ~Context();

  // Both are worked out once for each version of the accounts.
  [[nodiscard]] const ExpiryOfAll& expiry();
  // Whether some account's password is stored so that APOP can be answered (RFC 1939 section 7).
  [[nodiscard]] bool some_account_has_apop();

  auth::Services& services;
  store::Store& store;
  std::function<net::TlsContextPtr()> tls;  // null where no certificate is configured
  std::unique_ptr<MaildropLocks> locks;
  // How long the answer to a wrong password is held back, times 1, 2, 4 (and 5 from then on) in one
  // connection.
  Duration failed_login_delay{2000};
  std::uint64_t uidls_changed = 0;  // since the start (listed_uidls.h)

  // RFC 2449 section 6.5: when each account may log in again; only where there is such a limit.
  LoginDelays login_delays;

 private:
  void look_at_accounts();

  config::AccountsConfigPtr known_accounts_;
  bool apop_ = false;
  ExpiryOfAll expiry_;
};

// `connection` is owned by the caller and outlives the task; it is closed when the task ends.
Task<void> serve(Context& context, net::Connection& connection, bool implicit_tls);

}  // namespace twinpost::pop3
