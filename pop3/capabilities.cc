// CAPA (RFC 2449 section 5) and STLS (RFC 2595 section 4).
#include <string>
#include <string_view>

#include "pop3/commands.h"

namespace twinpost::pop3::commands {
namespace {

// EXPIRE (RFC 2449 section 6.7): 0 where a retrieved message leaves the maildrop at QUIT. Before
// the login the least that any account has is shown, and that it differs.
std::string_view expiry(Session& session) {
  if (session.state() == State::kTransaction) {
    const bool stays = session.account().pop3.after_retrieve == config::Pop3Action::kNothing;
    return stays ? "NEVER" : "0";
  }
  return session.context().some_account_expires() ? "0 USER" : "NEVER";
}

// RFC 2595 section 4: named only where it is permitted now.
bool may_start_tls(Session& session) {
  return session.state() == State::kAuthorization && !session.connection().is_tls() &&
         session.context().tls() != nullptr;
}

}  // namespace

// No LOGIN-DELAY: there is none. USER and SASL stay after the login (RFC 2449 section 5, RFC 5034
// section 3).
Task<void> capa(Session& session, const Command&) {
  std::string lines = ok_line("capability list follows");
  lines += "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n";
  lines.append("EXPIRE ").append(expiry(session)).append("\r\n");
  if (may_start_tls(session)) lines += "STLS\r\n";
  if (session.may_log_in()) lines += "USER\r\nSASL PLAIN\r\n";
  lines += "IMPLEMENTATION Twinpost\r\n.\r\n";
  session.connection().queue(lines);
  co_return;
}

// The connection throws away what came in the clear after STLS (RFC 2595 section 9), execute() the
// name that USER gave.
Task<void> stls(Session& session, const Command&) {
  if (session.connection().is_tls()) {
    session.reply_bad_command("command not permitted when TLS active");
    co_return;
  }
  net::TlsContextPtr context = session.context().tls();
  if (!context) {
    session.reply_bad_command("TLS is not available here: no certificate is configured");
    co_return;
  }
  session.reply_ok("begin TLS negotiation");
  const auto secured = co_await session.connection().start_tls(std::move(context), net::Alpn::kPop3,
                                                               session.login_time_left());
  if (!secured) session.drop("tls: " + secured.error().message);
}

}  // namespace twinpost::pop3::commands
