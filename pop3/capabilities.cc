// CAPA (RFC 2449 section 5) and STLS (RFC 2595 section 4).
#include <optional>
#include <string>
#include <string_view>

#include "core/base/ascii.h"
#include "pop3/commands.h"

namespace twinpost::pop3::commands {
namespace {

// EXPIRE (RFC 2449 section 6.7). Before the login the least that any account has is shown, and whether it
// differs.
std::string expiry(Session& session) {
  const auto text = [](std::optional<std::uint64_t> days) {
    return days ? std::to_string(*days) : std::string("NEVER");
  };
  if (session.state() == State::kTransaction) return text(expiry_days(session.account().pop3));
  const ExpiryOfAll& all = session.context().expiry();
  return text(all.least) + (all.differs ? " USER" : "");
}

// RFC 2449 section 6.5, in whole seconds; empty where there is none.
std::string login_delay(Session& session) {
  const auto delay = session.config()->limits.login_delay_pop3;
  if (delay.count() == 0) return {};
  return "LOGIN-DELAY " + std::to_string((delay.count() + 999) / 1000) + "\r\n";
}

// RFC 2595 section 4: named only where it is permitted now.
bool may_start_tls(Session& session) {
  return session.state() == State::kAuthorization && !session.connection().is_tls() &&
         session.context().tls() != nullptr;
}

}  // namespace

// USER and SASL stay after the login (RFC 2449 section 5, RFC 5034
// section 3).
Task<void> capa(Session& session, const Command&) {
  std::string lines = ok_line("capability list follows");
  lines += "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nLANG\r\n";
  lines.append("EXPIRE ").append(expiry(session)).append("\r\n");
  lines += login_delay(session);
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

// RFC 6856 section 3. The texts are English; "i-default" is what RFC 2277 section 4.5 calls that where nothing
// was negotiated.
Task<void> lang(Session& session, const Command& command) {
  if (command.text.empty()) {
    session.reply_ok("languages follow");
    session.connection().queue("en English\r\ni-default Default language\r\n.\r\n");
    co_return;
  }
  if (command.text == "*" || ascii::equals_ignore_case(command.text, "en")) {
    session.reply_ok("en from now on");
  } else if (ascii::equals_ignore_case(command.text, "i-default")) {
    session.reply_ok("i-default from now on");
  } else {
    session.reply_error("no such language here");
  }
}

}  // namespace twinpost::pop3::commands
