// LMTP (RFC 2033): mail comes in. One session on one connection.
//
// Loop thread only. serve() runs the whole session and always ends: every wait in it has a timeout. A 250 after
// the data means that this recipient's copy is on disk.
#pragma once

#include <functional>

#include "core/auth/frontend.h"
#include "core/base/task.h"
#include "core/net/connection.h"
#include "core/net/tls.h"
#include "store/store.h"

namespace twinpost::lmtp {

// Outlives every session.
struct Context {
  auth::Services& services;
  store::Store& store;
  std::function<net::TlsContextPtr()>
      tls;  // null where no certificate is configured: no STARTTLS then
};

// `connection` is owned by the caller and outlives the task; it is closed when the task ends.
Task<void> serve(Context& context, net::Connection& connection);

}  // namespace twinpost::lmtp
