// The admin socket's connections: reads requests, runs each on a thread of its own, sends progress
// and answers (admin.h).
//
// Loop thread only. An operation ends by itself or at its next progress after it was told to end:
// when its client goes, when the connection is interrupted (the server stops), and when this goes,
// which waits for it. So none outlives the store.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "core/base/executor.h"
#include "core/base/task.h"
#include "core/config/config.h"
#include "core/net/connection.h"
#include "core/server/admin.h"

namespace twinpost::server {

// Connections at once; more are refused.
inline constexpr std::size_t kAdminConnections = 64;

class AdminService {
 public:
  // The files as they are in force at a moment.
  struct InForce {
    config::ServerConfigPtr config;
    config::AccountsConfigPtr accounts;
  };

  // Answers what concerns the loop alone, at once, whatever operations run; nullopt: it is none of those.
  using OnLoop = std::function<std::optional<Json>(const Json& request)>;

  AdminService(Executor& loop, store::Store& store, std::function<InForce()> in_force,
               OnLoop on_loop = {});
  ~AdminService();
  AdminService(const AdminService&) = delete;
  AdminService& operator=(const AdminService&) = delete;

  // One connection, to its end.
  Task<void> serve(net::Connection& connection);

 private:
  class Operation;
  struct Request;

  Task<void> serve_requests(net::Connection& connection);
  // False where the connection must end.
  Task<bool> serve_one(net::Connection& connection, std::string line);
  Task<Result<void>> read_payload(net::Connection& connection, Request& request);
  Task<std::string> run(net::Connection& connection, Request& request);

  Executor& loop_;
  store::Store& store_;
  std::function<InForce()> in_force_;
  OnLoop on_loop_;
  std::size_t connections_ = 0;
  std::set<std::shared_ptr<Operation>> running_;
};

// A request's line: a JSON object, not nested deeper than any operation needs. For tests.
[[nodiscard]] Result<Json> parse_admin_line(std::string_view line);

}  // namespace twinpost::server
