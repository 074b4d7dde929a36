#include <doctest/doctest.h>

#include "core/base/ascii.h"
#include "core/base/clock.h"
#include "core/base/log.h"

using namespace twinpost;

TEST_CASE("numbers are digits only and never overflow") {
  CHECK(ascii::parse_number<std::uint32_t>("4294967295") == 4294967295U);
  CHECK_FALSE(ascii::parse_number<std::uint32_t>("4294967296"));
  CHECK_FALSE(ascii::parse_number<std::uint32_t>("+1"));
  CHECK_FALSE(ascii::parse_number<std::uint32_t>("-1"));
  CHECK_FALSE(ascii::parse_number<std::uint32_t>("1 "));
  CHECK_FALSE(ascii::parse_number<std::uint32_t>(""));
}

TEST_CASE("UTF-8 is checked as RFC 3629 has it") {
  CHECK(ascii::is_utf8("gr\xc3\xbc\xc3\x9f"));
  CHECK_FALSE(ascii::is_utf8("\xc0\xaf"));          // overlong
  CHECK_FALSE(ascii::is_utf8("\xed\xa0\x80"));      // surrogate
  CHECK_FALSE(ascii::is_utf8("\xf4\x90\x80\x80"));  // above U+10FFFF
  CHECK_FALSE(ascii::is_utf8("\xe2\x82"));          // cut short
}

TEST_CASE("a log line cannot be forged by what a client sends") {
  const auto line = [](log::Format format) {
    return log::format_line(format, "T", log::Level::kInfo, "login",
                            {{"user", "x\nlevel=error \"q\""}, {"octets", 12}, {"bad", "\xff"}});
  };
  CHECK(line(log::Format::kLogfmt) ==
        "ts=T level=info event=login user=\"x\\nlevel=error \\\"q\\\"\" octets=12 bad=\"\\u00ff\"");
  CHECK(
      line(log::Format::kJson) ==
      "{\"ts\":\"T\",\"level\":\"info\",\"event\":\"login\",\"user\":\"x\\nlevel=error \\\"q\\\"\","
      "\"octets\":12,\"bad\":\"\\u00ff\"}");
}

TEST_CASE("times are shown as RFC 3339 has them") {
  CHECK(format_rfc3339(UnixTime(std::chrono::seconds(951827696))) == "2000-02-29T12:34:56Z");
}

TEST_CASE("what is shown to people has no control characters and an end") {
  CHECK(ascii::printable("a\r\nb\\\xff") == "a\\x0d\\x0ab\\x5c\\xff");
  CHECK(ascii::printable("abcdef", 3) == "abc...");
}
