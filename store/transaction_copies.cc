#include <limits>

#include "store/transaction.h"

namespace twinpost::store {

// The same names in the target, as far as it has bits for them.
Result<KeywordBits> Transaction::translate_keywords(const Open& from, Open& to, KeywordBits bits) {
  return keyword_bits_left(to, keyword_names(from.keywords, bits));
}

// Puts a record that came from elsewhere into the target under a UID of its own.
Result<Uid> Transaction::place(Open& target, MessageRecord record) {
  auto uid = take_uid(target.row.info);
  if (!uid) return failed(uid);
  record.uid = *uid;
  record.modseq = touch(target);
  record.save_date = batch_.now();
  count_in(target.row.info, record);
  if (auto done = put(target.key, record); !done) return failed(done);
  return *uid;
}

Result<Transaction::Selection> Transaction::select(MailboxKey from, std::span<const Uid> uids,
                                                   const MailboxInfo& target) const {
  Selection selection;
  for (const Uid uid : in_order(uids)) {
    auto found = queries_.find_message(from, uid);
    if (!found) return failed(found);
    (*found ? selection.present : selection.missing).push_back(uid);
    if (*found) selection.bytes += (*found)->size;
  }
  if (selection.present.size() >
      std::numeric_limits<std::uint32_t>::max() - target.uid_next.value()) {
    return fail(ErrorCode::kLimit, target.name + ": not enough UIDs are left in this mailbox");
  }
  return selection;
}

Result<Copied> Transaction::do_copy(MailboxKey from, std::span<const Uid> uids, MailboxKey to,
                                    const Limits& limits) {
  if (from.account != to.account) {
    return fail(ErrorCode::kInvalid, "a copy stays in its account");
  }
  const auto source = open(from);
  if (!source) return tl::unexpected(source.error());
  auto target = open_to_change(to);
  if (!target) return failed(target);
  auto account = queries_.account_row(to.account);
  if (!account) return failed(account);
  auto counters = batch_.counters();
  if (!counters) return failed(counters);
  auto selection = select(from, uids, target->row.info);
  if (!selection) return failed(selection);
  auto fits = check_quota(account->info, limits, selection->present.size(), selection->bytes);
  if (!fits) return failed(fits);
  Copied result;
  result.uid_validity = target->row.info.uid_validity;
  result.missing = std::move(selection->missing);
  const AccountInfo before = account->info;
  for (const Uid uid : selection->present) {
    auto found = queries_.message(from, uid);
    if (!found) return failed(found);
    MessageRecord& record = *found;
    auto keywords = translate_keywords(*source, *target, record.keywords);
    if (!keywords) return failed(keywords);
    record.keywords = *keywords;
    // Another message object for POP3: with a UIDL of its own, and not hidden because the first one
    // was.
    record.serial = (*counters)->next_serial;
    (*counters)->next_serial = record.serial.next();
    record.imported_uidl.clear();
    record.pop3_hidden = false;
    record.pop3_retrieved = false;
    if (auto counted = blobs_.add_reference(record.blob); !counted) return failed(counted);
    ++account->info.messages;
    account->info.bytes += record.size;
    auto placed = place(*target, std::move(record));
    if (!placed) return failed(placed);
    result.messages.push_back({uid, *placed});
  }
  if (result.messages.empty()) return result;
  note_use(before, account->info, limits);
  auto done = put(*target);
  if (done) done = put(*account);
  if (!done) return failed(done);
  return result;
}

// A session whose client does not know yet that the message left may still read it where it was, so
// this record refers to the blob too. What is damaged can be filed away nevertheless.
Result<void> Transaction::keep_moved(const Open& source, AccountRow& account,
                                     const MessageRecord& record, const Remover& remover) {
  auto counted = blobs_.add_reference(record.blob);
  if (counted) return put_removed(source, account, record, Removal::kMoved, remover);
  return is_unusable(counted.error().code) ? Result<void>{} : counted;
}

Result<Copied> Transaction::do_move(MailboxKey from, std::span<const Uid> uids, MailboxKey to,
                                    const Remover& remover) {
  if (from.account != to.account) {
    return fail(ErrorCode::kInvalid, "a move stays in its account");
  }
  auto source = open_to_change(from);
  if (!source) return failed(source);
  auto account = queries_.account_row(from.account);
  if (!account) return failed(account);
  auto other = open_to_change(to);
  if (!other) return failed(other);
  Open& target = from == to ? *source : *other;  // one row where it is one mailbox (RFC 6851 3.3)
  auto selection = select(from, uids, target.row.info);
  if (!selection) return failed(selection);
  Copied result;
  result.uid_validity = target.row.info.uid_validity;
  result.missing = std::move(selection->missing);
  const std::vector<Uid>& gone = selection->present;
  for (const Uid uid : gone) {
    auto found = queries_.message(from, uid);
    if (!found) return failed(found);
    auto erased = batch_.txn().erase(batch_.tables().messages, message_key(from, uid).view());
    if (!erased) return failed(erased);
    count_out(source->row.info, *found);
    if (auto kept = keep_moved(*source, *account, *found, remover); !kept) return failed(kept);
    auto keywords = translate_keywords(*source, target, found->keywords);
    if (!keywords) return failed(keywords);
    found->keywords = *keywords;
    auto placed = place(target, std::move(*found));
    if (!placed) return failed(placed);
    result.messages.push_back({uid, *placed});
  }
  if (gone.empty()) return result;
  touch(*source);
  auto done = put_tombstones(*source, gone);
  if (done) done = put(target);
  if (done) done = put(*source);
  if (done) done = put(*account);
  if (!done) return failed(done);
  return result;
}

}  // namespace twinpost::store
