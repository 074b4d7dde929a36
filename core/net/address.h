// Where to listen, and who is there.
//
//   "127.0.0.1:143"   "[::]:993"   "*:110" (every address of both families)
//   "unix:/run/twinpost/lmtp.sock"
//
// Pure; any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>

#include "core/base/error.h"

namespace twinpost::net {

struct ListenAddress {
  enum class Kind : std::uint8_t { kTcp, kUnix };
  Kind kind = Kind::kTcp;
  std::string host;        // numeric, IPv4 or IPv6 without brackets; "::" listens on both families
  std::uint16_t port = 0;  // 0: any free port (tests)
  std::string path;        // for kUnix; absolute

  friend auto operator<=>(const ListenAddress&, const ListenAddress&) = default;
};

// The error says what is wrong with it and shows the three forms.
[[nodiscard]] Result<ListenAddress> parse_listen_address(std::string_view text);
[[nodiscard]] std::string to_string(const ListenAddress& address);

// The other end of a connection.
struct Peer {
  std::string address;  // "192.0.2.7", "2001:db8::1", or "unix"; an IPv4-mapped address as IPv4
  std::uint16_t port = 0;
  bool is_unix = false;
  bool is_loopback = false;  // 127.0.0.0/8, ::1, or a Unix socket
  // Accepted on a Unix socket: the user that connected (SO_PEERCRED), where the system says it.
  std::optional<std::uint32_t> user;
};

[[nodiscard]] Peer peer_from_sockaddr(const sockaddr* address);

}  // namespace twinpost::net
