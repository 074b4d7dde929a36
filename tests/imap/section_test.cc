#include "imap/section.h"

#include <doctest/doctest.h>

#include "tests/imap/command_text.h"

namespace twinpost::imap {
namespace {

mail::Part leaf(std::uint64_t begin, std::string encoding = "7bit") {
  mail::Part part;
  part.header = {begin, begin + 10};
  part.body = {begin + 10, begin + 20};
  part.encoding = std::move(encoding);
  return part;
}

// The message of RFC 9051 6.4.5.1:
//   HEADER, TEXT (multipart/mixed), 1 text/plain, 2 application/octet-stream,
//   3 message/rfc822 (3.HEADER, 3.TEXT, 3.1 text/plain, 3.2 application/octet-stream),
//   4 multipart/mixed (4.1 image/gif, 4.2 message/rfc822 (4.2.HEADER, 4.2.TEXT, 4.2.1 text/plain,
//   4.2.2 multipart/alternative (4.2.2.1 text/plain, 4.2.2.2 text/richtext)))
mail::Part multipart(std::uint64_t begin, std::vector<mail::Part> children) {
  mail::Part part = leaf(begin);
  part.type = "multipart";
  part.children = std::move(children);
  return part;
}
mail::Part message(std::uint64_t begin, mail::Part inner) {
  mail::Part part = leaf(begin);
  part.type = "message";
  part.subtype = "rfc822";
  part.children = {std::move(inner)};
  return part;
}
mail::Part rfc_message() {
  return multipart(
      0,
      {leaf(1000), leaf(2000, "base64"),
       message(3000, multipart(3500, {leaf(3100), leaf(3200, "x-odd")})),
       multipart(4000,
                 {leaf(4100),
                  message(4200, multipart(4250, {leaf(4210, "quoted-printable"),
                                                 multipart(4220, {leaf(4221), leaf(4222)})}))})});
}

// The section of "BODY[...]" by way of the parser.
SectionSource find(const mail::Part& root, std::string_view section, bool binary = false) {
  CommandReader reader;
  const std::string line =
      "a FETCH 1 " + std::string(binary ? "BINARY[" : "BODY[") + std::string(section) + "]";
  REQUIRE(reader.line(line).kind == Step::Kind::kComplete);
  const Section& parsed = std::get<Fetch>(reader.command().arguments).items.front().section;
  return binary ? resolve_binary(root, parsed) : resolve_body(root, parsed);
}

SectionSource octets(std::uint64_t begin, std::uint64_t end, bool from_start = false) {
  SectionSource source;
  source.produce = Produce::kOctets;
  source.span = {begin, end};
  source.from_start = from_start;
  return source;
}

TEST_CASE("every section of the example of RFC 9051 6.4.5.1") {
  const mail::Part root = rfc_message();
  CHECK(find(root, "") == octets(0, 20, true));
  CHECK(find(root, "HEADER") == octets(0, 10, true));
  CHECK(find(root, "TEXT") == octets(10, 20));
  CHECK(find(root, "1") == octets(1010, 1020));
  CHECK(find(root, "1.MIME") == octets(1000, 1010));
  CHECK(find(root, "2") == octets(2010, 2020));
  CHECK(find(root, "3") == octets(3010, 3020));
  CHECK(find(root, "3.MIME") == octets(3000, 3010));
  CHECK(find(root, "3.HEADER") == octets(3500, 3510));
  CHECK(find(root, "3.TEXT") == octets(3510, 3520));
  CHECK(find(root, "3.1") == octets(3110, 3120));
  CHECK(find(root, "3.2") == octets(3210, 3220));
  CHECK(find(root, "4") == octets(4010, 4020));
  CHECK(find(root, "4.1.MIME") == octets(4100, 4110));
  CHECK(find(root, "4.2.HEADER") == octets(4250, 4260));
  CHECK(find(root, "4.2.TEXT") == octets(4260, 4270));
  CHECK(find(root, "4.2.1") == octets(4220, 4230));
  CHECK(find(root, "4.2.2") == octets(4230, 4240));
  CHECK(find(root, "4.2.2.1") == octets(4231, 4241));
  CHECK(find(root, "4.2.2.2") == octets(4232, 4242));
  const SectionSource fields = find(root, "4.2.HEADER.FIELDS (To)");
  CHECK(fields.produce == Produce::kHeaderFields);
  CHECK(fields.span == mail::Span{4250, 4260});
  CHECK_FALSE(fields.from_start);
  CHECK(find(root, "HEADER.FIELDS.NOT (To)").from_start);
}

TEST_CASE("sections that are not there") {
  const mail::Part root = rfc_message();
  for (const char* section : {"5", "1.1", "1.HEADER", "1.TEXT", "4.HEADER", "4.3", "3.1.1", "3.3",
                              "4294967295", "4.2.2.1.1"}) {
    CAPTURE(section);
    CHECK(find(root, section) == SectionSource{});
  }
}

TEST_CASE("a message that is not multipart has one part, its body") {
  const mail::Part root = leaf(0, "base64");
  CHECK(find(root, "1") == octets(10, 20));
  CHECK(find(root, "1.MIME") == octets(0, 10, true));
  CHECK(find(root, "1.1") == SectionSource{});
  CHECK(find(root, "2") == SectionSource{});
  CHECK(find(root, "1.TEXT") == SectionSource{});
  const mail::Part outer = message(0, leaf(100));  // and the same inside
  CHECK(find(outer, "1") == octets(10, 20));
  CHECK(find(outer, "1.1") == octets(110, 120));
  CHECK(find(outer, "1.HEADER") == octets(100, 110));
  CHECK(find(outer, "1.1.MIME") == octets(100, 110));
  CHECK(find(outer, "1.2") == SectionSource{});
}

TEST_CASE("BINARY says how to decode (RFC 3516)") {
  const mail::Part root = rfc_message();
  CHECK(find(root, "", true) == octets(0, 20, true));
  CHECK(find(root, "1", true) == octets(1010, 1020));
  CHECK(find(root, "2", true).produce == Produce::kDecoded);
  CHECK(find(root, "2", true).encoding == mail::TransferEncoding::kBase64);
  CHECK(find(root, "3", true) == octets(3010, 3020));
  CHECK(find(root, "3.2", true).produce == Produce::kUnknownEncoding);
  CHECK(find(root, "4.2.1", true).encoding == mail::TransferEncoding::kQuotedPrintable);
  CHECK(find(root, "9", true) == SectionSource{});
}

TEST_CASE("partials are cut to what is there") {
  CHECK(Partial{0, 10}.clip(100) == mail::Span{0, 10});
  CHECK(Partial{95, 10}.clip(100) == mail::Span{95, 100});
  CHECK(Partial{100, 1}.clip(100).size() == 0);
  CHECK(Partial{1ULL << 62, (1ULL << 63) - 1}.clip(100).size() == 0);
  CHECK(Partial{5, (1ULL << 63) - 1}.clip(100) == mail::Span{5, 100});
}

std::string fields(std::string_view header, const std::vector<std::string_view>& names,
                   bool inverted) {
  std::string out;
  append_header_fields(out, header, names, inverted);
  return out;
}

TEST_CASE("HEADER.FIELDS gives whole fields in their order and a blank line") {
  const std::string_view header =
      "Received: a\r\n\tb\r\nTo: x\r\nSUBJECT : y\r\n  z\r\nno field\r\nto: again\r\nX-Last: "
      "1\r\n\r\n";
  CHECK(fields(header, {"to", "Subject"}, false) ==
        "To: x\r\nSUBJECT : y\r\n  z\r\nno field\r\nto: again\r\n\r\n");
  CHECK(fields(header, {"to", "subject"}, true) == "Received: a\r\n\tb\r\nX-Last: 1\r\n\r\n");
  CHECK(fields(header, {"nothing"}, false) == "\r\n");
  CHECK(fields("", {"to"}, true) == "\r\n");
  CHECK(fields("To: x", {"to"}, false) == "To: x\r\n\r\n");  // a header without an end
  CHECK(fields("To: x\nCc: y\n\n", {"cc"}, false) == "Cc: y\n\r\n");
}

TEST_CASE("what a search key needs, and the order that is cheap first") {
  CommandReader reader;
  REQUIRE(
      reader.line("a SEARCH TEXT x SUBJECT y FROM z SEEN OR BODY q 1:3 SINCE 1-Jan-2020 $").kind ==
      Step::Kind::kComplete);
  SearchKey key = std::get<Search>(reader.command().arguments).key;
  CHECK(needs(key) == SearchNeeds::kBody);
  CHECK(uses(key, SearchKind::kBody));
  CHECK_FALSE(uses(key, SearchKind::kModSeq));
  CHECK(uses_saved_result(key));
  CHECK(largest_message_number(key) == 3);
  sort_by_needs(key);
  CHECK(to_text(key) ==
        "and($ \\Seen date>=2020-01-01 subject:'y' from:'z' text:'x' or(1:3 body:'q'))");
}

}  // namespace
}  // namespace twinpost::imap
