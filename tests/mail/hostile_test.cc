// Messages made to cost time, memory or stack. They pass if parsing ends within the limits; where
// the work can be counted, it is.
#include <algorithm>
#include <doctest/doctest.h>

#include "core/mail/message.h"
#include "core/mail/open_boundaries.h"
#include "tests/mail/invariants.h"
#include "tests/mail/support.h"

using namespace twinpost::mail;

namespace {

std::string multipart(std::string_view boundary) {
  return "Content-Type: multipart/mixed; boundary=\"" + std::string(boundary) + "\"\r\n\r\n";
}

Message parse(std::string_view octets, const MessageLimits& limits = {}) {
  Message message = parse_message(octets, limits);
  CHECK(broken_invariant(octets, message, limits) == "");
  return message;
}

unsigned depth_of(const Part& part) {
  unsigned deepest = 0;
  for (const Part& child : part.children) deepest = std::max(deepest, depth_of(child));
  return deepest + 1;
}

std::size_t parts_of(const Part& part) {
  std::size_t count = 1;
  for (const Part& child : part.children) count += parts_of(child);
  return count;
}

std::string nested(int levels) {
  std::string octets = multipart("b0");
  for (int i = 1; i <= levels; ++i) {
    octets += "--b" + std::to_string(i - 1) + "\r\n" + multipart("b" + std::to_string(i));
  }
  return octets;
}

}  // namespace

TEST_CASE("multiparts nested deeper than the limit become one opaque part") {
  const Message message = parse(nested(500));
  CHECK(depth_of(message.root) == 100);
  CHECK(has(message, Defect::kTooDeep));
  const Part* part = &message.root;
  while (!part->children.empty()) part = &part->children.back();
  CHECK(part->type == "application");
  CHECK(part->subtype == "octet-stream");
  CHECK_FALSE(has(parse(nested(50)), Defect::kTooDeep));
}

TEST_CASE("messages nested deeper than the limit become one opaque part") {
  const Message message = parse(repeat("Content-Type: message/rfc822\r\n\r\n", 100'000));
  CHECK(depth_of(message.root) == 100);
  CHECK(has(message, Defect::kTooDeep));
}

TEST_CASE("a digest of digests stops at the limit") {
  std::string octets = "Content-Type: multipart/digest; boundary=b\r\n\r\n";
  octets += repeat("--b\r\n\r\nContent-Type: multipart/digest; boundary=b\r\n\r\n", 1000);
  CHECK(depth_of(parse(octets).root) <= 100);
}

TEST_CASE("parts beyond the limit become one opaque part") {
  const std::string octets = multipart("b") + repeat("--b\r\n\r\nx\r\n", 20'000) + "--b--\r\n";
  const Message message = parse(octets);
  CHECK(parts_of(message.root) == 10'001);
  CHECK(has(message, Defect::kTooManyParts));
  const Part& rest = message.root.children.back();
  CHECK(rest.type == "application");
  CHECK(rest.body.end == octets.size());
  const std::string fits = multipart("b") + repeat("--b\r\n\r\nx\r\n", 9'999) + "--b--\r\n";
  CHECK(parts_of(parse(fits).root) == 10'000);
  CHECK(parse(fits).defects == 0);
}

TEST_CASE("small limits hold in every corner") {
  const std::string octets = multipart("b") +
                             "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n" +
                             "--b\r\nContent-Type: message/rfc822\r\n--b\r\n\r\nx\r\n--b--\r\n";
  for (unsigned depth = 0; depth < 5; ++depth) {
    for (unsigned parts = 0; parts < 8; ++parts) {
      for (unsigned others = 0; others < 3; ++others) {
        MessageLimits limits;
        limits.depth = depth;
        limits.parts = parts;
        limits.fields = others;
        limits.addresses = others;
        limits.parameters = others;
        limits.header_octets = others * 20;
        CHECK(broken_invariant(octets, parse_message(octets, limits), limits) == "");
      }
    }
  }
}

TEST_CASE(
    "a boundary search costs what a line has in common with the boundaries, however many are "
    "open") {
  OpenBoundaries boundaries;
  const std::string common(60, 'x');
  for (int i = 0; i < 100; ++i) boundaries.push(common + std::to_string(i));
  const std::string near = common + "!" + std::string(1000, 'y');
  for (int i = 0; i < 1000; ++i) CHECK_FALSE(boundaries.find(near));
  CHECK(boundaries.steps() == 1000 * 61);
  CHECK_FALSE(boundaries.find("yes"));
  CHECK(boundaries.steps() == 1000 * 61 + 1);
}

TEST_CASE("open boundaries are a stack") {
  OpenBoundaries boundaries;
  CHECK_FALSE(boundaries.find("a"));
  boundaries.push("a");
  boundaries.push("abc");
  boundaries.push("a");
  boundaries.push("ab");
  CHECK(boundaries.find("abcd")->index == 1);
  CHECK(boundaries.find("abx")->index == 3);
  CHECK(boundaries.find("a")->index == 2);
  boundaries.shrink(2);
  CHECK(boundaries.find("abx")->index == 0);
  CHECK(boundaries.find("abc")->index == 1);
  boundaries.shrink(1);
  CHECK(boundaries.find("abc")->length == 1);
  boundaries.push("abd");
  CHECK(boundaries.find("abd")->index == 1);
  boundaries.shrink(0);
  CHECK_FALSE(boundaries.find("a"));
}

TEST_CASE("millions of lines that look like delimiters are read with 90 boundaries open") {
  std::string octets = nested(90) + "--b90\r\n\r\n";
  octets += repeat("--\n--b\n", 1'000'000);
  const Message message = parse_message(octets);
  CHECK(depth_of(message.root) == 92);
}

TEST_CASE("boundaries that are prefixes of each other do not multiply the work") {
  std::string octets;
  for (std::size_t i = 1; i <= 90; ++i) {
    octets += multipart(std::string(i, 'a')) + "--" + std::string(i, 'a') + "\r\n";
  }
  octets += "\r\n" + repeat("--" + std::string(40, 'a') + "b\r\n\r\n", 20'000);
  CHECK(has(parse(octets), Defect::kTooManyParts));
}

TEST_CASE("header lines of a megabyte are read, and more is cut for parsing only") {
  const std::string line(1'000'000, 'x');
  CHECK(parse("Subject: " + line + "\r\n\r\nbody").envelope.subject == line);
  const std::string folded = "Subject: a\r\n" + repeat(" b\r\n", 200'000) + "\r\nbody";
  CHECK(parse(folded).envelope.subject->size() == 1 + 2 * 200'000);
  const std::string octets =
      "Subject: x\r\nX-Long: " + std::string(2'000'000, 'y') + "\r\nTo: a@b\r\n\r\nbody";
  const Message message = parse(octets);
  CHECK(has(message, Defect::kHeaderTooLong));
  CHECK(message.envelope.subject == "x");
  CHECK(message.envelope.to.empty());
  CHECK(body_of(octets, message.root) == "body");
}

TEST_CASE("fields, addresses and parameters beyond their limits are cut and said to be") {
  const Message fields = parse(repeat("A: b\r\n", 20'000) + "\r\n");
  CHECK(fields.fields.size() == 10'000);
  CHECK(has(fields, Defect::kTooManyFields));
  const Message addresses =
      parse("To: " + repeat("a@b,", 8'000) + "\r\nCc: " + repeat("a@b,", 8'000) + "\r\n\r\n");
  CHECK(addresses.envelope.to.size() == 8'000);
  CHECK(addresses.envelope.cc.size() == 2'000);
  CHECK(has(addresses, Defect::kTooManyAddresses));
  std::string parts = multipart("b");
  for (int i = 0; i < 30; ++i) {
    parts += "--b\r\nContent-Type: text/plain" + repeat(";a=b", 500) +
             "\r\nContent-Language: " + repeat("x,", 100) + "\r\n\r\n";
  }
  const Message parameters = parse(parts);
  std::size_t count = 0;
  for (const Part& part : parameters.root.children)
    count += part.parameters.size() + part.languages.size();
  CHECK(count == 9'999);  // and the boundary
  CHECK(has(parameters, Defect::kTooManyParameters));
}

TEST_CASE("comments, quotes and words without end are read once") {
  const std::string parens = repeat("(", 1'000'000);
  for (const char* name : {"To: ", "Date: ", "Content-Type: ", "Content-Disposition: ",
                           "Content-Language: ", "Content-Transfer-Encoding: ", "Subject: "}) {
    parse(name + parens + "\r\n\r\n");
    parse(name + std::string("a; b=") + parens + "\r\n\r\n");
    parse(name + repeat("\\\"", 400'000) + "\r\n\r\n");
    parse(name + repeat("=?utf-8?q?", 100'000) + "\r\n\r\n");
    parse(name + repeat("; a*0*=utf-8''b", 60'000) + "\r\n\r\n");
  }
}

TEST_CASE("a preview does not read a big body to its end") {
  const std::string tags = "Content-Type: text/html\r\n\r\n" + repeat("<p>", 3'000'000) + "late";
  CHECK(parse_message(tags).preview.empty());
  const std::string blanks =
      "Content-Transfer-Encoding: base64\r\n\r\n" + repeat("ICAgICAgICAgICAg\r\n", 400'000);
  CHECK(parse_message(blanks).preview.empty());
}
