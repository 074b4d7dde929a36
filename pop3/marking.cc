// DELE, NOOP and RSET (RFC 1939 section 5). Marks are the session's own; the store hears of them at
// QUIT only.
#include <string>

#include "pop3/commands.h"

namespace twinpost::pop3::commands {

Task<void> dele(Session& session, const Command& command) {
  if (session.check_number(*command.number)) {
    session.maildrop().mark(*command.number);
    session.reply_ok("message " + std::to_string(command.number->value()) + " deleted");
  }
  co_return;
}

Task<void> noop(Session& session, const Command&) {
  session.reply_ok("");
  co_return;
}

Task<void> rset(Session& session, const Command&) {
  session.maildrop().unmark_all();
  session.reply_ok("maildrop has " + messages(session.maildrop().message_count()) + " (" +
                   std::to_string(session.maildrop().total_octets()) + " octets)");
  co_return;
}

// RFC 1460: the highest number that RETR was given.
Task<void> last(Session& session, const Command&) {
  session.reply_ok(std::to_string(session.maildrop().last_retrieved()));
  co_return;
}

}  // namespace twinpost::pop3::commands
