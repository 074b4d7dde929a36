// Single entries: whatever stands under a key that can't be is taken out; the rest is written anew
// from its key, or from what it belongs to.
#include <cstring>

#include "store/damaged_records.h"
#include "store/repair.h"
#include "store/transaction.h"

namespace twinpost::store {

namespace {

constexpr std::size_t kAccountOctets = 4;
constexpr std::size_t kMessageKeyOctets = 12;
constexpr std::size_t kRemovedKeyOctets = 20;

Result<bool> done(Result<void> result) {
  if (!result) return failed(result);
  return true;
}

Queries queries_of(Batch& batch) { return Queries(batch.txn(), batch.tables(), &batch.coder()); }

// Whether some removal says that this is where it is shown.
bool is_shown(Batch& batch, MailboxKey mailbox, const MessageRecord& record) {
  const Key prefix = account_key(mailbox.account);
  bool found = false;
  auto scanned = queries_of(batch).scan(batch.tables().removed, prefix.view(), prefix.view(),
                                        [&](auto key, auto value) -> Result<bool> {
                                          const auto row = decode_removed(key, value);
                                          found = row && row->shown_in == mailbox.mailbox &&
                                                  row->shown_as == record.uid;
                                          return !found;
                                        });
  return !scanned || found;
}

Result<bool> has_twin(Repair& repair, MailboxKey mailbox, const MessageRecord& record) {
  const std::uint64_t store_id = repair.census.access.store_id;
  const std::string uidl = uidl_of(record, store_id);
  bool twin = false;
  const Key prefix = mailbox_key(mailbox);
  MessageRecord other;
  auto scanned = queries_of(repair.batch)
                     .scan(repair.batch.tables().messages, prefix.view(), prefix.view(),
                           [&](auto key, auto value) -> Result<bool> {
                             twin = decode_message(key, value, other) && other.uid != record.uid &&
                                    uidl_of(other, store_id) == uidl;
                             return !twin;
                           });
  if (!scanned) return failed(scanned);
  return twin;
}

// It has the serial, or the UIDL, of another message: it gets its own. Or it shows a removal that
// is not there any more.
Result<bool> repair_message(Repair& repair, std::string_view key) {
  const engine::Table table = repair.batch.tables().messages;
  auto value = repair.batch.txn().get(table, key);
  if (!value) return failed(value);
  MessageRecord record;
  if (!*value || !decode_message(key, **value, record)) return true;
  Reader in(key);
  const AccountId account(in.key_u32());
  const MailboxKey mailbox{account, MailboxId(in.key_u32())};
  auto row = queries_of(repair.batch).mailbox_row(mailbox);
  if (row && row->info.shows_removed && !is_shown(repair.batch, mailbox, record)) {
    return done(Transaction(repair.batch).drop_shown(mailbox, record.uid));
  }
  auto twin = has_twin(repair, mailbox, record);
  if (!twin) return failed(twin);
  if (*twin) record.imported_uidl.clear();
  auto counters = repair.batch.counters();
  if (!counters) return failed(counters);
  record.serial = (*counters)->next_serial;
  (*counters)->next_serial = record.serial.next();
  return done(repair.batch.txn().put(table, key, encode_message(key, record)));
}

Result<bool> repair_removed(Repair& repair, std::string_view key) {
  const engine::Table table = repair.batch.tables().removed;
  auto value = repair.batch.txn().get(table, key);
  if (!value) return failed(value);
  if (!*value) return true;
  const std::string octets(**value);
  const Uid uid(Reader(key.substr(kRemovedKeyOctets - sizeof(std::uint32_t))).key_u32());
  auto row = decode_removed(key, octets);
  if (!row && row.error().code == ErrorCode::kNewerFormat) return false;
  if (!row) {
    auto guessed = guess_removed(key, octets);
    auto trusted =
        guessed ? is_trustworthy_now(repair.batch, guessed->message) : Result<bool>(false);
    if (!trusted) return failed(trusted);
    if (!*trusted || guessed->message.uid != uid) {
      return done(take_out(repair, table, key,
                           "account " + std::to_string(Reader(key).key_u32()) + " removed"));
    }
    row = std::move(*guessed);
  }
  row->message.uid = uid;
  return done(repair.batch.txn().put(table, key, encode_removed(key, *row)));
}

// The mailbox of an account, the account or the body that has this name by its own record.
Result<std::optional<std::uint64_t>> owner_of_name(Batch& batch, engine::Table table,
                                                   std::string_view key) {
  const Tables& tables = batch.tables();
  std::optional<std::uint64_t> owner;
  const auto look = [&](engine::Table rows, std::string_view prefix, auto is_named) {
    return queries_of(batch).scan(
        rows, prefix, prefix, [&](auto row_key, auto row) -> Result<bool> {
          if (!is_named(row_key, row)) return true;
          const std::string_view number = row_key.substr(prefix.size());
          owner = number.size() == sizeof(std::uint32_t) ? Reader(number).key_u32()
                                                         : Reader(number).key_u64();
          return false;
        });
  };
  Result<void> scanned;
  if (table == tables.mailbox_names) {
    const std::string_view name = key.substr(kAccountOctets);
    scanned = look(tables.mailboxes, key.substr(0, kAccountOctets), [name](auto at, auto value) {
      const auto row = decode_mailbox(at, value);
      return row && row->info.name == name;
    });
  } else if (table == tables.account_names) {
    scanned = look(tables.accounts, {}, [key](auto at, auto value) {
      const auto row = decode_account(at, value);
      return row && row->info.name == key;
    });
  } else {
    scanned = look(tables.blob_refs, {}, [key](auto at, auto value) {
      const auto row = decode_blob(at, value);
      return row && !row->dying && key.size() == row->name.size() &&
             std::memcmp(key.data(), row->name.data(), key.size()) == 0;
    });
  }
  if (!scanned) return failed(scanned);
  return owner;
}

}  // namespace

Result<bool> repair_name(Repair& repair, engine::Table table, std::string_view key) {
  auto owner = owner_of_name(repair.batch, table, key);
  if (!owner) return failed(owner);
  if (*owner) return done(repair.batch.txn().put(table, key, encode_number(key, **owner)));
  auto erased = repair.batch.txn().erase(table, key);
  if (!erased) return failed(erased);
  return true;
}

Result<bool> repair_entry(Repair& repair, engine::Table table, std::string_view key) {
  const Tables& tables = repair.batch.tables();
  if (table == tables.messages && key.size() == kMessageKeyOctets)
    return repair_message(repair, key);
  if (table == tables.removed && key.size() == kRemovedKeyOctets)
    return repair_removed(repair, key);
  if (table == tables.subscriptions && key.size() > kAccountOctets) {
    return done(repair.batch.txn().put(table, key, encode_text(key, {})));
  }
  if (table == tables.imports && key.size() == kAccountOctets + sizeof(ImportKey)) {
    const auto now = static_cast<std::uint64_t>(repair.batch.now().time_since_epoch().count());
    return done(repair.batch.txn().put(table, key, encode_number(key, now)));
  }
  return done(take_out(repair, table, key, "table " + repair.census.name_of(table)));
}

}  // namespace twinpost::store
