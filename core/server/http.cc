#include "core/server/http.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/log.h"

namespace twinpost::server {

using namespace std::chrono_literals;

namespace {

constexpr Duration kGoodbyeTime = 5s;
constexpr auto kReadEvery = 1s;

// Counts while it lives.
class Counted {
 public:
  explicit Counted(std::size_t& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::size_t& count_;
};

// RFC 9110 5.6.2
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return ascii::is_alnum(c) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

// RFC 9112 3.2: the origin form, or the absolute form, which a server must take too.
std::optional<std::string> path_of(std::string_view target) {
  constexpr std::string_view kScheme = "http://";
  if (ascii::starts_with_ignore_case(target, kScheme)) {
    target.remove_prefix(kScheme.size());
    target.remove_prefix(std::min(target.find('/'), target.size()));
    if (target.empty()) target = "/";
  }
  const bool visible =
      std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < 0x7F; });
  if (!visible || !target.starts_with('/')) return std::nullopt;
  return std::string(target.substr(0, target.find('?')));
}

}  // namespace

Result<HttpRequest> parse_request_line(std::string_view line) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return fail(ErrorCode::kInvalid, "not a request line");
  }
  HttpRequest request;
  request.method = std::string(line.substr(0, first));
  const auto path = path_of(line.substr(first + 1, last - first - 1));
  const std::string_view version = line.substr(last + 1);
  constexpr std::string_view kHttp = "HTTP/";
  if (!is_token(request.method) || !path || version.size() != kHttp.size() + 3 ||
      !version.starts_with(kHttp) || !ascii::is_digit(version[5]) || version[6] != '.' ||
      !ascii::is_digit(version[7])) {
    return fail(ErrorCode::kInvalid, "not a request line");
  }
  if (version[5] != '1') return fail(ErrorCode::kUnsupported, "only HTTP/1 is spoken here");
  request.path = *path;
  request.minor_version = version[7] - '0';
  return request;
}

Result<void> take_field(HttpRequest& request, std::string_view line) {
  const auto colon = line.find(':');
  // Section 5.1: no blank before the colon; section 5.2: no folding.
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)) ||
      line.find('\0') != std::string_view::npos || line.find('\r') != std::string_view::npos) {
    return fail(ErrorCode::kInvalid, "not a header field");
  }
  if (!ascii::equals_ignore_case(line.substr(0, colon), "host")) return {};
  // Section 3.2: a request with more than one is refused.
  if (request.has_host) return fail(ErrorCode::kInvalid, "more than one Host");
  request.has_host = true;
  return {};
}

HttpService::HttpService(Executor& loop, store::Store& store,
                         std::function<ServerFigures()> figures)
    : loop_(loop),
      store_(store),
      figures_(std::move(figures)),
      reading_(loop, 1),
      space_(tl::unexpected(Error{})) {}

Task<void> HttpService::serve(net::Connection& connection) {
  if (connections_ >= kHttpConnections) {
    queue(connection, {503, "Service Unavailable", {}, "too many connections\n", false});
    co_await connection.close(kGoodbyeTime);
    co_return;
  }
  const Counted counted(connections_);
  auto request = co_await read_request(connection);
  if (request) {
    const Reply reply = co_await answer(*std::move(request));
    queue(connection, reply);
  } else {
    const std::string text = request.error().message + "\n";
    switch (request.error().code) {
      case ErrorCode::kInvalid: queue(connection, {400, "Bad Request", {}, text, false}); break;
      case ErrorCode::kTooLarge:
        queue(connection, {431, "Request Header Fields Too Large", {}, text, false});
        break;
      case ErrorCode::kTimeout: queue(connection, {408, "Request Timeout", {}, text, false}); break;
      case ErrorCode::kUnsupported:
        queue(connection, {505, "HTTP Version Not Supported", {}, text, false});
        break;
      case ErrorCode::kShutdown:
        queue(connection, {503, "Service Unavailable", {}, text, false});
        break;
      default: break;  // gone
    }
  }
  co_await connection.close(kGoodbyeTime);
}

Task<Result<HttpRequest>> HttpService::read_request(net::Connection& connection) {
  const SteadyTime deadline = steady_now() + kHttpTime;
  std::size_t room = kHttpHead;
  HttpRequest request;
  for (bool first = true;; first = false) {
    const auto left = std::chrono::duration_cast<Duration>(deadline - steady_now());
    if (left <= Duration::zero()) co_return fail(ErrorCode::kTimeout, "the request took too long");
    const auto line = co_await connection.read_line(room, left);
    if (!line && line.error().code == ErrorCode::kTooLarge) {
      co_return fail(ErrorCode::kTooLarge,
                     fmt::format("the request's head is larger than {} octets", kHttpHead));
    }
    if (!line) co_return tl::unexpected(line.error());
    // Each line's end counts too.
    if (line->size() + 2 > room) {
      co_return fail(ErrorCode::kTooLarge,
                     fmt::format("the request's head is larger than {} octets", kHttpHead));
    }
    room -= line->size() + 2;
    if (first) {
      auto parsed = parse_request_line(*line);
      if (!parsed) co_return parsed;
      request = *std::move(parsed);
      continue;
    }
    if (line->empty()) break;
    if (auto taken = take_field(request, *line); !taken) co_return tl::unexpected(taken.error());
  }
  // RFC 9112 3.2
  if (request.minor_version > 0 && !request.has_host) {
    co_return fail(ErrorCode::kInvalid, "no Host");
  }
  co_return request;
}

Task<void> HttpService::refresh_space() {
  const auto permit = co_await reading_.acquire();
  if (read_at_ && steady_now() - *read_at_ < kReadEvery) co_return;
  auto space = co_await on_worker(loop_, [this] { return store_.space(); });
  if (!space) log::error("space-unreadable", {{"reason", space.error().message}});
  space_ = std::move(space);
  read_at_ = steady_now();
}

Task<HttpService::Reply> HttpService::answer(HttpRequest request) {
  Reply reply;
  const bool known = request.path == "/metrics" || request.path == "/healthz";
  const bool allowed = request.method == "GET" || request.method == "HEAD";
  reply.head_only = request.method == "HEAD";
  if (!known) {
    reply.status = 404;
    reply.reason = "Not Found";
    reply.body = "there are /metrics and /healthz\n";
    co_return reply;
  }
  if (!allowed) {
    reply.status = 405;
    reply.reason = "Method Not Allowed";
    reply.body = "GET and HEAD are allowed\n";
    co_return reply;
  }
  co_await refresh_space();
  if (request.path == "/metrics") {
    const ServerFigures server = figures_();
    reply.type = kMetricsType;
    reply.body =
        metrics_text(server, store_.figures(), space_ ? std::optional(*space_) : std::nullopt);
  } else if (space_) {
    reply.body = "ok\n";
  } else {
    reply.status = 503;
    reply.reason = "Service Unavailable";
    reply.body = "the store can't be read; the log says more\n";
  }
  co_return reply;
}

void HttpService::queue(net::Connection& connection, const Reply& reply) {
  const std::string_view type = reply.type.empty() ? "text/plain; charset=utf-8" : reply.type;
  connection.queue(fmt::format("HTTP/1.1 {} {}\r\n", reply.status, reply.reason));
  // RFC 9110 15.5.6: a 405 says what is allowed.
  if (reply.status == 405) connection.queue("Allow: GET, HEAD\r\n");
  connection.queue(
      fmt::format("Content-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n"
                  "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
                  type, reply.body.size()));
  if (!reply.head_only) connection.queue(reply.body);
}

}  // namespace twinpost::server
