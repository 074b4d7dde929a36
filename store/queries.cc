// Accounts, mailboxes and messages. Message bytes are read in queries_bytes.cc.
#include "store/queries.h"

#include <algorithm>
#include <utility>

#include "store/names.h"

namespace twinpost::store {

namespace {

tl::unexpected<Error> no_account(AccountId id) {
  return fail(ErrorCode::kNotFound, "no account of id " + std::to_string(id.value()));
}

constexpr std::size_t kAccountKeyOctets = 4;
constexpr std::size_t kMailboxKeyOctets = 8;
constexpr std::size_t kMessageKeyOctets = 12;
constexpr std::size_t kExpungedKeyOctets = 20;
constexpr std::size_t kRemovedKeyOctets = 20;

// How many moments with removals removed_message() looks into.
constexpr unsigned kMostMoments = 100'000;

// A message that is looked up costs as much as so many that are scanned; a few are always looked
// up.
constexpr std::size_t kScannedWhileOneIsLookedUp = 16;
constexpr std::size_t kFewTouched = 256;

}  // namespace

Result<std::optional<AccountId>> Queries::account_id(std::string_view name) const {
  if (name.empty() || name.size() > kMaxNameOctets) return std::nullopt;
  auto value = txn_.get(tables_.account_names, name);
  if (!value) return failed(value);
  if (!*value) return std::nullopt;
  auto id = decode_number(name, **value, "account name");
  if (!id) return failed(id);
  return AccountId(static_cast<std::uint32_t>(*id));
}

Result<AccountRow> Queries::account_row(AccountId id) const {
  const Key key = account_key(id);
  auto value = txn_.get(tables_.accounts, key.view());
  if (!value) return failed(value);
  if (!*value) return no_account(id);
  return decode_account(key.view(), **value);
}

Result<AccountInfo> Queries::account(std::string_view name) const {
  auto id = account_id(name);
  if (!id) return failed(id);
  if (!*id) return fail(ErrorCode::kNotFound, "no account named " + std::string(name));
  auto row = account_row(**id);
  if (!row) return failed(row);
  return std::move(row->info);
}

Result<std::vector<AccountInfo>> Queries::accounts() const {
  std::vector<AccountInfo> all;
  auto scanned = scan(tables_.accounts, {}, {}, [&](auto key, auto value) -> Result<bool> {
    auto row = decode_account(key, value);
    if (!row) return failed(row);
    all.push_back(std::move(row->info));
    return true;
  });
  if (!scanned) return failed(scanned);
  return all;
}

Result<MailboxRow> Queries::mailbox_row(MailboxKey key) const {
  const Key row_key = mailbox_key(key);
  auto value = txn_.get(tables_.mailboxes, row_key.view());
  if (!value) return failed(value);
  if (!*value) return fail(ErrorCode::kNotFound, "no such mailbox");
  return decode_mailbox(row_key.view(), **value);
}

Result<std::optional<MailboxId>> Queries::mailbox_id(AccountId account,
                                                     std::string_view canonical) const {
  if (canonical.empty() || canonical.size() > kMaxNameOctets) return std::nullopt;
  const Key key = name_key(account, canonical);
  auto value = txn_.get(tables_.mailbox_names, key.view());
  if (!value) return failed(value);
  if (!*value) return std::nullopt;
  auto id = decode_number(key.view(), **value, "mailbox name");
  if (!id) return failed(id);
  return MailboxId(static_cast<std::uint32_t>(*id));
}

Result<std::vector<std::string>> Queries::keywords(MailboxKey key) const {
  std::vector<std::string> names;
  const Key prefix = mailbox_key(key);
  auto scanned = scan(tables_.keywords, prefix.view(), prefix.view(),
                      [&](auto found_key, auto value) -> Result<bool> {
                        auto name = decode_text(found_key, value, "keyword");
                        if (!name) return failed(name);
                        const std::size_t bit =
                            Reader(found_key.substr(kMailboxKeyOctets)).key_u32();
                        if (bit != names.size() || bit >= kMaxKeywords) return malformed("keyword");
                        names.push_back(std::move(*name));
                        return true;
                      });
  if (!scanned) return failed(scanned);
  return names;
}

Result<MailboxInfo> Queries::mailbox(MailboxKey key) const {
  auto info = mailbox_without_keywords(key);
  if (!info) return info;
  auto names = keywords(key);
  if (!names) return failed(names);
  info->keywords = std::move(*names);
  return info;
}

Result<MailboxInfo> Queries::mailbox_without_keywords(MailboxKey key) const {
  auto row = mailbox_row(key);
  if (!row) return failed(row);
  auto subscribed = txn_.get(tables_.subscriptions, name_key(key.account, row->info.name).view());
  if (!subscribed) return failed(subscribed);
  row->info.subscribed = subscribed->has_value();
  return std::move(row->info);
}

Result<MailboxInfo> Queries::find_mailbox(AccountId account, std::string_view name) const {
  auto id = mailbox_id(account, canonical_name(name));
  if (!id) return failed(id);
  if (!*id) return fail(ErrorCode::kNotFound, "no such mailbox");
  return mailbox({account, **id});
}

Result<std::vector<Queries::NamedMailbox>> Queries::names(AccountId account,
                                                          std::string_view prefix) const {
  std::vector<NamedMailbox> found;
  const std::size_t account_octets = account_key(account).view().size();
  const Key from = name_key(account, prefix);
  auto scanned = scan(
      tables_.mailbox_names, from.view(), from.view(), [&](auto key, auto value) -> Result<bool> {
        auto id = decode_number(key, value, "mailbox name");
        if (!id) return failed(id);
        found.push_back(
            {std::string(key.substr(account_octets)), MailboxId(static_cast<std::uint32_t>(*id))});
        return true;
      });
  if (!scanned) return failed(scanned);
  return found;
}

Result<std::vector<MailboxInfo>> Queries::mailboxes(AccountId account) const {
  if (auto row = account_row(account); !row) return failed(row);
  auto found = names(account, {});
  if (!found) return failed(found);
  std::stable_partition(found->begin(), found->end(),
                        [](const NamedMailbox& named) { return named.name == kInbox; });
  std::vector<MailboxInfo> all;
  all.reserve(found->size());
  for (const NamedMailbox& named : *found) {
    auto info = mailbox_without_keywords({account, named.id});
    if (!info) return failed(info);
    all.push_back(std::move(*info));
  }
  return all;
}

Result<std::vector<std::string>> Queries::subscriptions(AccountId account) const {
  if (auto row = account_row(account); !row) return failed(row);
  std::vector<std::string> names;
  const Key prefix = account_key(account);
  auto scanned = scan(tables_.subscriptions, prefix.view(), prefix.view(),
                      [&](auto key, auto) -> Result<bool> {
                        names.emplace_back(key.substr(prefix.view().size()));
                        return true;
                      });
  if (!scanned) return failed(scanned);
  return names;
}

Result<std::optional<MessageRecord>> Queries::find_message(MailboxKey key, Uid uid) const {
  const Key record_key = message_key(key, uid);
  auto value = txn_.get(tables_.messages, record_key.view());
  if (!value) return failed(value);
  if (!*value) return std::nullopt;
  MessageRecord record;
  if (auto decoded = decode_message(record_key.view(), **value, record); !decoded) {
    return failed(decoded);
  }
  return record;
}

Result<MessageRecord> Queries::message(MailboxKey key, Uid uid) const {
  auto found = find_message(key, uid);
  if (!found) return failed(found);
  if (!*found) return fail(ErrorCode::kNotFound, "no such message");
  return std::move(**found);
}

Result<void> Queries::for_each_message(
    MailboxKey key, UidRange range, const std::function<bool(const MessageRecord&)>& visit) const {
  if (auto row = mailbox_row(key); !row) return failed(row);
  MessageRecord record;
  return scan(tables_.messages, mailbox_key(key).view(), message_key(key, range.first).view(),
              [&](auto found_key, auto value) -> Result<bool> {
                if (auto decoded = decode_message(found_key, value, record); !decoded) {
                  return failed(decoded);
                }
                return record.uid <= range.last && visit(record);
              });
}

// The table is in order of time. Each second in which something was removed costs one seek, however
// much that was.
Result<std::optional<MessageRecord>> Queries::removed_message(MailboxKey key, Uid uid,
                                                              UnixTime since) const {
  auto cursor = txn_.cursor(tables_.removed);
  if (!cursor) return failed(cursor);
  engine::Cursor& at = **cursor;
  const Key account = account_key(key.account);
  UnixTime time = std::max(since, UnixTime{});
  for (unsigned moments = 0; moments < kMostMoments; ++moments) {
    const Key wanted = removed_key(key, time, uid);
    auto found = at.seek(wanted.view());
    if (!found) return failed(found);
    if (!*found || !at.key().starts_with(account.view())) return std::nullopt;
    if (at.key() == wanted.view()) {
      auto row = decode_removed(at.key(), at.value());
      if (!row) return failed(row);
      return std::move(row->message);
    }
    if (at.key().size() != kRemovedKeyOctets) return malformed("removed");
    const UnixTime next(std::chrono::seconds(
        static_cast<std::int64_t>(Reader(at.key().substr(account.view().size())).key_u64())));
    time = next > time ? next : time + std::chrono::seconds(1);
  }
  return std::nullopt;
}

Result<void> Queries::for_each_removed(
    AccountId account, UnixTime from,
    const std::function<bool(const RemovedMessage&)>& visit) const {
  if (auto row = account_row(account); !row) return failed(row);
  const Key first = removed_key({account, MailboxId(0)}, std::max(from, UnixTime{}), Uid(0));
  return scan(tables_.removed, account_key(account).view(), first.view(),
              [&](auto found_key, auto value) -> Result<bool> {
                auto row = decode_removed(found_key, value);
                if (!row || found_key.size() != kRemovedKeyOctets) return true;
                Reader in(found_key.substr(kAccountKeyOctets));
                RemovedMessage removed;
                removed.id.time =
                    UnixTime(std::chrono::seconds(static_cast<std::int64_t>(in.key_u64())));
                removed.id.mailbox = MailboxId(in.key_u32());
                removed.id.uid = Uid(in.key_u32());
                removed.message = std::move(row->message);
                removed.keywords = std::move(row->keywords);
                removed.mailbox_name = std::move(row->mailbox_name);
                removed.how = row->how;
                removed.remover = std::move(row->remover);
                return visit(removed);
              });
}

Result<bool> Queries::was_imported(AccountId account, const ImportKey& key) const {
  auto value = txn_.get(tables_.imports, import_key(account, key).view());
  if (!value) return failed(value);
  return value->has_value();
}

Result<std::optional<std::string>> Queries::note(AccountId account, const NoteKey& key) const {
  const Key at = note_key(account, key);
  auto value = txn_.get(tables_.notes, at.view());
  if (!value) return failed(value);
  if (!*value) return std::optional<std::string>();
  auto text = decode_text(at.view(), **value, "note");
  if (!text) return failed(text);
  return std::optional<std::string>(std::move(*text));
}

Result<void> Queries::for_each_note(
    AccountId account, MailboxId mailbox, NoteKind kind,
    const std::function<bool(const std::string&, const std::string&)>& visit) const {
  const Key prefix = note_prefix(account, mailbox, kind);
  return scan(tables_.notes, prefix.view(), prefix.view(),
              [&](auto key, auto value) -> Result<bool> {
                const auto text = decode_text(key, value, "note");
                if (!text) return true;
                return visit(std::string(key.substr(prefix.view().size())), *text);
              });
}

Result<std::vector<Uid>> Queries::uids(MailboxKey key) const {
  auto row = mailbox_row(key);
  if (!row) return failed(row);
  std::vector<Uid> all;
  all.reserve(row->info.messages);
  const Key prefix = mailbox_key(key);
  auto scanned = scan(tables_.messages, prefix.view(), prefix.view(),
                      [&](auto found_key, auto) -> Result<bool> {
                        if (found_key.size() != kMessageKeyOctets) return malformed("message");
                        all.emplace_back(Reader(found_key.substr(kMailboxKeyOctets)).key_u32());
                        return true;
                      });
  if (!scanned) return failed(scanned);
  return all;
}

Result<std::vector<Uid>> Queries::vanished_since(MailboxKey key, ModSeq since) const {
  std::vector<Uid> vanished;
  const Key from = expunged_key(key, since.next(), Uid(0));
  auto scanned = scan(tables_.expunged, mailbox_key(key).view(), from.view(),
                      [&](auto found_key, auto value) -> Result<bool> {
                        auto last = decode_number(found_key, value, "expunged");
                        if (!last) return failed(last);
                        if (found_key.size() != kExpungedKeyOctets) return malformed("expunged");
                        const std::uint64_t first = Reader(found_key.substr(16)).key_u32();
                        if (*last < first || *last > ~std::uint32_t{0})
                          return malformed("expunged");
                        for (std::uint64_t uid = first; uid <= *last; ++uid) {
                          vanished.emplace_back(static_cast<std::uint32_t>(uid));
                        }
                        return true;
                      });
  if (!scanned) return failed(scanned);
  std::sort(vanished.begin(), vanished.end());
  return vanished;
}

// Flag changes and arrivals have no index: their modseq is in the messages. Where the log of what
// changed lately does not reach so far back, all of them are scanned (under a tenth of a
// millisecond for a thousand).
Result<void> Queries::find_changed(MailboxKey key, ModSeq since, std::uint32_t messages,
                                   std::size_t most, Changes& changes) const {
  std::vector<MessageRecord>& changed = changes.changed;
  const auto touched = log_ != nullptr ? log_->touched_since(key, since) : std::nullopt;
  const bool few = touched && (touched->size() <= kFewTouched ||
                               touched->size() <= messages / kScannedWhileOneIsLookedUp);
  if (few) {
    for (const Uid uid : *touched) {
      auto found = find_message(key, uid);
      if (!found) return failed(found);
      if (!*found || (*found)->modseq <= since) continue;
      if (changed.size() == most) {
        changes.rest_from = uid;
        break;
      }
      changed.push_back(std::move(**found));
    }
    return {};
  }
  if (log_ != nullptr) log_->count_scan();
  MessageRecord record;
  const Key prefix = mailbox_key(key);
  auto scanned = scan(tables_.messages, prefix.view(), prefix.view(),
                      [&](auto found_key, auto value) -> Result<bool> {
                        if (auto decoded = decode_message(found_key, value, record); !decoded) {
                          return failed(decoded);
                        }
                        if (record.modseq <= since) return true;
                        if (changed.size() == most) {
                          changes.rest_from = record.uid;
                          return false;
                        }
                        changed.push_back(record);
                        return true;
                      });
  if (!scanned) return failed(scanned);
  return {};
}

Result<Changes> Queries::changes_since(MailboxKey key, ModSeq since, std::size_t most) const {
  auto row = mailbox_row(key);
  if (!row) return failed(row);
  Changes changes;
  changes.highest = row->info.highest_modseq;
  if (since >= changes.highest) return changes;
  if (since < row->tombstone_floor) {
    return fail(ErrorCode::kInvalid, "what was removed before modseq " +
                                         std::to_string(row->tombstone_floor.value()) +
                                         " is not known any more");
  }
  auto vanished = vanished_since(key, since);
  if (!vanished) return failed(vanished);
  changes.vanished = std::move(*vanished);
  auto found = find_changed(key, since, row->info.messages, most, changes);
  if (!found) return failed(found);
  return changes;
}

}  // namespace twinpost::store
