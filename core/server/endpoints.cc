#include "core/server/endpoints.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string>
#include <utility>

namespace twinpost::server {

namespace {

constexpr std::array<Service, kServiceCount> kServices = {
    Service::kPop3, Service::kPop3s, Service::kImap, Service::kImaps,
    Service::kLmtp, Service::kHttp,  Service::kAdmin};

// Who may give orders is told by the other end's user, which only a Unix socket knows.
Result<void> check_kind(const Endpoint& endpoint) {
  if (endpoint.service != Service::kAdmin ||
      endpoint.address.kind == net::ListenAddress::Kind::kUnix) {
    return {};
  }
  return fail(ErrorCode::kInvalid, fmt::format("listen.admin: {}: must be a Unix socket, as "
                                               "\"unix:/run/twinpost/admin.sock\"",
                                               net::to_string(endpoint.address)));
}

Result<void> add(std::vector<Endpoint>& endpoints, Service service,
                 const std::vector<std::string>& addresses) {
  for (const std::string& text : addresses) {
    auto address = net::parse_listen_address(text);
    if (!address) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("listen.{}: {}", to_string(service), address.error().message));
    }
    Endpoint endpoint{service, *std::move(address)};
    if (auto good = check_kind(endpoint); !good) return good;
    // Port 0 means any free port, each time it is listed.
    const bool fixed =
        endpoint.address.kind == net::ListenAddress::Kind::kUnix || endpoint.address.port != 0;
    for (const Endpoint& other : endpoints) {
      if (fixed && other.address == endpoint.address) {
        return fail(ErrorCode::kInvalid,
                    fmt::format("listen.{}: {} is listed for {} already", to_string(service), text,
                                to_string(other.service)));
      }
    }
    endpoints.push_back(std::move(endpoint));
  }
  return {};
}

}  // namespace

std::string_view to_string(Service service) {
  switch (service) {
    case Service::kPop3: return "pop3";
    case Service::kPop3s: return "pop3s";
    case Service::kImap: return "imap";
    case Service::kImaps: return "imaps";
    case Service::kLmtp: return "lmtp";
    case Service::kHttp: return "http";
    case Service::kAdmin: return "admin";
  }
  return "";
}

Result<std::vector<Endpoint>> configured_endpoints(const config::ServerConfig& config) {
  std::vector<Endpoint> endpoints;
  for (const auto& [service, addresses] : {std::pair{Service::kPop3, &config.listen.pop3},
                                           std::pair{Service::kPop3s, &config.listen.pop3s},
                                           std::pair{Service::kImap, &config.listen.imap},
                                           std::pair{Service::kImaps, &config.listen.imaps},
                                           std::pair{Service::kLmtp, &config.listen.lmtp},
                                           std::pair{Service::kHttp, &config.listen.http},
                                           std::pair{Service::kAdmin, &config.listen.admin}}) {
    if (auto added = add(endpoints, service, *addresses); !added) {
      return tl::unexpected(added.error());
    }
  }
  return endpoints;
}

Result<Endpoint> endpoint_of(const net::PassedSocket& socket,
                             const std::vector<Endpoint>& configured) {
  std::string_view name = socket.name;
  if (name.ends_with(".socket")) name.remove_suffix(7);
  if (name.starts_with("twinpost-")) name.remove_prefix(9);
  for (const Service service : kServices) {
    if (name != to_string(service)) continue;
    Endpoint endpoint{service, socket.address};
    if (auto good = check_kind(endpoint); !good) return tl::unexpected(good.error());
    return endpoint;
  }
  const auto found = std::find_if(configured.begin(), configured.end(),
                                  [&](const Endpoint& e) { return e.address == socket.address; });
  if (found != configured.end()) return *found;
  return fail(
      ErrorCode::kInvalid,
      fmt::format("socket {} from the service manager (named \"{}\") is no service: name it "
                  "pop3, pop3s, imap, imaps, lmtp, http or admin, or list its address under listen",
                  net::to_string(socket.address), socket.name));
}

}  // namespace twinpost::server
