#include "core/mail/header.h"

#include <doctest/doctest.h>
#include <vector>

#include "tests/mail/support.h"

using namespace twinpost::mail;

namespace {

// The views in the result are of `block`, which must outlive them.
std::vector<HeaderField> all_fields(std::string&& block) = delete;

std::vector<HeaderField> all_fields(const std::string& block) {
  std::vector<HeaderField> out;
  HeaderReader reader(block);
  while (auto field = reader.next()) out.push_back(*field);
  return out;
}

}  // namespace

TEST_CASE("header fields are found with their folds, up to the blank line") {
  const std::string block = crlf("From: a@b\nSubject: one\n two\n\tthree\n\nBody: no field\n");
  HeaderReader reader(block);
  const auto from = reader.next();
  REQUIRE(from);
  CHECK(from->name == "From");
  CHECK(from->value == " a@b");
  const auto subject = reader.next();
  REQUIRE(subject);
  CHECK(block.substr(subject->begin, subject->end - subject->begin) ==
        "Subject: one\r\n two\r\n\tthree\r\n");
  CHECK(unfold(subject->value) == "one two\tthree");
  CHECK_FALSE(reader.next());
  CHECK(reader.met_blank_line());
  CHECK(block.substr(reader.offset()) == "Body: no field\r\n");
  CHECK_FALSE(reader.next());
}

TEST_CASE("bare line feeds end lines too") {
  const std::string block = "A: 1\nB: 2\n 3\n\nbody";
  const auto fields = all_fields(block);
  REQUIRE(fields.size() == 2);
  CHECK(unfold(fields[1].value) == "2 3");
}

TEST_CASE("blanks before the colon are no part of the name (RFC 5322 4.5.8)") {
  const std::string block = crlf("Subject \t: hello\n");
  const auto fields = all_fields(block);
  REQUIRE(fields.size() == 1);
  CHECK(fields[0].name == "Subject");
  CHECK(unfold(fields[0].value) == "hello");
}

TEST_CASE("a line of blanks within a header is a fold, not its end (RFC 5322 4.2)") {
  const std::string block = crlf("To    : Mary Smith\n  \n          <mary@example.net>\nX: y\n\n");
  const auto fields = all_fields(block);
  REQUIRE(fields.size() == 2);
  CHECK(fields[1].name == "X");
}

TEST_CASE("lines that are no field come out as malformed, and nothing is lost") {
  const std::string block = crlf(">From x\nno colon here\n  goes on\nBad Name: x\n: empty\nA:\n");
  const auto fields = all_fields(block);
  REQUIRE(fields.size() == 5);
  for (std::size_t i = 0; i < 4; ++i) CHECK(fields[i].malformed());
  CHECK_FALSE(fields[4].malformed());
  CHECK(fields[4].name == "A");
  CHECK(fields[4].value.empty());
  std::size_t last = 0;
  for (const auto& field : fields) {
    CHECK(field.begin == last);
    last = field.end;
  }
  CHECK(last == block.size());
}

TEST_CASE("a continuation with nothing before it is malformed") {
  const std::string block = crlf("  lost\nA: b\n");
  const auto fields = all_fields(block);
  REQUIRE(fields.size() == 2);
  CHECK(fields[0].malformed());
}

TEST_CASE("8-bit octets and NULs are kept in values") {
  using namespace std::string_literals;
  const std::string block = "S: gr\xfc\xdf\0x\r\n"s;
  const auto fields = all_fields(block);
  REQUIRE(fields.size() == 1);
  CHECK(unfold(fields[0].value) == "gr\xfc\xdf\0x"s);
}

TEST_CASE("a header that just ends is read to its end") {
  const std::string block = "A: b\r\nC: d";
  const auto fields = all_fields(block);
  REQUIRE(fields.size() == 2);
  CHECK(fields[1].value == " d");
  CHECK(header_size("A: b\r\nC: d") == 10);
  CHECK(header_size("A: b\r\n\r\nbody") == 8);
  CHECK(header_size("A: b\n\nbody") == 6);
  CHECK(header_size("\r\nbody") == 2);
  CHECK(header_size("") == 0);
}

TEST_CASE("a field is found by its name in any case") {
  const std::string block = crlf("A: 1\nMessage-ID: <x@y>\nmessage-id: second\n\nB: body\n");
  const auto field = find_field(block, "message-id");
  REQUIRE(field);
  CHECK(unfold(field->value) == "<x@y>");
  CHECK_FALSE(find_field(block, "b"));
}

TEST_CASE("unfolding keeps the blanks of a fold and trims the ends") {
  CHECK(unfold("  a\r\n   b \r\n") == "a   b");
  CHECK(unfold(" \r\n \t") == "");
  CHECK(unfold("a\rb") == "a\rb");
}
