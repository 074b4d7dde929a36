// One POP3 session: its states (RFC 1939 section 3), its waits, and its end.
//
// The command handlers (commands.h) work on it through the public part. Loop thread only; lives in
// the frame of serve().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/auth/login_rules.h"
#include "core/auth/session_end.h"
#include "core/auth/sessions.h"
#include "core/base/clock.h"
#include "core/base/task.h"
#include "pop3/maildrop.h"
#include "pop3/parser.h"
#include "pop3/pop3.h"
#include "pop3/response.h"

namespace twinpost::pop3 {

enum class State : std::uint8_t { kAuthorization, kTransaction, kEnded };

// For the log line at the end.
struct Counts {
  std::uint64_t retrieved = 0;  // RETRs sent whole
  std::uint64_t deleted = 0;    // by QUIT
};

class Session {
 public:
  Session(Context& context, net::Connection& connection);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Everything, to the closed connection.
  Task<void> run(bool implicit_tls);

  // --- for the command handlers ---
  [[nodiscard]] Context& context() { return context_; }
  [[nodiscard]] net::Connection& connection() { return connection_; }
  [[nodiscard]] config::ServerConfigPtr config() const { return context_.services.config(); }
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] Counts& counts() { return counts_; }

  void reply_ok(std::string_view text) { connection_.queue(ok_line(text)); }
  void reply_error(ResponseCode code, std::string_view text) {
    connection_.queue(error_line(code, text));
  }
  void reply_error(std::string_view text) { reply_error(ResponseCode::kNone, text); }
  // The same, for a line that is no proper command: too many of them in a row end the session.
  void reply_bad_command(std::string_view text);

  // Ends the session after the command at work; `reason` is for the log.
  void end(std::string_view reason);
  // Ends it at once without another word: for a response that can't be finished honestly.
  void drop(std::string_view reason);

  // The next line from the client, within what is left of the login or idle time. Good until the
  // next read. A line may have `least` octets even where the configuration allows fewer.
  Task<Result<std::string_view>> read_line(std::size_t least = 0);
  // Answers what made read_line() fail; the session ends where it can't go on.
  void handle_read_error(const Error& error);
  // Waits while much is unsent. False (and the session ends) where the client is gone or takes
  // nothing.
  Task<bool> drained();
  // Waits until all is sent. False as above.
  Task<bool> flushed();
  // What is left of the time for logging in; 1 ms at least.
  [[nodiscard]] Duration login_time_left() const { return login_time_.left(); }

  // AUTHORIZATION: whether a password may be sent over this connection (config plaintext_login, RFC
  // 8314 section 3).
  [[nodiscard]] bool may_log_in() const;
  // RFC 1939 section 7, APOP: some account has a password that it can be made of, and what goes on over this
  // connection may be read by others.
  [[nodiscard]] bool may_use_apop() const;
  // The greeting's timestamp; empty where APOP is not offered.
  [[nodiscard]] const std::string& challenge() const { return challenge_; }
  std::string& user_name() { return user_name_; }  // of a USER that PASS may follow; else empty
  // Checks the password, opens the maildrop, answers, and enters the TRANSACTION state if all went
  // well.
  Task<void> log_in(auth::Login login);

  // TRANSACTION.
  [[nodiscard]] Maildrop& maildrop() { return *maildrop_; }
  // The account as it is configured now (as it was at login, where it is not there any more).
  [[nodiscard]] config::Account account() const;
  // What a client is told where POP3 is off: the administrator's text, if there is one.
  [[nodiscard]] static std::string disabled_text(const config::Account& account,
                                                 std::string_view usual) {
    return account.pop3.disabled_text.empty() ? std::string(usual) : account.pop3.disabled_text;
  }
  // True for a message that commands may refer to; else the -ERR has been said (RFC 1939 section
  // 5).
  bool check_number(MessageNumber number);
  // Lets go of the maildrop, before the answer to QUIT: a client that comes back at once must not
  // find it in use.
  void release_maildrop();

 private:
  Task<void> converse(bool implicit_tls);
  Task<bool> handshake();
  Task<void> execute(const Command& command);
  void say_goodbye();
  void drop_unsent(const Error& error);

  Task<void> fail_credentials();
  void reply_login_failed(ResponseCode code, std::string_view text);
  Task<bool> register_session(const config::Account& account);
  Task<void> open_maildrop();
  void on_end_requested(auth::EndReason reason);
  [[nodiscard]] auth::SessionStatus status() const;
  void log_end() const;

  Context& context_;
  net::Connection& connection_;
  State state_ = State::kAuthorization;
  auth::LoginTime login_time_;
  std::string challenge_;
  std::string user_name_;
  auth::FailedLogins failed_logins_;
  std::uint64_t bad_commands_ = 0;  // in a row
  bool last_command_was_bad_ = false;

  std::optional<config::Account> account_;  // once logged in
  std::unique_ptr<auth::Sessions::Registration> registration_;
  std::unique_ptr<Maildrop> maildrop_;
  auth::EndRequest end_request_;
  std::string end_reason_;
  Counts counts_;
};

}  // namespace twinpost::pop3
