#include "lmtp/lmtp.h"

#include <exception>
#include <fmt/format.h>

#include "core/base/encoding.h"
#include "core/base/log.h"
#include "lmtp/session.h"

namespace twinpost::lmtp {

namespace {

// A broken invariant ends the session, not the server. The id joins what the client saw and what
// the log has.
void report_bug(Context& context, net::Connection& connection, const std::string& what) {
  const std::string id = fmt::format("{:016x}", random_u64());
  log::error(
      "session-bug",
      {{"protocol", "lmtp"}, {"address", connection.peer().address}, {"id", id}, {"reason", what}});
  const Reply reply{421, "4.3.0",
                    fmt::format("{} Internal trouble, id {}", context.services.hostname, id)};
  connection.queue(to_wire(reply));
}

}  // namespace

Task<void> serve(Context& context, net::Connection& connection) {
  std::string bug;
  {
    Session session(context, connection);
    try {
      co_await session.run();
    } catch (const std::exception& exception) {
      bug = exception.what();
      if (bug.empty()) bug = "exception";
    } catch (...) {
      bug = "exception of unknown type";
    }
  }
  if (!bug.empty()) report_bug(context, connection, bug);
  co_await connection.close(bounded(context.services.config()->limits.stop_time));
}

}  // namespace twinpost::lmtp
