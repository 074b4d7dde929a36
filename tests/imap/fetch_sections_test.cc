// BODY[...] of well-made and of broken messages: which octets each section gives.
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "imap/section.h"
#include "tests/imap/fetch_rig.h"
#include "tests/mail/support.h"

using namespace twinpost;
using namespace twinpost::imap;
using imap::test::FetchRig;

namespace {

constexpr std::string_view kNested =
    "From: a@example.org\n"
    "Subject: outer\n"
    "Content-Type: multipart/mixed; boundary=\"xx\"\n"
    "\n"
    "preamble\n"
    "--xx\n"
    "Content-Type: text/plain\n"
    "\n"
    "one\n"
    "--xx\n"
    "Content-Type: message/rfc822\n"
    "Content-Description: inside\n"
    "\n"
    "Subject: inner\n"
    "Content-Type: multipart/alternative; boundary=yy\n"
    "\n"
    "--yy\n"
    "\n"
    "two-one\n"
    "--yy\n"
    "Content-Type: text/html\n"
    "\n"
    "<p>two-two\n"
    "--yy--\n"
    "--xx--\n"
    "epilogue\n";
constexpr std::string_view kPrefix =
    "Return-Path: <b@example.org>\r\nDelivered-To: c@example.org\r\n";

std::string crlf(std::string_view text) { return mail::crlf(text); }

}  // namespace

TEST_CASE("every form of section gives its octets") {
  FetchRig rig;
  rig.deliver(kNested, std::string(kPrefix));
  rig.select();
  const std::string whole = std::string(kPrefix) + crlf(kNested);
  const std::string header =
      std::string(kPrefix) + crlf(
                                 "From: a@example.org\nSubject: outer\nContent-Type: "
                                 "multipart/mixed; boundary=\"xx\"\n\n");
  CHECK(rig.item("RFC822.SIZE") == std::to_string(whole.size()));
  CHECK(rig.item("BODY[]") == whole);
  CHECK(rig.item("RFC822") == whole);
  CHECK(rig.item("BINARY[]") == whole);
  CHECK(rig.item("BINARY.SIZE[]") == std::to_string(whole.size()));
  CHECK(rig.item("BODY[HEADER]") == header);
  CHECK(rig.item("RFC822.HEADER") == header);
  CHECK(rig.item("BODY[TEXT]") == whole.substr(header.size()));
  CHECK(rig.item("RFC822.TEXT") == whole.substr(header.size()));
  CHECK(rig.item("BODY[HEADER.FIELDS (subject return-path none)]") ==
        "Return-Path: <b@example.org>\r\nSubject: outer\r\n\r\n");
  CHECK(rig.item("BODY[HEADER.FIELDS.NOT (subject content-type return-path)]") ==
        "Delivered-To: c@example.org\r\nFrom: a@example.org\r\n\r\n");
  CHECK(rig.item("BODY[HEADER.FIELDS (none)]") == "\r\n");
  CHECK(rig.item("BODY[1]") == "one");
  CHECK(rig.item("BODY[1.MIME]") == "Content-Type: text/plain\r\n\r\n");
  CHECK(rig.item("BODY[2.MIME]") ==
        "Content-Type: message/rfc822\r\nContent-Description: inside\r\n\r\n");
  const std::string inner_header =
      "Subject: inner\r\nContent-Type: multipart/alternative; boundary=yy\r\n\r\n";
  CHECK(rig.item("BODY[2.HEADER]") == inner_header);
  CHECK(rig.item("BODY[2.HEADER.FIELDS (Subject)]") == "Subject: inner\r\n\r\n");
  CHECK(rig.item("BODY[2.HEADER.FIELDS.NOT (Subject)]") ==
        "Content-Type: multipart/alternative; boundary=yy\r\n\r\n");
  CHECK(rig.item("BODY[2.TEXT]").starts_with("--yy\r\n\r\ntwo-one"));
  CHECK(rig.item("BODY[2]") == inner_header + rig.item("BODY[2.TEXT]"));
  CHECK(rig.item("BODY[2.1]") == "two-one");
  CHECK(rig.item("BODY[2.1.MIME]") == "\r\n");
  CHECK(rig.item("BODY[2.2]") == "<p>two-two");
  for (const std::string_view none :
       {"BODY[3]", "BODY[1.1]", "BODY[2.3]", "BODY[2.1.1]", "BODY[1.HEADER]", "BODY[1.TEXT]",
        "BODY[1.HEADER.FIELDS (To)]", "BODY[3.MIME]", "BINARY[3]", "BODY[4294967295]"}) {
    CAPTURE(none);
    CHECK(rig.item(none) == "NIL");
  }
  CHECK(rig.item("BINARY.SIZE[3]") == "0");
}

TEST_CASE("the response names the section as it was asked for, with the origin alone of a range") {
  FetchRig rig;
  rig.deliver("Subject: x\n\n0123456789\n");
  rig.select();
  CHECK(rig.fetch("FETCH 1 body.peek[text]<2.3>") == "* 1 FETCH (BODY[TEXT]<2> {3}\r\n234)\r\n");
  CHECK(rig.fetch("FETCH 1 BODY.PEEK[HEADER.FIELDS (suBject \"a b\")]") ==
        "* 1 FETCH (BODY[HEADER.FIELDS (suBject \"a b\")] {14}\r\nSubject: x\r\n\r\n)\r\n");
  CHECK(rig.fetch("FETCH 1 BINARY.PEEK[1]<0.4>") == "* 1 FETCH (BINARY[1]<0> {4}\r\n0123)\r\n");
  CHECK(rig.fetch("FETCH 1 BODY.PEEK[TEXT]<12.5>") == "* 1 FETCH (BODY[TEXT]<12> {0}\r\n)\r\n");
  CHECK(rig.fetch("FETCH 1 BODY.PEEK[TEXT]<99.5>") == "* 1 FETCH (BODY[TEXT]<99> {0}\r\n)\r\n");
  CHECK(rig.fetch("FETCH 1 BODY.PEEK[TEXT]<10.9223372036854775807>") ==
        "* 1 FETCH (BODY[TEXT]<10> {2}\r\n\r\n)\r\n");
  CHECK(rig.fetch("FETCH 1 BODY.PEEK[7]<1.2>") == "* 1 FETCH (BODY[7]<1> NIL)\r\n");
}

TEST_CASE("part 1 of a message that is not multipart is its body, 1.MIME its header") {
  FetchRig rig;
  rig.deliver("Subject: x\nContent-Type: text/plain\n\nbody\n", std::string(kPrefix));
  rig.select();
  CHECK(rig.item("BODY[1]") == "body\r\n");
  CHECK(rig.item("BODY[1.MIME]") ==
        std::string(kPrefix) + "Subject: x\r\nContent-Type: text/plain\r\n\r\n");
  CHECK(rig.item("BODY[2]") == "NIL");
}

TEST_CASE("messages that lack half of what a message has still give every section") {
  struct Case {
    std::string_view octets;
    std::string_view prefix;
    std::string_view header;
    std::string_view text;
  };
  constexpr std::string_view kReturn = "Return-Path: <>\r\n";
  for (const Case& c : std::initializer_list<Case>{
           {"", "", "", ""},
           {"", kReturn, kReturn, ""},
           {"\r\n", "", "\r\n", ""},
           {"\r\n", kReturn, "Return-Path: <>\r\n\r\n", ""},
           {"\r\nonly text\r\n", kReturn, "Return-Path: <>\r\n\r\n", "only text\r\n"},
           {"Subject: header only\r\n", "", "Subject: header only\r\n", ""},
           {"Subject: header only\r\n", kReturn, "Return-Path: <>\r\nSubject: header only\r\n", ""},
           {"Subject: x\r\n\r\n", "", "Subject: x\r\n\r\n", ""},
           {"no header at all, only text\r\n", "", "no header at all, only text\r\n", ""},
           {"no header\r\n\r\nthen text\r\n", "", "no header\r\n\r\n", "then text\r\n"},
           {"Subject: \xe9\xff\r\n\r\n\xe9\r\n", "", "Subject: \xe9\xff\r\n\r\n", "\xe9\r\n"},
       }) {
    FetchRig rig;
    rig.deliver_octets(c.octets, std::string(c.prefix));
    rig.select();
    CAPTURE(c.octets);
    CAPTURE(c.prefix);
    const auto response = rig.one("FETCH 1 (BODY[] BODY[HEADER] BODY[TEXT] RFC822.SIZE)");
    CHECK(response.at("BODY[]") == std::string(c.prefix) + std::string(c.octets));
    CHECK(response.at("BODY[HEADER]") == c.header);
    CHECK(response.at("BODY[TEXT]") == c.text);
    CHECK(response.at("RFC822.SIZE") == std::to_string(c.prefix.size() + c.octets.size()));
    CHECK(rig.item("BODY[HEADER.FIELDS (Return-Path)]") ==
          (c.prefix.empty() ? "\r\n" : "Return-Path: <>\r\n\r\n"));
    CHECK(rig.item("BODY[1]") == c.text);
    rig.fetch("FETCH 1 (ENVELOPE BODY BODYSTRUCTURE PREVIEW BINARY[1] BINARY.SIZE[1])");
  }
}

TEST_CASE("a NUL goes out as 0x80 in a literal, and as it is in a literal8") {
  FetchRig rig;
  const std::string octets("Subject: a\0b\r\n\r\nc\0d\r\n", 21);
  rig.deliver_octets(octets);
  rig.select();
  const auto response = rig.one("FETCH 1 (BODY[] BINARY[] BODY[HEADER.FIELDS (Subject)])");
  CHECK(response.at("BODY[]") ==
        "Subject: a\x80"
        "b\r\n\r\nc\x80"
        "d\r\n");
  CHECK(response.forms.at("BODY[]") == 'l');
  CHECK(response.at("BODY[HEADER.FIELDS (Subject)]") ==
        "Subject: a\x80"
        "b\r\n\r\n");
  CHECK(response.at("BINARY[]") == octets);
  CHECK(response.forms.at("BINARY[]") == '8');
}

TEST_CASE("a multipart without parts has none to give, though its structure shows an empty one") {
  FetchRig rig;
  rig.deliver("Content-Type: multipart/mixed; boundary=never\n\nnot a part\n");
  rig.select();
  CHECK(rig.item("BODY") ==
        R"((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0) "mixed"))");
  CHECK(rig.item("BODY[1]") == "NIL");
  CHECK(rig.item("BODY[TEXT]") == "not a part\r\n");
}

namespace {

void collect_paths(const mail::Part& part, const std::string& path, bool is_root_of_message,
                   std::vector<std::pair<std::string, const mail::Part*>>& out) {
  if (part.is_multipart()) {
    for (std::size_t i = 0; i < part.children.size() && i < 20; ++i) {
      const std::string child = (path.empty() ? "" : path + ".") + std::to_string(i + 1);
      out.emplace_back(child, &part.children[i]);
      collect_paths(part.children[i], child, false, out);
    }
    return;
  }
  if (is_root_of_message) {
    const std::string child = path.empty() ? "1" : path + ".1";
    out.emplace_back(child, &part);
    if (part.is_message() && !part.children.empty())
      collect_paths(part.children[0], child, true, out);
  } else if (part.is_message() && !part.children.empty()) {
    collect_paths(part.children[0], path, true, out);
  }
}

std::string without_nul(std::string text) {
  std::replace(text.begin(), text.end(), '\0', '\x80');
  return text;
}

void check_all_sections(FetchRig& rig, std::uint32_t number, const std::string& whole) {
  const mail::Message message = mail::parse_message(whole);
  const auto part_of = [&](mail::Span span) { return whole.substr(span.begin, span.size()); };
  REQUIRE(rig.item("BODY.PEEK[]", number) == without_nul(whole));
  std::string header;
  append_header_fields(header, part_of(message.root.header), {"Subject", "received"}, false);
  REQUIRE(rig.item("BODY.PEEK[HEADER.FIELDS (Subject received)]", number) == without_nul(header));
  std::vector<std::pair<std::string, const mail::Part*>> parts;
  collect_paths(message.root, "", true, parts);
  if (parts.size() > 40) parts.resize(40);
  for (const auto& [path, part] : parts) {
    CAPTURE(path);
    REQUIRE(rig.item("BODY.PEEK[" + path + "]", number) == without_nul(part_of(part->body)));
    REQUIRE(rig.item("BODY.PEEK[" + path + ".MIME]", number) == without_nul(part_of(part->header)));
    const auto encoding = mail::transfer_encoding(part->encoding);
    if (part->is_multipart() || part->is_message()) continue;
    const std::string binary = rig.fetch("FETCH " + std::to_string(number) + " (UID BINARY.PEEK[" +
                                         path + "] BINARY.SIZE[" + path + "])");
    const auto response = imap::test::parse_responses(binary).at(0);
    if (encoding == mail::TransferEncoding::kUnknown) {
      REQUIRE(rig.troubles.unknown_encoding);
      REQUIRE(response.items.size() == 1);
      continue;
    }
    const std::string decoded = mail::decode_transfer(encoding, part_of(part->body));
    REQUIRE(response.at("BINARY[" + path + "]") == decoded);
    REQUIRE(response.at("BINARY.SIZE[" + path + "]") == std::to_string(decoded.size()));
    if (decoded.find('\0') != std::string::npos) {
      REQUIRE(response.forms.at("BINARY[" + path + "]") == '8');
    }
  }
}

}  // namespace

TEST_CASE("every section of every message of the corpus is what its place in the message says") {
  const char* set = std::getenv("TWINPOST_CORPUS");
  const std::filesystem::path folder = set != nullptr ? set : "../shared/corpus";
  std::error_code error;
  std::vector<std::string> wholes;
  FetchRig rig;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, error)) {
    if (entry.path().extension() != ".eml" || entry.file_size() > 200'000) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    rig.deliver_octets(std::string(std::istreambuf_iterator<char>(file), {}));
    const store::Uid uid(static_cast<std::uint32_t>(wholes.size() + 1));
    wholes.push_back(rig.fixture.text(rig.fixture.inbox, uid));
  }
  if (wholes.empty()) {
    MESSAGE("skipped: no corpus in ", folder.string());
    return;
  }
  rig.select();
  for (std::uint32_t number = 1; number <= wholes.size(); ++number) {
    CAPTURE(number);
    check_all_sections(rig, number, wholes[number - 1]);
    rig.fetch("FETCH " + std::to_string(number) + " (ENVELOPE BODY BODYSTRUCTURE PREVIEW)");
  }
}
