// listen.http: GET /metrics and GET /healthz, and nothing else (RFC 9110, RFC 9112). One request a
// connection.
//
// Loop thread only. A request's head is at most kHttpHead octets and must come within kHttpTime; a
// body is not read. It asks for no password, so it belongs on loopback or in a network that may see
// figures.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/executor.h"
#include "core/base/task.h"
#include "core/net/connection.h"
#include "core/server/metrics.h"
#include "store/store.h"

namespace twinpost::server {

inline constexpr std::size_t kHttpHead = 8 * 1024;
inline constexpr Duration kHttpTime = std::chrono::seconds(10);
inline constexpr std::size_t kHttpConnections = 64;

struct HttpRequest {
  std::string method;
  std::string path;  // without query
  bool has_host = false;
  int minor_version = 1;  // of HTTP/1
};

// RFC 9112 section 3. kInvalid, kUnsupported (another major version of HTTP).
[[nodiscard]] Result<HttpRequest> parse_request_line(std::string_view line);
// A header field's line (section 5), noted where it matters. kInvalid.
[[nodiscard]] Result<void> take_field(HttpRequest& request, std::string_view line);

class HttpService {
 public:
  HttpService(Executor& loop, store::Store& store, std::function<ServerFigures()> figures);

  Task<void> serve(net::Connection& connection);

 private:
  struct Reply {
    int status = 200;
    std::string_view reason = "OK";
    std::string_view type = "text/plain; charset=utf-8";
    std::string body;
    bool head_only = false;
  };

  Task<Result<HttpRequest>> read_request(net::Connection& connection);
  Task<Reply> answer(HttpRequest request);
  // Read at most once a second, on a worker: it walks the list of free pages.
  Task<void> refresh_space();
  static void queue(net::Connection& connection, const Reply& reply);

  Executor& loop_;
  store::Store& store_;
  std::function<ServerFigures()> figures_;
  AsyncSemaphore reading_;
  std::optional<SteadyTime> read_at_;
  Result<store::StoreSpace> space_;
  std::size_t connections_ = 0;
};

}  // namespace twinpost::server
