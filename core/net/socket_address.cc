#include "core/net/socket_address.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace twinpost::net {

namespace {

template <class T>
SocketAddress wrap(const T& address) {
  SocketAddress out;
  std::memcpy(&out.storage, &address, sizeof address);
  out.size = sizeof address;
  return out;
}

ListenAddress from_unix(const SocketAddress& address) {
  ListenAddress out;
  out.kind = ListenAddress::Kind::kUnix;
  sockaddr_un local{};
  std::memcpy(&local, &address.storage, std::min<std::size_t>(address.size, sizeof local));
  constexpr std::size_t kPathOffset = offsetof(sockaddr_un, sun_path);
  if (address.size <= kPathOffset) return out;
  out.path.assign(local.sun_path, std::min<std::size_t>(address.size, sizeof local) - kPathOffset);
  if (out.path.front() == '\0') {
    out.path.front() = '@';  // unix(7), abstract
  } else {
    out.path.resize(std::min(out.path.size(), out.path.find('\0')));
  }
  return out;
}

}  // namespace

Result<SocketAddress> to_socket_address(const ListenAddress& address) {
  if (address.kind == ListenAddress::Kind::kUnix) {
    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    if (address.path.empty() || address.path.size() >= sizeof local.sun_path) {
      return fail(ErrorCode::kInvalid, fmt::format("{}: the path must have 1 to {} octets",
                                                   to_string(address), sizeof local.sun_path - 1));
    }
    std::copy(address.path.begin(), address.path.end(), local.sun_path);
    return wrap(local);
  }
  sockaddr_in ipv4{};
  ipv4.sin_family = AF_INET;
  ipv4.sin_port = htons(address.port);
  if (inet_pton(AF_INET, address.host.c_str(), &ipv4.sin_addr) == 1) return wrap(ipv4);
  sockaddr_in6 ipv6{};
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_port = htons(address.port);
  if (inet_pton(AF_INET6, address.host.c_str(), &ipv6.sin6_addr) == 1) return wrap(ipv6);
  return fail(ErrorCode::kInvalid, to_string(address) + ": the host is no numeric address");
}

Result<ListenAddress> bound_address(int fd) {
  SocketAddress address;
  if (getsockname(fd, address.data(), &address.size) != 0) {
    return tl::unexpected(system_error("getsockname", errno));
  }
  if (address.family() == AF_UNIX) return from_unix(address);
  if (address.family() != AF_INET && address.family() != AF_INET6) {
    return fail(ErrorCode::kUnsupported, "neither a TCP nor a Unix socket");
  }
  const Peer self = peer_from_sockaddr(address.data());
  ListenAddress out;
  out.host = self.address;
  out.port = self.port;
  return out;
}

}  // namespace twinpost::net
