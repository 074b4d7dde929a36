#include "pop3/parser.h"

#include <doctest/doctest.h>
#include <limits>

using namespace twinpost::pop3;

namespace {

constexpr std::uint64_t kLargest = std::numeric_limits<std::uint64_t>::max();

Verb verb_of(std::string_view line) { return parse_command(line).verb; }

}  // namespace

TEST_CASE("a keyword is taken in any case and nothing else is") {
  CHECK(verb_of("STAT") == Verb::kStat);
  CHECK(verb_of("stat") == Verb::kStat);
  CHECK(verb_of("sTaT ") == Verb::kStat);
  CHECK(verb_of("STATX") == Verb::kInvalid);
  CHECK(verb_of("STA") == Verb::kInvalid);
  CHECK(verb_of(" STAT") == Verb::kInvalid);
  CHECK(verb_of("STAT\t") == Verb::kInvalid);
  CHECK(verb_of("") == Verb::kInvalid);
  CHECK(verb_of(std::string_view("STAT\0", 5)) == Verb::kInvalid);
  CHECK(parse_command("XYZ").problem == "unknown command");
}

TEST_CASE("commands without arguments refuse one") {
  for (const std::string keyword : {"STAT", "NOOP", "RSET", "QUIT", "CAPA", "STLS"}) {
    CAPTURE(keyword);
    CHECK(verb_of(keyword) != Verb::kInvalid);
    CHECK(verb_of(keyword + "   ") != Verb::kInvalid);
    CHECK(verb_of(keyword + " 1") == Verb::kInvalid);
  }
}

TEST_CASE("message numbers are digits, and too large ones are the largest") {
  CHECK(parse_command("RETR 12").number == MessageNumber{12});
  CHECK(parse_command("RETR   012  ").number == MessageNumber{12});
  CHECK(parse_command("DELE 18446744073709551615").number == MessageNumber{kLargest});
  CHECK(parse_command("DELE 18446744073709551616").number == MessageNumber{kLargest});
  CHECK(parse_command("DELE " + std::string(5000, '9')).number == MessageNumber{kLargest});
  CHECK(verb_of("RETR") == Verb::kInvalid);
  CHECK(verb_of("RETR ") == Verb::kInvalid);
  CHECK(verb_of("RETR -1") == Verb::kInvalid);
  CHECK(verb_of("RETR +1") == Verb::kInvalid);
  CHECK(verb_of("RETR 1.") == Verb::kInvalid);
  CHECK(verb_of("RETR 1 2") == Verb::kInvalid);
  CHECK(verb_of("RETR 0x1") == Verb::kInvalid);
}

TEST_CASE("LIST and UIDL take a number or none") {
  CHECK(verb_of("LIST") == Verb::kList);
  CHECK_FALSE(parse_command("LIST ").number.has_value());
  CHECK(parse_command("UIDL 3").number == MessageNumber{3});
  CHECK(verb_of("UIDL 3 4") == Verb::kInvalid);
}

TEST_CASE("TOP takes two numbers") {
  const Command command = parse_command("TOP 3 99999999999999999999999");
  CHECK(command.verb == Verb::kTop);
  CHECK(command.number == MessageNumber{3});
  CHECK(command.lines == kLargest);
  CHECK(verb_of("TOP 3") == Verb::kInvalid);
  CHECK(verb_of("TOP 3 -1") == Verb::kInvalid);
  CHECK(verb_of("TOP 3 4 5") == Verb::kInvalid);
}

TEST_CASE("a password is everything after the one blank") {
  CHECK(parse_command("PASS secret").text == "secret");
  CHECK(parse_command("PASS  two words ").text == " two words ");
  CHECK(parse_command("PASS gr\xc3\xbc\xc3\x9f").text == "gr\xc3\xbc\xc3\x9f");
  CHECK(parse_command("PASS  ").text == " ");
  CHECK(verb_of("PASS") == Verb::kInvalid);
  CHECK(verb_of("PASS ") == Verb::kInvalid);
  CHECK(verb_of(std::string_view("PASS a\0b", 8)) == Verb::kInvalid);
}

TEST_CASE("a user name is the rest of the line without the blanks around it") {
  CHECK(parse_command("USER ann@example.org ").text == "ann@example.org");
  CHECK(parse_command("USER Ann Example").text == "Ann Example");
  CHECK(verb_of("USER") == Verb::kInvalid);
  CHECK(verb_of("USER   ") == Verb::kInvalid);
}

TEST_CASE("AUTH takes a mechanism, an initial response, or nothing") {
  CHECK(parse_command("AUTH").text.empty());
  CHECK(verb_of("AUTH ") == Verb::kAuth);
  CHECK(parse_command("auth plain").text == "PLAIN");
  CHECK_FALSE(parse_command("AUTH PLAIN").initial_response.has_value());
  CHECK(parse_command("AUTH PLAIN AGFubgBz").initial_response == "AGFubgBz");
  CHECK(parse_command("AUTH PLAIN =").initial_response == "=");
  CHECK(verb_of("AUTH PLAIN a b") == Verb::kInvalid);
}
