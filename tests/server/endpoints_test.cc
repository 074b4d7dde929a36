#include "core/server/endpoints.h"

#include <doctest/doctest.h>

using namespace twinpost;
using server::Endpoint;
using server::Service;

TEST_CASE("every listed address becomes an endpoint of its service") {
  config::ServerConfig config;
  config.listen.pop3 = {"127.0.0.1:110", "[::1]:110"};
  config.listen.lmtp = {"unix:/run/lmtp.sock"};
  const auto endpoints = server::configured_endpoints(config);
  REQUIRE(endpoints);
  REQUIRE(endpoints->size() == 3);
  CHECK((*endpoints)[1].service == Service::kPop3);
  CHECK((*endpoints)[1].address.host == "::1");
  CHECK((*endpoints)[2].address.path == "/run/lmtp.sock");
}

TEST_CASE("one address can't serve two services") {
  config::ServerConfig config;
  config.listen.pop3 = {"127.0.0.1:110"};
  config.listen.lmtp = {"127.0.0.1:110"};
  const auto endpoints = server::configured_endpoints(config);
  REQUIRE_FALSE(endpoints);
  CHECK(endpoints.error().message == "listen.lmtp: 127.0.0.1:110 is listed for pop3 already");
}

TEST_CASE("a socket from the service manager is known by its name or its address") {
  config::ServerConfig config;
  config.listen.lmtp = {"unix:/run/lmtp.sock"};
  const auto endpoints = server::configured_endpoints(config);
  REQUIRE(endpoints);
  net::PassedSocket socket;
  socket.address = *net::parse_listen_address("127.0.0.1:995");
  socket.name = "twinpost-pop3s.socket";
  CHECK(server::endpoint_of(socket, *endpoints)->service == Service::kPop3s);
  socket.name = "unknown";
  CHECK_FALSE(server::endpoint_of(socket, *endpoints));
  socket.address = (*endpoints)[0].address;
  CHECK(server::endpoint_of(socket, *endpoints)->service == Service::kLmtp);
}
