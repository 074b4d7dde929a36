#include <doctest/doctest.h>

#include "tests/pop3/pop3_frontend.h"
#include "tests/support/transcript.h"

using namespace twinpost;

TEST_CASE("every POP3 transcript plays as it is written") {
  const auto files = testing::transcripts_of("pop3");
  REQUIRE_FALSE(files.empty());
  const testing::FrontendFactory factory = testing::pop3_frontend();
  for (const auto& file : files) {
    for (const std::string& problem : testing::play_transcript(file, factory)) FAIL_CHECK(problem);
  }
}
