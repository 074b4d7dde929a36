// Which service listens where: what the configuration asks for, and what the service manager
// passed.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/config/config.h"
#include "core/net/listener.h"

namespace twinpost::server {

enum class Service : std::uint8_t { kPop3, kPop3s, kImap, kImaps, kLmtp, kHttp, kAdmin };
inline constexpr std::size_t kServiceCount = 7;
[[nodiscard]] std::string_view to_string(Service service);  // the key under `listen`

struct Endpoint {
  Service service;
  net::ListenAddress address;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// Every endpoint that the configuration lists, once each. listen.admin can have Unix sockets only:
// what is said there is believed by who may open the file.
[[nodiscard]] Result<std::vector<Endpoint>> configured_endpoints(
    const config::ServerConfig& config);

// The service of a passed socket: by its name ("pop3s", or "twinpost-pop3s.socket" as systemd names
// them), else by the configured endpoint with its address. kInvalid names the socket that fits
// nothing.
[[nodiscard]] Result<Endpoint> endpoint_of(const net::PassedSocket& socket,
                                           const std::vector<Endpoint>& configured);

}  // namespace twinpost::server
