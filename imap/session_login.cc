// How a login becomes a session of an account, and how it ends (RFC 9051 section 3.2, RFC 8437).
#include <utility>

#include "core/base/log.h"
#include "imap/capabilities.h"
#include "imap/default_mailboxes.h"
#include "imap/removed_mailbox.h"
#include "imap/selected.h"
#include "imap/session.h"

namespace twinpost::imap {
namespace {

// What a client is told where IMAP is off: the administrator's text, if there is one.
std::string disabled_text(const config::Account& account) {
  return account.imap.disabled_text.empty() ? "IMAP is switched off for this account"
                                            : account.imap.disabled_text;
}

}  // namespace

bool Session::may_log_in() const {
  return auth::may_send_password(config()->plaintext_login, connection_.is_tls(),
                                 connection_.peer().is_loopback);
}

auth::SessionStatus Session::status() const {
  auth::SessionStatus status;
  status.tls = connection_.is_tls();
  status.octets_in = connection_.octets_in();
  status.octets_out = connection_.octets_out();
  status.state = selected_ ? "selected" : "authenticated";
  if (ended_) status.state = "ending";
  if (selected_) status.mailbox = selected_->name;
  status.client = client_;
  return status;
}

Task<Reply> Session::log_in(auth::Login login) {
  auto result = co_await context_.services.directory.login(std::move(login));
  if (!result.account) {
    switch (result.failure) {
      case auth::LoginFailure::kCredentials: {
        Reply reply = co_await fail_credentials();
        co_return reply;
      }
      case auth::LoginFailure::kProtocolDisabled:
        co_return login_failed(disabled_text(*result.refused), "CONTACTADMIN");
      case auth::LoginFailure::kTemporary: break;
    }
    co_return login_failed("The password can't be checked now, try later", "UNAVAILABLE");
  }
  auto refused = co_await register_session(std::move(*result.account));
  if (refused) co_return *std::move(refused);
  const auto prepared = co_await prepare_mailboxes(account_->name);
  if (!prepared) {
    log_out();
    const Reply why = reply_for(prepared.error(), "login");
    co_return login_failed(why.text, why.code);
  }
  account_id_ = *prepared;
  state_ = State::kAuthenticated;
  failed_logins_.forget();
  co_return Reply::ok("Logged in", "CAPABILITY " + capability_list(*this));
}

Task<Reply> Session::fail_credentials() {
  std::function<bool()> is_over = [this] { return connection_.interrupted(); };
  co_await failed_logins_.hold_back(executor(), context_.failed_login_delay, std::move(is_over));
  co_return login_failed("Wrong user name or password", "AUTHENTICATIONFAILED");
}

Reply Session::login_failed(std::string text, std::string code) {
  if (failed_logins_.count()) {
    // The tagged answer first, then BYE with the reason.
    finish(reader_.tag(), Reply::no(std::move(text), std::move(code)));
    bye("Too many failed logins, closing", "failed-logins");
    return Reply::said();
  }
  return Reply::no(std::move(text), std::move(code));
}

// From here on the session can be ended from outside. A reply: refused.
Task<std::optional<Reply>> Session::register_session(config::Account account) {
  auth::Sessions::Entry entry;
  entry.account = account.name;
  entry.protocol = auth::Protocol::kImap;
  entry.address = connection_.peer().address;
  entry.end = [this](auth::EndReason reason) { on_end_requested(reason); };
  entry.status = [this] { return status(); };
  auto registration = auth::register_session(context_.services, account, std::move(entry));
  if (registration) {
    registration_ = std::move(*registration);
    account_ = std::move(account);
    co_return std::nullopt;
  }
  switch (registration.error().code) {
    case ErrorCode::kPermission: {
      Reply reply = co_await fail_credentials();
      co_return reply;
    }
    case ErrorCode::kUnsupported: co_return login_failed(disabled_text(account), "CONTACTADMIN");
    default: co_return login_failed("This account has too many sessions already", "LIMIT");
  }
}

// A look first: as a rule there is nothing to do, and a login need not wait for a commit.
Task<Result<store::AccountId>> Session::prepare_mailboxes(std::string name) {
  const auto found =
      co_await store().read([&name](const store::ReadView& view) { return view.account(name); });
  if (found && is_prepared(*found)) {
    co_await settle_removed_mailbox(*found);
    co_return found->id;
  }
  const auto made =
      co_await store().write([&name](store::WriteTxn& txn) { return prepare_account(txn, name); });
  if (made) {
    co_await settle_removed_mailbox(*made);
    co_return made->id;
  }
  // With a full disk there are no new mailboxes, but those that are there can be read.
  if (found && made.error().code == ErrorCode::kDiskFull) co_return found->id;
  co_return tl::unexpected(made.error());
}

// A login does not fail for it: what is left undone is tried again at the next one.
Task<void> Session::settle_removed_mailbox(store::AccountInfo account) {
  // Without retention nothing comes back, from there neither.
  const bool keeps = config()->limits.retention_days != 0;
  const std::string configured = keeps ? config()->removed.mailbox : std::string();
  if (configured.empty() && account.removed_mailbox.value() == 0) co_return;
  const auto wanted = removed_mailbox_name(configured);
  Result<void> done;
  if (!wanted) {
    done = tl::unexpected(wanted.error());
  } else {
    const auto look = [&](const store::ReadView& view) {
      return is_settled(view, account, *wanted);
    };
    const auto settled = co_await store().read(look);
    if (settled && *settled) co_return;
    if (!settled) done = tl::unexpected(settled.error());
    RemovedMailboxWork work{account.id, *wanted, std::nullopt, false};
    while (done && !work.done && !connection_.interrupted()) {
      const RemovedMailboxWork before = work;
      const auto step = co_await store().write(
          [&before](store::WriteTxn& txn) { return settle_some(txn, before); });
      if (step) work = *step;
      if (!step) done = tl::unexpected(step.error());
    }
  }
  if (done) co_return;
  log::warning(
      "removed-mailbox",
      {{"account", account.name}, {"mailbox", configured}, {"error", done.error().message}});
}

void Session::log_out() {
  deselect();
  registration_.reset();
  account_.reset();
  account_id_ = store::AccountId();
  enabled_ = Enabled();
  state_ = State::kNotAuthenticated;
  login_time_ = auth::LoginTime(config()->limits.login_time);
}

}  // namespace twinpost::imap
