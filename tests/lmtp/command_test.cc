#include "lmtp/command.h"

#include <doctest/doctest.h>
#include <limits>
#include <string>

using namespace twinpost;
using namespace twinpost::lmtp;

namespace {

Command parsed(std::string_view line) {
  const auto command = parse_command(line);
  INFO("line: ", std::string(line), command ? "" : ", refused: " + to_wire(command.error().reply));
  REQUIRE(command.has_value());
  return *command;
}

// "501 5.5.4", or "taken" where the line is a command.
std::string refusal(std::string_view line) {
  const auto command = parse_command(line);
  if (command) return "taken";
  return std::to_string(command.error().reply.code) + " " +
         std::string(command.error().reply.status);
}

}  // namespace

TEST_CASE("verbs are known in any case and with blanks around them") {
  CHECK(parsed("lhlo client.example").verb == Verb::kLhlo);
  CHECK(parsed("LHLO  client.example ").argument == "client.example");
  CHECK(parsed("Data").verb == Verb::kData);
  CHECK(parsed("DATA  ").verb == Verb::kData);
  CHECK(parsed("RSET").verb == Verb::kRset);
  CHECK(parsed("NOOP whatever you like").verb == Verb::kNoop);
  CHECK(parsed("VRFY ann").verb == Verb::kVrfy);
  CHECK(parsed("HELP").verb == Verb::kHelp);
  CHECK(parsed("HELP mail").verb == Verb::kHelp);
  CHECK(parsed("QUIT").verb == Verb::kQuit);
  CHECK(parsed("starttls").verb == Verb::kStartTls);
}

TEST_CASE("what is no command is refused with the code that says why") {
  CHECK(refusal("") == "500 5.5.1");
  CHECK(refusal("FOO") == "500 5.5.1");
  CHECK(refusal("MAILFROM:<a@b.example>") == "500 5.5.1");
  CHECK(refusal("XCLIENT NAME=x") == "500 5.5.1");
  CHECK(refusal("HELO client") == "500 5.5.1");
  CHECK(refusal("EHLO client") == "500 5.5.1");
  CHECK(refusal("LHLO") == "501 5.5.4");
  CHECK(refusal("VRFY") == "501 5.5.4");
  CHECK(refusal("DATA now") == "501 5.5.4");
  CHECK(refusal("QUIT now") == "501 5.5.4");
  CHECK(refusal(std::string_view("NOOP a\0b", 8)) == "501 5.5.2");
  CHECK(refusal("RCPT TO:<a@b.example>\r") == "501 5.5.2");
  CHECK(refusal("MAIL FROM:<a\x01@b.example>") == "501 5.5.2");
}

TEST_CASE("HELO is told that this is LMTP") {
  const auto command = parse_command("EHLO client");
  REQUIRE_FALSE(command.has_value());
  CHECK(command.error().reply.text.find("LMTP") != std::string::npos);
}

TEST_CASE("MAIL takes a path and the parameters that are advertised") {
  const Command command = parsed("MAIL FROM:<ann@example.org> SIZE=1234 BODY=8bitmime SMTPUTF8");
  CHECK(command.path.text == "ann@example.org");
  CHECK(command.declared_octets == 1234);
  CHECK(command.smtputf8);
  CHECK(parsed("mail from:<>").path.is_null());
  CHECK(parsed("MAIL FROM:<> BODY=7BIT").path.is_null());
  CHECK(parsed("MAIL FROM: <ann@example.org>").path.text == "ann@example.org");
  CHECK(parsed("MAIL  FROM:ann@example.org SIZE=5").declared_octets == 5);
  CHECK(parsed("MAIL FROM:<a@b.example> SIZE=99999999999999999999").declared_octets ==
        std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("MAIL refuses parameters that it does not know, can't read, or sees twice") {
  CHECK(refusal("MAIL FROM:<a@b.example> AUTH=<>") == "555 5.5.4");
  CHECK(refusal("MAIL FROM:<a@b.example> RET=FULL") == "555 5.5.4");
  CHECK(refusal("MAIL FROM:<a@b.example> BODY=BINARYMIME") == "555 5.5.4");
  CHECK(refusal("MAIL FROM:<a@b.example> BODY=9BIT") == "501 5.5.4");
  CHECK(refusal("MAIL FROM:<a@b.example> BODY") == "501 5.5.4");
  CHECK(refusal("MAIL FROM:<a@b.example> SIZE=") == "501 5.5.4");
  CHECK(refusal("MAIL FROM:<a@b.example> SIZE=-1") == "501 5.5.4");
  CHECK(refusal("MAIL FROM:<a@b.example> SIZE=1 SIZE=2") == "501 5.5.4");
  CHECK(refusal("MAIL FROM:<a@b.example> SIZE=000000000000000000001") == "501 5.5.4");
  CHECK(refusal("MAIL FROM:<a@b.example> SMTPUTF8=yes") == "501 5.5.4");
  CHECK(refusal("MAIL FROM:<a@b.example> SMTPUTF8 SMTPUTF8") == "501 5.5.4");
  CHECK(refusal("MAIL FROM:<a@b.example>SIZE=1") == "501 5.1.7");
  CHECK(refusal("MAIL TO:<a@b.example>") == "501 5.5.4");
  CHECK(refusal("MAIL") == "501 5.5.4");
  CHECK(refusal("MAIL FROM:") == "501 5.1.7");
}

TEST_CASE("RCPT takes a path and no parameters, because none are advertised") {
  CHECK(parsed("RCPT TO:<ann@example.org>").path.text == "ann@example.org");
  CHECK(refusal("RCPT TO:<ann@example.org> NOTIFY=NEVER") == "555 5.5.4");
  CHECK(refusal("RCPT TO:<ann@example.org> ORCPT=rfc822;ann@example.org") == "555 5.5.4");
  CHECK(refusal("RCPT TO:<>") == "501 5.1.3");
  CHECK(refusal("RCPT TO:") == "501 5.1.3");
  CHECK(refusal("RCPT FROM:<a@b.example>") == "501 5.5.4");
}

TEST_CASE("paths: source routes are ignored, quoted local parts and literals pass") {
  const auto path = [](std::string_view text) {
    return parsed("RCPT TO:" + std::string(text)).path;
  };
  CHECK(path("<@relay.example,@[192.0.2.1]:ann@example.org>").text == "ann@example.org");
  CHECK(path("<\"ann\"@example.org>").text == "\"ann\"@example.org");
  CHECK(path("<\"ann \\\"smith\"@example.org>").text == "\"ann \\\"smith\"@example.org");
  CHECK(path("<\"a>b\"@example.org>").text == "\"a>b\"@example.org");
  CHECK(path("<ann+lists@example.org>").text == "ann+lists@example.org");
  CHECK(path("<ann..x.@example.org>").text == "ann..x.@example.org");
  CHECK(path("<ann@[192.0.2.7]>").text == "ann@[192.0.2.7]");
  CHECK(path("<ann@[IPv6:2001:db8::1]>").text == "ann@[IPv6:2001:db8::1]");
  CHECK(path("<postmaster>").text == "postmaster");
  CHECK(path(" \t<ann@example.org>").text == "ann@example.org");
  CHECK(path("ann@example.org").text == "ann@example.org");
}

TEST_CASE("paths that could hide something are refused") {
  for (const char* text : {"<ann@example.org",
                           "<ann@@example.org>",
                           "<ann@example..org>",
                           "<ann@>",
                           "<@example.org>",
                           "<@a:>",
                           "<@a b:ann@example.org>",
                           "<ann @example.org>",
                           "<a,b@example.org>",
                           "<\"ann@example.org>",
                           "<\"ann\"x@example.org>",
                           "<ann@exa mple.org>",
                           "<ann@[1.2.3.4>",
                           "<ann@[]>",
                           "<ann@example.org>>",
                           "<<ann@example.org>>",
                           "<ann@.example.org>",
                           "<ann@example.org.>",
                           "<\"ann\\\">",
                           "ann@example.org>",
                           "<>x"}) {
    CAPTURE(text);
    CHECK(refusal(std::string("RCPT TO:") + text) == "501 5.1.3");
  }
}

TEST_CASE("a path has a limit of its own") {
  const std::string fits = std::string(kMaxPath - 12, 'a') + "@example.org";
  CHECK(parsed("RCPT TO:<" + fits + ">").path.text == fits);
  CHECK(refusal("RCPT TO:<a" + fits + ">") == "501 5.1.3");
}

TEST_CASE("octets outside ASCII need SMTPUTF8 and must be UTF-8") {
  CHECK(parsed("MAIL FROM:<jürgen@example.org> SMTPUTF8").path.is_international);
  CHECK(refusal("MAIL FROM:<jürgen@example.org>") == "550 5.6.7");
  CHECK(refusal("MAIL FROM:<j\xfcrgen@example.org> SMTPUTF8") == "501 5.1.7");
  CHECK(parsed("RCPT TO:<ann@bücher.example>").path.is_international);
  CHECK(refusal("RCPT TO:<ann@b\xc3.example>") == "501 5.1.3");
}

TEST_CASE("BDAT: size and LAST, and what can't be counted closes the connection") {
  CHECK(parsed("BDAT 100").chunk_octets == 100);
  CHECK_FALSE(parsed("BDAT 100").is_last_chunk);
  CHECK(parsed("BDAT 0 LAST").is_last_chunk);
  CHECK(parsed("bdat 5 last").is_last_chunk);
  CHECK(parsed("BDAT 18446744073709551615").chunk_octets ==
        std::numeric_limits<std::uint64_t>::max());
  CHECK(parsed("BDAT 5 FIRST").is_malformed_chunk);
  CHECK(parsed("BDAT 5 LAST twice").is_malformed_chunk);
  CHECK_FALSE(parsed("BDAT 5 LAST").is_malformed_chunk);
  for (const char* line :
       {"BDAT", "BDAT LAST", "BDAT -1", "BDAT 5x", "BDAT 18446744073709551616", "BDAT 5\r"}) {
    CAPTURE(line);
    const auto command = parse_command(line);
    REQUIRE_FALSE(command.has_value());
    CHECK(command.error().must_close);
  }
}

TEST_CASE("replies show addresses in ASCII and short") {
  CHECK(shown("ann@example.org") == "<ann@example.org>");
  CHECK(shown("j\xc3\xbcrgen@example.org") == "<j??rgen@example.org>");
  CHECK(shown(std::string(5000, 'a')).size() < 300);
  CHECK(to_wire({250, "2.1.0", "Ok"}) == "250 2.1.0 Ok\r\n");
  CHECK(to_wire({354, "", "Go on"}) == "354 Go on\r\n");
}
