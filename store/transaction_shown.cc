// The mailbox that shows an account's removed messages: for each row of `removed` a message of its
// own, which shares the body and goes when the row goes. The row says which it is.
//
// It never stands in a removal's way: where it, or a body, is damaged, or it has no UID left, the
// removal is just not shown.
#include <limits>
#include <utility>

#include "store/names.h"
#include "store/transaction.h"

namespace twinpost::store {

namespace {

// What one call does at most: removals shown, looked at, and messages taken away.
constexpr std::size_t kMostShown = 500;
constexpr std::size_t kMostLookedAt = 5'000;
constexpr std::size_t kMostTakenOut = 1'000;

RemovedId removed_id(std::string_view key) {
  Reader in(key);
  in.key_u32();  // the account
  RemovedId id;
  id.time = UnixTime(std::chrono::seconds(static_cast<std::int64_t>(in.key_u64())));
  id.mailbox = MailboxId(in.key_u32());
  id.uid = Uid(in.key_u32());
  return id;
}

}  // namespace

Result<Transaction::Open*> Transaction::open_shown(const AccountInfo& account) {
  if (account.removed_mailbox.value() == 0) return nullptr;
  const MailboxKey key{account.id, account.removed_mailbox};
  if (shown_ && shown_->key == key) return &*shown_;
  auto opened = open(key);
  if (!opened && !is_unusable(opened.error().code)) return failed(opened);
  if (!opened || !opened->row.info.shows_removed) return nullptr;
  if (auto done = put_shown(); !done) return failed(done);
  shown_ = std::move(*opened);
  unshown_.clear();
  return &*shown_;
}

// Once a method, however many removals it has.
Result<void> Transaction::put_shown() {
  if (!shown_) return {};
  Open mailbox = *std::exchange(shown_, std::nullopt);
  const std::vector<Uid> gone = in_order(std::exchange(unshown_, {}));
  if (!gone.empty()) {
    touch(mailbox);
    if (auto done = put_tombstones(mailbox, gone); !done) return done;
  }
  return put(mailbox);
}

Result<void> Transaction::show(const AccountInfo& account, UnixTime removed_at, RemovedRow& row) {
  row.shown_as = Uid();
  if (row.how == Removal::kMoved) return {};
  auto shown = open_shown(account);
  if (!shown) return failed(shown);
  if (*shown == nullptr) return {};
  Open& mailbox = **shown;
  MessageRecord record = row.message;
  auto counters = batch_.counters();
  if (!counters) return failed(counters);
  auto keywords = keyword_bits_left(mailbox, row.keywords);
  if (!keywords) return failed(keywords);
  auto uid = take_uid(mailbox.row.info);
  if (!uid) return {};
  if (auto counted = blobs_.add_reference(record.blob); !counted) {
    return is_unusable(counted.error().code) ? Result<void>{} : counted;
  }
  record.uid = *uid;
  record.flags = static_cast<FlagBits>(record.flags & ~bit(Flag::kDeleted));
  record.keywords = *keywords;
  record.modseq = touch(mailbox);
  record.save_date = removed_at;
  // Another message object, as a copy is; the first one's UIDL comes back with it.
  record.serial = (*counters)->next_serial;
  (*counters)->next_serial = record.serial.next();
  record.imported_uidl.clear();
  record.pop3_hidden = false;
  record.pop3_retrieved = false;
  count_in(mailbox.row.info, record);
  // No SELECT of it is read-write, so that nothing in it would ever cease to be \Recent.
  mailbox.row.info.first_recent = mailbox.row.info.uid_next;
  row.shown_in = mailbox.key.mailbox;
  row.shown_as = record.uid;
  return put(mailbox.key, record);
}

Result<void> Transaction::unshow(const AccountInfo& account, const RemovedRow& row) {
  if (row.shown_as.value() == 0 || row.shown_in != account.removed_mailbox) return {};
  auto shown = open_shown(account);
  if (!shown) return failed(shown);
  if (*shown == nullptr) return {};
  auto found = queries_.find_message((*shown)->key, row.shown_as);
  if (!found) return is_unusable(found.error().code) ? Result<void>{} : failed(found);
  // Not another one, whatever a repair has made of the mailbox's UIDs.
  if (!*found || (*found)->blob != row.message.blob) return {};
  return take_out_shown(**shown, **found);
}

Result<void> Transaction::take_out_shown(Open& mailbox, const MessageRecord& record) {
  auto erased =
      batch_.txn().erase(batch_.tables().messages, message_key(mailbox.key, record.uid).view());
  if (!erased) return failed(erased);
  count_out(mailbox.row.info, record);
  unshown_.push_back(record.uid);
  auto dropped = blobs_.drop_reference(record.blob);
  return !dropped && is_unusable(dropped.error().code) ? Result<void>{} : dropped;
}

Result<void> Transaction::do_drop_shown(MailboxKey key, Uid uid) {
  auto account = queries_.account_row(key.account);
  if (!account) return failed(account);
  if (account->info.removed_mailbox != key.mailbox) return {};
  auto shown = open_shown(account->info);
  if (!shown) return failed(shown);
  if (*shown == nullptr) return {};
  auto found = queries_.find_message(key, uid);
  if (!found) return failed(found);
  if (!*found) return {};
  batch_.note_reapable();
  return take_out_shown(**shown, **found);
}

// The mailbox, under this name.
Result<void> Transaction::provide_shown(AccountRow& account, const std::string& name) {
  AccountInfo& info = account.info;
  if (info.removed_mailbox.value() != 0) {
    auto row = queries_.mailbox_row({info.id, info.removed_mailbox});
    if (!row && row.error().code != ErrorCode::kNotFound) return failed(row);
    if (row && row->info.shows_removed) {
      if (row->info.name == name) return {};
      if (auto free = check_free_name(info.id, name); !free) return free;
      auto done = rename_one(info.id, {row->info.name, info.removed_mailbox}, name);
      if (done) done = do_set_subscribed(info.id, row->info.name, false);
      if (done) done = do_set_subscribed(info.id, name, true);
      return done;
    }
  }
  if (auto free = check_free_name(info.id, name); !free) return free;
  auto made = insert_mailbox(account, name, SpecialUse::kNone, true);
  if (!made) return failed(made);
  return do_set_subscribed(info.id, name, true);
}

Result<std::optional<RemovedId>> Transaction::do_show_removed(AccountId account_id,
                                                              std::string_view name,
                                                              std::optional<RemovedId> after) {
  auto account = queries_.account_row(account_id);
  if (!account) return failed(account);
  auto provided = provide_shown(*account, canonical_name(name));
  if (!provided) return failed(provided);
  if (account->info.removed_shown) return std::nullopt;
  auto next = show_older(*account, after);
  if (!next || *next) return next;
  account->info.removed_shown = true;
  if (auto done = put(*account); !done) return failed(done);
  return std::nullopt;
}

Result<std::optional<RemovedId>> Transaction::show_older(const AccountRow& account,
                                                         std::optional<RemovedId> after) {
  const AccountId id = account.info.id;
  const Key first = removed_key(id, after.value_or(RemovedId{}));
  std::vector<std::string> keys;
  auto scanned = queries_.scan(batch_.tables().removed, account_key(id).view(), first.view(),
                               [&](auto key, auto) -> Result<bool> {
                                 const bool is_row = key.size() == first.view().size();
                                 if (is_row && !(after && key == first.view())) {
                                   keys.emplace_back(key);
                                 }
                                 return keys.size() < kMostLookedAt;
                               });
  if (!scanned) return failed(scanned);
  std::size_t shown = 0;
  for (const std::string& key : keys) {
    auto done = show_one(account, key);
    if (!done) return failed(done);
    if (*done && ++shown == kMostShown) return removed_id(key);
  }
  if (keys.size() < kMostLookedAt) return std::nullopt;
  return removed_id(keys.back());
}

// True where it was not shown already and is now.
Result<bool> Transaction::show_one(const AccountRow& account, std::string_view key) {
  const engine::Table table = batch_.tables().removed;
  auto value = batch_.txn().get(table, key);
  if (!value) return failed(value);
  auto row = *value ? decode_removed(key, **value) : malformed("removed");
  if (!row || row->how == Removal::kMoved) return false;  // `check` tells of a damaged one
  if (row->shown_as.value() != 0 && row->shown_in == account.info.removed_mailbox) {
    auto found = queries_.find_message({account.info.id, row->shown_in}, row->shown_as);
    if (!found || *found) return false;
  }
  if (auto done = show(account.info, removed_id(key).time, *row); !done) return failed(done);
  if (row->shown_as.value() == 0) return false;
  if (auto put = batch_.txn().put(table, key, encode_removed(key, *row)); !put) return failed(put);
  return true;
}

Result<bool> Transaction::do_hide_removed(AccountId account_id) {
  auto account = queries_.account_row(account_id);
  if (!account) return failed(account);
  AccountInfo& info = account->info;
  if (info.removed_mailbox.value() == 0) return true;
  const MailboxKey key{account_id, info.removed_mailbox};
  auto opened = open(key);
  if (!opened && opened.error().code != ErrorCode::kNotFound) return failed(opened);
  if (!opened || !opened->row.info.shows_removed) {
    info.removed_mailbox = MailboxId();
    if (auto done = put(*account); !done) return failed(done);
    return true;
  }
  std::vector<MessageRecord> piece;
  auto scanned =
      queries_.for_each_message(key, {Uid(1), Uid(std::numeric_limits<std::uint32_t>::max())},
                                [&piece](const MessageRecord& record) {
                                  piece.push_back(record);
                                  return piece.size() < kMostTakenOut;
                                });
  if (!scanned) return failed(scanned);
  shown_ = std::move(*opened);
  unshown_.clear();
  for (const MessageRecord& record : piece) {
    if (auto done = take_out_shown(*shown_, record); !done) return failed(done);
  }
  if (!piece.empty()) batch_.note_reapable();
  // Whoever shows them again before all is done begins anew.
  info.removed_shown = false;
  if (auto done = put(*account); !done) return failed(done);
  if (piece.size() == kMostTakenOut) return false;
  const Open emptied = *shown_;
  if (auto done = put_shown(); !done) return failed(done);
  if (auto done = dissolve(emptied); !done) return failed(done);
  if (auto done = do_set_subscribed(account_id, emptied.row.info.name, false); !done) {
    return failed(done);
  }
  return true;
}

}  // namespace twinpost::store
