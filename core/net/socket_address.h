// Between ListenAddress and the kernel's socket addresses. Any thread.
#pragma once

#include <sys/socket.h>

#include "core/base/error.h"
#include "core/net/address.h"

namespace twinpost::net {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  [[nodiscard]] sockaddr* data() { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] int family() const { return storage.ss_family; }
};

// kInvalid where it is none (a host that is no number, a path that is too long).
[[nodiscard]] Result<SocketAddress> to_socket_address(const ListenAddress& address);

// What the socket is bound to. An abstract Unix address gets a path that begins with "@".
[[nodiscard]] Result<ListenAddress> bound_address(int fd);

}  // namespace twinpost::net
