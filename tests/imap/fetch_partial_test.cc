// Ranges: pieces glued together are the whole, however they are cut, and whatever the octets are
// made of.
#include <doctest/doctest.h>

#include "core/base/encoding.h"
#include "tests/imap/fetch_rig.h"
#include "tests/mail/support.h"

using namespace twinpost;
using namespace twinpost::imap;
using imap::test::FetchRig;

namespace {

std::string range(std::string_view section, std::uint64_t offset, std::uint64_t length) {
  return std::string(section) + "<" + std::to_string(offset) + "." + std::to_string(length) + ">";
}

// All pieces of `length` octets of "BODY.PEEK[TEXT]" and the like, in order.
std::string glued(FetchRig& rig, std::string_view section, std::uint64_t length) {
  std::string all;
  for (std::uint64_t offset = 0;; offset += length) {
    const std::string piece = rig.item(range(section, offset, length));
    REQUIRE(piece.size() <= length);
    if (piece.empty()) return all;
    all += piece;
  }
}

std::string base64_lines(std::string_view octets) {
  std::string out;
  const std::string text = base64_encode(octets);
  for (std::size_t at = 0; at < text.size(); at += 76) out += text.substr(at, 76) + "\r\n";
  return out;
}

std::string octets_of_all_kinds(std::size_t size) {
  std::string octets;
  std::uint32_t state = 5;
  while (octets.size() < size) {
    state = state * 1664525U + 1013904223U;
    octets += static_cast<char>(state >> 24);
  }
  return octets;
}

// Header, prefix, a quoted-printable part, and a base64 part of `size` octets.
std::string message_of(std::string_view data) {
  return "Subject: ranges\r\nX-Long: a\r\n b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
         "--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=C3=A9 =\r\nsoft\r\n"
         "--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
         base64_lines(data) + "--b--\r\n";
}

constexpr std::string_view kSections[] = {
    "BODY.PEEK[]",    "BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]",
    "BODY.PEEK[1]",   "BODY.PEEK[2.MIME]", "BODY.PEEK[HEADER.FIELDS (subject return-path)]",
    "BINARY.PEEK[1]", "BINARY.PEEK[2]",    "BODY.PEEK[HEADER.FIELDS.NOT (x-long)]",
};

}  // namespace

TEST_CASE("pieces of every length glued together are the section") {
  FetchRig rig;
  rig.deliver_octets(message_of(octets_of_all_kinds(90)), "Return-Path: <a@example.org>\r\n");
  rig.select();
  for (const std::string_view section : kSections) {
    CAPTURE(section);
    const std::string whole = rig.item(section);
    for (const std::uint64_t length : {1, 2, 3, 7, 64, 1000}) {
      CAPTURE(length);
      REQUIRE(glued(rig, section, length) == whole);
    }
  }
  CHECK(rig.item("BINARY.PEEK[1]") == "caf\xc3\xa9 soft");
  CHECK(rig.item("BINARY.PEEK[2]") == octets_of_all_kinds(90));
}

TEST_CASE("every range of a section is that part of it, at every edge") {
  FetchRig rig;
  rig.deliver_octets(message_of(octets_of_all_kinds(20)));
  rig.select();
  for (const std::string_view section : kSections) {
    const std::string whole = rig.item(section);
    for (std::uint64_t offset = 0; offset <= whole.size() + 2; offset += 5) {
      for (const std::uint64_t length :
           {std::uint64_t{1}, std::uint64_t{5},
            whole.size() - std::min<std::uint64_t>(offset, whole.size() - 1), whole.size(),
            ~std::uint64_t{0} >> 1}) {
        const std::uint64_t from = std::min<std::uint64_t>(offset, whole.size());
        CAPTURE(section);
        CAPTURE(offset);
        CAPTURE(length);
        REQUIRE(rig.item(range(section, offset, length)) == whole.substr(from, length));
      }
    }
  }
}

TEST_CASE("a part that is too large to be kept is decoded twice and comes out the same") {
  const std::string data = octets_of_all_kinds(700'000);
  FetchRig rig;
  rig.deliver_octets(message_of(data));
  rig.select();
  REQUIRE(rig.item("BODY.PEEK[2]").size() > 2 * SectionReader::kKept);
  CHECK(rig.item("BINARY.SIZE[2]") == "700000");
  CHECK(rig.item("BINARY.PEEK[2]") == data);
  CHECK(rig.slice_octets.size() > 1);
  for (const std::uint64_t offset :
       {0U, 1U, 65'535U, 131'072U, 400'000U, 699'990U, 699'999U, 700'000U, 800'000U}) {
    CAPTURE(offset);
    const std::uint64_t from = std::min<std::uint64_t>(offset, data.size());
    CHECK(rig.item(range("BINARY.PEEK[2]", offset, 1)) == data.substr(from, 1));
    CHECK(rig.item(range("BINARY.PEEK[2]", offset, 100'000)) == data.substr(from, 100'000));
    CHECK(rig.item(range("BINARY.PEEK[2]", offset, 1'000'000)) == data.substr(from));
  }
  CHECK(glued(rig, "BINARY.PEEK[2]", 99'991) == data);
}

TEST_CASE("a NUL makes a literal8 of the range that holds it, and of no other") {
  std::string data(300'000, 'x');
  data[250'000] = '\0';
  FetchRig rig;
  rig.deliver_octets(message_of(data));
  rig.select();
  const auto form = [&](std::string_view item) {
    const auto response = rig.one("FETCH 1 " + std::string(item));
    return response.forms.begin()->second;
  };
  CHECK(form("BINARY.PEEK[2]") == '8');
  CHECK(form("BINARY.PEEK[2]<0.250000>") == 'l');
  CHECK(form("BINARY.PEEK[2]<250000.1>") == '8');
  CHECK(form("BINARY.PEEK[2]<250001.100000>") == 'l');
}

TEST_CASE("a header that is too large to be kept gives its fields all the same") {
  std::string header = "Subject: first\r\n";
  while (header.size() < 3 * SectionReader::kKept)
    header += "X-Fill: " + std::string(60, 'f') + "\r\n";
  header += "To: last\r\n\r\n";
  FetchRig rig;
  rig.deliver_octets(header + "text\r\n", "Return-Path: <a@example.org>\r\n");
  rig.select();
  CHECK(rig.item("BODY.PEEK[HEADER]") == "Return-Path: <a@example.org>\r\n" + header);
  CHECK(rig.item("BODY.PEEK[TEXT]") == "text\r\n");
  CHECK(rig.item("BODY.PEEK[HEADER.FIELDS (to subject)]") == "Subject: first\r\nTo: last\r\n\r\n");
  const std::string rest = rig.item("BODY.PEEK[HEADER.FIELDS.NOT (subject return-path)]");
  CHECK(rest == header.substr(16));
  CHECK(rig.item("BODY.PEEK[HEADER.FIELDS.NOT (subject return-path)]<200000.70>") ==
        rest.substr(200'000, 70));
}

TEST_CASE("a command with very many sections gives each as if it were alone") {
  FetchRig rig;
  rig.deliver_octets(message_of(octets_of_all_kinds(3000)), "Return-Path: <a@example.org>\r\n");
  rig.select();
  std::string items = "FLAGS";
  for (int offset = 0; offset < 60; ++offset) {
    items += " " + range("BINARY.PEEK[2]", static_cast<std::uint64_t>(offset) * 40, 50);
    items += " " + range("BODY.PEEK[HEADER.FIELDS (subject x-long)]",
                         static_cast<std::uint64_t>(offset), 9);
  }
  const auto response = rig.one("FETCH 1 (" + items + ")");
  CHECK(response.items.size() == 121);
  for (const auto& [name, value] : response.items) {
    if (name == "FLAGS") continue;
    const std::size_t open = name.find('<');
    const bool is_binary = name.starts_with("BINARY");
    const std::string alone = std::string(is_binary ? "BINARY.PEEK" : "BODY.PEEK") +
                              name.substr(name.find('['), open - name.find('[') + 1) +
                              name.substr(open + 1, name.size() - open - 2) +
                              (is_binary ? ".50>" : ".9>");
    CAPTURE(alone);
    CHECK(rig.item(alone) == value);
  }
}
