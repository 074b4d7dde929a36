#include <doctest/doctest.h>

#include "tests/imap/imap_frontend.h"
#include "tests/support/transcript.h"

using namespace twinpost;

TEST_CASE("every IMAP transcript plays as it is written") {
  const auto files = testing::transcripts_of("imap");
  REQUIRE_FALSE(files.empty());
  const testing::FrontendFactory factory = testing::imap_frontend();
  for (const auto& file : files) {
    for (const std::string& problem : testing::play_transcript(file, factory)) FAIL_CHECK(problem);
  }
}
