// The admin socket: what `twinpost` asks a running server to do.
//
// One connection: requests one after the other, each a line of JSON (UTF-8, at most kAdminLine octets) and, where the
// line has "octets": N, N octets of payload after its line end. Answers are lines of JSON:
//
//   C: {"do":"undelete","account":"ann@example.org","ids":["1700000000-1-17"]}
//   S: {"progress":"bodies","done":10,"total":100}            any number of these, at most four a second
//   S: {"ok":true,"messages":[...]}                           what the operation answers
//   S: {"ok":false,"code":"not-found","error":"no account named ann@example.org"}   code: to_string(ErrorCode)
//
// The socket is a Unix socket that its owner alone may open (0600); the peer's user must be root or the one that the
// server runs as (SO_PEERCRED). A TCP address in listen.admin is refused at start. A request that is not understood is
// answered, and the connection goes on; one whose line or payload is too large ends it, as does a line that is no JSON object or
// whose "octets" is no number: what follows it may be mail, which must never be taken for requests. A client that goes away cancels its
// operation at the next progress. Each operation runs on a thread of its own, at most kAdminOperations at once ("limit").
//
// The operations (core/server/commands/, one file a family) are functions of a store and a request: the tool runs the very same
// ones itself where no server has the store open (tools/twinpost/store_access.h).
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/config/config.h"
#include "store/prepare.h"
#include "store/store.h"

namespace twinpost::server {

using Json = nlohmann::json;

inline constexpr std::size_t kAdminLine = 1024 * 1024;
inline constexpr std::uint64_t kAdminPayload = 4ULL * 1024 * 1024 * 1024;
inline constexpr std::size_t kAdminOperations = 8;

// What an operation works on. The thread that runs it owns it.
struct AdminJob {
  store::Store& store;
  // The files as they are in force.
  config::ServerConfigPtr config;
  config::AccountsConfigPtr accounts;
  Json request;
  // Finished; null where the request has no payload. As it came: line ends included, which the operations that
  // store it need to be CRLF already.
  std::shared_ptr<const store::Spool> payload;
  // Told to the client; false: it has gone, or the server stops.
  store::Progress progress;
};

// The answer without "ok".
using AdminOperation = Result<Json> (*)(AdminJob& job);

// nullptr where there is none of that name.
[[nodiscard]] AdminOperation find_admin_operation(std::string_view name);

// The code of that name; kInternal for one that this version does not know.
[[nodiscard]] ErrorCode error_code_of(std::string_view name);

// The answer that says it.
[[nodiscard]] Json admin_error(const Error& error);

// Runs the request and makes the whole answer of it, "ok" included. kInternal for exceptions. Any thread that may block.
[[nodiscard]] Json run_admin_operation(AdminJob& job);

}  // namespace twinpost::server
