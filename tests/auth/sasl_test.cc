#include "core/auth/sasl.h"

#include <doctest/doctest.h>

#include "core/auth/password.h"

using namespace twinpost;
using namespace twinpost::auth;

namespace {

template <std::size_t size>
std::string octets(const char (&literal)[size]) {
  return std::string(literal, size - 1);
}

}  // namespace

TEST_CASE("SASL PLAIN messages are read as RFC 4616 section 4 shows them") {
  auto message = parse_sasl_plain(octets("\0tim\0tanstaaftanstaaf"));
  REQUIRE(message);
  CHECK(message->authorize_as.empty());
  CHECK(message->user == "tim");
  CHECK(message->password == "tanstaaftanstaaf");
  message = parse_sasl_plain(octets("Ursel\0Kurt\0xipj3plmq"));
  REQUIRE(message);
  CHECK(message->authorize_as == "Ursel");
  CHECK(message->user == "Kurt");
  CHECK(message->password == "xipj3plmq");
}

TEST_CASE("SASL PLAIN passwords may be in an old charset, names may not") {
  CHECK(parse_sasl_plain(octets("\0tim\0p\xe4ss"))->password == "p\xe4ss");
  CHECK(parse_sasl_plain(octets("\0j\xc3\xb6rg\0x"))->user == "j\xc3\xb6rg");
  CHECK_FALSE(parse_sasl_plain(octets("\0j\xf6rg\0x")));
  CHECK_FALSE(parse_sasl_plain(octets("\xff\0tim\0x")));
}

TEST_CASE("SASL PLAIN messages that are broken are refused") {
  for (const std::string& bad :
       {std::string(), octets("tim"), octets("\0tim"), octets("\0tim\0"), octets("\0\0x"),
        octets("\0\0"), octets("\0tim\0x\0y"), octets("\0tim\0x\ry"), octets("\0tim\0x\ny"),
        octets("\0t\nim\0x"), octets("a\tb\0tim\0x")}) {
    CHECK_FALSE(parse_sasl_plain(bad));
  }
  const std::string longest(kMaxPassword, 'x');
  const std::string nul(1, '\0');
  CHECK(parse_sasl_plain(longest + nul + longest + nul + longest));
  CHECK_FALSE(parse_sasl_plain(longest + 'x' + nul + "u" + nul + "p"));
  CHECK_FALSE(parse_sasl_plain(nul + longest + 'x' + nul + "p"));
  CHECK_FALSE(parse_sasl_plain(nul + "u" + nul + longest + 'x'));
}
