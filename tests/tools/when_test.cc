// Times and texts of the admin tool's command line.
#include "tools/twinpost/when.h"

#include <cstdlib>
#include <ctime>
#include <doctest/doctest.h>

#include "tools/twinpost/shown.h"

using namespace twinpost;
using tools::column;
using tools::DayEdge;
using tools::parse_when;
using tools::shown;

namespace {

// A zone for the test's time, with a change of the clocks.
struct Zone {
  explicit Zone(const char* name) {
    ::setenv("TZ", name, 1);
    ::tzset();
  }
  ~Zone() {
    ::unsetenv("TZ");
    ::tzset();
  }
};

constexpr UnixTime kNow{std::chrono::seconds(1'795'435'200)};  // 2026-11-23T12:00:00Z
constexpr const char* kBerlin = "CET-1CEST,M3.5.0,M10.5.0/3";

std::string when(std::string_view text, DayEdge edge = DayEdge::kBegin) {
  const auto time = parse_when(text, kNow, edge);
  return time ? format_rfc3339(*time) : "no time";
}

}  // namespace

TEST_CASE("times are read in the local zone") {
  const Zone zone(kBerlin);
  CHECK(when("2026-11-20") == "2026-11-19T23:00:00Z");
  CHECK(when("2026-11-20", DayEdge::kEnd) == "2026-11-20T22:59:59Z");
  CHECK(when("2026-07-01T14:00") == "2026-07-01T12:00:00Z");
  CHECK(when("2026-07-01 14:00:30") == "2026-07-01T12:00:30Z");
  CHECK(when("2026-02-30") == "no time");
  CHECK(when("2026-03-29T02:30") == "no time");  // the hour that summer time leaves out
  CHECK(when("today") == "2026-11-22T23:00:00Z");
  CHECK(when("yesterday") == "2026-11-21T23:00:00Z");
  CHECK(when("yesterday", DayEdge::kEnd) == "2026-11-22T22:59:59Z");
  CHECK(tools::format_local(kNow) == "2026-11-23 13:00:00");
}

TEST_CASE("ages count back from now") {
  const Zone zone("UTC0");
  CHECK(when("90s") == "2026-11-23T11:58:30Z");
  CHECK(when("30min") == "2026-11-23T11:30:00Z");
  CHECK(when("30m") == "2026-11-23T11:30:00Z");
  CHECK(when("2h") == "2026-11-23T10:00:00Z");
  CHECK(when("3d") == "2026-11-20T12:00:00Z");
  CHECK(when("1w") == "2026-11-16T12:00:00Z");
}

TEST_CASE("what is no time is refused") {
  for (const char* text : {"", "d", "3", "-3d", "3 d", "3x", "2026", "2026-11", "2026-13-01",
                           "2026-1-1", "2026-11-20T", "2026-11-20T24:00", "2026-11-20T14:60",
                           "2026-11-20T14:00Z", "1969-12-31", "99999999999d", "tomorrow"}) {
    INFO(text);
    CHECK(when(text) == "no time");
  }
}

TEST_CASE("what strangers wrote can't do anything to a terminal") {
  CHECK(shown("plain") == "plain");
  CHECK(shown("\x1b[31mred\x07\r\n") == "?[31mred???");
  CHECK(shown("\xc2\x9b"
              "31m") == "?31m");  // a C1 control in UTF-8
  CHECK(shown("a\xe2\x80\xae"
              "txt.exe") == "a?txt.exe");  // right-to-left override
  CHECK(shown("bad \xff\xc3") == "bad ??");
  CHECK(shown("Grüße, 日本") == "Grüße, 日本");
  CHECK(shown("Grüße", 3) == "Gr…");
  CHECK(shown("Grüße", 5) == "Grüße");
  CHECK(column("äb", 4) == "äb  ");
}
