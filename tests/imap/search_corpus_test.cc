// Every message of the corpus, searched whole and in small pieces: both find the same, and what the
// parser shows is found.
#include <algorithm>
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/imap/search_support.h"

using namespace twinpost;
using namespace twinpost::imap;
using namespace twinpost::imap::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

std::vector<fs::path> corpus() {
  const char* wanted = std::getenv("TWINPOST_CORPUS");
  const fs::path folder = wanted != nullptr ? wanted : "../shared/corpus";
  std::vector<fs::path> files;
  if (!fs::is_directory(folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().extension() == ".eml") files.push_back(entry);
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string octets_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("real mail is found the same way whole and in pieces") {
  const auto files = corpus();
  if (files.empty()) {
    MESSAGE("skipped: no corpus");
    return;
  }
  SearchWorld world;
  for (const auto& file : files) world.add(octets_of(file));
  const char* keys[] = {
      "BODY \"the\"",
      "TEXT example",
      "FROM \"@\"",
      "TO \"\"",
      "BODY \"é\"",
      "TEXT \"subject: re\"",
      "BODY <html",
      "SUBJECT \"test\"",
      "HEADER Received by",
      "BODY {2}\r\n\r\n",
      "TEXT \"日本\"",
      "SENTSINCE 1-Jan-2010",
      "NOT (OR BODY a TEXT e)",
      "HEADER Content-Type multipart TEXT boundary",
  };
  for (const std::string key : keys) {
    const std::string whole = world.search(key);
    CHECK(world.unreadable == 0);
    const SearchSettings small{200us, 97};
    CHECK_MESSAGE(world.search(key, small) == whole, key);
    CHECK_MESSAGE(!whole.empty(), key);
  }
}

// The envelope and the header are read by different code.
TEST_CASE("the subject that the envelope of a real message has is found") {
  const auto files = corpus();
  if (files.empty()) {
    MESSAGE("skipped: no corpus");
    return;
  }
  SearchWorld world;
  std::size_t tested = 0;
  for (const auto& file : files) {
    const store::Uid uid = world.add(octets_of(file));
    const auto subject = store::test::must(
        world.store().read_now([&](const store::ReadView& view) -> Result<std::string> {
          auto record = view.message(world.key(), uid);
          if (!record) return tl::unexpected(record.error());
          auto summary = view.summary(record->blob);
          if (!summary) return tl::unexpected(summary.error());
          return summary->message.envelope.subject.value_or("");
        }));
    FieldText field;
    field.begin(subject);
    std::string text;
    while (field.next(text)) {
    }
    // No literal has NUL in it, nor so many octets.
    if (text.empty() || text.size() > 60'000 || text.find('\0') != std::string::npos) continue;
    ++tested;
    const std::string literal = '{' + std::to_string(text.size()) + "}\r\n" + text;
    const std::string number = std::to_string(uid.value());
    for (const std::string key : {"SUBJECT ", "HEADER Subject ", "TEXT "}) {
      CHECK_MESSAGE(world.search("UID " + number + " " + key + literal) == number,
                    file.filename().string(), ": ", key);
    }
  }
  CHECK(tested > files.size() / 2);
}
