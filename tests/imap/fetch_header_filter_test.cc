// HEADER.FIELDS piece by piece against HEADER.FIELDS of the whole.
#include "imap/fetch_header_filter.h"

#include <doctest/doctest.h>
#include <random>

#include "imap/section.h"

using namespace twinpost::imap;

namespace {

using Names = std::vector<std::string_view>;

// Cut at every `step` octets.
std::string filtered(std::string_view header, const Names& names, bool inverted, std::size_t step) {
  const FieldNames ready(names);
  HeaderFieldFilter filter(ready, inverted);
  std::string out;
  for (std::size_t at = 0; at < header.size(); at += step) filter.add(header.substr(at, step), out);
  filter.finish(out);
  return out;
}

void check_all_cuts(std::string_view header, const Names& names) {
  for (const bool inverted : {false, true}) {
    std::string expected;
    append_header_fields(expected, header, names, inverted);
    for (std::size_t step = 1; step <= header.size() + 1; ++step) {
      CAPTURE(step);
      CAPTURE(header);
      REQUIRE(filtered(header, names, inverted, step) == expected);
    }
  }
}

}  // namespace

TEST_CASE("a header in pieces gives the fields that it gives as a whole") {
  const Names names = {"subject", "X-A"};
  for (const std::string_view header : {
           "Subject: a\r\nFrom: b\r\nx-a: c\r\n d\r\n\te\r\nTo: f\r\n\r\n",
           "Subject: a\nFrom: b\nX-A: c\n d\n\n",
           "SUBJECT : a\r\nX-A\t: b\r\n\r\n",
           " Subject: begins with a blank\r\nno field\r\nSubject: x\r\nnot one\r\n cont\r\nTo: "
           "y\r\n\r\n",
           "no field at all\r\nanother\r\n\r\n",
           "Subject: no end",
           "Subject: no end\r",
           "Subject",
           ": no name\r\nSubject: x\r\n: no name\r\n\r\n",
           "\r\n",
           "\n",
           "\r",
           "",
           "Subject: x\r\n\r\nTo: this is no header any more\r\nSubject: nor this\r\n",
           "X-A:\r\n\r\nSubject: no\r\n",
           "Subject: a\r\n \r\nFrom: x\r\n\r\n",
           "Subject: a\r\n\rX-A: x\r\n\r\n",
       }) {
    check_all_cuts(header, names);
    check_all_cuts(header, {});
  }
}

TEST_CASE("headers made at random give the same in pieces and as a whole") {
  std::mt19937 random(7);
  constexpr std::string_view kPieces[] = {"Subject", "X-A", "To", ":",    ": ", "\r\n",
                                          "\n",      " ",   "\r", "text", "\t", "\r\n\r\n"};
  for (int i = 0; i < 2000; ++i) {
    std::string header;
    for (int n = static_cast<int>(random() % 20); n > 0; --n) header += kPieces[random() % 12];
    const std::size_t step = 1 + random() % 5;
    for (const bool inverted : {false, true}) {
      std::string expected;
      append_header_fields(expected, header, {"subject", "to"}, inverted);
      CAPTURE(header);
      REQUIRE(filtered(header, {"subject", "to"}, inverted, step) == expected);
    }
  }
}

TEST_CASE("a line that is too long to be a field's name goes with the field before it") {
  const std::string_view names[] = {"To"};
  const std::string flood(HeaderFieldFilter::kMaxFieldName, 'x');
  const std::string header = "To: a\r\n" + flood + ": b\r\nCc: c\r\n\r\n";
  const std::string expected = "To: a\r\n" + flood + ": b\r\n\r\n";
  for (const std::size_t step : {std::size_t{1000}, header.size()}) {
    CHECK(filtered(header, {names[0]}, false, step) == expected);
    CHECK(filtered(header, {names[0]}, true, step) == "Cc: c\r\n\r\n");
  }
}

TEST_CASE("field names are found without case, others are not") {
  const FieldNames names(Names{"To", "subject", "X-B"});
  CHECK(names.contains("TO"));
  CHECK(names.contains("Subject"));
  CHECK_FALSE(names.contains("X-Bb"));
  CHECK_FALSE(names.contains(""));
  CHECK_FALSE(FieldNames().contains("To"));
}
