// USER and PASS (RFC 1939 section 7), AUTH PLAIN (RFC 5034, RFC 4616), and how a login becomes a
// session with a maildrop.
#include <utility>

#include "core/auth/sasl.h"
#include "core/base/encoding.h"
#include "core/base/log.h"
#include "pop3/commands.h"

namespace twinpost::pop3 {
namespace {

// RFC 4616 section 2 asks for three times 255 octets, RFC 5034 section 4 puts them above the limit
// of a command line.
constexpr std::size_t kSaslLine = 2048;

// Said before a password is sent, to USER and to a bare AUTH PLAIN. RFC 3206 advises against [AUTH]
// on USER because it tells that the user exists; this answer is the same for every name, and why it
// is [SYS/PERM]: response.h.
constexpr std::string_view kNeedsTls =
    "passwords are taken over TLS only here: use STLS, or the POP3 port with TLS";

void reply_needs_tls(Session& session) { session.reply_error(ResponseCode::kSysPerm, kNeedsTls); }

auth::Login make_login(Session& session) {
  auth::Login login;
  login.protocol = auth::Protocol::kPop3;
  login.address = session.connection().peer().address;
  return login;
}

// The mechanisms, one a line: what "AUTH" alone meant before CAPA was there; old clients still send
// it.
void list_mechanisms(Session& session) {
  session.reply_ok("mechanisms follow");
  if (session.may_log_in()) session.connection().queue("PLAIN\r\n");
  session.connection().queue(".\r\n");
}

// The client's first message, base64. nullopt where the exchange is over; the -ERR has been said
// then.
Task<std::optional<std::string>> sasl_response(Session& session,
                                               std::optional<std::string> initial) {
  if (initial) co_return *initial == "=" ? std::string() : *initial;
  session.connection().queue("+ \r\n");  // RFC 5034 section 4: an empty challenge
  const auto line = co_await session.read_line(kSaslLine);
  if (!line) {
    session.handle_read_error(line.error());
    co_return std::nullopt;
  }
  if (*line == "*") {
    session.reply_error("authentication cancelled");
    co_return std::nullopt;
  }
  co_return std::string(*line);
}

}  // namespace

namespace commands {

Task<void> user(Session& session, const Command& command) {
  if (!session.may_log_in()) {
    reply_needs_tls(session);
    co_return;
  }
  session.user_name() = command.text;
  session.reply_ok("send PASS");  // for every name: RFC 1939 section 13
}

Task<void> pass(Session& session, const Command& command) {
  if (!session.may_log_in()) {
    reply_needs_tls(session);
    co_return;
  }
  if (session.user_name().empty()) {
    session.reply_bad_command("send USER first");
    co_return;
  }
  auth::Login login = make_login(session);
  login.user = std::exchange(session.user_name(), {});
  login.password = command.text;
  co_await session.log_in(std::move(login));
}

Task<void> auth(Session& session, const Command& command) {
  if (command.text.empty()) {
    list_mechanisms(session);
    co_return;
  }
  if (command.text != "PLAIN") {
    session.reply_bad_command("unknown mechanism");
    co_return;
  }
  if (!session.may_log_in()) {
    reply_needs_tls(session);
    co_return;
  }
  auto response = co_await sasl_response(session, command.initial_response);
  if (!response) co_return;
  auto message = base64_decode(*response);
  wipe(*response);
  if (!message) {
    session.reply_bad_command("not base64");
    co_return;
  }
  auto credentials = auth::parse_sasl_plain(*message);
  wipe(*message);
  if (!credentials) {
    session.reply_bad_command("not a message of SASL PLAIN");
    co_return;
  }
  auth::Login login = make_login(session);
  login.authorize_as = std::move(credentials->authorize_as);
  login.user = std::move(credentials->user);
  login.password = std::move(credentials->password);
  co_await session.log_in(std::move(login));
}

// RFC 1939 section 7. The digest gives no password away, but what follows can be read by others: where that
// is forbidden, so is this.
Task<void> apop(Session& session, const Command& command) {
  if (session.challenge().empty()) {
    session.reply_bad_command("APOP is not available here");
    co_return;
  }
  if (!session.may_use_apop()) {
    reply_needs_tls(session);
    co_return;
  }
  auth::Login login = make_login(session);
  login.user = command.text;
  login.apop_challenge = session.challenge();
  login.apop_digest = command.digest;
  co_await session.log_in(std::move(login));
}

}  // namespace commands

bool Session::may_use_apop() const {
  return context_.some_account_has_apop() &&
         (connection_.is_tls() || config()->plaintext_login != config::PlaintextLogin::kNever);
}

bool Session::may_log_in() const {
  return auth::may_send_password(config()->plaintext_login, connection_.is_tls(),
                                 connection_.peer().is_loopback);
}

Task<void> Session::log_in(auth::Login login) {
  auto result = co_await context_.services.directory.login(std::move(login));
  if (!result.account) {
    switch (result.failure) {
      case auth::LoginFailure::kCredentials: co_await fail_credentials(); co_return;
      case auth::LoginFailure::kProtocolDisabled:
        reply_login_failed(ResponseCode::kSysPerm,
                           disabled_text(*result.refused, "POP3 is switched off for this account"));
        co_return;
      case auth::LoginFailure::kTemporary:
        reply_login_failed(ResponseCode::kSysTemp, "the password can't be checked now, try later");
        co_return;
    }
    co_return;
  }
  account_ = std::move(result.account);
  if (!context_.login_delays.admit(account_->name, config()->limits.login_delay_pop3,
                                   steady_now())) {
    reply_login_failed(ResponseCode::kLoginDelay,
                       "the mail was looked at a moment ago, wait a little");
  } else if (co_await register_session(*account_)) {
    co_await open_maildrop();
  }
  if (!maildrop_) {
    registration_.reset();
    account_.reset();
  }
}

Task<void> Session::fail_credentials() {
  std::function<bool()> is_over = [this] { return connection_.interrupted(); };
  co_await failed_logins_.hold_back(context_.services.executor, context_.failed_login_delay,
                                    std::move(is_over));
  reply_login_failed(ResponseCode::kAuth, "wrong user name or password");
}

void Session::reply_login_failed(ResponseCode code, std::string_view text) {
  if (!failed_logins_.count()) {
    reply_error(code, text);
    return;
  }
  reply_error(code, std::string(text) + "; too many failed logins, closing");
  end("failed-logins");
}

// From here on the session can be ended from outside. False: refused, and the client knows why.
Task<bool> Session::register_session(const config::Account& account) {
  auth::Sessions::Entry entry;
  entry.account = account.name;
  entry.protocol = auth::Protocol::kPop3;
  entry.address = connection_.peer().address;
  entry.end = [this](auth::EndReason reason) { on_end_requested(reason); };
  entry.status = [this] { return status(); };
  auto registration = auth::register_session(context_.services, account, std::move(entry));
  if (registration) {
    registration_ = std::move(*registration);
    co_return true;
  }
  switch (registration.error().code) {
    case ErrorCode::kPermission: co_await fail_credentials(); break;
    case ErrorCode::kUnsupported:
      reply_login_failed(ResponseCode::kSysPerm,
                         disabled_text(account, "POP3 is switched off for this account"));
      break;
    default:
      reply_login_failed(ResponseCode::kSysTemp, "this account has too many sessions already");
  }
  co_return false;
}

Task<void> Session::open_maildrop() {
  auto opened =
      co_await Maildrop::open(context_.store, *context_.locks, account_->name, account_->pop3);
  if (opened) {
    maildrop_ = std::move(*opened);
    state_ = State::kTransaction;
    reply_ok("maildrop has " + messages(maildrop_->message_count()) + " (" +
             std::to_string(maildrop_->total_octets()) + " octets)");
    co_return;
  }
  if (opened.error().code == ErrorCode::kInUse) {
    reply_login_failed(ResponseCode::kInUse, "another POP3 session has this maildrop, try later");
    co_return;
  }
  if (opened.error().code == ErrorCode::kNotFound) {
    log::error("pop3-maildrop-missing",
               {{"account", account_->name}, {"mailbox", account_->pop3.maildrop}});
    reply_login_failed(ResponseCode::kSysPerm,
                       "the mailbox that POP3 is to show for this account is not there");
    co_return;
  }
  log::error("pop3-maildrop", {{"account", account_->name}, {"error", opened.error().message}});
  reply_login_failed(response_code_for(opened.error()), "the maildrop can't be opened now");
}

}  // namespace twinpost::pop3
