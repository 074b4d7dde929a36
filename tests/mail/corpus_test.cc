// Every message of the developers' corpus, whole, cut short, canonical and nested: what must always
// hold, holds. The corpus is data beside the project, found by TWINPOST_CORPUS or in
// ../shared/corpus; without it these tests say so and do nothing.
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "core/mail/message.h"
#include "tests/mail/invariants.h"
#include "tests/mail/support.h"

using namespace twinpost::mail;

namespace {

std::filesystem::path corpus_folder() {
  const char* folder = std::getenv("TWINPOST_CORPUS");
  return folder != nullptr ? folder : "../shared/corpus";
}

std::vector<std::filesystem::path> corpus() {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(corpus_folder(), error)) {
    if (entry.path().extension() == ".eml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) MESSAGE("skipped: no corpus in ", corpus_folder().string());
  return files;
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void check(const std::string& octets) {
  const Message message = parse_message(octets);
  CHECK(broken_invariant(octets, message) == "");
}

}  // namespace

TEST_CASE("every message of the corpus parses, as it is and with canonical line ends") {
  for (const auto& path : corpus()) {
    CAPTURE(path);
    const std::string octets = contents(path);
    check(octets);
    check(crlf(octets));
    CHECK(parse_message(octets) == parse_message(octets));
  }
}

TEST_CASE("every message of the corpus parses when it is cut short") {
  for (const auto& path : corpus()) {
    CAPTURE(path);
    const std::string octets = contents(path);
    const std::size_t header = parse_message(octets).root.header.end;
    for (const std::size_t size : {octets.size() / 7, octets.size() / 3, octets.size() / 2,
                                   octets.size() - std::min<std::size_t>(octets.size(), 1),
                                   header / 2, header, std::min(header + 3, octets.size())}) {
      check(octets.substr(0, size));
    }
  }
}

TEST_CASE("every message of the corpus parses the same within a message and within a multipart") {
  for (const auto& path : corpus()) {
    CAPTURE(path);
    const std::string octets = contents(path);
    const Message plain = parse_message(octets);
    const std::string outer = "Subject: outer\r\nContent-Type: message/rfc822\r\n\r\n";
    const std::string nested = outer + outer + octets;
    check(nested);
    const Message message = parse_message(nested);
    const Part& inner = message.root.children[0].children[0];
    CHECK(inner.type == plain.root.type);
    CHECK(inner.subtype == plain.root.subtype);
    CHECK(inner.body.size() == plain.root.body.size());
    CHECK(inner.body_lines == plain.root.body_lines);
    CHECK(inner.children.size() == plain.root.children.size());
    CHECK(*message.root.children[0].envelope == plain.envelope);

    const std::string boundary = "a boundary that no message of the corpus has";
    const std::string wrapped =
        "Content-Type: multipart/mixed; boundary=\"" + boundary + "\"\r\n\r\n--" + boundary +
        "\r\nContent-Type: message/rfc822\r\n\r\n" + octets + "\r\n--" + boundary + "--\r\n";
    check(wrapped);
    const Message in_multipart = parse_message(wrapped);
    REQUIRE(in_multipart.root.children.size() == 1);
    // What the line end before the delimiter completes keeps it: a header, or a closing delimiter's line.
    const Part* last = &plain.root;
    while (!last->children.empty()) last = &last->children.back();
    const bool completes = last->body.size() == 0 || !octets.ends_with('\n');
    const auto size = in_multipart.root.children[0].body.size();
    CHECK((size == octets.size() || (completes && size == octets.size() + 2)));
  }
}

TEST_CASE("all the corpus in one message of messages keeps every one apart") {
  std::string octets = "Content-Type: multipart/digest; boundary=\"between them all\"\r\n\r\n";
  const auto files = corpus();
  for (const auto& path : files) octets += "--between them all\r\n\r\n" + contents(path) + "\r\n";
  octets += "--between them all--\r\n";
  const Message message = parse_message(octets);
  CHECK(broken_invariant(octets, message) == "");
  CHECK(message.root.children.size() == files.size());
}
