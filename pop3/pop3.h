// POP3 (RFC 1939, 2449, 2595, 5034): one session on one connection.
//
// Loop thread only. serve() runs the whole session, from the greeting (or, with implicit TLS, from the
// handshake) to the closed connection, and always ends: every wait in it has a timeout.
#pragma once

#include <functional>
#include <memory>

#include "core/auth/frontend.h"
#include "core/base/task.h"
#include "core/net/connection.h"
#include "core/net/tls.h"
#include "store/store.h"

namespace twinpost::pop3 {

class MaildropLocks;  // maildrop.h: which accounts' maildrops are taken

// Outlives every session.
struct Context {
  Context(auth::Services& services, store::Store& store, std::function<net::TlsContextPtr()> tls);
  ~Context();
  auth::Services& services;
  store::Store& store;
  std::function<net::TlsContextPtr()> tls;  // null where no certificate is configured
  std::unique_ptr<MaildropLocks> locks;
};

// `connection` is owned by the caller and outlives the task; it is closed when the task ends.
Task<void> serve(Context& context, net::Connection& connection, bool implicit_tls);

}  // namespace twinpost::pop3
