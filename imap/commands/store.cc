// STORE and UID STORE (RFC 9051 6.4.6, RFC 7162 3.1.3).
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

// Of one transaction: the writer serves others too.
constexpr std::size_t kBatch = 2000;

struct Outcome {
  store::FlagResult result;
  std::vector<store::MessageRecord> unchanged;    // had these flags already
  std::vector<store::MessageRecord> conflicting;  // failed UNCHANGEDSINCE, as they are
  // What each message was at before, by UID; only for +FLAGS.SILENT and -FLAGS.SILENT.
  std::vector<std::pair<store::Uid, store::ModSeq>> before;
  bool some_missing = false;          // removed by another session
  std::vector<std::string> keywords;  // names of the mailbox now
};

Result<Outcome> change(store::WriteTxn& txn, store::MailboxKey key,
                       const std::vector<store::Uid>& uids, const store::FlagChange& wanted,
                       bool notes_before) {
  Outcome outcome;
  for (const store::Uid uid : uids) {
    if (!notes_before) break;
    const auto record = txn.message(key, uid);
    if (record) outcome.before.emplace_back(uid, record->modseq);
  }
  auto result = txn.change_flags(key, uids, wanted);
  if (!result) return tl::unexpected(result.error());
  auto info = txn.mailbox(key);
  if (!info) return tl::unexpected(info.error());
  outcome.keywords = std::move(info->keywords);
  auto changed = result->changed.begin();
  auto conflict = result->conflicts.begin();
  for (const store::Uid uid : uids) {
    while (changed != result->changed.end() && changed->uid < uid) ++changed;
    if (changed != result->changed.end() && changed->uid == uid) continue;
    while (conflict != result->conflicts.end() && *conflict < uid) ++conflict;
    const bool is_conflict = conflict != result->conflicts.end() && *conflict == uid;
    auto record = txn.message(key, uid);
    if (record) {
      (is_conflict ? outcome.conflicting : outcome.unchanged).push_back(*std::move(record));
    } else if (record.error().code == ErrorCode::kNotFound) {
      outcome.some_missing = true;
    } else {
      return tl::unexpected(record.error());
    }
  }
  outcome.result = *std::move(result);
  return outcome;
}

store::FlagChange flag_change(const Store& arguments) {
  store::FlagChange change;
  change.operation = arguments.operation;
  change.flags = arguments.flags.flags;
  change.keywords.assign(arguments.flags.keywords.begin(), arguments.flags.keywords.end());
  if (arguments.unchanged_since) change.unchanged_since = store::ModSeq(*arguments.unchanged_since);
  return change;
}

// Whether another session changed it before this one did, and the client has not heard of it: its flags are then not what the
// client makes of its own change, so that .SILENT does not hold (RFC 9051 6.4.6).
bool was_changed_by_others(const Selected& selected, const Outcome& outcome, store::Uid uid) {
  const auto found = std::lower_bound(
      outcome.before.begin(), outcome.before.end(), uid,
      [](const auto& one, store::Uid wanted_uid) { return one.first < wanted_uid; });
  if (found == outcome.before.end() || found->first != uid) return false;
  const store::ModSeq before = found->second;
  if (before <= selected.known || selected.told.contains(before)) return false;
  const auto shown = selected.shown.find(uid);
  return shown == selected.shown.end() || shown->second != before;
}

void tell_outcome(Session& session, const Store& arguments, const Outcome& outcome) {
  Selected& selected = *session.selected();
  std::string out;
  if (outcome.keywords != selected.keywords) {
    selected.keywords = outcome.keywords;
    append_flag_names(out, selected.keywords, selected.read_only);
  }
  std::vector<const store::MessageRecord*> told;
  for (const store::MessageRecord& record : outcome.result.changed) told.push_back(&record);
  if (!arguments.silent) {
    for (const store::MessageRecord& record : outcome.unchanged) told.push_back(&record);
    std::sort(told.begin(), told.end(),
              [](const auto* a, const auto* b) { return a->uid < b->uid; });
  }
  for (const store::MessageRecord* record : told) {
    if (!arguments.silent || was_changed_by_others(selected, outcome, record->uid)) {
      append_flags_update(out, session, selected, *record);
    } else if (session.enabled().condstore) {
      append_modseq_update(out, selected, *record);  // RFC 7162 3.1.3: even with .SILENT
    }
  }
  for (const store::MessageRecord& record : outcome.result.changed) selected.note_told(record);
  // RFC 7162 3.1.3: the client need not ask for what they are now.
  for (const store::MessageRecord& record : outcome.conflicting) {
    append_flags_update(out, session, selected, record);
    if (selected.shown.size() < Selected::kMostShown) selected.shown[record.uid] = record.modseq;
  }
  session.send(out);
}

}  // namespace

Task<Reply> store(Session& session, const Command& command) {
  const auto& arguments = std::get<Store>(command.arguments);
  Selected& selected = *session.selected();
  auto chosen = selected.resolve(arguments.set, arguments.uid);
  if (!chosen) co_return Reply::bad(chosen.error().message);
  if (selected.read_only) co_return Reply::no("The mailbox is read-only");
  std::string limited = limit_messages(session, *chosen);
  if (arguments.unchanged_since) enable_condstore(session);
  const store::FlagChange wanted = flag_change(arguments);
  const bool notes_before =
      arguments.silent && arguments.operation != store::FlagOperation::kReplace;
  const std::vector<store::Uid> all = selected.uids_of(*chosen);
  NumberSet conflicts;
  bool some_missing = false;
  for (std::size_t at = 0; at < all.size(); at += kBatch) {
    const std::vector<store::Uid> batch(
        all.begin() + static_cast<std::ptrdiff_t>(at),
        all.begin() + static_cast<std::ptrdiff_t>(std::min(at + kBatch, all.size())));
    const auto outcome = co_await session.store().write([&](store::WriteTxn& txn) {
      return change(txn, selected.key, batch, wanted, notes_before);
    });
    if (!outcome) co_return reply_for(outcome.error(), "store");
    selected.stale = true;
    some_missing = some_missing || outcome->some_missing;
    for (const store::Uid uid : outcome->result.conflicts) {
      const auto number = selected.uids->number_of(uid);
      if (number) conflicts.add(arguments.uid ? uid.value() : *number);
    }
    tell_outcome(session, arguments, *outcome);
    const bool goes_on = co_await session.drained();
    if (!goes_on) co_return Reply::said();
  }
  if (!conflicts.empty()) {
    co_return Reply::ok("Conditional STORE failed for some messages",
                        "MODIFIED " + conflicts.to_string());
  }
  // RFC 2180 section 4.2.
  if (some_missing && !arguments.uid && !arguments.silent) {
    co_return Reply::no("Some of the messages no longer exist", "EXPUNGEISSUED");
  }
  co_return Reply::ok(command.uid ? "UID STORE completed" : "STORE completed", std::move(limited));
}

}  // namespace twinpost::imap::commands
