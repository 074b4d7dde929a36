#include "core/mail/address.h"

#include <doctest/doctest.h>

#include "tests/mail/support.h"

using namespace twinpost::mail;

namespace {

// "name|route|mailbox|host" per entry; "-" for what is absent.
std::string show(std::string_view value) {
  std::string out;
  for (const Address& address : parse_addresses(value).list) {
    if (!out.empty()) out += "  ";
    out += address.name.value_or("-") + "|" + address.route.value_or("-") + "|" +
           address.mailbox.value_or("-") + "|" + address.host.value_or("-");
  }
  return out;
}

bool clean(std::string_view value) { return !parse_addresses(value).malformed; }

}  // namespace

TEST_CASE("the addresses of RFC 5322 appendix A.1 and A.2 are read") {
  CHECK(show("John Doe <jdoe@machine.example>") == "John Doe|-|jdoe|machine.example");
  CHECK(show("\"Joe Q. Public\" <john.q.public@example.com>") ==
        "Joe Q. Public|-|john.q.public|example.com");
  CHECK(show("Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>") ==
        "Mary Smith|-|mary|x.test  -|-|jdoe|example.org  Who?|-|one|y.test");
  CHECK(show("<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>") ==
        "-|-|boss|nil.test  Giant; \"Big\" Box|-|sysservices|example.net");
  CHECK(show("A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;") ==
        "-|-|A Group|-  Ed Jones|-|c|a.test  -|-|joe|where.test  John|-|jdoe|one.test  -|-|-|-");
  CHECK(show("Undisclosed recipients:;") == "-|-|Undisclosed recipients|-  -|-|-|-");
  CHECK(show("\"Mary Smith: Personal Account\" <smith@home.example>") ==
        "Mary Smith: Personal Account|-|smith|home.example");
  CHECK(clean("A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;"));
  CHECK(clean("Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>"));
}

TEST_CASE("the white space and comments of RFC 5322 appendix A.5 are seen through") {
  CHECK(show("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>") ==
        "Pete|-|pete|silly.test");
  CHECK(show("A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n"
             "         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of "
             "the group)") ==
        "-|-|A Group|-  Chris Jones|-|c|public.example  -|-|joe|example.org  "
        "John|-|jdoe|one.test  -|-|-|-");
  CHECK(show("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;") ==
        "-|-|Hidden recipients|-  -|-|-|-");
  CHECK(clean("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;"));
}

TEST_CASE("the obsolete addresses of RFC 5322 appendix A.6 are read") {
  CHECK(show("Joe Q. Public <john.q.public@example.com>") ==
        "Joe Q. Public|-|john.q.public|example.com");
  CHECK(show("Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example") ==
        "Mary Smith|@node.test|mary|example.net  -|-|jdoe|test.example");
  CHECK(show("John Doe <jdoe@machine(comment).  example>") == "John Doe|-|jdoe|machine.example");
  CHECK(show("Mary Smith\r\n  \r\n          <mary@example.net>") ==
        "Mary Smith|-|mary|example.net");
  CHECK(show("<@a.test , @b.test:x@c.test>") == "-|@a.test,@b.test|x|c.test");
  CHECK(show("first . \"second\" . third@x.test") == "-|-|first.second.third|x.test");
}

TEST_CASE("a comment names an address that has no other name") {
  CHECK(show("user@domain (Real Name)") == "Real Name|-|user|domain");
  CHECK(show("(Real Name) user@domain") == "Real Name|-|user|domain");
  CHECK(show("a@b (A (nested) name), c@d") == "A (nested) name|-|a|b  -|-|c|d");
  CHECK(show("Given <a@b> (comment)") == "Given|-|a|b");
}

TEST_CASE("quoted local parts and literals are taken in") {
  CHECK(show("\"john smith\"@x.test") == "-|-|john smith|x.test");
  CHECK(show("\"a\\\"b\"@x.test") == "-|-|a\"b|x.test");
  CHECK(show("x@[127.0.0.1]") == "-|-|x|[127.0.0.1]");
  CHECK(show("x@[IPv6: ::1]") == "-|-|x|[IPv6:::1]");
  CHECK(show("\"\" <a@b>") == "-|-|a|b");
}

TEST_CASE("internationalised addresses keep their octets (RFC 6532)") {
  CHECK(show("Jörg <jörg@bücher.example>") == "Jörg|-|jörg|bücher.example");
  CHECK(clean("Jörg <jörg@bücher.example>"));
  CHECK(show("gr\xfc\xdf <a@b>") == "gr\xfc\xdf|-|a|b");
}

TEST_CASE("encoded words are shown as they are written") {
  CHECK(show("=?ISO-8859-1?Q?Andr=E9?= Pirard <PIRARD@vm1.ulg.ac.be>") ==
        "=?ISO-8859-1?Q?Andr=E9?= Pirard|-|PIRARD|vm1.ulg.ac.be");
}

TEST_CASE("nothing gives an empty list") {
  for (const char* value : {"", " ", ",", " , ,, ", "(only a comment)", "\r\n "}) {
    CHECK(parse_addresses(value).list.empty());
  }
}

TEST_CASE("broken addresses are read as mail programs read them, and are said to be broken") {
  struct Case {
    const char* value;
    const char* shown;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"a@b.test; c@d.test", "-|-|a|b.test  -|-|c|d.test"},
           {"a@b.test <a@b.test>", "a@b.test|-|a|b.test"},
           {"<<a@b.test>>", "-|-|a|b.test"},
           {"A <a@b.test> B <c@d.test>", "A|-|a|b.test  B|-|c|d.test"},
           {"A <a@b.test, C <c@d.test>", "A|-|a|b.test  C|-|c|d.test"},
           {"A <a@b.test", "A|-|a|b.test"},
           {"user", "-|-|user|"},
           {"two words", "two words|-||"},
           {"\"quoted\"", "quoted|-||"},
           {"@host.test", "-|-||host.test"},
           {"user@", "-|-|user|"},
           {"A <>", "A|-||"},
           {"<>", "-|-||"},
           {"A <user>", "A|-|user|"},
           {"<mailto:a@b.test>", "-|-|mailto:a|b.test"},
           {"John Smith john@x.test", "John Smith|-|john|x.test"},
           {"a@b@c.test", "-|-|a|b@c.test"},
           {"<a@b.test> c@d.test", "-|-|a|b.test  -|-|c|d.test"},
           {"group: a@b.test", "-|-|group|-  -|-|a|b.test  -|-|-|-"},
           {"g: h: a@b.test;", "-|-|g|-  h|-|a|b.test  -|-|-|-"},
           {"\"open <a@b.test>", "open <a@b.test>|-||"},
           {"a@b.test (open", "open|-|a|b.test"},
           {"> a@b.test", "-|-|a|b.test"},
           {"a..b@c.test trailing words", "-|-|a..b|c.test"},
           {"<@a.test>", "-|-||a.test"},
           {"a@b.test) c", "-|-|a|b.test"},
           {"<a)b@c.test>", "-|-|a)b|c.test"},
       }) {
    CAPTURE(c.value);
    CHECK(show(c.value) == c.shown);
    if (c.value != std::string_view("a@b.test (open")) CHECK_FALSE(clean(c.value));
  }
}

TEST_CASE("the limit cuts a list, says so and leaves no group open") {
  const auto cut = parse_addresses(repeat("a@b,", 100'000), 10);
  CHECK(cut.cut);
  CHECK(cut.list.size() == 10);
  const auto group = parse_addresses("g:" + repeat("a@b,", 100) + ";", 10);
  CHECK(group.cut);
  CHECK(group.list.size() == 11);
  CHECK(group.list.back() == Address{});
  CHECK_FALSE(parse_addresses("a@b,c@d", 2).cut);
  CHECK(parse_addresses("g:;", 0).list.empty());
}

TEST_CASE("hostile lists are read in one pass") {
  CHECK(parse_addresses(repeat("(", 1'000'000)).list.empty());
  CHECK(parse_addresses(repeat("(", 500'000) + repeat(")", 500'000) + "a@b").list.size() == 1);
  CHECK(parse_addresses(repeat("<", 1'000'000)).list.size() == 1);
  CHECK(parse_addresses(repeat("\"", 1'000'001)).list.size() == 1);
  CHECK(parse_addresses(repeat("@", 1'000'000)).list.size() == 1);
  CHECK(parse_addresses("<" + repeat("@a,", 300'000)).list.size() == 1);
  CHECK(parse_addresses(repeat("a ", 500'000)).list.size() == 1);
  CHECK(parse_addresses(repeat("a . ", 250'000) + "@b").list.size() == 1);
  CHECK(parse_addresses(repeat(":", 1'000'000)).list.empty());
  CHECK(parse_addresses(repeat(")", 1'000'000)).list.empty());
  for (const char a : std::string_view("()<>@,;:\\\".[] a\r\n\xff")) {
    for (const char b : std::string_view("()<>@,;:\\\".[] a\r\n\xff")) {
      for (const std::string_view start : {"", "<", "<@", "x@", "g:", "\""}) {
        const std::string value = std::string(start) + repeat(std::string{a, b}, 1000);
        CHECK(parse_addresses(value).list.size() <= 2001);
      }
    }
  }
  CHECK(parse_addresses(repeat("a:", 500'000)).list.size() == 3);
  CHECK(parse_addresses(repeat("a <b> ", 100'000)).list.size() == 10'000);
}

TEST_CASE("addresses are written so that they are read back") {
  for (const char* value :
       {"user@domain", "foo bar <user@domain>", "<@route:user@domain>",
        "hello <@route,@route2:user@domain>", "\"a, b\" <c@d>", "\"john smith\"@x.test",
        "g: a@b, C <c@d>;, e@f", "Undisclosed recipients: ;", "\"Joe Q. Public\" <j@x.test>",
        "=?utf-8?Q?a=2Cb?= <c@d>", "\"a\\\\b\\\"c\" <d@e>", "Jörg <jörg@x.test>"}) {
    CAPTURE(value);
    const AddressList list = parse_addresses(value).list;
    CHECK(format_addresses(list) == value);
    CHECK(parse_addresses(format_addresses(list)).list == list);
  }
}
