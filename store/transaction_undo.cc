#include <algorithm>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "core/base/encoding.h"
#include "store/names.h"
#include "store/transaction.h"

namespace twinpost::store {

namespace {

// The serial that a UIDL made by this store stands for (uidl_of): a restore gives it as a text.
std::optional<MessageSerial> serial_of(const std::string& uidl, std::uint64_t store_id) {
  MessageRecord made;
  if (uidl.size() != 32) return std::nullopt;
  const auto octets = hex_decode(std::string_view(uidl).substr(16));
  if (!octets) return std::nullopt;
  made.serial = MessageSerial(Reader(*octets).key_u64());
  if (uidl_of(made, store_id) != uidl) return std::nullopt;
  return made.serial;
}

// Who of some messages is in the account already, by serial or by UIDL: two of them in one maildrop
// would have one UIDL.
class Wanted {
 public:
  Wanted(std::uint64_t store_id) : store_id_(store_id) {}

  void add(const MessageRecord& record) {
    serials_.insert(record.serial);
    uidls_.insert(uidl_of(record, store_id_));
    if (const auto serial = serial_of(record.imported_uidl, store_id_)) serials_.insert(*serial);
  }
  void look_at(const MessageRecord& record) {
    if (serials_.contains(record.serial)) present_.insert(record.serial);
    if (!record.imported_uidl.empty() && uidls_.contains(record.imported_uidl)) {
      present_uidls_.insert(record.imported_uidl);
    }
  }
  // Notes that it is there from now on.
  [[nodiscard]] bool is_present(const MessageRecord& record) {
    const auto serial = serial_of(record.imported_uidl, store_id_);
    if (present_.contains(record.serial) || (serial && present_.contains(*serial)) ||
        present_uidls_.contains(uidl_of(record, store_id_))) {
      return true;
    }
    present_.insert(record.serial);
    present_uidls_.insert(uidl_of(record, store_id_));
    return false;
  }

 private:
  std::uint64_t store_id_;
  std::unordered_set<MessageSerial> serials_;
  std::unordered_set<std::string> uidls_;
  std::unordered_set<MessageSerial> present_;
  std::unordered_set<std::string> present_uidls_;
};

}  // namespace

// Those that are there and not in the account otherwise, in the order they were asked for.
Result<std::vector<Transaction::Removed>> Transaction::find_removed(AccountId account,
                                                                    std::span<const RemovedId> ids,
                                                                    Undeleted& result) const {
  auto meta = batch_.txn().get(batch_.tables().meta, kStoreKey);
  if (!meta) return failed(meta);
  if (!*meta) return fail(ErrorCode::kCorrupt, "the store has no id");
  auto store = decode_store(kStoreKey, **meta);
  if (!store) return failed(store);
  std::vector<Removed> found;
  Wanted wanted(store->store_id);
  for (const RemovedId& id : ids) {
    const Key key = removed_key(account, id);
    auto value = batch_.txn().get(batch_.tables().removed, key.view());
    if (!value) return failed(value);
    if (!*value) {
      result.missing.push_back(id);
      continue;
    }
    auto row = decode_removed(key.view(), **value);
    if (!row) return failed(row);
    if (!queries_.blob_row(row->message.blob)) {  // `check` tells of it
      result.missing.push_back(id);
      continue;
    }
    wanted.add(row->message);
    found.push_back({id, std::move(*row)});
  }
  auto mailboxes = queries_.names(account, {});
  if (!mailboxes) return failed(mailboxes);
  auto owner = queries_.account_row(account);
  if (!owner) return failed(owner);
  for (const Queries::NamedMailbox& mailbox : *mailboxes) {
    if (mailbox.id == owner->info.removed_mailbox) continue;  // not there but shown
    auto scanned = queries_.for_each_message(
        {account, mailbox.id}, {Uid(1), Uid(std::numeric_limits<std::uint32_t>::max())},
        [&wanted](const MessageRecord& record) {
          wanted.look_at(record);
          return true;
        });
    if (!scanned) return failed(scanned);
  }
  std::vector<Removed> absent;
  for (Removed& removed : found) {
    if (wanted.is_present(removed.row.message)) {
      result.present.push_back(removed.id);
    } else {
      absent.push_back(std::move(removed));
    }
  }
  return absent;
}

// Where a removed message goes: its mailbox may be gone, or have another name. What was in a
// mailbox whose name shows removed messages now, or is below that, comes back to INBOX.
Result<MailboxId> Transaction::home_of(AccountId account, const Removed& removed,
                                       std::optional<MailboxId> to) {
  const MailboxId id = to.value_or(removed.id.mailbox);
  auto row = queries_.mailbox_row({account, id});
  if (row) return id;
  if (to || row.error().code != ErrorCode::kNotFound) return failed(row);
  auto owner = queries_.account_row(account);
  if (!owner) return failed(owner);
  std::string name = removed.row.mailbox_name;
  if (!check_place(owner->info, name)) name = kInbox;
  auto named = queries_.mailbox_id(account, name);
  if (named && *named && **named == owner->info.removed_mailbox) {
    named = queries_.mailbox_id(account, kInbox);
  }
  if (!named) return failed(named);
  if (*named) return **named;
  auto made = do_create_mailbox(account, name, SpecialUse::kNone);
  if (!made) return failed(made);
  return made->id;
}

Result<void> Transaction::put_back(MailboxKey key, std::span<Removed> removed, const Limits& limits,
                                   Undeleted& result) {
  auto mailbox = open_to_change(key);
  if (!mailbox) return failed(mailbox);
  auto account = queries_.account_row(key.account);
  if (!account) return failed(account);
  const AccountInfo before = account->info;
  for (Removed& one : removed) {
    MessageRecord record = one.row.message;
    record.flags = static_cast<FlagBits>(record.flags & ~bit(Flag::kDeleted));
    auto keywords = keyword_bits_left(*mailbox, one.row.keywords);
    if (!keywords) return failed(keywords);
    record.keywords = *keywords;
    if (auto moved = keep_brought_back(*account, one); !moved) return moved;
    ++account->info.messages;
    account->info.bytes += record.size;
    auto placed = place(*mailbox, std::move(record));
    if (!placed) return failed(placed);
    result.messages.push_back({one.id, key, *placed});
  }
  note_use(before, account->info, limits);
  auto done = put(*mailbox);
  if (done) done = put(*account);
  return done;
}

// Sessions that were not told yet that it had left its mailbox go on reading it there: its row stays
// as that of a message that was only moved, with a reference of its own. The one that it had is the
// message's now.
Result<void> Transaction::keep_brought_back(AccountRow& account, Removed& removed) {
  RemovedRow& row = removed.row;
  const Key key = removed_key(account.info.id, removed.id);
  count_out_removed(account.info, row);
  if (auto unshown = unshow(account.info, row); !unshown) return unshown;
  auto counted = blobs_.add_reference(row.message.blob);
  if (!counted && !is_unusable(counted.error().code)) return counted;
  if (!counted) {
    auto erased = batch_.txn().erase(batch_.tables().removed, key.view());
    return erased ? Result<void>{} : failed(erased);
  }
  row.how = Removal::kMoved;
  row.shown_in = MailboxId();
  row.shown_as = Uid();
  ++account.info.removed_messages;
  return batch_.txn().put(batch_.tables().removed, key.view(), encode_removed(key.view(), row));
}

Result<Undeleted> Transaction::do_undelete(AccountId account_id, std::span<const RemovedId> ids,
                                           std::optional<MailboxId> to, const Limits& limits) {
  auto account = queries_.account_row(account_id);
  if (!account) return failed(account);
  std::vector<RemovedId> ordered(ids.begin(), ids.end());
  std::sort(ordered.begin(), ordered.end());
  ordered.erase(std::unique(ordered.begin(), ordered.end()), ordered.end());
  Undeleted result;
  auto found = find_removed(account_id, ordered, result);
  if (!found) return failed(found);
  std::uint64_t bytes = 0;
  for (const Removed& removed : *found) bytes += removed.row.message.size;
  auto fits = check_quota(account->info, limits, found->size(), bytes);
  if (!fits) return failed(fits);
  for (std::size_t i = 0; i < found->size();) {
    auto home = home_of(account_id, (*found)[i], to);
    if (!home) return failed(home);
    const std::size_t begin = i;
    const MailboxId left = (*found)[begin].id.mailbox;
    while (i < found->size() && (to || (*found)[i].id.mailbox == left)) ++i;
    auto done =
        put_back({account_id, *home}, std::span(*found).subspan(begin, i - begin), limits, result);
    if (!done) return failed(done);
  }
  return result;
}

Result<std::uint64_t> Transaction::do_forget_removed(AccountId account_id,
                                                     std::span<const RemovedId> ids) {
  std::vector<std::string> keys;
  keys.reserve(ids.size());
  for (const RemovedId& id : ids) keys.emplace_back(removed_key(account_id, id).view());
  auto forgotten = do_drop_removed(account_id, keys);
  if (forgotten && *forgotten > 0) batch_.note_reapable();
  return forgotten;
}

Result<std::uint64_t> Transaction::do_drop_removed(AccountId account_id,
                                                   std::span<const std::string> keys) {
  auto account = queries_.account_row(account_id);
  if (!account) return failed(account);
  std::uint64_t dropped = 0;
  for (const std::string& key : keys) {
    auto gone = drop_removed(*account, key);
    if (!gone) return failed(gone);
    if (*gone) ++dropped;
  }
  if (dropped == 0) return dropped;
  if (auto done = put(*account); !done) return failed(done);
  return dropped;
}

// A blob that is damaged must not keep its row for ever.
Result<bool> Transaction::drop_removed(AccountRow& account, std::string_view key) {
  auto value = batch_.txn().get(batch_.tables().removed, key);
  if (!value) return failed(value);
  if (!*value) return false;
  auto row = decode_removed(key, **value);
  if (!row) return failed(row);
  auto erased = batch_.txn().erase(batch_.tables().removed, key);
  if (!erased) return failed(erased);
  count_out_removed(account.info, *row);
  if (auto unshown = unshow(account.info, *row); !unshown) return failed(unshown);
  auto dropped = blobs_.drop_reference(row->message.blob);
  const bool damaged = !dropped && (dropped.error().code == ErrorCode::kCorrupt ||
                                    dropped.error().code == ErrorCode::kNotFound);
  if (!dropped && !damaged) return failed(dropped);
  return true;
}

}  // namespace twinpost::store
