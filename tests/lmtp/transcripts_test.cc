#include <doctest/doctest.h>

#include "lmtp/lmtp.h"
#include "tests/support/transcript.h"

namespace {

using namespace twinpost;

class LmtpFrontend final : public testing::Frontend {
 public:
  explicit LmtpFrontend(testing::FrontendServices services)
      : context_{services.services, services.store, std::move(services.tls)} {}
  Task<void> serve(net::Connection& connection, bool) override {
    return lmtp::serve(context_, connection);
  }
  bool set(std::string_view, std::string_view) override { return false; }

 private:
  lmtp::Context context_;
};

}  // namespace

TEST_CASE("every LMTP transcript plays as it is written") {
  const auto files = testing::transcripts_of("lmtp");
  REQUIRE_FALSE(files.empty());
  const testing::FrontendFactory factory = [](testing::FrontendServices services) {
    return std::make_unique<LmtpFrontend>(std::move(services));
  };
  for (const auto& file : files) {
    for (const std::string& problem : testing::play_transcript(file, factory)) FAIL_CHECK(problem);
  }
}
