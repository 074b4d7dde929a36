#include "tests/store/consistency.h"

#include <map>
#include <set>
#include <tuple>

#include "store/queries.h"
#include "store/transaction.h"
#include "tests/store/support.h"

namespace twinpost::store::test {

RawStore::RawStore(const std::string& folder) {
  engine::Options options;
  options.folder = folder;
  options.map_size_bytes = std::uint64_t{1} << 32;
  options.max_readers = 128;
  options.durable = false;
  environment = must(engine::open_environment(options));
  tables.meta = *must(environment->open_table("meta", false));
  must(tables.open(*environment, false));
}

void RawStore::put(engine::Table table, std::string_view key, std::string_view value) {
  auto txn = must(environment->begin_write());
  must(txn->put(table, key, value));
  must(txn->commit());
}

void RawStore::erase(engine::Table table, std::string_view key) {
  auto txn = must(environment->begin_write());
  REQUIRE(must(txn->erase(table, key)));
  must(txn->commit());
}

std::vector<std::pair<std::string, std::string>> RawStore::all(engine::Table table) {
  std::vector<std::pair<std::string, std::string>> entries;
  auto txn = must(environment->begin_read());
  must(Queries(*txn, tables).scan(table, {}, {}, [&](auto key, auto value) -> Result<bool> {
    entries.emplace_back(key, value);
    return true;
  }));
  return entries;
}

namespace {

struct Checker {
  RawStore raw;
  std::vector<std::string> wrong;
  std::map<std::uint64_t, std::uint32_t> references;                    // by blob, as found
  std::map<std::uint32_t, AccountInfo> use;                             // by account, as found
  std::set<std::pair<std::uint32_t, std::uint32_t>> removed_mailboxes;  // that show removals
  std::set<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>> shown;

  explicit Checker(const std::string& folder) : raw(folder) {}

  void expect(bool holds, const std::string& what) {
    if (!holds) wrong.push_back(what);
  }
  template <class T>
  bool sound(const Result<T>& result, const std::string& what) {
    if (!result) wrong.push_back(what + ": " + result.error().message);
    return result.has_value();
  }

  void check_messages() {
    std::map<std::pair<std::uint32_t, std::uint32_t>, MailboxInfo> found;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> last_uid;
    std::set<std::uint64_t> serials;
    for (const auto& [key, value] : raw.all(raw.tables.mailboxes)) {
      const auto row = decode_mailbox(key, value);
      if (row && row->info.shows_removed) {
        removed_mailboxes.insert({Reader(key).key_u32(), row->info.id.value()});
      }
    }
    for (const auto& [key, value] : raw.all(raw.tables.messages)) {
      MessageRecord record;
      if (!sound(decode_message(key, value, record), "message")) continue;
      Reader in(key);
      const std::uint32_t account = in.key_u32();
      const std::uint32_t mailbox = in.key_u32();
      count_in(found[{account, mailbox}], record);
      last_uid[{account, mailbox}] = record.uid.value();
      if (!removed_mailboxes.contains({account, mailbox})) {
        ++use[account].messages;
        use[account].bytes += record.size;
      } else {
        shown.insert({account, mailbox, record.uid.value()});
      }
      ++references[record.blob.value()];
      expect(serials.insert(record.serial.value()).second, "a serial twice");
    }
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> tombstones;
    for (const auto& [key, value] : raw.all(raw.tables.expunged)) {
      Reader in(key);
      const std::uint32_t account = in.key_u32();
      ++tombstones[{account, in.key_u32()}];
    }
    std::map<std::string, std::uint64_t> names;
    for (const auto& [key, value] : raw.all(raw.tables.mailbox_names)) {
      const auto id = decode_number(key, value, "name");
      if (sound(id, "name")) names[key] = *id;
    }
    std::set<std::uint32_t> validities;
    for (const auto& [key, value] : raw.all(raw.tables.mailboxes)) {
      const auto row = decode_mailbox(key, value);
      if (!sound(row, "mailbox")) continue;
      const std::uint32_t account = Reader(key).key_u32();
      const auto id = std::make_pair(account, row->info.id.value());
      const MailboxInfo& counted = found[id];
      const std::string who = "mailbox " + row->info.name;
      expect(counted.messages == row->info.messages, who + ": messages");
      expect(counted.unseen == row->info.unseen, who + ": unseen");
      expect(counted.deleted == row->info.deleted, who + ": deleted");
      expect(counted.bytes == row->info.bytes, who + ": bytes");
      expect(last_uid[id] < row->info.uid_next.value(), who + ": UIDNEXT");
      expect(tombstones[id] == row->tombstones, who + ": tombstones");
      tombstones.erase(id);
      expect(validities.insert(row->info.uid_validity.value()).second, who + ": UIDVALIDITY twice");
      const std::string name(name_key(AccountId(account), row->info.name).view());
      expect(names.contains(name) && names[name] == row->info.id.value(), who + ": name");
      names.erase(name);
      found.erase(id);
    }
    for (const auto& [key, counted] : found)
      expect(counted.messages == 0, "messages without mailbox");
    expect(names.empty(), "names without mailbox");
    expect(tombstones.empty(), "tombstones without mailbox");
  }

  void check_accounts() {
    for (const auto& [key, value] : raw.all(raw.tables.accounts)) {
      const auto row = decode_account(key, value);
      if (!sound(row, "account")) continue;
      const AccountInfo& counted = use[row->info.id.value()];
      expect(counted.messages == row->info.messages, row->info.name + ": messages");
      expect(counted.bytes == row->info.bytes, row->info.name + ": bytes");
      std::uint64_t messages = 0;
      std::uint64_t bytes = 0;
      for (const auto& [removed_at, removed] : raw.all(raw.tables.removed)) {
        if (!removed_at.starts_with(key)) continue;
        const auto kept = decode_removed(removed_at, removed);
        ++messages;
        if (kept) {
          shown.erase({row->info.id.value(), kept->shown_in.value(), kept->shown_as.value()});
        }
        if (kept && kept->how != Removal::kMoved) bytes += kept->message.size;
      }
      expect(messages == row->info.removed_messages, row->info.name + ": removed messages");
      expect(bytes == row->info.removed_bytes, row->info.name + ": removed bytes");
      const std::uint32_t shows = row->info.removed_mailbox.value();
      const auto at = std::make_pair(row->info.id.value(), shows);
      expect(removed_mailboxes.erase(at) == (shows != 0 ? 1 : 0),
             row->info.name + ": its removed messages' mailbox");
    }
    expect(removed_mailboxes.empty(), "removed messages' mailboxes that no account has");
    expect(shown.empty(), "shown messages that are not among the removed ones");
  }

  void check_blobs() {
    for (const auto& [key, value] : raw.all(raw.tables.removed)) {
      const auto row = decode_removed(key, value);
      if (sound(row, "removed")) ++references[row->message.blob.value()];
    }
    std::map<std::uint64_t, std::string> bodies;
    for (const auto& [key, value] : raw.all(raw.tables.blobs))
      bodies[Reader(key).key_u64()] += value;
    std::map<std::uint64_t, std::string> summaries;
    for (const auto& [key, value] : raw.all(raw.tables.summaries)) {
      summaries[Reader(key).key_u64()] += value;
    }
    std::set<std::uint64_t> reapable;
    for (const auto& [key, value] : raw.all(raw.tables.reapable))
      reapable.insert(Reader(key).key_u64());
    for (const auto& [key, value] : raw.all(raw.tables.blob_refs)) {
      const auto row = decode_blob(key, value);
      if (!sound(row, "blob")) continue;
      const std::uint64_t id = Reader(key).key_u64();
      const std::string who = "blob " + std::to_string(id);
      expect(references[id] == row->references, who + ": references");
      expect((row->references == 0) == reapable.contains(id), who + ": reapable");
      if (!row->dying) {
        expect(bodies[id].size() == row->stored, who + ": size");
        expect(crc32c(0, bodies[id]) == row->crc32c, who + ": octets");
        expect(summaries[id].size() == row->summary_octets, who + ": summary size");
        expect(is_encrypted(row->codec) || decode_summary(summaries[id]).has_value(),
               who + ": summary");
      }
      references.erase(id);
      bodies.erase(id);
      summaries.erase(id);
      reapable.erase(id);
    }
    expect(references.empty(), "messages without blob");
    expect(bodies.empty(), "chunks without blob");
    expect(summaries.empty(), "summaries without blob");
    expect(reapable.empty(), "reapable without blob");
    for (const auto& [key, value] : raw.all(raw.tables.blob_names)) {
      sound(decode_number(key, value, "blob name"), "blob name");
    }
  }
};

}  // namespace

std::vector<std::string> inconsistencies(const std::string& folder) {
  Checker checker(folder);
  checker.check_messages();
  checker.check_accounts();
  checker.check_blobs();
  return checker.wrong;
}

}  // namespace twinpost::store::test
