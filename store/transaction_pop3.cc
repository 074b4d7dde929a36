// What POP3 keeps with a message, beside IMAP's flags and keywords; and notes (types.h).
//
// Each change of a record has a modseq: an incremental backup finds by it what is new.
#include <map>
#include <string>
#include <utility>

#include "store/transaction.h"

namespace twinpost::store {

// Lets `change` have each record that is there, and puts back those that it says have changed.
template <class Change>
Result<void> Transaction::change_records(MailboxKey key, std::span<const Uid> uids, Change change) {
  auto mailbox = open_to_change(key);
  if (!mailbox) return failed(mailbox);
  bool any = false;
  for (const Uid uid : in_order(uids)) {
    auto found = queries_.find_message(key, uid);
    if (!found) return failed(found);
    if (!*found || !change(**found)) continue;
    (*found)->modseq = touch(*mailbox);
    if (auto done = put(key, **found); !done) return done;
    any = true;
  }
  return any ? put(*mailbox) : Result<void>{};
}

Result<void> Transaction::do_hide_from_pop3(MailboxKey key, std::span<const Uid> uids) {
  return change_records(
      key, uids, [](MessageRecord& record) { return !std::exchange(record.pop3_hidden, true); });
}

Result<void> Transaction::do_note_retrieved(MailboxKey key, std::span<const Uid> uids) {
  return change_records(
      key, uids, [](MessageRecord& record) { return !std::exchange(record.pop3_retrieved, true); });
}

Result<void> Transaction::do_fix_uidls(MailboxKey key, std::span<const FixedUidl> uidls) {
  std::map<Uid, const std::string*> by_uid;
  std::vector<Uid> uids;
  uids.reserve(uidls.size());
  for (const FixedUidl& fixed : uidls) {
    if (fixed.uidl.size() > kMaxUidlOctets) {
      return fail(ErrorCode::kTooLarge, "the UIDL is longer than any");
    }
    by_uid.emplace(fixed.uid, &fixed.uidl);
    uids.push_back(fixed.uid);
  }
  return change_records(key, uids, [&by_uid](MessageRecord& record) {
    const std::string& uidl = *by_uid.at(record.uid);
    return std::exchange(record.imported_uidl, uidl) != uidl;
  });
}

Result<void> Transaction::do_put_note(AccountId account, const NoteKey& note,
                                      std::string_view value) {
  if (note.name.size() > kMaxNoteName || value.size() > kMaxNoteOctets) {
    return fail(ErrorCode::kTooLarge, "the note is too large");
  }
  auto owner = queries_.account_row(account);
  if (!owner) return failed(owner);
  if (note.mailbox.value() != 0) {
    auto mailbox = queries_.mailbox_row({account, note.mailbox});
    if (!mailbox) return failed(mailbox);
  }
  const engine::Table table = batch_.tables().notes;
  const Key key = note_key(account, note);
  if (value.empty()) {
    auto erased = batch_.txn().erase(table, key.view());
    if (!erased) return failed(erased);
    return {};
  }
  return batch_.txn().put(table, key.view(), encode_text(key.view(), value));
}

}  // namespace twinpost::store
