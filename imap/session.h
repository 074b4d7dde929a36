// One IMAP session: its states (RFC 9051 section 3), its waits, and its end.
//
// The command handlers (commands.h) work on it through the public part. Loop thread only; lives in
// the frame of serve().
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/auth/login_rules.h"
#include "core/auth/session_end.h"
#include "core/auth/sessions.h"
#include "core/base/clock.h"
#include "core/base/task.h"
#include "imap/append.h"
#include "imap/imap.h"
#include "imap/mailbox_name.h"
#include "imap/parser.h"
#include "imap/reply.h"
#include "imap/response.h"
#include "imap/selected.h"

namespace twinpost::imap {

// What the client has switched on (RFC 5161, or by using it: RFC 7162 3.1).
struct Enabled {
  bool condstore = false;  // MODSEQ goes with every FETCH of flags
  bool qresync = false;    // VANISHED in place of EXPUNGE; includes condstore
  bool rev2 = false;       // IMAP4rev2
  bool utf8 = false;       // UTF8=ACCEPT
};

class Session {
 public:
  Session(Context& context, net::Connection& connection);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Everything, to the closed connection.
  Task<void> run(bool implicit_tls);

  // --- for the command handlers ---
  [[nodiscard]] Context& context() { return context_; }
  [[nodiscard]] store::Store& store() { return context_.store; }
  [[nodiscard]] Executor& executor() { return context_.services.executor; }
  [[nodiscard]] net::Connection& connection() { return connection_; }
  [[nodiscard]] config::ServerConfigPtr config() const { return context_.services.config(); }
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] Enabled& enabled() { return enabled_; }
  [[nodiscard]] const Enabled& enabled() const { return enabled_; }
  // UTF-8 is taken and sent (RFC 6855 section 3, RFC 9051 section 6.3.1).
  [[nodiscard]] Style style() const;
  [[nodiscard]] bool utf8() const { return enabled_.utf8 || enabled_.rev2; }

  // Once logged in.
  [[nodiscard]] store::AccountId account_id() const { return account_id_; }
  // The account as it is configured now (as it was at login, where it is not there any more).
  [[nodiscard]] config::Account account() const;
  [[nodiscard]] store::Limits quota() const;
  [[nodiscard]] store::Remover remover() const;
  [[nodiscard]] std::uint64_t append_limit() const;  // octets; 0: none

  // In the selected state; null otherwise. Never changes while a handler runs, but by that handler.
  void set_client(std::string client) { client_ = std::move(client); }
  [[nodiscard]] Selected* selected() { return selected_.get(); }
  void select(std::unique_ptr<Selected> selected);  // enters the selected state
  // Leaves the selected state, if it is in it.
  void deselect();
  // To be awaited before deselect() by those who can: messages that this session was told of as \Recent are so for
  // nobody else (RFC 3501 2.3.2).
  Task<void> claim_recent();

  // Queues whole lines (or literals within); nothing waits. See drained() for much output.
  void send(std::string_view octets) { connection_.queue(octets); }
  void untagged(std::string_view line);  // "* ", line, CRLF

  // Between pieces of long work or output: waits while much is unsent. False where the session is over (the
  // client is gone or takes nothing, or the server ends it): the handler returns Reply::said() at once then.
  // With `inside`, what was sent last is not a whole response: an end that is asked for waits until it is, for nothing
  // else may be said in the middle of it.
  Task<bool> drained(bool inside = false);

  // A mailbox argument as the store's name; the error is for reply_for().
  [[nodiscard]] Result<std::string> mailbox_name(std::string_view wire, NameUse use) const {
    return mailbox_from_wire(wire, utf8(), use);
  }

  // Sends what happened in the selected mailbox since the client was last told (sync.h). `may_expunge` says whether EXPUNGE and
  // VANISHED may be sent now (RFC 9051 7.5.1). The session calls it after every command; IDLE by itself.
  Task<void> sync(bool may_expunge);
  // Ends the session where sync() has found that the mailbox is deleted; after the tagged answer of a command.
  void end_if_gone();

  // The next line from the client, within what is left of the login or idle time. Good until the next read.
  Task<Result<std::string_view>> read_line();
  void handle_read_error(const Error& error);

  // Ends the session after the command at work; `reason` is for the log.
  void end(std::string_view reason);
  // The same with "* BYE" and words for the client.
  void bye(std::string_view text, std::string_view reason, std::string_view code = {});
  // Ends it at once without another word: for a response that can't be finished honestly.
  void drop(std::string_view reason);
  [[nodiscard]] bool ended() const { return ended_; }

  // Whether a password may be sent over this connection (config plaintext_login, RFC 8314 section 3).
  [[nodiscard]] bool may_log_in() const;
  // Checks the password, prepares the account's mailboxes, enters the authenticated state if all went well.
  Task<Reply> log_in(auth::Login login);
  // UNAUTHENTICATE (RFC 8437): as after the greeting, the TLS layer stays.
  void log_out();
  [[nodiscard]] bool is_compressed() const { return compressed_; }
  void set_compressed() { compressed_ = true; }
  // What is left of the time for logging in; 1 ms at least.
  [[nodiscard]] Duration login_time_left() const { return login_time_.left(); }

  // The settings of the reader follow from what is enabled and from the configuration.
  void update_reader_settings();

  // From the mailbox watch: something changed in the selected mailbox. Loop thread, from the store's listener.
  void on_mailbox_changed(const store::MailboxChanged& change);

 private:
  Task<void> converse(bool implicit_tls);
  Task<bool> handshake();
  // What comes after a Step other than the last of a command: the next Step. The session may end instead.
  Task<void> read_command();
  Task<std::optional<Step>> take_literal(Step step);
  Task<std::optional<Step>> skip_literal(Step step);
  Task<std::optional<Step>> take_message(Step step);
  Task<std::optional<Step>> feed_line();
  Task<bool> read_octets(std::uint64_t count, std::function<void(std::string_view)> take);
  void refuse_command(const Refusal& refusal);

  Task<void> execute(const Command& command);
  Task<Reply> dispatch(const Command& command);
  Task<Reply> guarded(const Command& command);
  void finish(std::string_view tag, const Reply& reply);
  void count_answer(bool is_bad);
  [[nodiscard]] Duration patience() const;  // for the next input
  void say_goodbye();
  void drop_unsent(const Error& error);

  Task<void> tell(store::Changes changes, bool may_expunge);
  Task<bool> tell_changed(std::vector<store::MessageRecord> changed);
  Task<Reply> fail_credentials();
  Reply login_failed(std::string text, std::string code);
  Task<std::optional<Reply>> register_session(config::Account account);
  Task<Result<store::AccountId>> prepare_mailboxes(std::string account);
  Task<void> settle_removed_mailbox(store::AccountInfo account);
  [[nodiscard]] auth::SessionStatus status() const;
  void on_end_requested(auth::EndReason reason);
  void log_end() const;

  Context& context_;
  net::Connection& connection_;
  CommandReader reader_;
  State state_ = State::kNotAuthenticated;
  bool ended_ = false;
  bool compressed_ = false;
  Enabled enabled_;
  auth::LoginTime login_time_;
  auth::FailedLogins failed_logins_;
  std::uint64_t bad_commands_ = 0;  // in a row

  std::optional<config::Account> account_;  // once logged in
  store::AccountId account_id_;
  std::unique_ptr<auth::Sessions::Registration> registration_;
  std::unique_ptr<Selected> selected_;
  std::unique_ptr<AppendReceiver> append_;  // while an APPEND's messages come
  std::string client_;                      // what ID said, made printable
  auth::EndRequest end_request_;
  std::string end_reason_;
};

}  // namespace twinpost::imap
