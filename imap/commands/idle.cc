// IDLE (RFC 2177, RFC 9051 6.3.13).
#include <algorithm>
#include <string>

#include "core/base/ascii.h"
#include "imap/commands.h"
#include "imap/session.h"

namespace twinpost::imap::commands {
Task<Reply> idle(Session& session, const Command&) {
  session.send("+ idling\r\n");
  const SteadyTime deadline = steady_now() + session.config()->limits.idle_time_imap;
  while (!session.ended()) {
    if (session.selected() != nullptr) {
      co_await session.sync(true);
      session.end_if_gone();
      if (session.ended()) break;
    }
    const auto left = std::chrono::ceil<Duration>(deadline - steady_now());
    const Duration wait = std::clamp(left, Duration(1), session.context().keep_alive);
    const auto woken = co_await session.connection().wait_input(wait);
    if (woken) {
      if (*woken == net::Wake::kWoken) continue;
      const auto line = co_await session.read_line();
      if (!line) {
        if (line.error().code == ErrorCode::kTooLarge) co_return Reply::bad("Expected DONE");
        session.handle_read_error(line.error());
        break;
      }
      if (ascii::equals_ignore_case(*line, "DONE")) co_return Reply::ok("IDLE terminated");
      co_return Reply::bad("Expected DONE");
    }
    if (woken.error().code != ErrorCode::kTimeout || steady_now() >= deadline) {
      session.handle_read_error(woken.error());
      break;
    }
    session.untagged("OK Still here");
    if (!co_await session.drained()) break;
  }
  co_return Reply::said();
}

}  // namespace twinpost::imap::commands
