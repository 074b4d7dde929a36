#include "core/config/uidl_template.h"

#include <doctest/doctest.h>
#include <string>

using twinpost::config::UidlTemplate;

namespace {

std::string made(std::string_view text, std::uint32_t uid, std::uint32_t uid_validity) {
  const auto parsed = UidlTemplate::parse(text);
  REQUIRE(parsed);
  return parsed->make(uid, uid_validity);
}

}  // namespace

TEST_CASE("the forms of other servers have names") {
  CHECK(made("dovecot", 0x1a, 0x4f5e6d7c) == "0000001a4f5e6d7c");
  CHECK(made("cyrus", 26, 1331584380) == "1331584380.26");
  CHECK(made("courier", 26, 1331584380) == "UID26-1331584380");
  CHECK(made("Stalwart", 26, 1331584380) == "133158438026");
}

TEST_CASE("a template is text with numbers in it") {
  CHECK(made("x{uid}y{uidvalidity:x}z", 255, 255) == "x255yffz");
  CHECK(made("{uid:08}", 42, 1) == "00000042");
  CHECK(made("{{{uid:04x}}}", 0xbeef01, 1) == "{beef01}");
  CHECK(made("{uid}", 0, 1) == "0");
}

TEST_CASE("what is no template is refused with a reason") {
  for (const char* const bad :
       {"", "no-uid", "{uidvalidity}", "{uid", "uid}", "{uid:8x}", "{uid:0}", "{uid:099}", "{uid:}",
        "{uid:q}", "{name}{uid}", "{uid} x", "{uid}\x7f", "{uid}\xc3\xa4"}) {
    CAPTURE(bad);
    const auto parsed = UidlTemplate::parse(bad);
    REQUIRE_FALSE(parsed);
    CHECK_FALSE(parsed.error().message.empty());
  }
  CHECK(UidlTemplate::parse(std::string(60, 'x') + "{uid}"));
  CHECK_FALSE(UidlTemplate::parse(std::string(61, 'x') + "{uid}"));
}
