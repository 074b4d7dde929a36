// What the tests of backups share: a store that is backed up, all of its mail as one value, and
// another store to restore to.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "tests/store/support.h"
#include "tools/twinpost/backup/backup.h"
#include "tools/twinpost/backup/prune.h"
#include "tools/twinpost/backup/repository.h"
#include "tools/twinpost/backup/restore.h"
#include "tools/twinpost/backup/verify.h"
#include "tools/twinpost/store_access.h"

namespace twinpost::tools::backup::test {

using store::test::code_of;
using store::test::mail_text;
using store::test::must;
using store::test::TempFolder;

struct MessageDump {
  store::FlagBits flags = 0;
  std::set<std::string> keywords;
  std::string uidl;
  std::int64_t date = 0;
  int zone = 0;
  std::int64_t save_date = 0;
  bool hidden = false;
  std::string octets;
  friend bool operator==(const MessageDump&, const MessageDump&) = default;
};

struct MailboxDump {
  std::uint32_t uid_validity = 0;
  std::string guid;
  store::SpecialUse special_use = store::SpecialUse::kNone;
  bool subscribed = false;
  std::map<std::uint32_t, MessageDump> messages;
  friend bool operator==(const MailboxDump&, const MailboxDump&) = default;
};

using AccountDump = std::map<std::string, MailboxDump>;
using StoreDump = std::map<std::string, AccountDump>;

inline MessageDump dump_of(const store::ReadView& view, const store::MessageRecord& record,
                           const std::vector<std::string>& keywords, std::uint64_t store_id) {
  MessageDump dump;
  dump.flags = record.flags;
  for (std::size_t i = 0; i < keywords.size(); ++i) {
    if (record.keywords.test(i)) dump.keywords.insert(keywords[i]);
  }
  dump.uidl = store::uidl_of(record, store_id);
  dump.date = record.internal_date.time.time_since_epoch().count();
  dump.zone = record.internal_date.zone_minutes;
  dump.save_date = record.save_date.time_since_epoch().count();
  dump.hidden = record.pop3_hidden;
  dump.octets = store::test::read_whole(view, record);
  return dump;
}

inline StoreDump dump_of(store::Store& store) {
  const std::uint64_t store_id = store.store_id();
  return must(store.read_now([&](const store::ReadView& view) -> Result<StoreDump> {
    StoreDump dump;
    for (const store::AccountInfo& account : must(view.accounts())) {
      AccountDump& mailboxes = dump[account.name];
      for (const store::MailboxInfo& listed : must(view.mailboxes(account.id))) {
        const store::MailboxKey key{account.id, listed.id};
        const store::MailboxInfo info = must(view.mailbox(key));
        MailboxDump& mailbox = mailboxes[info.name];
        mailbox.uid_validity = info.uid_validity.value();
        mailbox.guid = info.mailbox_guid;
        mailbox.special_use = info.special_use;
        mailbox.subscribed = info.subscribed;
        must(view.for_each_message(
            key, {store::Uid(1), store::Uid(~0U)}, [&](const store::MessageRecord& record) {
              mailbox.messages[record.uid.value()] = dump_of(view, record, info.keywords, store_id);
              return true;
            }));
      }
    }
    return dump;
  }));
}

inline std::set<std::string> uidls_of(const MailboxDump& mailbox) {
  std::set<std::string> uidls;
  for (const auto& [uid, message] : mailbox.messages) uidls.insert(message.uidl);
  return uidls;
}

// A store with the one account that every Fixture has, and a backup of it.
struct BackedUp : store::test::Fixture {
  std::string backup = folder / "backup";
  store::KeyringPtr keys;
  std::uint64_t pack_octets = Packs::kPackOctets;

  BackupReport run(const BackupOptions& run_options = {}) { return must(try_run(run_options)); }
  Result<BackupReport> try_run(const BackupOptions& run_options = {}) {
    auto repository = Repository::open_or_make(backup, store->store_id(), keys);
    if (!repository) return tl::unexpected(repository.error());
    auto packs = Packs::open(repository->packs_folder(), repository->coder(), true, pack_octets);
    if (!packs) return tl::unexpected(packs.error());
    return run_backup(*store, *repository, *packs, run_options);
  }
  Result<VerifyReport> try_verify() {
    auto repository = Repository::open(backup, Repository::Use::kRead, keys);
    if (!repository) return tl::unexpected(repository.error());
    auto packs = Packs::open(repository->packs_folder(), repository->coder(), false);
    if (!packs) return tl::unexpected(packs.error());
    return verify(*repository, *packs, {});
  }
  PruneReport run_prune(std::uint64_t keep) { return must(try_prune(keep, {})); }
  Result<PruneReport> try_prune(std::uint64_t keep, store::Progress progress) {
    auto repository = must(Repository::open(backup, Repository::Use::kPrune, keys));
    auto packs =
        must(Packs::open(repository.packs_folder(), repository.coder(), true, pack_octets));
    PruneOptions prune_options;
    prune_options.keep = keep;
    prune_options.progress = std::move(progress);
    return prune(repository, packs, prune_options);
  }
  std::vector<GenerationInfo> generations() {
    return must(Repository::open(backup, Repository::Use::kRead, keys)).generations();
  }
};

// Where it is restored to.
struct Restored {
  TempFolder folder;
  InlineExecutor executor;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<StoreAccess> access;

  explicit Restored(std::vector<std::string> listed = {"ann@example.org"},
                    std::uint64_t quota_messages = 0) {
    store = must(store::Store::open(store::test::options_for(folder / "store"), executor));
    auto accounts = std::make_shared<config::AccountsConfig>();
    for (const std::string& name : listed) {
      accounts->accounts[name].name = name;
      accounts->accounts[name].quota_messages = quota_messages;
    }
    access = make_local_access(*store, std::make_shared<config::ServerConfig>(), accounts);
  }

  RestoreReport restore(const std::string& backup, RestoreOptions options = {},
                        store::KeyringPtr keys = nullptr) {
    auto repository = must(Repository::open(backup, Repository::Use::kRead, keys));
    auto packs = must(Packs::open(repository.packs_folder(), repository.coder(), false));
    if (options.generation.time.empty()) options.generation = repository.generations().back().name;
    RestoreReport report;
    const auto done = backup::restore(repository, packs, *access, options, report);
    if (!done) report.failures.push_back("ended: " + done.error().message);
    return report;
  }
};

inline std::vector<std::string> files_below(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

inline std::string octets_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void put_octets(const std::string& path, const std::string& octets) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << octets;
}

}  // namespace twinpost::tools::backup::test
