#include "pop3/update.h"

#include <utility>

#include "pop3/response.h"

namespace twinpost::pop3 {
namespace {

using config::Pop3Action;

// Which of `uids` are still in the mailbox.
Result<std::vector<store::Uid>> still_there(const store::ReadView& view, store::MailboxKey inbox,
                                            const std::vector<store::Uid>& uids) {
  std::vector<store::Uid> there;
  there.reserve(uids.size());
  for (const store::Uid uid : uids) {
    const auto record = view.message(inbox, uid);
    if (record) {
      there.push_back(uid);
    } else if (record.error().code != ErrorCode::kNotFound) {
      return tl::unexpected(record.error());
    }
  }
  return there;
}

// The retrieved messages that are still there and have been long enough. What counts is when a message came
// into this mailbox: no date that somebody could give it makes it go sooner than EXPIRE says.
Result<std::vector<store::Uid>> due_now(const store::ReadView& view, const UpdateRequest& request) {
  std::vector<store::Uid> asked = request.retrieved;
  asked.insert(asked.end(), request.retrieved_before.begin(), request.retrieved_before.end());
  const auto age = std::chrono::days(request.keep_days);
  std::vector<store::Uid> due;
  for (const store::Uid uid : asked) {
    const auto record = view.message(request.inbox, uid);
    if (record && record->save_date + age <= request.now) due.push_back(uid);
    if (!record && record.error().code != ErrorCode::kNotFound) {
      return tl::unexpected(record.error());
    }
  }
  return due;
}

// The account's mailbox for a special use (RFC 6154): the one that has it, else the one of that
// name, else a new one.
Result<store::MailboxKey> find_or_make(store::WriteTxn& txn, store::MailboxKey inbox,
                                       store::SpecialUse use, std::string_view name) {
  const auto mailboxes = txn.mailboxes(inbox.account);
  if (!mailboxes) return tl::unexpected(mailboxes.error());
  for (const store::MailboxInfo& mailbox : *mailboxes) {
    if (mailbox.special_use == use && mailbox.id != inbox.mailbox) {
      return store::MailboxKey{inbox.account, mailbox.id};
    }
  }
  for (const store::MailboxInfo& mailbox : *mailboxes) {
    if (mailbox.name == name) return store::MailboxKey{inbox.account, mailbox.id};
  }
  const auto made = txn.create_mailbox(inbox.account, name, use);
  if (!made) return tl::unexpected(made.error());
  // IMAP clients that show subscribed mailboxes only would hide it from its owner.
  auto subscribed = txn.set_subscribed(inbox.account, name, true);
  if (!subscribed) return tl::unexpected(std::move(subscribed.error()));
  return store::MailboxKey{inbox.account, made->id};
}

// Returns how many were moved.
Result<std::uint64_t> move_to(store::WriteTxn& txn, store::MailboxKey inbox,
                              const std::vector<store::Uid>& uids, store::SpecialUse use,
                              std::string_view name, const store::Remover& remover) {
  const auto target = find_or_make(txn, inbox, use, name);
  if (!target) return tl::unexpected(target.error());
  const auto moved = txn.move(inbox, uids, *target, remover);
  if (!moved) return tl::unexpected(moved.error());
  return moved->messages.size();
}

// Applies `action` to messages that are there.
Result<void> apply(store::WriteTxn& txn, const UpdateRequest& request, Pop3Action action,
                   const std::vector<store::Uid>& uids, UpdateResult& result) {
  if (uids.empty()) return {};
  switch (action) {
    case Pop3Action::kNothing: result.kept += uids.size(); return {};
    case Pop3Action::kHide: {
      auto hidden = txn.hide_from_pop3(request.inbox, uids);
      if (hidden) result.hidden += uids.size();
      return hidden;
    }
    case Pop3Action::kRemove: {
      const auto expunged = txn.expunge(request.inbox, uids, request.remover);
      if (!expunged) return tl::unexpected(expunged.error());
      result.removed += expunged->removed.size();
      return {};
    }
    case Pop3Action::kArchive: {
      const auto moved = move_to(txn, request.inbox, uids, store::SpecialUse::kArchive, "Archive",
                                 request.remover);
      if (!moved) return tl::unexpected(moved.error());
      result.to_archive += *moved;
      return {};
    }
    case Pop3Action::kTrash: {
      const auto moved =
          move_to(txn, request.inbox, uids, store::SpecialUse::kTrash, "Trash", request.remover);
      if (!moved) return tl::unexpected(moved.error());
      result.to_trash += *moved;
      return {};
    }
  }
  return fail(ErrorCode::kInternal, "unknown POP3 action");
}

}  // namespace

Result<UpdateResult> update(store::WriteTxn& txn, const UpdateRequest& request) {
  UpdateResult result;
  if (!request.seen.empty()) {
    store::FlagChange seen;
    seen.flags = store::bit(store::Flag::kSeen);
    const auto marked = txn.change_flags(request.inbox, request.seen, seen);
    if (!marked) return tl::unexpected(marked.error());
  }
  const auto deleted = still_there(txn, request.inbox, request.deleted);
  if (!deleted) return tl::unexpected(deleted.error());
  result.already_gone = request.deleted.size() - deleted->size();
  auto applied = apply(txn, request, request.on_delete, *deleted, result);
  if (!applied) return tl::unexpected(std::move(applied.error()));

  if (request.after_retrieve == Pop3Action::kNothing) return result;
  const auto due = due_now(txn, request);
  if (!due) return tl::unexpected(due.error());
  applied = apply(txn, request, request.after_retrieve, *due, result);
  if (!applied) return tl::unexpected(std::move(applied.error()));
  if (request.keep_days == 0) return result;
  // Those that went have another UID, or none, and are passed over.
  auto noted = txn.note_retrieved(request.inbox, request.retrieved);
  if (!noted) return tl::unexpected(std::move(noted.error()));
  return result;
}

bool UpdateRequest::changes_something() const {
  if (!deleted.empty() || !seen.empty()) return true;
  return after_retrieve != Pop3Action::kNothing &&
         (!retrieved.empty() || !retrieved_before.empty());
}

std::string UpdateResult::text() const {
  std::string text;
  const auto add = [&text](std::uint64_t count, std::string_view what) {
    if (count == 0) return;
    if (!text.empty()) text += ", ";
    text.append(messages(count)).append(" ").append(what);
  };
  add(removed, "removed");
  add(hidden, "hidden from POP3");
  add(to_trash, "moved to the trash");
  add(to_archive, "moved to the archive");
  add(kept, "kept");
  if (already_gone != 0) {
    if (text.empty()) text = "0 messages removed";
    text += ", " + std::to_string(already_gone) + " already gone";
  }
  return text;
}

Task<Result<UpdateResult>> update(store::Store& store, UpdateRequest request) {
  auto result =
      co_await store.write([&request](store::WriteTxn& txn) { return update(txn, request); });
  co_return result;
}

}  // namespace twinpost::pop3
