// QUIT (RFC 1939 sections 4 and 6): in the TRANSACTION state the one way to the UPDATE state.
#include <utility>

#include "core/base/log.h"
#include "pop3/commands.h"
#include "pop3/update.h"

namespace twinpost::pop3::commands {
namespace {

UpdateRequest make_request(Session& session) {
  const config::Account account = session.account();
  UpdateRequest request;
  request.inbox = session.maildrop().inbox();
  request.deleted = session.maildrop().marked();
  request.retrieved = session.maildrop().retrieved_but_not_marked();
  request.retrieved_before = session.maildrop().retrieved_before();
  if (account.pop3.mark_seen) request.seen = session.maildrop().retrieved();
  request.keep_days = account.pop3.keep_days;
  request.now = unix_now();
  request.on_delete = account.pop3.on_delete;
  request.after_retrieve = account.pop3.after_retrieve;
  request.remover.account = account.name;
  request.remover.protocol = "pop3";
  request.remover.address = session.connection().peer().address;
  return request;
}

// Whatever happens, the maildrop is free before the client hears.
void finish(Session& session, const Result<UpdateResult>& result, const std::string& account) {
  session.release_maildrop();
  if (!result) {
    log::error("pop3-update", {{"account", account}, {"error", result.error().message}});
    session.reply_error(response_code_for(result.error()), "some deleted messages not removed");
    session.end("update-failed");
    return;
  }
  session.counts().deleted =
      result->removed + result->hidden + result->to_trash + result->to_archive;
  session.reply_ok(result->text());
  session.end("quit");
}

}  // namespace

Task<void> quit(Session& session, const Command&) {
  if (session.state() == State::kAuthorization) {
    session.reply_ok("signing off");
    session.end("quit-before-login");
    co_return;
  }
  UpdateRequest request = make_request(session);
  if (!request.changes_something()) {
    session.release_maildrop();
    session.reply_ok("signing off");
    session.end("quit");
    co_return;
  }
  // A pipelined QUIT may have come long before the answers to the commands in front of it could go
  // out: nothing is removed while the client has not been sent what it asked for (RFC 1939 section
  // 8).
  const bool sent = co_await session.flushed();
  if (!sent) co_return;
  if (session.connection().interrupted()) co_return;  // the next read says goodbye
  const std::string account = request.remover.account;
  const auto result = co_await update(session.context().store, std::move(request));
  finish(session, result, account);
}

}  // namespace twinpost::pop3::commands
