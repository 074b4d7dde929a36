// COPY and MOVE (RFC 9051 6.4.7, 6.4.8; RFC 6851, RFC 4315 section 3).
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "imap/commands.h"
#include "imap/message_limit.h"
#include "imap/session.h"
#include "imap/sync.h"

namespace twinpost::imap::commands {
namespace {

struct Target {
  store::MailboxKey key;
  std::vector<store::Uid> uids;
};

// "COPYUID 38505 304,319:320 3956:3958". RFC 4315 section 3: the sets are in the order of the copies; both go up.
std::string copyuid(const store::Copied& copied) {
  NumberSet sources;
  NumberSet targets;
  for (const store::CopiedMessage& message : copied.messages) {
    sources.add(message.source.value());
    targets.add(message.target.value());
  }
  return "COPYUID " + std::to_string(copied.uid_validity.value()) + " " + sources.to_string() +
         " " + targets.to_string();
}

// Where the messages go, and which they are; or the answer.
Task<tl::expected<Target, Reply>> find_target(Session& session, const SequenceSet& set, bool uid,
                                              std::string_view mailbox) {
  Selected& selected = *session.selected();
  const auto chosen = selected.resolve(set, uid);
  if (!chosen) co_return tl::unexpected(Reply::bad(chosen.error().message));
  if (exceeds_message_limit(session, chosen->count())) {
    co_return tl::unexpected(Reply::no("Too many messages for one command, nothing was done",
                                       message_limit_code(session)));
  }
  const auto name = session.mailbox_name(mailbox, NameUse::kExisting);
  if (!name) co_return tl::unexpected(reply_for(name.error(), "copy"));
  const store::AccountId account = session.account_id();
  const auto found = co_await session.store().read(
      [&](const store::ReadView& view) { return view.find_mailbox(account, *name); });
  if (!found) {
    if (found.error().code != ErrorCode::kNotFound) {
      co_return tl::unexpected(reply_for(found.error(), "copy"));
    }
    // RFC 9051 7.1: the client may CREATE it and try again.
    co_return tl::unexpected(Reply::no("There is no such mailbox", "TRYCREATE"));
  }
  co_return Target{store::MailboxKey{account, found->id}, selected.uids_of(*chosen)};
}

// All or nothing (RFC 9051 6.4.7). A UID that is not there any more is ignored (6.4.9), a message number is not:
// its message was expunged by another session, and the client will be told (RFC 2180 section 4.4.1).
template <class Copy>
Result<store::Copied> copy_all(bool uid, Copy copy) {
  auto copied = copy();
  if (copied && !uid && !copied->missing.empty()) {
    return fail(ErrorCode::kConflict, "Some of the messages no longer exist, nothing was copied");
  }
  return copied;
}

Reply failed(const Error& error, std::string_view what) {
  // The target has been deleted since it was looked up.
  if (error.code == ErrorCode::kNotFound) {
    return Reply::no("There is no such mailbox", "TRYCREATE");
  }
  return reply_for(error, what);
}

}  // namespace

Task<Reply> copy(Session& session, const Command& command) {
  const auto& arguments = std::get<Copy>(command.arguments);
  auto target = co_await find_target(session, arguments.set, arguments.uid, arguments.mailbox);
  if (!target) co_return target.error();
  if (target->uids.empty()) co_return Reply::ok("No messages to copy");
  Selected& selected = *session.selected();
  const store::Limits limits = session.quota();
  const auto copied = co_await session.store().write([&](store::WriteTxn& txn) {
    return copy_all(arguments.uid,
                    [&] { return txn.copy(selected.key, target->uids, target->key, limits); });
  });
  if (!copied) co_return failed(copied.error(), "copy");
  if (target->key == selected.key) selected.stale = true;
  if (copied->messages.empty()) co_return Reply::ok("No messages to copy");
  co_return Reply::ok("COPY completed", copyuid(*copied));
}

// RFC 6851 section 3.3: COPYUID in an untagged OK before the EXPUNGEs.
Task<Reply> move(Session& session, const Command& command) {
  const auto& arguments = std::get<Move>(command.arguments);
  Selected& selected = *session.selected();
  if (selected.read_only) co_return Reply::no("The mailbox is read-only");
  auto target = co_await find_target(session, arguments.set, arguments.uid, arguments.mailbox);
  if (!target) co_return target.error();
  if (target->uids.empty()) co_return Reply::ok("No messages to move");
  const store::Remover remover = session.remover();
  const auto moved = co_await session.store().write([&](store::WriteTxn& txn) {
    return copy_all(arguments.uid,
                    [&] { return txn.move(selected.key, target->uids, target->key, remover); });
  });
  if (!moved) co_return failed(moved.error(), "move");
  selected.stale = true;
  if (moved->messages.empty()) co_return Reply::ok("No messages to move");
  session.untagged("OK [" + copyuid(*moved) + "] Moved");
  std::vector<store::Uid> gone;
  gone.reserve(moved->messages.size());
  for (const store::CopiedMessage& message : moved->messages) gone.push_back(message.source);
  std::sort(gone.begin(), gone.end());
  std::string out;
  append_expunged(out, session, selected, gone);
  session.send(out);
  Reply reply = Reply::ok("MOVE completed");
  reply.tells_modseq = session.enabled().qresync;
  co_return reply;
}

}  // namespace twinpost::imap::commands
