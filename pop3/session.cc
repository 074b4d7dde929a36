#include "pop3/session.h"

#include <algorithm>
#include <array>
#include <exception>

#include "core/auth/password.h"
#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "core/base/log.h"
#include "pop3/commands.h"

namespace twinpost::pop3 {
namespace {

using namespace std::chrono_literals;

// No limit is still a limit here: a line is memory that a client takes before it has logged in.
std::uint64_t command_line_limit(const config::ServerConfig& settings) {
  constexpr std::uint64_t kUnlimited = 1024 * 1024;
  const std::uint64_t configured = settings.limits.command_line;
  return configured == 0 ? kUnlimited : configured;
}

// RFC 1939 section 7: a msg-id that no other session gets.
std::string make_challenge(std::string_view hostname) {
  return "<" + std::to_string(random_u64()) + "." +
         std::to_string(unix_now().time_since_epoch().count()) + "@" + std::string(hostname) + ">";
}

constexpr unsigned in(State state) { return 1U << static_cast<unsigned>(state); }
constexpr unsigned kBoth = in(State::kAuthorization) | in(State::kTransaction);

// RFC 1939 section 9, with CAPA (RFC 2449 section 5), STLS (RFC 2595 section 4) and AUTH (RFC 5034
// section 4), LANG (RFC 6856 section 3), and LAST of RFC 1460, which old clients still ask for.
struct Route {
  Verb verb;
  unsigned states;
  Task<void> (*handler)(Session&, const Command&);
};
constexpr std::array kRoutes = {
    Route{Verb::kUser, in(State::kAuthorization), commands::user},
    Route{Verb::kPass, in(State::kAuthorization), commands::pass},
    Route{Verb::kAuth, in(State::kAuthorization), commands::auth},
    Route{Verb::kStls, in(State::kAuthorization), commands::stls},
    Route{Verb::kCapa, kBoth, commands::capa},
    Route{Verb::kQuit, kBoth, commands::quit},
    Route{Verb::kStat, in(State::kTransaction), commands::stat},
    Route{Verb::kList, in(State::kTransaction), commands::list},
    Route{Verb::kUidl, in(State::kTransaction), commands::uidl},
    Route{Verb::kRetr, in(State::kTransaction), commands::retr},
    Route{Verb::kTop, in(State::kTransaction), commands::top},
    Route{Verb::kDele, in(State::kTransaction), commands::dele},
    Route{Verb::kNoop, in(State::kTransaction), commands::noop},
    Route{Verb::kRset, in(State::kTransaction), commands::rset},
    Route{Verb::kApop, in(State::kAuthorization), commands::apop},
    Route{Verb::kLast, in(State::kTransaction), commands::last},
    Route{Verb::kLang, kBoth, commands::lang},
};

}  // namespace

Session::Session(Context& context, net::Connection& connection)
    : context_(context),
      connection_(connection),
      login_time_(context.services.config()->limits.login_time),
      end_request_(context.services.executor) {}

Task<void> Session::run(bool implicit_tls) {
  std::exception_ptr broken;
  try {
    co_await converse(implicit_tls);
  } catch (...) {
    broken = std::current_exception();
  }
  if (broken) {
    const std::string id = auth::log_failure("pop3-failed", connection_.peer().address, broken);
    reply_error(ResponseCode::kSysTemp, "Internal error, see the server's log for " + id);
    end("internal-error");
  }
  maildrop_.reset();
  registration_.reset();
  log_end();
  const Duration patience =
      connection_.interrupted() ? auth::kEndGrace : config()->limits.write_time;
  co_await connection_.close(patience);
}

Task<void> Session::converse(bool implicit_tls) {
  if (implicit_tls && !co_await handshake()) co_return;
  if (may_use_apop()) challenge_ = make_challenge(context_.services.hostname);
  reply_ok(context_.services.hostname + " Twinpost POP3 ready" +
           (challenge_.empty() ? "" : " " + challenge_));
  while (state_ != State::kEnded) {
    const auto line = co_await read_line();
    if (!line) {
      handle_read_error(line.error());
      continue;
    }
    Command command = parse_command(*line);
    co_await execute(command);
    wipe(command.text);
    if (command.initial_response) wipe(*command.initial_response);
    // A client that sends commands and takes no answers is not read any further.
    if (connection_.unsent() > net::kHighWater) co_await drained();
  }
}

Task<bool> Session::handshake() {
  net::TlsContextPtr context = context_.tls();
  if (!context) {
    drop("no-certificate");
    co_return false;
  }
  const auto secured =
      co_await connection_.start_tls(std::move(context), net::Alpn::kPop3, login_time_left());
  if (!secured) drop("tls: " + secured.error().message);
  co_return secured.has_value();
}

Task<void> Session::execute(const Command& command) {
  last_command_was_bad_ = false;
  // RFC 1939 section 7: PASS may only be given immediately after a successful USER.
  if (command.verb != Verb::kPass) user_name_.clear();
  if (command.verb == Verb::kInvalid) {
    reply_bad_command(command.problem);
  } else {
    const auto route = std::find_if(kRoutes.begin(), kRoutes.end(),
                                    [&](const Route& r) { return r.verb == command.verb; });
    if ((route->states & in(state_)) != 0) {
      co_await route->handler(*this, command);
    } else {
      reply_bad_command(state_ == State::kTransaction ? "you are logged in already"
                                                      : "log in first");
    }
  }
  if (!last_command_was_bad_) bad_commands_ = 0;
}

void Session::reply_bad_command(std::string_view text) {
  last_command_was_bad_ = true;
  ++bad_commands_;
  const std::uint64_t limit = config()->limits.bad_commands;
  if (limit == 0 || bad_commands_ < limit) {
    reply_error(text);
    return;
  }
  reply_error(std::string(text) + "; too many bad commands, closing");
  end("bad-commands");
}

void Session::end(std::string_view reason) {
  if (state_ == State::kEnded) return;
  state_ = State::kEnded;
  end_reason_ = reason;
}

void Session::drop(std::string_view reason) {
  end(reason);
  connection_.abort();
}

Task<Result<std::string_view>> Session::read_line(std::size_t least) {
  const auto settings = config();
  const std::uint64_t limit = std::max<std::uint64_t>(command_line_limit(*settings), least);
  const Duration idle = settings->limits.idle_time_pop3;
  const Duration patience =
      state_ == State::kAuthorization ? std::min(idle, login_time_left()) : idle;
  auto line = co_await connection_.read_line(limit, patience);
  co_return line;
}

// What ends a wait for a command. None of it enters the UPDATE state (RFC 1939 section 6).
void Session::handle_read_error(const Error& error) {
  switch (error.code) {
    case ErrorCode::kTooLarge: {
      user_name_.clear();
      reply_bad_command("line too long, " + std::to_string(command_line_limit(*config())) +
                        " octets are the limit");
      return;
    }
    case ErrorCode::kTimeout:
      // RFC 1939 section 3 would have the autologout silent; clients show this line to their users
      // instead of calling the server broken, and it can't be taken for the answer to a command
      // that was not sent.
      if (state_ == State::kAuthorization) {
        reply_error("not logged in within the time allowed, closing");
        end("login-time");
      } else {
        reply_error("idle for too long, closing; nothing was removed");
        end("idle");
      }
      return;
    case ErrorCode::kShutdown: say_goodbye(); return;
    case ErrorCode::kClosed: end("closed-by-client"); return;
    default: end(error.message); return;
  }
}

void Session::say_goodbye() {
  switch (end_request_.reason()) {
    case auth::EndReason::kShutdown:
      reply_error(ResponseCode::kSysTemp, "the server is shutting down; nothing was removed");
      end("shutdown");
      return;
    case auth::EndReason::kProtocolDisabled:
      reply_error(ResponseCode::kSysPerm,
                  disabled_text(account(), "POP3 has been switched off for this account"));
      end("protocol-disabled");
      return;
    case auth::EndReason::kAccountDisabled:
      reply_error(ResponseCode::kSysPerm, "this account or its password has been changed");
      end("account-disabled");
      return;
    case auth::EndReason::kKicked:
      reply_error(ResponseCode::kSysTemp, "an administrator has ended this session");
      end("kicked");
      return;
  }
}

Task<bool> Session::drained() {
  const auto sent = co_await connection_.drained(config()->limits.write_time);
  if (!sent) drop_unsent(sent.error());
  co_return sent.has_value();
}

Task<bool> Session::flushed() {
  const auto sent = co_await connection_.flushed(config()->limits.write_time);
  if (!sent) drop_unsent(sent.error());
  co_return sent.has_value();
}

void Session::drop_unsent(const Error& error) {
  drop(error.code == ErrorCode::kTimeout ? "client-takes-nothing" : "closed-by-client");
}

config::Account Session::account() const {
  auto now = context_.services.directory.account(account_->name);
  return now ? std::move(*now) : *account_;
}

bool Session::check_number(MessageNumber number) {
  if (!maildrop_->contains(number)) {
    reply_error("no such message, only " + messages(maildrop_->highest_number()) + " in maildrop");
    return false;
  }
  if (maildrop_->is_marked(number)) {
    reply_error("message " + std::to_string(number.value()) + " already deleted");
    return false;
  }
  return true;
}

void Session::release_maildrop() { maildrop_.reset(); }

void Session::on_end_requested(auth::EndReason reason) {
  end_request_.make(reason, [this] { connection_.abort(); });
  connection_.interrupt();
}

auth::SessionStatus Session::status() const {
  auth::SessionStatus status;
  status.tls = connection_.is_tls();
  status.octets_in = connection_.octets_in();
  status.octets_out = connection_.octets_out();
  status.state = maildrop_ ? "transaction" : "opening";
  if (state_ == State::kEnded) status.state = "ending";
  if (maildrop_) status.mailbox = account_->pop3.maildrop;
  return status;
}

void Session::log_end() const {
  if (!account_) {
    log::debug("pop3-session", {{"address", connection_.peer().address}, {"reason", end_reason_}});
    return;
  }
  log::info("pop3-session", {{"account", account_->name},
                             {"address", connection_.peer().address},
                             {"retrieved", counts_.retrieved},
                             {"deleted", counts_.deleted},
                             {"octets", connection_.octets_out()},
                             {"reason", end_reason_}});
}

Context::Context(auth::Services& services_, store::Store& store_,
                 std::function<net::TlsContextPtr()> tls_)
    : services(services_),
      store(store_),
      tls(std::move(tls_)),
      locks(std::make_unique<MaildropLocks>()) {}

Context::~Context() = default;

void Context::look_at_accounts() {
  const config::AccountsConfigPtr now = services.directory.accounts();
  if (now == known_accounts_) return;
  known_accounts_ = now;
  expiry_ = expiry_of_all(*now);
  apop_ = std::any_of(now->accounts.begin(), now->accounts.end(), [](const auto& entry) {
    return auth::is_stored_plainly(entry.second.password);
  });
}

const ExpiryOfAll& Context::expiry() {
  look_at_accounts();
  return expiry_;
}

bool Context::some_account_has_apop() {
  look_at_accounts();
  return apop_;
}

Task<void> serve(Context& context, net::Connection& connection, bool implicit_tls) {
  Session session(context, connection);
  co_await session.run(implicit_tls);
}

}  // namespace twinpost::pop3
