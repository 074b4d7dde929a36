// LOGIN and AUTHENTICATE (RFC 9051 6.2.2 and 6.2.3; RFC 4616, 4959).
#include <optional>
#include <string>
#include <utility>

#include "core/auth/sasl.h"
#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "imap/commands.h"
#include "imap/session.h"

namespace twinpost::imap::commands {
namespace {

// RFC 5530 section 3.
Reply needs_tls() {
  return Reply::no("Passwords are taken over TLS only here: use STARTTLS, or the port with TLS",
                   "PRIVACYREQUIRED");
}

auth::Login make_login(Session& session) {
  auth::Login login;
  login.protocol = auth::Protocol::kImap;
  login.address = session.connection().peer().address;
  return login;
}

// The client's first message, base64; nullopt where it cancelled (RFC 9051 6.2.2) or is gone.
Task<std::optional<std::string>> sasl_response(Session& session,
                                               std::optional<std::string_view> initial) {
  if (initial) co_return std::string(*initial);
  session.send("+ \r\n");
  const auto line = co_await session.read_line();
  if (!line) {
    if (line.error().code != ErrorCode::kTooLarge) session.handle_read_error(line.error());
    co_return std::nullopt;
  }
  if (*line == "*") co_return std::nullopt;
  co_return std::string(*line);
}

}  // namespace

Task<Reply> login(Session& session, const Command& command) {
  if (!session.may_log_in()) co_return needs_tls();
  const auto& arguments = std::get<Login>(command.arguments);
  auth::Login request = make_login(session);
  request.user = arguments.user;
  request.password = arguments.password;
  Reply reply = co_await session.log_in(std::move(request));
  co_return reply;
}

Task<Reply> authenticate(Session& session, const Command& command) {
  const auto& arguments = std::get<Authenticate>(command.arguments);
  if (!ascii::equals_ignore_case(arguments.mechanism, "PLAIN")) {
    co_return Reply::no("This mechanism is not offered", "CANNOT");
  }
  if (!session.may_log_in()) co_return needs_tls();
  auto response = co_await sasl_response(session, arguments.initial_response);
  if (!response) co_return Reply::bad("Authentication cancelled");
  auto message = base64_decode(*response);
  wipe(*response);
  if (!message) co_return Reply::bad("Not base64");
  auto credentials = auth::parse_sasl_plain(*message);
  wipe(*message);
  if (!credentials) co_return Reply::bad("Not a message of SASL PLAIN");
  auth::Login request = make_login(session);
  request.authorize_as = std::move(credentials->authorize_as);
  request.user = std::move(credentials->user);
  request.password = std::move(credentials->password);
  Reply reply = co_await session.log_in(std::move(request));
  co_return reply;
}

}  // namespace twinpost::imap::commands
