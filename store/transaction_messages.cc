#include <algorithm>

#include "core/base/ascii.h"
#include "store/prepare.h"
#include "store/transaction.h"

namespace twinpost::store {

Result<void> Transaction::check_append(AccountId account, const AppendRequest& request) const {
  if (request.message == nullptr) return fail(ErrorCode::kInvalid, "nothing to append");
  if (request.origin.key) {
    auto known = queries_.was_imported(account, *request.origin.key);
    if (!known) return failed(known);
    if (*known) return fail(ErrorCode::kExists, "this message was imported before");
  }
  if (request.prefix.size() > kMaxPrefixOctets) {
    return fail(ErrorCode::kTooLarge, "the recipient's own header fields are longer than " +
                                          std::to_string(kMaxPrefixOctets) + " octets");
  }
  if (request.imported_uidl.size() > kMaxUidlOctets) {
    return fail(ErrorCode::kTooLarge,
                "the UIDL is longer than " + std::to_string(kMaxUidlOctets) + " octets");
  }
  return batch_.reserve().check();
}

// Keywords are the same in either case (RFC 5788 3); the mailbox keeps the spelling that came
// first. All or none of them get a bit.
Result<KeywordBits> Transaction::keyword_bits(Open& mailbox, std::span<const std::string> names) {
  const std::size_t known = mailbox.keywords.size();
  KeywordBits bits;
  for (const std::string& name : names) {
    const auto found = std::find_if(
        mailbox.keywords.begin(), mailbox.keywords.end(),
        [&name](const std::string& other) { return ascii::equals_ignore_case(name, other); });
    const auto index = static_cast<std::size_t>(found - mailbox.keywords.begin());
    std::optional<Error> refused;
    if (name.empty() || name.size() > kMaxKeywordOctets) {
      refused = Error{ErrorCode::kInvalid,
                      "a keyword has 1 to " + std::to_string(kMaxKeywordOctets) + " octets"};
    } else if (index >= kMaxKeywords) {
      refused = Error{ErrorCode::kLimit,
                      "a mailbox can have " + std::to_string(kMaxKeywords) + " keywords"};
    }
    if (refused) {
      mailbox.keywords.resize(known);
      return tl::unexpected(*refused);
    }
    if (found == mailbox.keywords.end()) mailbox.keywords.push_back(name);
    bits.set(index);
  }
  for (std::size_t i = known; i < mailbox.keywords.size(); ++i) {
    const Key key = keyword_key(mailbox.key, i);
    auto done = batch_.txn().put(batch_.tables().keywords, key.view(),
                                 encode_text(key.view(), mailbox.keywords[i]));
    if (!done) return failed(done);
  }
  return bits;
}

// A full list of keywords must not keep anybody from filing, trashing or restoring mail.
Result<KeywordBits> Transaction::keyword_bits_left(Open& mailbox,
                                                   std::span<const std::string> names) {
  KeywordBits bits;
  for (const std::string& name : names) {
    auto bit = keyword_bits(mailbox, std::span(&name, 1));
    if (!bit && bit.error().code == ErrorCode::kLimit) continue;
    if (!bit) return bit;
    bits.low |= bit->low;
    bits.high |= bit->high;
  }
  return bits;
}

Result<Appended> Transaction::do_append(MailboxKey key, const AppendRequest& request) {
  auto mailbox = open_to_change(key);
  if (!mailbox) return failed(mailbox);
  auto account = queries_.account_row(key.account);
  if (!account) return failed(account);
  if (auto checked = check_append(key.account, request); !checked) return failed(checked);
  MessageRecord record;
  record.size = request.prefix.size() + request.message->octets.size();
  if (auto fits = check_quota(account->info, request.limits, 1, record.size); !fits)
    return failed(fits);
  const Origin& origin = request.origin;
  // A UID that the mailbox has given, or could have given, is never given again (RFC 9051 2.3.1.1).
  if (origin.uid >= mailbox->row.info.uid_next) mailbox->row.info.uid_next = origin.uid;
  auto uid = take_uid(mailbox->row.info);
  if (!uid) return failed(uid);
  auto keywords = keyword_bits(*mailbox, request.keywords);
  if (!keywords) return failed(keywords);
  auto blob = blobs_.add(*request.message);
  if (!blob) return failed(blob);
  auto counters = batch_.counters();
  if (!counters) return failed(counters);
  record.uid = *uid;
  record.flags = request.flags;
  record.keywords = *keywords;
  record.modseq = touch(*mailbox);
  record.internal_date = request.internal_date;
  record.save_date = origin.save_date.value_or(batch_.now());
  record.pop3_hidden = origin.pop3_hidden;
  record.pop3_retrieved = origin.pop3_retrieved;
  record.serial = (*counters)->next_serial;
  (*counters)->next_serial = record.serial.next();
  // Copies share these; a thread of its own for every message is what RFC 8474 5.2 allows a server
  // that finds none.
  record.email_id = origin.email_id.value() != 0 ? origin.email_id : EmailId(record.serial.value());
  record.thread_id =
      origin.thread_id.value() != 0 ? origin.thread_id : ThreadId(record.serial.value());
  record.blob = *blob;
  record.prefix = request.prefix;
  record.imported_uidl = request.imported_uidl;
  count_in(mailbox->row.info, record);
  const AccountInfo before = account->info;
  ++account->info.messages;
  account->info.bytes += record.size;
  note_use(before, account->info, request.limits);
  auto done = put(key, record);
  if (done) done = put(*mailbox);
  if (done) done = put(*account);
  if (done && origin.key) {
    const Key import = import_key(key.account, *origin.key);
    const auto now = static_cast<std::uint64_t>(batch_.now().time_since_epoch().count());
    done =
        batch_.txn().put(batch_.tables().imports, import.view(), encode_number(import.view(), now));
  }
  if (!done) return failed(done);
  return Appended{mailbox->row.info.uid_validity, record.uid, record.serial, record.modseq};
}

// Changes the record as asked and says whether that made a difference.
Result<bool> Transaction::apply(Open& mailbox, const FlagChange& change, MessageRecord& record) {
  const FlagBits old_flags = record.flags;
  const KeywordBits old_keywords = record.keywords;
  if (change.operation == FlagOperation::kRemove) {
    record.flags = static_cast<FlagBits>(record.flags & ~change.flags);
    for (std::size_t i = 0; i < mailbox.keywords.size(); ++i) {
      const bool named =
          std::any_of(change.keywords.begin(), change.keywords.end(), [&](const std::string& name) {
            return ascii::equals_ignore_case(name, mailbox.keywords[i]);
          });
      if (named) record.keywords.reset(i);
    }
  } else {
    auto bits = keyword_bits(mailbox, change.keywords);
    if (!bits) return failed(bits);
    const bool replace = change.operation == FlagOperation::kReplace;
    record.flags = static_cast<FlagBits>((replace ? 0 : record.flags) | change.flags);
    record.keywords.low = (replace ? 0 : record.keywords.low) | bits->low;
    record.keywords.high = (replace ? 0 : record.keywords.high) | bits->high;
  }
  return record.flags != old_flags || record.keywords != old_keywords;
}

Result<FlagResult> Transaction::do_change_flags(MailboxKey key, std::span<const Uid> uids,
                                                const FlagChange& change) {
  auto mailbox = open_to_change(key);
  if (!mailbox) return failed(mailbox);
  FlagResult result;
  for (const Uid uid : in_order(uids)) {
    auto found = queries_.find_message(key, uid);
    if (!found) return failed(found);
    if (!*found) continue;
    MessageRecord& record = **found;
    if (record.modseq > change.unchanged_since) {
      result.conflicts.push_back(uid);
      continue;
    }
    const MessageRecord before = record;
    auto changed = apply(*mailbox, change, record);
    if (!changed) return failed(changed);
    if (!*changed) continue;
    record.modseq = touch(*mailbox);
    count_out(mailbox->row.info, before);
    count_in(mailbox->row.info, record);
    if (auto done = put(key, record); !done) return failed(done);
    result.changed.push_back(std::move(record));
  }
  if (!result.changed.empty()) {
    if (auto done = put(*mailbox); !done) return failed(done);
  }
  return result;
}

// Takes the record out of the mailbox and into `removed`, where it keeps its blob. The caller puts
// the rows and the tombstone.
Result<void> Transaction::remove(Open& mailbox, AccountRow& account, const MessageRecord& record,
                                 Removal how, const Remover& remover) {
  auto erased =
      batch_.txn().erase(batch_.tables().messages, message_key(mailbox.key, record.uid).view());
  if (!erased) return failed(erased);
  count_out(mailbox.row.info, record);
  --account.info.messages;
  account.info.bytes -= record.size;
  note_less_use(account.info);
  return put_removed(mailbox, account, record, how, remover);
}

// The caller sees to the blob's reference.
Result<void> Transaction::put_removed(const Open& mailbox, AccountRow& account,
                                      const MessageRecord& record, Removal how,
                                      const Remover& remover) {
  batch_.note_removal();
  ++account.info.removed_messages;
  if (how != Removal::kMoved) account.info.removed_bytes += record.size;
  const Key key = removed_key(mailbox.key, batch_.now(), record.uid);
  RemovedRow row;
  row.message = record;
  row.mailbox_name = mailbox.row.info.name;
  row.how = how;
  row.remover = remover;
  row.keywords = keyword_names(mailbox.keywords, record.keywords);
  if (auto shown = show(account.info, batch_.now(), row); !shown) return shown;
  return batch_.txn().put(batch_.tables().removed, key.view(), encode_removed(key.view(), row));
}

Result<Expunged> Transaction::do_expunge(MailboxKey key, std::span<const Uid> uids,
                                         const Remover& remover) {
  auto mailbox = open_to_change(key);
  if (!mailbox) return failed(mailbox);
  auto account = queries_.account_row(key.account);
  if (!account) return failed(account);
  Expunged result;
  for (const Uid uid : in_order(uids)) {
    auto found = queries_.find_message(key, uid);
    if (!found) return failed(found);
    if (!*found) {
      result.already_gone.push_back(uid);
      continue;
    }
    auto removed = remove(*mailbox, *account, **found, Removal::kExpunged, remover);
    if (!removed) return failed(removed);
    result.removed.push_back(uid);
  }
  if (result.removed.empty()) return result;
  result.modseq = touch(*mailbox);
  auto done = put_tombstones(*mailbox, result.removed);
  if (done) done = put(*mailbox);
  if (done) done = put(*account);
  if (!done) return failed(done);
  return result;
}

// One row for each run of neighbouring UIDs, under the mailbox's modseq of this function.
Result<void> Transaction::put_tombstones(Open& mailbox, std::span<const Uid> ascending) {
  for (std::size_t i = 0; i < ascending.size();) {
    const Uid first = ascending[i];
    Uid last = first;
    for (++i; i < ascending.size() && ascending[i] == last.next(); ++i) last = ascending[i];
    const Key key = expunged_key(mailbox.key, mailbox.row.info.highest_modseq, first);
    auto done = batch_.txn().put(batch_.tables().expunged, key.view(),
                                 encode_number(key.view(), last.value()));
    if (!done) return done;
    ++mailbox.row.tombstones;
  }
  return mailbox.row.tombstones > kMostTombstones ? prune_tombstones(mailbox) : Result<void>{};
}

// Forgets the oldest; changes_since() of a modseq below the floor then fails, and its caller
// compares UIDs.
Result<void> Transaction::prune_tombstones(Open& mailbox) {
  std::vector<std::string> oldest;
  const std::size_t surplus = mailbox.row.tombstones - kTombstonesLeft;
  const Key prefix = mailbox_key(mailbox.key);
  auto scanned = queries_.scan(batch_.tables().expunged, prefix.view(), prefix.view(),
                               [&](auto key, auto) -> Result<bool> {
                                 oldest.emplace_back(key);
                                 return oldest.size() < surplus;
                               });
  if (!scanned) return scanned;
  for (const std::string& key : oldest) {
    mailbox.row.tombstone_floor = ModSeq(Reader(std::string_view(key).substr(8)).key_u64());
    auto erased = batch_.txn().erase(batch_.tables().expunged, key);
    if (!erased) return failed(erased);
  }
  mailbox.row.tombstones -= static_cast<std::uint32_t>(oldest.size());
  return {};
}

}  // namespace twinpost::store
