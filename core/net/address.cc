#include "core/net/address.h"

#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <fmt/format.h>
#include <netinet/in.h>
#include <optional>
#include <sys/un.h>

#include "core/base/ascii.h"

namespace twinpost::net {

namespace {

constexpr std::string_view kUnixPrefix = "unix:";

tl::unexpected<Error> malformed(std::string_view text, std::string_view what) {
  return fail(ErrorCode::kInvalid,
              fmt::format("address \"{}\": {} (use \"127.0.0.1:143\", \"[::]:993\", \"*:110\" for "
                          "every address, or \"unix:/path\")",
                          ascii::printable(text), what));
}

// The canonical spelling of a numeric address, or nullopt where it is none.
std::optional<std::string> canonical(int family, const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> binary{};
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (inet_pton(family, host.c_str(), binary.data()) != 1) return std::nullopt;
  if (inet_ntop(family, binary.data(), text.data(), text.size()) == nullptr) return std::nullopt;
  return std::string(text.data());
}

Result<ListenAddress> parse_unix(std::string_view text) {
  ListenAddress address;
  address.kind = ListenAddress::Kind::kUnix;
  address.path = std::string(text.substr(kUnixPrefix.size()));
  if (address.path.empty() || address.path.front() != '/') {
    return malformed(text, "a Unix socket needs an absolute path");
  }
  if (address.path.find('\0') != std::string::npos) return malformed(text, "NUL in the path");
  if (address.path.size() >= sizeof(sockaddr_un::sun_path)) {
    return malformed(
        text, fmt::format("the path is longer than {} octets", sizeof(sockaddr_un::sun_path) - 1));
  }
  return address;
}

Peer peer_from_ipv4(const in_addr& address, in_port_t port) {
  std::array<char, INET_ADDRSTRLEN> text{};
  inet_ntop(AF_INET, &address, text.data(), text.size());
  Peer peer;
  peer.address = text.data();
  peer.port = ntohs(port);
  peer.is_loopback = (ntohl(address.s_addr) >> 24) == 127;
  return peer;
}

Peer peer_from_ipv6(const sockaddr_in6& address) {
  if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr)) {
    in_addr mapped{};
    std::memcpy(&mapped, &address.sin6_addr.s6_addr[12], sizeof mapped);
    return peer_from_ipv4(mapped, address.sin6_port);
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(AF_INET6, &address.sin6_addr, text.data(), text.size());
  Peer peer;
  peer.address = text.data();
  peer.port = ntohs(address.sin6_port);
  peer.is_loopback = IN6_IS_ADDR_LOOPBACK(&address.sin6_addr);
  return peer;
}

}  // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
  if (text.starts_with(kUnixPrefix)) return parse_unix(text);
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return malformed(text, "no port");
  std::string_view host = text.substr(0, colon);
  const auto port = ascii::parse_number<std::uint16_t>(text.substr(colon + 1));
  if (!port) return malformed(text, "the port must be a number from 0 to 65535");

  ListenAddress address;
  address.port = *port;
  if (host == "*") {
    address.host = "::";
    return address;
  }
  std::optional<std::string> numeric;
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    numeric = canonical(AF_INET6, std::string(host.substr(1, host.size() - 2)));
  } else if (host.find(':') != std::string_view::npos) {
    return malformed(text, "an IPv6 address needs brackets");
  } else {
    numeric = canonical(AF_INET, std::string(host));
  }
  if (!numeric) return malformed(text, "the host must be a numeric address");
  address.host = std::move(*numeric);
  return address;
}

std::string to_string(const ListenAddress& address) {
  if (address.kind == ListenAddress::Kind::kUnix) return std::string(kUnixPrefix) + address.path;
  if (address.host.find(':') != std::string::npos) {
    return fmt::format("[{}]:{}", address.host, address.port);
  }
  return fmt::format("{}:{}", address.host, address.port);
}

Peer peer_from_sockaddr(const sockaddr* address) {
  // Copied, because the caller's storage need not be aligned for (nor declared as) the real type.
  if (address->sa_family == AF_INET) {
    sockaddr_in ipv4{};
    std::memcpy(&ipv4, address, sizeof ipv4);
    return peer_from_ipv4(ipv4.sin_addr, ipv4.sin_port);
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 ipv6{};
    std::memcpy(&ipv6, address, sizeof ipv6);
    return peer_from_ipv6(ipv6);
  }
  Peer peer;
  peer.address = "unix";
  peer.is_unix = true;
  peer.is_loopback = true;
  return peer;
}

}  // namespace twinpost::net
