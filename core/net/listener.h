// Listeners: accept connections on a list of addresses.
//
// Loop thread only. accept() survives EMFILE/ENFILE: it pauses for a moment, says so once in the
// log, and goes on; waiting clients stay in the kernel's backlog.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/net/address.h"
#include "core/net/connection.h"
#include "core/net/event_loop.h"

namespace twinpost::net {

class Listener {
 public:
  using OnAccept = std::function<void(ConnectionPtr)>;

  virtual ~Listener() = default;  // stops listening; accepted connections live on
  // The address bound, with the real port where 0 was asked for.
  [[nodiscard]] virtual ListenAddress address() const = 0;
};

// Binds and listens. A TCP address gets SO_REUSEADDR; "::" takes IPv4 too where the system does
// (dual stack). A Unix socket path that is left over from a dead server is replaced, one that is
// alive gives kInUse, anything else there is never touched; the socket gets mode 0666 & ~umask
// unless `unix_mode` is set, and is unlinked at the end. The error names the address.
[[nodiscard]] Result<std::unique_ptr<Listener>> listen(EventLoop& loop,
                                                       const ListenAddress& address,
                                                       Listener::OnAccept on_accept,
                                                       int unix_mode = -1);

// One listening socket that the service manager passed (sd_listen_fds(3)).
struct PassedSocket {
  int fd = -1;
  std::string name;       // from LISTEN_FDNAMES ("pop3s", "lmtp"...), or empty
  ListenAddress address;  // what it is bound to
};

// Reads LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES and clears them. Empty where there is no activation.
[[nodiscard]] Result<std::vector<PassedSocket>> take_passed_sockets();

// Serves a socket that is already bound and listening. Takes the fd.
[[nodiscard]] Result<std::unique_ptr<Listener>> listen_on_fd(EventLoop& loop, PassedSocket socket,
                                                             Listener::OnAccept on_accept);

// A client connection to `address` (tools and tests): TCP or Unix.
[[nodiscard]] Task<Result<ConnectionPtr>> connect(EventLoop& loop, ListenAddress address,
                                                  Duration timeout);

}  // namespace twinpost::net
