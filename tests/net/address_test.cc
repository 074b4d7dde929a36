#include "core/net/address.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/un.h>

using namespace twinpost;
using namespace twinpost::net;

namespace {

Peer peer_of_ipv6(const char* text, std::uint16_t port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  inet_pton(AF_INET6, text, &address.sin6_addr);
  return peer_from_sockaddr(reinterpret_cast<const sockaddr*>(&address));
}

Peer peer_of_ipv4(const char* text, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, text, &address.sin_addr);
  return peer_from_sockaddr(reinterpret_cast<const sockaddr*>(&address));
}

}  // namespace

TEST_CASE("the three forms of a listen address are understood and written back") {
  const auto ipv4 = parse_listen_address("127.0.0.1:143");
  REQUIRE(ipv4);
  CHECK(ipv4->kind == ListenAddress::Kind::kTcp);
  CHECK(ipv4->host == "127.0.0.1");
  CHECK(ipv4->port == 143);
  CHECK(to_string(*ipv4) == "127.0.0.1:143");

  const auto ipv6 = parse_listen_address("[0:0::0:1]:993");
  REQUIRE(ipv6);
  CHECK(ipv6->host == "::1");
  CHECK(to_string(*ipv6) == "[::1]:993");

  const auto every = parse_listen_address("*:110");
  REQUIRE(every);
  CHECK(every->host == "::");
  CHECK(*every == *parse_listen_address("[::]:110"));

  const auto local = parse_listen_address("unix:/run/twinpost/lmtp.sock");
  REQUIRE(local);
  CHECK(local->kind == ListenAddress::Kind::kUnix);
  CHECK(local->path == "/run/twinpost/lmtp.sock");
  CHECK(to_string(*local) == "unix:/run/twinpost/lmtp.sock");

  CHECK(parse_listen_address("127.0.0.1:0")->port == 0);
  CHECK(parse_listen_address("127.0.0.1:65535")->port == 65535);
}

TEST_CASE("a malformed listen address is refused with what is wrong and the three forms") {
  for (const char* text : {"",
                           "143",
                           "localhost:143",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:65536",
                           "127.0.0.1:-1",
                           "127.0.0.1:1x",
                           "127.0.0.1: 143",
                           "::1:143",
                           "[::1]",
                           "[::1:143",
                           "[]:143",
                           "[127.0.0.1]:143",
                           ":143",
                           "300.0.0.1:143",
                           "unix:",
                           "unix:relative/path",
                           "*",
                           "*:",
                           "[*]:1"}) {
    CAPTURE(text);
    const auto parsed = parse_listen_address(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == ErrorCode::kInvalid);
    CHECK(parsed.error().message.find("\"[::]:993\"") != std::string::npos);
    CHECK(parsed.error().message.find("unix:/path") != std::string::npos);
  }
  CHECK_FALSE(parse_listen_address("unix:/" + std::string(107, 'a')));
  CHECK(parse_listen_address("unix:/" + std::string(106, 'a')));
  CHECK_FALSE(parse_listen_address(std::string_view("unix:/a\0b", 9)));
}

TEST_CASE("a peer knows its address, its port and whether it is this machine") {
  CHECK(peer_of_ipv4("192.0.2.7", 4711).address == "192.0.2.7");
  CHECK(peer_of_ipv4("192.0.2.7", 4711).port == 4711);
  CHECK_FALSE(peer_of_ipv4("192.0.2.7", 1).is_loopback);
  CHECK(peer_of_ipv4("127.3.2.1", 1).is_loopback);
  CHECK(peer_of_ipv6("2001:db8::1", 99).address == "2001:db8::1");
  CHECK(peer_of_ipv6("2001:db8::1", 99).port == 99);
  CHECK_FALSE(peer_of_ipv6("2001:db8::1", 99).is_loopback);
  CHECK(peer_of_ipv6("::1", 99).is_loopback);
}

TEST_CASE("an IPv4-mapped peer is shown as IPv4") {
  CHECK(peer_of_ipv6("::ffff:192.0.2.7", 99).address == "192.0.2.7");
  CHECK_FALSE(peer_of_ipv6("::ffff:192.0.2.7", 99).is_loopback);
  CHECK(peer_of_ipv6("::ffff:127.0.0.1", 99).is_loopback);
}

TEST_CASE("a peer on a Unix socket is \"unix\" and counts as this machine") {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const Peer peer = peer_from_sockaddr(reinterpret_cast<const sockaddr*>(&address));
  CHECK(peer.address == "unix");
  CHECK(peer.is_unix);
  CHECK(peer.is_loopback);
}
