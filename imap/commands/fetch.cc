// FETCH and UID FETCH (RFC 9051 6.4.5 and 6.4.9; RFC 3516, 7162, 8474, 8514, 8970, 9394).
//
// The work is in FetchWalk; here it is given to workers slice by slice, and what concerns the
// session is done: its client is told of mod-sequences and of vanished messages, \Seen is set, and
// troubles become the tagged answer.
#include <algorithm>
#include <iterator>

#include "core/base/log.h"
#include "imap/commands.h"
#include "imap/fetch_vanished.h"
#include "imap/fetch_walk.h"
#include "imap/message_limit.h"
#include "imap/session.h"
#include "imap/sync.h"

namespace twinpost::imap::commands {

namespace {

// RFC 7162 3.2.6: before any FETCH response.
Task<Result<void>> tell_vanished(Session& session, const Fetch& fetch) {
  const Selected& selected = *session.selected();
  const store::ModSeq since(*fetch.changed_since);
  const auto vanished = co_await session.store().read(
      [&](const store::ReadView& view) { return find_vanished(view, selected, fetch.set, since); });
  if (!vanished) co_return tl::unexpected(vanished.error());
  for (const std::string& piece : vanished->to_pieces(kVanishedLine)) {
    session.untagged("VANISHED (EARLIER) " + piece);
    if (!co_await session.drained()) break;
  }
  co_return Result<void>{};
}

// The same flags as a FETCH response has already shown for `before` with \Seen.
bool was_shown(const std::vector<store::MessageRecord>& before, const store::MessageRecord& now) {
  const auto found = std::lower_bound(
      before.begin(), before.end(), now.uid,
      [](const store::MessageRecord& record, store::Uid uid) { return record.uid < uid; });
  return found != before.end() && found->uid == now.uid && found->keywords == now.keywords &&
         (found->flags | store::bit(store::Flag::kSeen)) == now.flags;
}

// Sets \Seen of those whose data has been sent, and tells the client. `unseen`: ascending, as they
// were read.
Task<Result<void>> mark_seen(Session& session, std::vector<store::MessageRecord> unseen) {
  Selected& selected = *session.selected();
  std::vector<store::Uid> uids;
  uids.reserve(unseen.size());
  for (const store::MessageRecord& record : unseen) uids.push_back(record.uid);
  store::FlagChange change;
  change.flags = store::bit(store::Flag::kSeen);
  auto changed = co_await session.store().write(
      [&](store::WriteTxn& txn) { return txn.change_flags(selected.key, uids, change); });
  std::string out;
  if (!changed) {
    if (changed.error().code == ErrorCode::kNotFound)
      co_return Result<void>{};  // the mailbox is gone
    // What FLAGS have shown is not so.
    for (const store::MessageRecord& record : unseen) {
      append_flags_update(out, session, selected, record);
    }
    session.send(out);
    co_return tl::unexpected(changed.error());
  }
  for (const store::MessageRecord& record : changed->changed) {
    // Each response has shown the flags with \Seen; with CONDSTORE the new mod-sequence is still to be told
    // (RFC 7162 3.2.4).
    if (!was_shown(unseen, record)) {
      append_flags_update(out, session, selected, record);
    } else if (session.enabled().condstore) {
      append_modseq_update(out, selected, record);
    }
    selected.note_told(record);
  }
  session.send(out);
  co_return Result<void>{};
}

// sync() need not repeat them; with CONDSTORE only where the mod-sequence was shown too.
void note_shown(Session& session, const FetchPlan& plan,
                const std::vector<std::pair<store::Uid, store::ModSeq>>& shown) {
  Selected& selected = *session.selected();
  if (session.enabled().condstore && !plan.shows_modseq) return;
  for (const auto& [uid, modseq] : shown) {
    if (selected.shown.size() == Selected::kMostShown) return;
    selected.shown[uid] = modseq;
  }
}

void log_left_out(Session& session, store::Uid uid, const Error& error) {
  log::error("imap-fetch", {{"account", session.account().name},
                            {"mailbox", session.selected()->name},
                            {"uid", uid.value()},
                            {"error", error.message}});
}

Reply reply_for_unreadable(Session& session, const FetchWalk::Troubles& troubles) {
  for (const auto& [uid, error] : troubles.left_out) log_left_out(session, uid, error);
  if (troubles.count_left_out == 0) return reply_for(*troubles.unreadable, "FETCH");
  if (troubles.count_left_out > troubles.left_out.size()) {
    log::error("imap-fetch", {{"account", session.account().name},
                              {"mailbox", session.selected()->name},
                              {"unreadable", troubles.count_left_out}});
  }
  // RFC 5530 section 3, CORRUPTION
  const bool is_damaged = troubles.unreadable->code == ErrorCode::kCorrupt;
  return Reply::no("Some of the messages can't be read, the server's log says more",
                   is_damaged ? "CORRUPTION" : "SERVERBUG");
}

// The data of all that could be given has been sent. The gravest trouble is told.
Reply final_reply(Session& session, const FetchWalk::Troubles& troubles, const Result<void>& marked,
                  bool uid) {
  if (troubles.unreadable) return reply_for_unreadable(session, troubles);
  if (!marked) return reply_for(marked.error(), "FETCH, setting \\Seen");
  if (troubles.unknown_encoding) {  // RFC 3516 4.3
    return Reply::no("The transfer encoding of a part is not known here", "UNKNOWN-CTE");
  }
  if (troubles.missing) {  // RFC 5530 section 3
    return Reply::no("Some of the messages no longer exist", "EXPUNGEISSUED");
  }
  return Reply::ok(uid ? "UID FETCH completed" : "FETCH completed");
}

}  // namespace

Task<Reply> fetch(Session& session, const Command& command) {
  const Fetch& fetch = std::get<Fetch>(command.arguments);
  const Selected& selected = *session.selected();
  if (fetch.vanished && !session.enabled().qresync) {  // RFC 7162 3.2.6
    co_return Reply::bad("VANISHED needs ENABLE QRESYNC first");
  }
  auto uids = selected.resolve(fetch.set, fetch.uid);
  if (!uids) co_return Reply::bad(uids.error().message);
  if (fetch.partial) uids = fetch.partial->select(*uids);  // RFC 9394 3.4: before CHANGEDSINCE

  const std::string limited = limit_messages(session, *uids);
  const FetchPlan plan(fetch, selected.read_only);
  if (plan.shows_modseq) enable_condstore(session);
  if (fetch.vanished) {
    const auto told = co_await tell_vanished(session, fetch);
    if (!told) co_return reply_for(told.error(), "FETCH, VANISHED");
  }

  const FetchView view{selected, session.style()};
  FetchWalk walk(session.store(), plan, view, *std::move(uids));
  Result<void> marked;
  std::string out;
  for (bool is_last = false; !is_last;) {
    auto slice =
        co_await session.store().read([&](const store::ReadView& now) -> Result<FetchWalk::Slice> {
          return walk.next(now, out);
        });
    // Where a literal is begun, only the rest of it or the end of the connection may follow.
    const bool is_broken = slice ? slice->broken.has_value() : walk.is_inside_response();
    if (is_broken) {
      log_left_out(session, walk.uid_at_work(), slice ? *slice->broken : slice.error());
      session.drop("message-unreadable");
      co_return Reply::said();
    }
    if (!slice) co_return reply_for(slice.error(), "FETCH");
    is_last = slice->is_last;
    session.send(out);
    note_shown(session, plan, slice->shown);
    if (!slice->unseen.empty()) {
      auto now_marked = co_await mark_seen(session, std::move(slice->unseen));
      if (!now_marked) marked = std::move(now_marked);
    }
    if (is_last) break;
    const bool goes_on = co_await session.drained(walk.is_inside_response());
    if (!goes_on) co_return Reply::said();
  }
  Reply reply = final_reply(session, walk.troubles(), marked, fetch.uid);
  if (reply.condition == Condition::kOk) reply.code = limited;
  co_return reply;
}

}  // namespace twinpost::imap::commands
