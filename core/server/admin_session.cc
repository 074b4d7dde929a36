#include "core/server/admin_session.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/server/admin_operation.h"

namespace twinpost::server {

using namespace std::chrono_literals;

namespace {

constexpr Duration kGoodbyeTime = 5s;
// A client may take a server that says nothing for a minute as gone.
constexpr Duration kSignOfLife = 10s;
constexpr Duration kPoll = 50ms;
constexpr std::size_t kMaxDepth = 16;
constexpr std::size_t kParseOnLoop = 16 * 1024;  // longer lines are parsed on a worker
constexpr std::size_t kPiece = 64 * 1024;

std::string error_line(const Error& error) {
  return admin_error(error).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// What JSON nests at the deepest, whether it is well-formed or not.
std::size_t depth_of(std::string_view text) {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_text) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_text = false;
      }
    } else if (c == '"') {
      in_text = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

// Root, or the user that the server runs as.
bool is_allowed(const net::Peer& peer) {
  return peer.user && (*peer.user == 0 || *peer.user == ::geteuid());
}

// What changes nothing that an admin would look for in a log, or comes in thousands.
bool is_routine(std::string_view name) {
  constexpr std::array<std::string_view, 8> kRoutine = {"ping",    "space",   "known",   "uidls",
                                                        "deposit", "advance", "account", "adopt"};
  return std::find(kRoutine.begin(), kRoutine.end(), name) != kRoutine.end();
}

std::string text_of(const Json& request, const char* name) {
  const auto found = request.find(name);
  return found != request.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<void> has_room(const std::string& folder, std::uint64_t octets, std::uint64_t reserve) {
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  if (error) return tl::unexpected(system_error(folder, error.value()));
  if (space.available >= reserve && space.available - reserve >= octets) return {};
  return fail(
      ErrorCode::kDiskFull,
      fmt::format("{}: no room for a payload of {} octets above the reserve", folder, octets));
}

}  // namespace

struct AdminService::Request {
  Json json;
  std::uint64_t octets = 0;
  std::shared_ptr<store::Spool> payload;
};

Result<Json> parse_admin_line(std::string_view line) {
  if (depth_of(line) > kMaxDepth) {
    return fail(ErrorCode::kInvalid,
                fmt::format("the request is nested deeper than {} levels", kMaxDepth));
  }
  Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return fail(ErrorCode::kInvalid, "the request is no JSON object");
  if (const auto octets = json.find("octets");
      octets != json.end() && !octets->is_number_unsigned()) {
    return fail(ErrorCode::kInvalid, "octets: must be a whole number");
  }
  return json;
}

AdminService::AdminService(Executor& loop, store::Store& store, std::function<InForce()> in_force,
                           OnLoop on_loop)
    : loop_(loop), store_(store), in_force_(std::move(in_force)), on_loop_(std::move(on_loop)) {}

AdminService::~AdminService() {
  for (const auto& operation : running_) operation->cancel();
  for (const auto& operation : running_) operation->end();
}

Task<void> AdminService::serve(net::Connection& connection) {
  if (!is_allowed(connection.peer())) {
    const std::uint32_t user = connection.peer().user.value_or(~std::uint32_t{0});
    log::warning("refused", {{"service", "admin"}, {"user", user}});
    connection.queue(error_line(
        {ErrorCode::kPermission, "only root and the server's own user may use this socket"}));
  } else if (connections_ >= kAdminConnections) {
    log::warning("refused", {{"service", "admin"}, {"reason", "too many connections"}});
    connection.queue(error_line({ErrorCode::kLimit, "too many admin connections"}));
  } else {
    ++connections_;
    std::exception_ptr broken;
    try {
      co_await serve_requests(connection);
    } catch (...) {
      broken = std::current_exception();
    }
    --connections_;
    if (broken) std::rethrow_exception(broken);
  }
  co_await connection.close(kGoodbyeTime);
}

Task<void> AdminService::serve_requests(net::Connection& connection) {
  for (;;) {
    const Duration idle = in_force_().config->limits.idle_time_lmtp;
    const auto line = co_await connection.read_line(kAdminLine, idle);
    if (!line) {
      if (line.error().code == ErrorCode::kTooLarge) {
        connection.queue(
            error_line({ErrorCode::kTooLarge,
                        fmt::format("the request is longer than {} octets", kAdminLine)}));
      } else if (line.error().code != ErrorCode::kClosed) {
        connection.queue(error_line(line.error()));
      }
      co_return;
    }
    std::string text(*line);
    const bool go_on = co_await serve_one(connection, std::move(text));
    if (!go_on) co_return;
    const auto drained = co_await connection.drained(in_force_().config->limits.write_time);
    if (!drained) co_return;
  }
}

Task<bool> AdminService::serve_one(net::Connection& connection, std::string line) {
  Result<Json> parsed = tl::unexpected(Error{});
  if (line.size() <= kParseOnLoop) {
    parsed = parse_admin_line(line);
  } else {
    parsed = co_await on_worker(loop_, [&line] { return parse_admin_line(line); });
  }
  if (!parsed) {
    connection.queue(error_line(parsed.error()));
    co_return false;
  }
  line = std::string();
  Request request;
  request.json = *std::move(parsed);
  if (const auto octets = request.json.find("octets"); octets != request.json.end()) {
    request.octets = octets->get<std::uint64_t>();
    const auto kept = co_await read_payload(connection, request);
    if (!kept) {
      if (kept.error().code != ErrorCode::kClosed) connection.queue(error_line(kept.error()));
      co_return false;
    }
  }
  std::string answer = co_await run(connection, request);
  connection.queue(answer);
  co_return true;
}

Task<Result<void>> AdminService::read_payload(net::Connection& connection, Request& request) {
  if (request.octets > kAdminPayload) {
    co_return fail(ErrorCode::kTooLarge,
                   fmt::format("octets: a payload can have {} octets", kAdminPayload));
  }
  const InForce now = in_force_();
  const std::string& folder = store_.spool_folder();
  if (request.octets > store::Spool::kSpoolMemory) {
    auto room = co_await on_worker(
        loop_, [&] { return has_room(folder, request.octets, now.config->limits.disk_reserve); });
    if (!room) co_return room;
  }
  request.payload = std::make_shared<store::Spool>(folder, 0);
  store::Spool& spool = *request.payload;
  std::uint64_t left = request.octets;
  while (left > 0) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(left, kPiece));
    const auto piece = co_await connection.read_some(most, now.config->limits.idle_time_lmtp);
    if (!piece) co_return tl::unexpected(piece.error());
    left -= piece->size();
    Result<void> kept;
    if (spool.needs_worker(piece->size())) {
      kept = co_await on_worker(loop_, [&] { return spool.append(*piece); });
    } else {
      kept = spool.append(*piece);
    }
    if (!kept) co_return kept;
  }
  auto finished = co_await on_worker(loop_, [&] { return spool.finish(); });
  co_return finished;
}

// While it works, the client is watched: one that goes away ends its operation. Who sends the next
// request early is no longer watched, but noticed when progress can't be sent.
Task<std::string> AdminService::run(net::Connection& connection, Request& request) {
  const std::string name = text_of(request.json, "do");
  const std::string account = text_of(request.json, "account");
  if (on_loop_) {
    if (const auto answer = on_loop_(request.json)) {
      co_return answer->dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    }
  }
  if (running_.size() >= kAdminOperations) {
    co_return error_line(
        {ErrorCode::kLimit,
         fmt::format("{} operations run already, try again later", kAdminOperations)});
  }
  InForce now = in_force_();
  AdminJob job{
      store_, now.config, now.accounts, std::move(request.json), std::move(request.payload), {}};
  const auto operation = std::make_shared<Operation>(loop_, std::move(job));
  const SteadyTime began = steady_now();
  if (auto started = operation->start([&connection] { connection.wake(); }); !started) {
    co_return error_line(started.error());
  }
  running_.insert(operation);
  bool watched = true;
  SteadyTime told = began;
  while (!operation->is_finished()) {
    if (watched) {
      const auto woken = co_await connection.wait_input(kSignOfLife);
      const bool lost = !woken && woken.error().code != ErrorCode::kTimeout;
      if (lost) operation->cancel();
      if (lost || (woken && *woken == net::Wake::kInput)) watched = false;
    } else {
      co_await sleep_for(loop_, kPoll);
      const auto drained = co_await connection.drained(kPoll);
      const bool lost = !drained && drained.error().code != ErrorCode::kTimeout;
      if (lost || connection.interrupted()) operation->cancel();
    }
    auto progress = operation->take_progress();
    if (!progress && steady_now() - told >= kSignOfLife) progress = operation->last_progress();
    // A client that does not read gets no more of it.
    if (!progress || operation->is_finished() || connection.unsent() > net::kHighWater) continue;
    told = steady_now();
    connection.queue(*progress);
    connection.flush();
  }
  running_.erase(operation);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(steady_now() - began);
  const std::string_view result = operation->succeeded() ? "ok" : to_string(operation->outcome());
  const log::Level level = is_routine(name) ? log::Level::kDebug : log::Level::kInfo;
  if (log::enabled(level)) {
    log::write(level, "admin",
               {{"do", ascii::printable(name, 60)},
                {"account", ascii::printable(account)},
                {"user", connection.peer().user.value_or(0)},
                {"result", result},
                {"ms", took.count()}});
  }
  co_return operation->take_answer();
}

}  // namespace twinpost::server
