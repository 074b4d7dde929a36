// What listen.http understands, and what it shows.
#include "core/server/http.h"

#include <doctest/doctest.h>
#include <map>
#include <sstream>
#include <string>

#include "core/server/metrics.h"

using namespace twinpost;
using server::parse_request_line;
using server::take_field;

TEST_CASE("a request line is method, target and version, and nothing else") {
  const auto request = parse_request_line("GET /metrics?x=1 HTTP/1.1");
  REQUIRE(request);
  CHECK(request->method == "GET");
  CHECK(request->path == "/metrics");
  CHECK(request->minor_version == 1);
  CHECK(parse_request_line("HEAD http://localhost:8080/healthz HTTP/1.0")->path == "/healthz");
  CHECK(parse_request_line("GET http://localhost HTTP/1.1")->path == "/");
  for (const char* line :
       {"", "GET", "GET /", "GET / ", " / HTTP/1.1", "GET  HTTP/1.1", "GET / HTTP/11",
        "GET / http/1.1", "GET metrics HTTP/1.1", "G@T / HTTP/1.1", "GET /a b HTTP/1.1",
        "GET /\x01 HTTP/1.1", "GET * HTTP/1.1"}) {
    INFO(line);
    const auto refused = parse_request_line(line);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::kInvalid);
  }
  CHECK(parse_request_line("GET / HTTP/2.0").error().code == ErrorCode::kUnsupported);
}

TEST_CASE("header fields are read strictly") {
  server::HttpRequest request;
  CHECK(take_field(request, "Accept: */*"));
  CHECK_FALSE(request.has_host);
  CHECK(take_field(request, "hOST: localhost"));
  CHECK(request.has_host);
  CHECK_FALSE(take_field(request, "Host: other"));
  CHECK_FALSE(take_field(request, "Accept : */*"));
  CHECK_FALSE(take_field(request, " folded: x"));
  CHECK_FALSE(take_field(request, "no colon"));
  CHECK_FALSE(take_field(request, ": empty"));
  CHECK_FALSE(take_field(request, "X: a\rb"));
}

namespace {

std::map<std::string, std::string> samples(const std::string& page) {
  std::map<std::string, std::string> found;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    const auto blank = line.rfind(' ');
    CHECK(found.emplace(line.substr(0, blank), line.substr(blank + 1)).second);
  }
  return found;
}

}  // namespace

TEST_CASE("the histogram of commits is cumulative and agrees with its count") {
  server::ServerFigures server;
  server.services = {{"imap", 3, 17}};
  store::StoreFigures figures;
  figures.commits = 10;
  figures.commits_by_time = {1, 2, 3, 0, 0, 0, 1, 3};
  figures.commit_microseconds = 1'500'000;
  store::StoreSpace space;
  space.file_octets = std::uint64_t{1} << 40;
  const auto found = samples(server::metrics_text(server, figures, space));
  CHECK(found.at("twinpost_store_commit_seconds_bucket{le=\"0.0005\"}") == "1");
  CHECK(found.at("twinpost_store_commit_seconds_bucket{le=\"0.001\"}") == "3");
  CHECK(found.at("twinpost_store_commit_seconds_bucket{le=\"0.25\"}") == "7");
  CHECK(found.at("twinpost_store_commit_seconds_bucket{le=\"+Inf\"}") == "10");
  CHECK(found.at("twinpost_store_commit_seconds_count") == "10");
  CHECK(found.at("twinpost_store_commit_seconds_sum") == "1.5");
  CHECK(found.at("twinpost_connections{service=\"imap\"}") == "3");
  CHECK(found.at("twinpost_connections_accepted_total{service=\"imap\"}") == "17");
  CHECK(found.at("twinpost_store_file_bytes") == "1099511627776");
  CHECK(found.at("twinpost_store_up") == "1");
}

TEST_CASE("a data file that can't be read takes only its own figures away") {
  const auto found = samples(server::metrics_text({}, {}, std::nullopt));
  CHECK(found.at("twinpost_store_up") == "0");
  CHECK(found.count("twinpost_store_file_bytes") == 0);
  CHECK(found.at("twinpost_store_commits_total") == "0");
}
