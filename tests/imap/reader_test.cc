// Literals, limits and what becomes of the connection.
#include <doctest/doctest.h>
#include <random>
#include <string>

#include "tests/imap/command_text.h"

namespace twinpost::imap {
namespace {

using Kind = Step::Kind;

TEST_CASE("a synchronising literal is asked for, a non-synchronising one is announced") {
  CommandReader reader;
  CHECK(reader.line("a LOGIN {4}") == Step{Kind::kLiteral, 4, true});
  reader.literal("us");
  reader.literal("er");
  CHECK(reader.line(" {6+}") == Step{Kind::kLiteral, 6, false});
  reader.literal("secret");
  CHECK(reader.line("") == Step{Kind::kComplete, 0, false});
  CHECK(to_text(reader.command()) == "a LOGIN 'user' 'secret'");
}

TEST_CASE("an empty literal and one that looks like protocol") {
  CHECK(play("a LOGIN {0}\r\n {10+}\r\n{3}\r\nabc\r\n\r\n") == "a LOGIN '' '{3}\r\nabc\r\n'");
  CHECK(play("a LOGIN u {3}\r\n{5}\r\n") == "a LOGIN 'u' '{5}'");
}

TEST_CASE(
    "a synchronising literal that is too large is refused before it comes, and the connection goes "
    "on") {
  CommandReader reader;
  CHECK(reader.line("a SELECT {99999999999}") == Step{Kind::kRefused, 0, false});
  CHECK(reader.refusal() == Refusal{false, "a", "LIMIT", "Literal too large"});
  reader.reset();
  CHECK(reader.line("a APPEND m {52428801}") == Step{Kind::kRefused, 0, false});
  CHECK(reader.refusal() ==
        Refusal{false, "a", "TOOBIG", "Message too large, the limit is 52428800 octets"});
  reader.reset();
  CHECK(reader.line("b NOOP").kind == Kind::kComplete);
}

TEST_CASE("a non-synchronising literal that is too large is skipped with the rest of its command") {
  CommandReader reader;
  CHECK(reader.line("a SELECT {200000+}") == Step{Kind::kSkip, 200'000, false});
  CHECK(reader.line(" {5+}") == Step{Kind::kSkip, 5, false});
  CHECK(reader.line(")").kind == Kind::kRefused);
  CHECK(reader.refusal().tag == "a");
  CHECK(reader.refusal().code == "TOOBIG");
  reader.reset();
  reader.settings().literal_plus = true;
  CHECK(reader.line("a SELECT {200000+}") == Step{Kind::kSkip, 200'000, false});
  CHECK(reader.line(" {5}").kind == Kind::kRefused);  // not asked for, so it does not come
  CHECK(reader.refusal().code == "LIMIT");
  reader.reset();
  CHECK(reader.line("b NOOP").kind == Kind::kComplete);
}

TEST_CASE("a literal that is absurdly large ends the connection, whatever its number") {
  for (const char* line :
       {"a APPEND m {9999999999+}", "a APPEND m {18446744073709551616+}",
        "a X {18446744073709551615+}", "a APPEND m {99999999999999999999999999999999+}"}) {
    CommandReader reader({.literal_plus = true});
    CAPTURE(line);
    CHECK(reader.line(line).kind == Kind::kBye);
    CHECK(reader.refusal().tag == "*");
  }
  CommandReader unlimited({.message_octets = 0});
  CHECK(unlimited.line("a APPEND m {18446744073709551615}").kind == Kind::kRefused);
  unlimited.reset();
  CHECK(unlimited.line("a APPEND m {9223372036854775807}") ==
        Step{Kind::kMessage, 9223372036854775807U, true});
}

TEST_CASE("LITERAL-: more than 4096 octets must be synchronising (RFC 7888 section 5)") {
  CommandReader minus;
  CHECK(minus.line("a APPEND m {4096+}") == Step{Kind::kMessage, 4096, false});
  minus.reset();
  CHECK(minus.line("a APPEND m {4097+}") == Step{Kind::kSkip, 4097, false});
  CHECK(minus.line("").kind == Kind::kRefused);
  CHECK(minus.refusal() ==
        Refusal{true, "a", "TOOBIG",
                "A literal of more than 4096 octets must be synchronising (LITERAL-)"});
  CommandReader plus({.literal_plus = true});
  CHECK(plus.line("a APPEND m {4097+}") == Step{Kind::kMessage, 4097, false});
}

TEST_CASE("a bad command keeps its literals from being taken for commands") {
  CommandReader reader;
  std::string_view rest;
  CHECK(play(reader, "a BLURDY {14+}\r\nb LOGOUT\r\nxxx\r {4+}\r\nc X\r\n\r\nd NOOP\r\n", &rest) ==
        "skip 14 | skip 4 | a BAD Unknown command BLURDY");
  reader.reset();
  CHECK(play(reader, rest) == "d NOOP");
  reader.reset();
  CHECK(reader.line("A044 BLURDYBLOOP {102856}").kind == Kind::kRefused);
  CHECK(reader.refusal().is_unknown_command);
  CHECK(reader.refusal().tag == "A044");
}

TEST_CASE("an error before a literal is answered in place of the continuation") {
  CommandReader reader;
  CHECK(reader.line("a FETCH x BODY[HEADER.FIELDS ({4}").kind == Kind::kRefused);
  reader.reset();
  CHECK(reader.line("a NOOP {4}").kind == Kind::kRefused);
  CHECK(reader.refusal().text == "NOOP: Unexpected text after the command near \"{4}\"");
  reader.reset();
  CHECK(reader.line("a LOGIN \"us{4}").kind == Kind::kRefused);
  reader.reset();
  CHECK(reader.line("a LOGIN us{4}").kind == Kind::kRefused);
}

TEST_CASE("lines that are too long") {
  CommandReader reader;
  const std::string most = "a SEARCH TEXT \"" + std::string(65'536 - 16, 'x') + "\"";
  CHECK(reader.line(most).kind == Kind::kComplete);
  reader.reset();
  CHECK(reader.line(most + " ").kind == Kind::kRefused);
  CHECK(reader.refusal() == Refusal{true, "a", "LIMIT", "Command line too long"});
  reader.reset();
  CHECK(reader.line(most + " {5+}") == Step{Kind::kSkip, 5, false});
  CHECK(reader.line("").kind == Kind::kRefused);
  reader.reset();
  CHECK(reader.line("a LOGIN {1+}").kind == Kind::kLiteral);
  reader.literal("u");
  CHECK(reader.line(std::string(65'536, ' ')).kind == Kind::kRefused);
  CHECK(reader.refusal().tag == "a");
  reader.reset();
  CHECK(reader.line_lost().kind == Kind::kBye);
}

TEST_CASE("literals of one command are bounded in number and in sum") {
  CommandReader reader({.literal_plus = true, .text_octets = 1 << 20});
  CHECK(reader.line("a SEARCH TEXT {100000+}").kind == Kind::kLiteral);
  reader.literal(std::string(100'000, 'x'));
  CHECK(reader.line(" TEXT {31072+}").kind == Kind::kLiteral);
  reader.literal(std::string(31'072, 'x'));
  CHECK(reader.line(" TEXT {1}").kind == Kind::kRefused);
  CHECK(reader.refusal().text == "Literal too large");
  reader.reset();
  Step step = reader.line("a SEARCH TEXT {0}");
  for (int i = 1; i < 1000; ++i) {
    REQUIRE(step.kind == Kind::kLiteral);
    step = reader.line(" TEXT {0}");
  }
  REQUIRE(step.kind == Kind::kLiteral);
  CHECK(reader.line(" TEXT {0}").kind == Kind::kRefused);
  CHECK(reader.refusal().text == "Too many literals");
}

TEST_CASE("a command that skips for ever ends the connection") {
  CommandReader reader({.skip_octets = 1000});
  CHECK(reader.line("a X {1+}").kind == Kind::kSkip);
  int lines = 0;
  while (reader.line(std::string(90, 'x') + " {1+}").kind == Kind::kSkip) ++lines;
  CHECK(lines < 20);
}

TEST_CASE("the session can refuse a message") {
  CommandReader reader;
  CHECK(reader.line("a APPEND nowhere {10}").kind == Kind::kMessage);
  CHECK(reader.refuse({.is_bad = false, .code = "TRYCREATE", .text = "No such mailbox"}).kind ==
        Kind::kRefused);
  CHECK(reader.refusal() == Refusal{false, "a", "TRYCREATE", "No such mailbox"});
  reader.reset();
  CHECK(reader.line("a APPEND nowhere {10+}").kind == Kind::kMessage);
  CHECK(reader.refuse({.is_bad = false, .code = "TRYCREATE", .text = "No such mailbox"}) ==
        Step{Kind::kSkip, 10, false});
  CHECK(reader.line(" (\\Seen) {3+}") == Step{Kind::kSkip, 3, false});
  CHECK(reader.line("").kind == Kind::kRefused);
  CHECK(reader.refusal() == Refusal{false, "a", "TRYCREATE", "No such mailbox"});
}

TEST_CASE("the mailbox of a MULTIAPPEND stays readable between its messages") {
  CommandReader reader;
  CHECK(reader.line("a APPEND {3}").kind == Kind::kLiteral);
  reader.literal("a\"b");
  CHECK(reader.line(" {2}").kind == Kind::kMessage);
  const std::string_view mailbox = reader.message().mailbox;
  for (int i = 1; i < 20; ++i) {
    CHECK(reader.line(" (" + std::string(static_cast<std::size_t>(100 * i), 'k') + ") {2}").kind ==
          Kind::kMessage);
    CHECK(reader.message().index == static_cast<std::uint32_t>(i));
  }
  CHECK(mailbox == "a\"b");
  CHECK(reader.line("").kind == Kind::kComplete);
  CHECK(to_text(reader.command()) == "a APPEND 'a\"b' 20");
}

TEST_CASE("UTF-8 in quoted strings once it is enabled (RFC 6855 section 3)") {
  CommandReader reader({.utf8 = true});
  CHECK(play(reader, "a SELECT \"caf\xc3\xa9\"\r\n") == "a SELECT 'caf\xc3\xa9'");
  reader.reset();
  CHECK(play(reader, "a SELECT \"caf\xe9\"\r\n") ==
        "a BAD SELECT: The quoted mailbox name is not UTF-8");
  reader.reset();
  CHECK(play(reader, "a SELECT caf\xc3\xa9\r\n") ==
        "a BAD SELECT: The mailbox name must be quoted, or sent as a literal near \"\xc3\xa9\"");
}

TEST_CASE("strangers get less") {
  CommandReader reader(ReaderSettings::before_login());
  CHECK(reader.line("a LOGIN u {4097}").kind == Kind::kRefused);
  reader.reset();
  CHECK(reader.line("a LOGIN u {65537+}").kind == Kind::kBye);
  reader.reset();
  CHECK(reader.line("a NOOP" + std::string(16'384, ' ')).kind == Kind::kRefused);
}

TEST_CASE("every command name is found and its states are told") {
  CHECK(find_command("noop")->id == CommandId::kNoop);
  CHECK(find_command("NOOPS") == nullptr);
  CHECK(info(CommandId::kLogin).is_secret);
  CHECK(wrong_state_text(info(CommandId::kNoop), State::kNotAuthenticated).empty());
  CHECK(wrong_state_text(info(CommandId::kFetch), State::kAuthenticated) ==
        "Select a mailbox first");
  CHECK(wrong_state_text(info(CommandId::kFetch), State::kNotAuthenticated) ==
        "Log in and select a mailbox first");
  CHECK(wrong_state_text(info(CommandId::kSelect), State::kNotAuthenticated) == "Log in first");
  CHECK(wrong_state_text(info(CommandId::kLogin), State::kSelected) == "Already logged in");
  CHECK(wrong_state_text(info(CommandId::kFetch), State::kSelected).empty());
}

// One dialogue's octets, fed as lines and literals the way a session does; every outcome is allowed but a crash, an
// endless loop, or a step that no session could obey.
void feed(std::string_view octets) {
  CommandReader reader(
      {.text_octets = 4096, .literal_octets = 4096, .message_octets = 4096, .skip_octets = 4096});
  while (true) {
    const auto end = octets.find("\r\n");
    if (end == std::string_view::npos) return;
    const Step step = reader.line(octets.substr(0, end));
    octets.remove_prefix(end + 2);
    if (step.kind == Kind::kBye) return;
    if (step.kind == Kind::kComplete || step.kind == Kind::kRefused) {
      if (step.kind == Kind::kComplete) {
        CHECK(!to_text(reader.command()).empty());
      } else {
        CHECK(!reader.refusal().text.empty());
        CHECK(reader.refusal().text.find_first_of("\r\n") == std::string::npos);
      }
      reader.reset();
      continue;
    }
    const auto size = std::min<std::uint64_t>(step.size, octets.size());
    CHECK(step.size <= 4096);
    if (step.kind == Kind::kLiteral) {
      if (size < step.size) return;
      reader.literal(octets.substr(0, size));
    }
    octets.remove_prefix(size);
  }
}

TEST_CASE("mutated commands never crash and always end") {
  const std::string_view seeds[] = {
      "a LOGIN {4}\r\nuser {6+}\r\nsecret\r\n",
      "a FETCH 1:5,* (FLAGS BODY.PEEK[1.2.HEADER.FIELDS (To \"x y\" {2}\r\nCc)]<0.100> PREVIEW "
      "(LAZY))\r\n",
      "a UID SEARCH RETURN (MIN PARTIAL -1:-5) CHARSET UTF-8 OR (FROM \"a\\\"b\" NOT SEEN) SINCE "
      "1-Jan-2020\r\n",
      "a APPEND m (\\Seen x) \"17-Jul-1996 02:44:25 -0700\" {5+}\r\nhello UTF8 (~{3}\r\nabc)\r\n",
      "a LIST (SUBSCRIBED) \"\" (% \"a*\" {1}\r\nx) RETURN (STATUS (MESSAGES SIZE))\r\n",
      "a SELECT x (QRESYNC (1 2 1:3 (1 2)) CONDSTORE)\r\n",
      "a UID STORE 1:* (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Deleted $x)\r\n",
      "a ID (\"name\" \"x\" \"y\" NIL)\r\nb CREATE x (USE (\\Sent))\r\n",
      "a SEARCH MODSEQ \"/flags/\\\\draft\" all 5 OLDER 5 EMAILID x HEADER {1}\r\na {1+}\r\nb\r\n",
  };
  constexpr std::string_view kSpice =
      "(){}[]<>\"\\*%$ :,.+-~\r\n0123456789\x00\xff"
      "aFU";
  std::mt19937 random(20260131);
  const auto pick = [&](std::size_t below) {
    return std::uniform_int_distribution<std::size_t>(0, below - 1)(random);
  };
  for (int round = 0; round < 40'000; ++round) {
    std::string text(seeds[pick(std::size(seeds))]);
    for (std::size_t changes = 1 + pick(6); changes > 0 && !text.empty(); --changes) {
      const std::size_t at = pick(text.size());
      switch (pick(5)) {
        case 0: text[at] = kSpice[pick(kSpice.size())]; break;
        case 1: text.insert(at, 1, kSpice[pick(kSpice.size())]); break;
        case 2: text.erase(at, 1 + pick(5)); break;
        case 3: text.insert(at, text.substr(pick(text.size()), pick(20))); break;
        default: text.insert(at, seeds[pick(std::size(seeds))].substr(0, 1 + pick(30))); break;
      }
    }
    feed(text + "\r\n");
  }
}

}  // namespace
}  // namespace twinpost::imap
