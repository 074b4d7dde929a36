#include "imap/session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/encoding.h"
#include "core/base/log.h"
#include "imap/capabilities.h"
#include "imap/commands.h"
#include "imap/mailbox_image.h"
#include "imap/mailbox_watch.h"
#include "imap/sync.h"

namespace twinpost::imap {
namespace {

using namespace std::chrono_literals;

// In the order of CommandId.
using Handler = Task<Reply> (*)(Session&, const Command&);
constexpr std::array<Handler, static_cast<std::size_t>(CommandId::kSearch) + 1> kHandlers = {
    commands::capability,      // CAPABILITY
    commands::noop,            // NOOP
    commands::logout,          // LOGOUT
    commands::id,              // ID
    commands::starttls,        // STARTTLS
    commands::login,           // LOGIN
    commands::authenticate,    // AUTHENTICATE
    commands::enable,          // ENABLE
    commands::unauthenticate,  // UNAUTHENTICATE
    commands::compress,        // COMPRESS
    commands::namespaces,      // NAMESPACE
    commands::idle,            // IDLE
    commands::select,          // SELECT
    commands::select,          // EXAMINE
    commands::create,          // CREATE
    commands::remove,          // DELETE
    commands::rename,          // RENAME
    commands::subscribe,       // SUBSCRIBE
    commands::unsubscribe,     // UNSUBSCRIBE
    commands::status,          // STATUS
    commands::list,            // LIST
    commands::lsub,            // LSUB
    commands::get_quota,       // GETQUOTA
    commands::get_quota_root,  // GETQUOTAROOT
    commands::set_quota,       // SETQUOTA
    nullptr,                   // APPEND: AppendReceiver
    nullptr,                   // REPLACE: AppendReceiver
    commands::noop,            // CHECK
    commands::close,           // CLOSE
    commands::unselect,        // UNSELECT
    commands::expunge,         // EXPUNGE
    commands::copy,            // COPY
    commands::move,            // MOVE
    commands::store,           // STORE
    commands::fetch,           // FETCH
    commands::search,          // SEARCH
};

// RFC 9051 7.5.1: not while responding to FETCH, STORE or SEARCH; their UID forms are other commands.
bool may_expunge_after(const Command& command) {
  switch (command.id) {
    case CommandId::kFetch:
    case CommandId::kStore:
    case CommandId::kSearch: return command.uid;
    // Allowed, but clients take the EXISTS of the opening for how many messages there are.
    case CommandId::kSelect:
    case CommandId::kExamine: return false;
    default: return true;
  }
}

}  // namespace

Session::Session(Context& context, net::Connection& connection)
    : context_(context),
      connection_(connection),
      reader_(ReaderSettings::before_login()),
      login_time_(context.services.config()->limits.login_time),
      end_request_(context.services.executor) {}

Session::~Session() { deselect(); }

Task<void> Session::run(bool implicit_tls) {
  std::exception_ptr broken;
  try {
    co_await converse(implicit_tls);
  } catch (...) {
    broken = std::current_exception();
  }
  if (broken) {
    const std::string id = auth::log_failure("imap-failed", connection_.peer().address, broken);
    bye("Internal error, see the server's log for " + id, "internal-error");
  }
  co_await claim_recent();
  deselect();
  append_.reset();
  registration_.reset();
  log_end();
  const Duration patience_at_end =
      connection_.interrupted() ? auth::kEndGrace : config()->limits.write_time;
  co_await connection_.close(patience_at_end);
}

Task<void> Session::converse(bool implicit_tls) {
  if (implicit_tls && !co_await handshake()) co_return;
  std::string greeting;
  append_status(greeting, "*", Condition::kOk, "CAPABILITY " + capability_list(*this),
                context_.services.hostname + " Twinpost ready");
  send(greeting);
  while (!ended_) {
    co_await read_command();
    reader_.reset();
    append_.reset();
    // A client that sends commands and takes no answers is not read any further.
    if (!ended_ && connection_.unsent() > net::kHighWater) co_await drained();
  }
}

Task<bool> Session::handshake() {
  net::TlsContextPtr tls = context_.tls();
  if (!tls) {
    drop("no-certificate");
    co_return false;
  }
  const auto secured =
      co_await connection_.start_tls(std::move(tls), net::Alpn::kImap, login_time_left());
  if (!secured) drop("tls: " + secured.error().message);
  co_return secured.has_value();
}

Task<void> Session::execute(const Command& command) {
  const std::string tag(command.tag);
  const std::string_view wrong_state = wrong_state_text(info(command.id), state_);
  Reply reply = Reply::bad(std::string(wrong_state));
  if (wrong_state.empty()) reply = co_await guarded(command);
  if (reply.is_said || ended_) co_return;
  if (selected_) co_await sync(may_expunge_after(command));
  if (!ended_) finish(tag, reply);
  end_if_gone();
}

// RFC 2180 section 3.3: the client can't do anything any more with a mailbox that is not there.
void Session::end_if_gone() {
  if (!selected_ || !selected_->gone) return;
  bye("The selected mailbox has been deleted", "mailbox-deleted");
}

// A broken invariant ends the session, but its client knows what became of its command.
Task<Reply> Session::guarded(const Command& command) {
  std::exception_ptr broken;
  Reply reply;
  try {
    reply = co_await dispatch(command);
  } catch (...) {
    broken = std::current_exception();
  }
  if (broken) {
    const std::string id = auth::log_failure("imap-failed", connection_.peer().address, broken);
    const std::string text = "Internal error, see the server's log for " + id;
    finish(command.tag, Reply::no(text, "SERVERBUG"));
    bye(text, "internal-error");
    reply = Reply::said();
  }
  co_return reply;
}

Task<Reply> Session::dispatch(const Command& command) {
  Reply reply;
  if (command.id == CommandId::kAppend || command.id == CommandId::kReplace) {
    reply = co_await append_->complete(command);
  } else {
    reply = co_await kHandlers[static_cast<std::size_t>(command.id)](*this, command);
  }
  co_return reply;
}

void Session::finish(std::string_view tag, const Reply& reply) {
  std::string code = reply.code;
  if (reply.tells_modseq && selected_) {
    code = "HIGHESTMODSEQ " + std::to_string(tellable_modseq(*selected_).value());
  }
  std::string out;
  append_status(out, tag, reply.condition, code, reply.text);
  send(out);
  count_answer(reply.condition == Condition::kBad);
}

void Session::refuse_command(const Refusal& refusal) {
  std::string out;
  append_status(out, refusal.tag.empty() ? "*" : refusal.tag,
                refusal.is_bad ? Condition::kBad : Condition::kNo, refusal.code, refusal.text);
  send(out);
  count_answer(refusal.is_bad);
}

void Session::count_answer(bool is_bad) {
  if (!is_bad) {
    bad_commands_ = 0;
    return;
  }
  ++bad_commands_;
  const std::uint64_t limit = config()->limits.bad_commands;
  if (limit != 0 && bad_commands_ >= limit) {
    bye("Too many bad commands, closing", "bad-commands");
  }
}

Style Session::style() const { return Style{utf8(), enabled_.rev2}; }

void Session::untagged(std::string_view line) {
  std::string out = "* ";
  out += line;
  out += "\r\n";
  send(out);
}

void Session::end(std::string_view reason) {
  if (ended_) return;
  ended_ = true;
  end_reason_ = reason;
}

void Session::bye(std::string_view text, std::string_view reason, std::string_view code) {
  if (ended_) return;
  std::string out;
  append_status(out, "*", Condition::kBye, code, text);
  send(out);
  end(reason);
}

void Session::drop(std::string_view reason) {
  end(reason);
  connection_.abort();
}

void Session::select(std::unique_ptr<Selected> selected) {
  deselect();
  selected_ = std::move(selected);
  context_.watch->add(selected_->key, *this);
  state_ = State::kSelected;
}

void Session::deselect() {
  if (!selected_) return;
  context_.watch->remove(selected_->key, *this);
  selected_.reset();
  state_ = State::kAuthenticated;
}

Task<void> Session::claim_recent() {
  if (!selected_ || !selected_->arrivals_unclaimed || selected_->gone) co_return;
  selected_->arrivals_unclaimed = false;
  const store::MailboxKey key = selected_->key;
  const auto claimed =
      co_await store().write([key](store::WriteTxn& txn) { return txn.claim_recent(key); });
  // Nothing is lost but \Recent.
  if (!claimed && claimed.error().code != ErrorCode::kNotFound) {
    log::warning("imap-recent", {{"error", claimed.error().message}});
  }
}

void Session::on_mailbox_changed(const store::MailboxChanged& change) {
  if (!change.exists) {
    selected_->gone = true;
  } else if (change.highest <= selected_->known) {
    return;
  }
  selected_->stale = true;
  connection_.wake();
}

Task<bool> Session::drained(bool inside) {
  const auto sent = co_await connection_.drained(config()->limits.write_time);
  if (!sent) drop_unsent(sent.error());
  if (sent && connection_.interrupted() && !inside && !ended_) say_goodbye();
  co_return !ended_;
}

void Session::drop_unsent(const Error& error) {
  drop(error.code == ErrorCode::kTimeout ? "client-takes-nothing" : "closed-by-client");
}

Duration Session::patience() const {
  const Duration idle = config()->limits.idle_time_imap;
  return state_ == State::kNotAuthenticated ? std::min(idle, login_time_left()) : idle;
}

// What ends a wait for a command (RFC 9051 section 5.4 and 7.1.5).
void Session::handle_read_error(const Error& error) {
  switch (error.code) {
    case ErrorCode::kTimeout:
      if (state_ == State::kNotAuthenticated) {
        bye("Not logged in within the time allowed, closing", "login-time");
      } else {
        bye("Idle for too long, closing", "idle");
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
      bye("The server is shutting down", "shutdown", "UNAVAILABLE");
      return;
    case auth::EndReason::kProtocolDisabled:
      bye(account_ && !account_->imap.disabled_text.empty()
              ? account_->imap.disabled_text
              : "IMAP has been switched off for this account",
          "protocol-disabled", "CONTACTADMIN");
      return;
    case auth::EndReason::kAccountDisabled:
      bye("This account or its password has been changed", "account-disabled",
          "AUTHENTICATIONFAILED");
      return;
    case auth::EndReason::kKicked:
      bye("An administrator has ended this session", "kicked", "UNAVAILABLE");
      return;
  }
}

void Session::on_end_requested(auth::EndReason reason) {
  end_request_.make(reason, [this] { connection_.abort(); });
  connection_.interrupt();
}

config::Account Session::account() const {
  auto now = context_.services.directory.account(account_->name);
  return now ? std::move(*now) : *account_;
}

store::Limits Session::quota() const {
  const config::Account now = account();
  return store::Limits{now.quota, now.quota_messages, config()->quota.warn_at};
}

store::Remover Session::remover() const {
  return store::Remover{account_->name, "imap", connection_.peer().address};
}

std::uint64_t Session::append_limit() const { return config()->limits.message_size; }

void Session::log_end() const {
  if (!account_) {
    log::debug("imap-session", {{"address", connection_.peer().address}, {"reason", end_reason_}});
    return;
  }
  log::info("imap-session", {{"account", account_->name},
                             {"address", connection_.peer().address},
                             {"octets_in", connection_.octets_in()},
                             {"octets_out", connection_.octets_out()},
                             {"reason", end_reason_}});
}

Context::Context(auth::Services& services_, store::Store& store_,
                 std::function<net::TlsContextPtr()> tls_)
    : services(services_),
      store(store_),
      tls(std::move(tls_)),
      watch(std::make_unique<MailboxWatch>(store_)),
      images(std::make_unique<ImageCache>()) {}

Context::~Context() = default;

Task<void> serve(Context& context, net::Connection& connection, bool implicit_tls) {
  Session session(context, connection);
  co_await session.run(implicit_tls);
}

}  // namespace twinpost::imap
