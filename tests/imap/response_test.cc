#include "imap/response.h"

#include <doctest/doctest.h>

#include "core/base/ascii.h"
#include "imap/quote.h"

namespace twinpost::imap {
namespace {

constexpr Style kRev1{};
constexpr Style kRev2{.utf8 = true, .rev2 = true};

template <class... Arguments>
std::string written(void (*write)(std::string&, Arguments...),
                    std::type_identity_t<Arguments>... arguments) {
  std::string out;
  write(out, arguments...);
  return out;
}

TEST_CASE("a string is quoted where it can be, else a literal") {
  CHECK(written(append_string, "abc", false) == "\"abc\"");
  CHECK(written(append_string, "", false) == "\"\"");
  CHECK(written(append_string, "a \"b\" \\c", false) == "\"a \\\"b\\\" \\\\c\"");
  CHECK(written(append_string, "a\r\nb", false) == "{4}\r\na\r\nb");
  CHECK(written(append_string, "caf\xc3\xa9", false) == "{5}\r\ncaf\xc3\xa9");
  CHECK(written(append_string, "caf\xc3\xa9", true) == "\"caf\xc3\xa9\"");
  CHECK(written(append_string, "caf\xe9", true) == "{4}\r\ncaf\xe9");
  CHECK(written(append_string, std::string_view("a\0b", 3), true) ==
        "{3}\r\na\x80"
        "b");
  CHECK(written(append_string, std::string(1001, 'x'), false) ==
        "{1001}\r\n" + std::string(1001, 'x'));
  CHECK(written(append_literal8, std::string_view("a\0b", 3)) == std::string("~{3}\r\na\0b", 9));
  CHECK(written(append_nstring, std::nullopt, false) == "NIL");
  CHECK(written(append_astring, "a]b", false) == "a]b");
  CHECK(written(append_astring, "nil", false) == "\"nil\"");
  CHECK(written(append_astring, "", false) == "\"\"");
  CHECK(written(append_astring, "a*", false) == "\"a*\"");
  CHECK(is_atom("a.b"));
  CHECK_FALSE(is_atom("a]b"));
}

TEST_CASE("status lines can't be broken by what is said in them") {
  CHECK(written(append_status, "a1", Condition::kOk, "READ-WRITE", "Selected") ==
        "a1 OK [READ-WRITE] Selected\r\n");
  CHECK(written(append_status, "*", Condition::kBye, "", "x\r\na1 OK \x01\xff") ==
        "* BYE x??a1 OK ??\r\n");
}

TEST_CASE("flags, dates, special uses and mailbox names") {
  const std::string names[] = {"$Junk", "$Forwarded", "x"};
  store::KeywordBits keywords;
  keywords.set(0);
  keywords.set(2);
  keywords.set(100);
  CHECK(written(append_flags, store::FlagBits{0}, store::KeywordBits{},
                std::span<const std::string>(names), false) == "()");
  CHECK(written(append_flags, store::FlagBits{1 | 8}, keywords, std::span<const std::string>(names),
                true) == "(\\Deleted \\Seen $Junk x \\Recent)");
  const auto date = [](std::int64_t seconds, std::int16_t zone) {
    return written(append_date_time,
                   store::InternalDate{UnixTime{std::chrono::seconds{seconds}}, zone});
  };
  CHECK(date(837596665, -420) == "\"17-Jul-1996 02:44:25 -0700\"");
  CHECK(date(0, 0).ends_with("1-Jan-1970 00:00:00 +0000\""));
  CHECK(date(0, 0).size() == 28);
  CHECK(date(INT64_MAX, 840).find("9999") != std::string::npos);
  CHECK(date(INT64_MIN, -840).find("-0000 ") != std::string::npos);
  for (int i = 1; i <= 8; ++i) {
    const auto use = static_cast<store::SpecialUse>(i);
    CHECK(parse_special_use(ascii::upper(special_use_name(use))) == use);
  }
  CHECK_FALSE(parse_special_use("\\Foo").has_value());
  CHECK_FALSE(parse_special_use("").has_value());
  CHECK(written(append_mailbox, "Entw\xc3\xbcrfe", kRev1) == "Entw&APw-rfe");
  CHECK(written(append_mailbox, "Entw\xc3\xbcrfe", kRev2) == "\"Entw\xc3\xbcrfe\"");
  CHECK(written(append_mailbox, "a b", kRev1) == "\"a b\"");
}

mail::Address address(std::optional<std::string> name, std::string mailbox,
                      std::optional<std::string> host) {
  mail::Address out;
  out.name = std::move(name);
  out.mailbox = std::move(mailbox);
  out.host = std::move(host);
  return out;
}

mail::Envelope rfc_envelope() {
  mail::Envelope envelope;
  envelope.date = "Wed, 17 Jul 1996 02:23:25 -0700 (PDT)";
  envelope.subject = "IMAP4rev1 WG mtg summary and minutes";
  envelope.from = {address("Terry Gray", "gray", "cac.washington.edu")};
  envelope.to = {address(std::nullopt, "imap", "cac.washington.edu")};
  envelope.cc = {address(std::nullopt, "minutes", "CNRI.Reston.VA.US"),
                 address("John Klensin", "KLENSIN", "MIT.EDU")};
  envelope.message_id = "<B27397-0100000@cac.washington.edu>";
  return envelope;
}

TEST_CASE("the ENVELOPE of RFC 3501 section 8 and RFC 9051 section 8") {
  CHECK(written(append_envelope, rfc_envelope(), kRev1) ==
        "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" "
        "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
        "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
        "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
        "((NIL NIL \"imap\" \"cac.washington.edu\")) "
        "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" "
        "\"MIT.EDU\")) NIL NIL "
        "\"<B27397-0100000@cac.washington.edu>\")");
}

TEST_CASE("an ENVELOPE with groups, a route, and nothing at all") {
  mail::Envelope envelope;
  CHECK(written(append_envelope, envelope, kRev1) == "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
  mail::Address routed = address("x", "a", "b");
  routed.route = "@c,@d";
  envelope.subject = "";
  envelope.to = {address(std::nullopt, "friends", std::nullopt), routed, mail::Address{}};
  envelope.sender = {address(std::nullopt, "s", "t")};
  CHECK(
      written(append_envelope, envelope, kRev1) ==
      "(NIL \"\" NIL ((NIL NIL \"s\" \"t\")) NIL "
      "((NIL NIL \"friends\" NIL)(\"x\" \"@c,@d\" \"a\" \"b\")(NIL NIL NIL NIL)) NIL NIL NIL NIL)");
}

mail::Part text_part(std::uint64_t octets, std::uint64_t lines) {
  mail::Part part;
  part.parameters = {{"charset", "us-ascii", "", ""}};
  part.body = {0, octets};
  part.body_lines = lines;
  return part;
}

std::string body(const mail::Part& part, const Style& style = kRev1) {
  return written(append_body, part, BodyForm::kBody, style);
}
std::string structure(const mail::Part& part, const Style& style = kRev1) {
  return written(append_body, part, BodyForm::kBodyStructure, style);
}

TEST_CASE(
    "the BODY examples of RFC 9051 7.5.2, which writes in capitals what comes in lower case here") {
  CHECK(body(text_part(2279, 48)) ==
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 2279 48)");
  CHECK(body(text_part(3028, 92)) ==
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3028 92)");
  mail::Part diff = text_part(4554, 73);
  diff.parameters.push_back({"name", "cc.diff", "", ""});
  diff.id = "<960723163407.20117h@cac.washington.edu>";
  diff.description = "Compiler diff";
  diff.encoding = "base64";
  mail::Part mixed;
  mixed.type = "multipart";
  mixed.subtype = "mixed";
  mixed.children = {text_part(1152, 23), diff};
  CHECK(body(mixed) ==
        "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1152 23)"
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\" \"name\" \"cc.diff\") "
        "\"<960723163407.20117h@cac.washington.edu>\" \"Compiler diff\" \"base64\" 4554 73) "
        "\"mixed\")");
  mixed.parameters = {{"boundary", "xx", "", ""}};
  CHECK(structure(mixed) ==
        "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1152 23 NIL NIL NIL NIL)"
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\" \"name\" \"cc.diff\") "
        "\"<960723163407.20117h@cac.washington.edu>\" \"Compiler diff\" \"base64\" 4554 73 NIL NIL "
        "NIL NIL) "
        "\"mixed\" (\"boundary\" \"xx\") NIL NIL NIL)");
}

TEST_CASE("extension data") {
  mail::Part part;
  part.type = "application";
  part.subtype = "pdf";
  part.encoding = "base64";
  part.body = {10, 110};
  part.md5 = "Q2hlY2sgSW50ZWdyaXR5IQ==";
  part.disposition = "attachment";
  part.disposition_parameters = {{"filename", "a.pdf", "", ""}};
  part.languages = {"en", "de"};
  part.location = "http://x/";
  CHECK(body(part) == "(\"application\" \"pdf\" NIL NIL NIL \"base64\" 100)");
  CHECK(structure(part) ==
        "(\"application\" \"pdf\" NIL NIL NIL \"base64\" 100 \"Q2hlY2sgSW50ZWdyaXR5IQ==\" "
        "(\"attachment\" (\"filename\" \"a.pdf\")) (\"en\" \"de\") \"http://x/\")");
  part.disposition_parameters.clear();
  CHECK(structure(part).find("(\"attachment\" NIL)") != std::string::npos);
}

TEST_CASE("a message inside a message") {
  mail::Part part;
  part.type = "message";
  part.subtype = "rfc822";
  part.body = {0, 500};
  part.body_lines = 20;
  part.envelope = rfc_envelope();
  part.children = {text_part(100, 5)};
  const std::string envelope = written(append_envelope, rfc_envelope(), kRev1);
  CHECK(body(part) ==
        "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 500 " + envelope +
            " (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 100 5) 20)");
  part.subtype = "global";
  CHECK(body(part) == "(\"message\" \"global\" NIL NIL NIL \"7bit\" 500)");
  CHECK(body(part, kRev2).find(envelope) != std::string::npos);
  part.subtype = "rfc822";
  part.envelope.reset();
  CHECK(body(part).find("(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)") != std::string::npos);
  part.children.clear();  // beyond the depth limit: one opaque part
  CHECK(body(part) == "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 500)");
}

TEST_CASE("what is missing is shown as Dovecot shows it") {
  mail::Part text;
  text.body = {0, 5};
  text.body_lines = 1;
  CHECK(body(text) == "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 1)");
  text.parameters = {{"format", "flowed", "", ""}};
  CHECK(
      body(text) ==
      "(\"text\" \"plain\" (\"format\" \"flowed\" \"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 1)");
  mail::Part empty;
  empty.type = "multipart";
  empty.subtype = "mixed";
  CHECK(body(empty) ==
        "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) \"mixed\")");
  CHECK(structure(empty) ==
        "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL) "
        "\"mixed\" NIL NIL NIL NIL)");
}

TEST_CASE("a parameter in UTF-8 is written as this client can read it") {
  mail::Part part;
  part.type = "image";
  part.subtype = "png";
  part.parameters = {{"name", "\xc3\xa9 (1).png", "iso-8859-1", "fr"}};
  CHECK(body(part) ==
        "(\"image\" \"png\" (\"name*\" \"utf-8'fr'%C3%A9%20%281%29.png\") NIL NIL \"7bit\" 0)");
  CHECK(body(part, kRev2) ==
        "(\"image\" \"png\" (\"name\" \"\xc3\xa9 (1).png\") NIL NIL \"7bit\" 0)");
  part.parameters = {{"name", "\xe9(", "", ""},
                     {"x", "y", "", ""}};  // raw octets that are no UTF-8
  CHECK(body(part) == "(\"image\" \"png\" (\"name\" {2}\r\n\xe9( \"x\" \"y\") NIL NIL \"7bit\" 0)");
}

}  // namespace
}  // namespace twinpost::imap
