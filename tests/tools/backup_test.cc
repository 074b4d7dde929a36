#include <doctest/doctest.h>
#include <filesystem>
#include <functional>
#include <random>
#include <string>

#include "tests/tools/backup_support.h"

using namespace twinpost;
using namespace twinpost::tools::backup;
using namespace twinpost::tools::backup::test;
using store::Uid;

namespace {

// Changes a store at random, as clients and deliveries do.
class RandomChanges {
 public:
  RandomChanges(BackedUp& world, unsigned seed) : world_(world), random_(seed) {
    mailboxes_.push_back(world.inbox);
    const auto bob =
        world.write([](store::WriteTxn& txn) { return txn.ensure_account("bob@example.org"); });
    mailboxes_.push_back(
        {bob.id,
         world.read([&](const store::ReadView& view) { return view.find_mailbox(bob.id, "INBOX"); })
             .id});
  }

  void some(unsigned count) {
    for (unsigned i = 0; i < count; ++i) one();
  }

 private:
  std::size_t below(std::size_t end) { return random_() % end; }
  store::MailboxKey any_mailbox() { return mailboxes_[below(mailboxes_.size())]; }

  std::vector<Uid> some_uids(store::MailboxKey key) {
    const auto all = world_.read([&](const store::ReadView& view) { return view.uids(key); });
    std::vector<Uid> chosen;
    for (const Uid uid : all) {
      if (below(4) == 0) chosen.push_back(uid);
    }
    return chosen;
  }

  void one() {
    const store::MailboxKey key = any_mailbox();
    const std::vector<Uid> uids = some_uids(key);
    const store::Remover remover{"ann@example.org", "imap", "192.0.2.1"};
    switch (below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4: append(key); return;
      case 5:
      case 6: change_flags(key, uids); return;
      case 7:
        (void)world_.write([&](store::WriteTxn& txn) { return txn.expunge(key, uids, remover); });
        return;
      case 8: copy_or_move(key, uids, remover); return;
      case 9: create_or_delete(key, remover); return;
      case 10:
        must(world_.store->write_now(
            [&](store::WriteTxn& txn) { return txn.hide_from_pop3(key, uids); }));
        return;
      default: rename(key);
    }
  }

  void append(store::MailboxKey key) {
    store::AppendRequest request = store::test::request_of(
        mail_text(static_cast<unsigned>(below(60)), below(20) == 0 ? 30'000 : 100));
    request.flags = static_cast<store::FlagBits>(below(32));
    if (below(3) == 0) request.keywords = {"word" + std::to_string(below(5))};
    if (below(3) == 0) request.prefix = "Return-Path: <\xfc@example.net>\r\n";
    if (below(8) == 0) request.imported_uidl = "old" + std::to_string(random_());
    request.internal_date = {UnixTime(std::chrono::seconds(1'600'000'000 + below(1'000'000))),
                             static_cast<std::int16_t>(below(120))};
    (void)world_.append(key, request);
  }

  void change_flags(store::MailboxKey key, const std::vector<Uid>& uids) {
    store::FlagChange change;
    change.operation = static_cast<store::FlagOperation>(below(3));
    change.flags = static_cast<store::FlagBits>(below(32));
    if (below(2) == 0) change.keywords = {"word" + std::to_string(below(5))};
    (void)world_.write([&](store::WriteTxn& txn) { return txn.change_flags(key, uids, change); });
  }

  void copy_or_move(store::MailboxKey key, const std::vector<Uid>& uids,
                    const store::Remover& remover) {
    const store::MailboxKey to = any_mailbox();
    if (to.account != key.account || to == key) return;
    if (below(2) == 0) {
      (void)world_.write([&](store::WriteTxn& txn) { return txn.copy(key, uids, to, {}); });
    } else {
      (void)world_.write([&](store::WriteTxn& txn) { return txn.move(key, uids, to, remover); });
    }
  }

  void create_or_delete(store::MailboxKey key, const store::Remover& remover) {
    if (mailboxes_.size() < 6) {
      const std::string name = "Folder " + std::to_string(made_++);
      mailboxes_.push_back(world_.create(name));
      must(world_.store->write_now([&](store::WriteTxn& txn) {
        return txn.set_subscribed(world_.account, name, below(2) == 0);
      }));
    } else if (key != mailboxes_[0] && key != mailboxes_[1]) {
      must(world_.store->write_now(
          [&](store::WriteTxn& txn) { return txn.delete_mailbox(key, remover); }));
      std::erase(mailboxes_, key);
    }
  }

  void rename(store::MailboxKey key) {
    if (key == mailboxes_[0] || key == mailboxes_[1]) return;
    const std::string name = world_.info(key).name;
    must(world_.store->write_now([&](store::WriteTxn& txn) {
      return txn.rename_mailbox(key.account, name, "Renamed " + std::to_string(made_++));
    }));
  }

  BackedUp& world_;
  std::mt19937 random_;
  std::vector<store::MailboxKey> mailboxes_;
  unsigned made_ = 0;
};

StoreDump restored_dump(BackedUp& world, const GenerationName& generation) {
  Restored target({"ann@example.org", "bob@example.org"});
  RestoreOptions options;
  options.generation = generation;
  const RestoreReport report = target.restore(world.backup, options, world.keys);
  CHECK(report.failures.empty());
  return dump_of(*target.store);
}

// Which run of `what` of a progress is the last that goes on.
store::Progress stopping_after(unsigned calls) {
  auto left = std::make_shared<unsigned>(calls);
  return [left](std::string_view, std::uint64_t, std::uint64_t) { return (*left)-- > 0; };
}

void check_model(BackedUp& world, unsigned seed, unsigned rounds, bool with_prune) {
  RandomChanges changes(world, seed);
  std::mt19937 random(seed);
  std::map<GenerationName, StoreDump> expected;
  std::uint64_t deltas = 0;
  for (unsigned round = 0; round < rounds; ++round) {
    changes.some(1 + static_cast<unsigned>(random() % 12));
    if (random() % 4 == 0) {
      BackupOptions stopping;
      stopping.progress = stopping_after(static_cast<unsigned>(random() % 5));
      (void)world.try_run(stopping);
    }
    const BackupReport report = world.run();
    CHECK(report.problems.empty());
    deltas += report.changed_mailboxes;
    expected[report.generation.name] = dump_of(*world.store);
    if (with_prune && random() % 5 == 0) {
      const std::uint64_t keep = 1 + random() % 5;
      (void)world.try_prune(keep, stopping_after(static_cast<unsigned>(random() % 6)));
      REQUIRE(must(world.try_verify()).problems == 0);
      (void)world.run_prune(keep);
      while (expected.size() > keep) expected.erase(expected.begin());
    }
    REQUIRE(world.generations().size() == expected.size());
  }
  CHECK(deltas > 0);
  const VerifyReport verified = must(world.try_verify());
  CHECK(verified.details == std::vector<std::string>{});
  for (const auto& [generation, dump] : expected) {
    INFO("seed ", seed, ", generation ", to_string(generation));
    const StoreDump restored = restored_dump(world, generation);
    REQUIRE(restored == dump);
  }
}

}  // namespace

TEST_CASE("every generation of a store that changes at random is restored as it was") {
  for (const unsigned seed : {1U, 2U, 3U}) {
    BackedUp world;
    world.pack_octets = 200'000;
    check_model(world, seed, 25, false);
  }
}

TEST_CASE("what prune keeps is restored as it was") {
  for (const unsigned seed : {11U, 12U, 13U}) {
    BackedUp world;
    world.pack_octets = 60'000;
    check_model(world, seed, 25, true);
  }
}

TEST_CASE("an encrypted backup holds nothing that can be read, and comes back with its key") {
  BackedUp world;
  const std::string key_file = world.folder / "keys";
  must(store::Keyring::add_key(key_file));
  world.keys = must(store::Keyring::load(key_file));
  check_model(world, 21, 6, true);
  // Another key from now on: what the old one wrote is still read.
  must(store::Keyring::add_key(key_file));
  world.keys = must(store::Keyring::load(key_file));
  (void)world.append(mail_text(900));
  (void)world.run();
  CHECK(must(world.try_verify()).problems == 0);
  for (const std::string& file : files_below(world.backup)) {
    const std::string octets = octets_of(file);
    for (const char* secret : {"example.org", "INBOX", "Subject", "word1", "Folder"}) {
      CHECK_MESSAGE(octets.find(secret) == std::string::npos, file, " has ", secret);
    }
  }
  const store::KeyringPtr right = world.keys;
  const std::string other = world.folder / "other";
  must(store::Keyring::add_key(other));
  world.keys = must(store::Keyring::load(other));
  CHECK(must(world.try_verify()).problems > 0);
  world.keys = nullptr;
  CHECK(code_of(world.try_verify()) == ErrorCode::kPermission);
  CHECK(code_of(world.try_run()) == ErrorCode::kInvalid);
  world.keys = right;
  CHECK(must(world.try_verify()).problems == 0);
}

TEST_CASE("what did not change is not written again") {
  BackedUp world;
  for (unsigned i = 0; i < 200; ++i) (void)world.append(mail_text(i, 5000));
  const BackupReport first = world.run();
  CHECK(first.generation.new_bodies == 200);
  CHECK(first.full_mailboxes == 1);
  const BackupReport second = world.run();
  CHECK(second.generation.new_bodies == 0);
  CHECK(second.unchanged_mailboxes == 1);
  CHECK(second.generation.manifest_octets < 2000);
  CHECK(second.generation.messages == 200);
  store::FlagChange seen;
  seen.flags = store::bit(store::Flag::kSeen);
  const std::vector<Uid> uids{Uid(5)};
  (void)world.write(
      [&](store::WriteTxn& txn) { return txn.change_flags(world.inbox, uids, seen); });
  (void)world.append(mail_text(1000));
  const BackupReport third = world.run();
  CHECK(third.generation.new_bodies == 1);
  CHECK(third.changed_mailboxes == 1);
  CHECK(third.generation.manifest_octets < 3000);
  CHECK(third.generation.messages == 201);
}

TEST_CASE("a chain of deltas ends with a full listing after sixteen") {
  BackedUp world;
  for (unsigned i = 0; i < 200; ++i) (void)world.append(mail_text(i));
  (void)world.run();
  for (unsigned i = 0; i < kLongestChain; ++i) {
    (void)world.append(mail_text(1000 + i));
    CHECK(world.run().changed_mailboxes == 1);
  }
  (void)world.append(mail_text(2000));
  CHECK(world.run().full_mailboxes == 1);
}

TEST_CASE("a run that ends early leaves no generation, and the next one goes on with its bodies") {
  BackedUp world;
  for (unsigned i = 0; i < 600; ++i) (void)world.append(mail_text(i, 20'000));
  BackupOptions stopping;
  stopping.progress = [](std::string_view phase, std::uint64_t done, std::uint64_t) {
    return phase != "bodies" || done < 300;
  };
  CHECK(code_of(world.try_run(stopping)) == ErrorCode::kShutdown);
  CHECK(world.generations().empty());
  const BackupReport report = world.run();
  CHECK(report.generation.new_bodies < 400);
  CHECK(report.generation.messages == 600);
  CHECK(restored_dump(world, report.generation.name).at("ann@example.org") ==
        dump_of(*world.store).at("ann@example.org"));
}

TEST_CASE("a message that is removed and reaped while the backup runs is left out and counted") {
  BackedUp world;
  world.options.retention = std::chrono::seconds(0);
  world.reopen();
  for (unsigned i = 0; i < 10; ++i) (void)world.append(mail_text(i, 5000));
  (void)world.run();
  for (unsigned i = 10; i < 20; ++i) (void)world.append(mail_text(i, 5000));
  BackupOptions removing;
  bool removed = false;
  removing.progress = [&](std::string_view phase, std::uint64_t, std::uint64_t) {
    if (phase != "bodies" || removed) return true;
    removed = true;
    const std::vector<Uid> uids{Uid(3), Uid(15), Uid(16)};
    (void)world.write([&](store::WriteTxn& txn) {
      return txn.expunge(world.inbox, uids, {"ann@example.org", "imap", ""});
    });
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (world.store->figures().reaped_blobs < 3 && std::chrono::steady_clock::now() < give_up) {
      // The reaper waits until nobody can be reading what it frees; commits are what tells it.
      (void)world.write([&](store::WriteTxn& txn) { return txn.claim_recent(world.inbox); });
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
  };
  const BackupReport report = world.run(removing);
  CHECK(report.generation.removed_meanwhile == 2);  // UID 3 is in the packs already
  CHECK(report.generation.damaged == 0);
  CHECK(report.generation.messages == 18);
  const StoreDump restored = restored_dump(world, report.generation.name);
  CHECK(restored.at("ann@example.org").at("INBOX").messages.size() == 18);
  // The next one builds on nothing that is not whole.
  const BackupReport next = world.run();
  CHECK(next.full_mailboxes == 1);
  CHECK(next.generation.messages == 17);
  CHECK(restored_dump(world, next.generation.name) == dump_of(*world.store));
}

TEST_CASE("a store whose files were put back from elsewhere is read anew") {
  BackedUp world;
  for (unsigned i = 0; i < 5; ++i) (void)world.append(mail_text(i));
  world.store.reset();
  std::filesystem::copy(world.folder / "store", world.folder / "older",
                        std::filesystem::copy_options::recursive);
  world.open();
  for (unsigned i = 5; i < 9; ++i) (void)world.append(mail_text(i));
  (void)world.run();
  world.store.reset();
  std::filesystem::remove_all(world.folder / "store");
  std::filesystem::rename(world.folder / "older", world.folder / "store");
  world.open();
  // Takes the UIDs, modseqs and numbers of bodies that the others had.
  (void)world.append(mail_text(77));
  const BackupReport report = world.run();
  CHECK(report.store_went_back);
  CHECK(restored_dump(world, report.generation.name) == dump_of(*world.store));
  CHECK(must(world.try_verify()).problems == 0);
}

TEST_CASE("a backup of another store is not gone on with, nor is a folder of other things") {
  BackedUp world;
  (void)world.run();
  BackedUp other;
  other.backup = world.backup;
  CHECK(code_of(other.try_run()) == ErrorCode::kInvalid);
  other.backup = other.folder / "things";
  std::filesystem::create_directory(other.backup);
  put_octets(other.backup + "/precious", "not a backup");
  CHECK(code_of(other.try_run()) == ErrorCode::kInvalid);
  CHECK(files_below(other.backup).size() == 1);
  CHECK(code_of(other.try_verify()) == ErrorCode::kNotFound);
  CHECK(files_below(other.backup).size() == 1);
}

TEST_CASE("one run at a time, and no prune beside a reader") {
  BackedUp world;
  (void)world.run();
  {
    const auto reading = must(Repository::open(world.backup, Repository::Use::kRead, nullptr));
    CHECK(code_of(Repository::open(world.backup, Repository::Use::kPrune, nullptr)) ==
          ErrorCode::kInUse);
    CHECK(world.try_run());
  }
  const auto running =
      must(Repository::open_or_make(world.backup, world.store->store_id(), nullptr));
  CHECK(code_of(world.try_run()) == ErrorCode::kInUse);
  CHECK(Repository::open(world.backup, Repository::Use::kRead, nullptr));
  CHECK(code_of(Repository::open(world.backup, Repository::Use::kPrune, nullptr)) ==
        ErrorCode::kInUse);
}

TEST_CASE("damage anywhere in a backup is found by verify, and never ends it") {
  BackedUp world;
  for (unsigned i = 0; i < 30; ++i) (void)world.append(mail_text(i, 3000));
  (void)world.run();
  for (unsigned i = 30; i < 40; ++i) (void)world.append(mail_text(i, 3000));
  (void)world.run();
  CHECK(must(world.try_verify()).problems == 0);
  std::mt19937 random(23);
  for (const std::string& file : files_below(world.backup)) {
    const std::string octets = octets_of(file);
    if (octets.empty()) continue;  // the locks
    for (int i = 0; i < 40; ++i) {
      std::string damaged = octets;
      const std::size_t at = random() % damaged.size();
      if (i % 4 == 0)
        damaged.resize(at);
      else
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
      put_octets(file, damaged);
      const auto report = world.try_verify();
      CHECK_MESSAGE((!report || report->problems > 0), file, " at ", at, " of ", octets.size());
      // Whatever can be restored is right.
      if (i % 8 == 0 && report) {
        Restored target;
        auto repository = must(Repository::open(world.backup, Repository::Use::kRead, nullptr));
        if (repository.generations().empty()) continue;
        (void)target.restore(world.backup);
        const StoreDump dump = dump_of(*target.store);
        const StoreDump whole = dump_of(*world.store);
        for (const auto& [uid, message] : dump.count("ann@example.org") != 0
                                              ? dump.at("ann@example.org").at("INBOX").messages
                                              : std::map<std::uint32_t, MessageDump>()) {
          CHECK(whole.at("ann@example.org").at("INBOX").messages.at(uid) == message);
        }
      }
    }
    put_octets(file, octets);
  }
  CHECK(must(world.try_verify()).problems == 0);
}

TEST_CASE("a damaged body is mended by a full run while the store has it") {
  BackedUp world;
  for (unsigned i = 0; i < 30; ++i) (void)world.append(mail_text(i, 3000));
  (void)world.run();
  const std::string pack = world.backup + "/packs/000001.pack";
  std::string octets = octets_of(pack);
  octets[octets.size() - 100] ^= 1;
  put_octets(pack, octets);
  const VerifyReport damaged = must(world.try_verify());
  CHECK(damaged.problems == 1);  // the message that it is of
  CHECK(world.run().generation.new_bodies == 0);
  BackupOptions full;
  full.full = true;
  CHECK(world.run(full).generation.new_bodies == 1);
  // The damaged one is there yet, and needed by nobody.
  CHECK(must(world.try_verify()).problems == 0);
  CHECK(must(world.try_verify()).unreadable_bodies == 1);
  CHECK(restored_dump(world, world.generations().front().name) == dump_of(*world.store));
}

TEST_CASE("prune gives back what only removed generations needed") {
  BackedUp world;
  world.options.retention = std::chrono::seconds(0);
  world.reopen();
  for (unsigned i = 0; i < 100; ++i) (void)world.append(mail_text(i, 20'000));
  world.pack_octets = 300'000;
  (void)world.run();
  const auto size = [&] {
    std::uint64_t octets = 0;
    for (const std::string& file : files_below(world.backup)) {
      octets += std::filesystem::file_size(file);
    }
    return octets;
  };
  const std::uint64_t before = size();
  std::vector<Uid> most;
  for (std::uint32_t uid = 1; uid <= 90; ++uid) most.emplace_back(uid);
  (void)world.write([&](store::WriteTxn& txn) {
    return txn.expunge(world.inbox, most, {"ann@example.org", "imap", ""});
  });
  (void)world.run();
  CHECK(world.run_prune(2).removed.empty());
  CHECK(size() >= before);
  const PruneReport report = world.run_prune(1);
  CHECK(report.removed.size() == 1);
  CHECK(report.packs_removed > 0);
  CHECK(size() < before / 2);
  CHECK(must(world.try_verify()).problems == 0);
  CHECK(restored_dump(world, world.generations().front().name) == dump_of(*world.store));
}

TEST_CASE("prune removes nothing while a generation can't be read") {
  BackedUp world;
  for (unsigned i = 0; i < 3; ++i) {
    (void)world.append(mail_text(i));
    (void)world.run();
  }
  const std::string damaged = world.backup + "/generations/" +
                              to_string(world.generations().front().name) + "/generation.json";
  put_octets(damaged, "nothing");
  put_octets(copy_of(damaged), "nothing");
  {
    auto repository = must(Repository::open(world.backup, Repository::Use::kPrune, nullptr));
    auto packs = must(Packs::open(repository.packs_folder(), repository.coder(), true));
    PruneOptions options;
    options.keep = 1;
    CHECK(code_of(prune(repository, packs, options)) == ErrorCode::kCorrupt);
  }
  CHECK(world.generations().size() == 2);
}

TEST_CASE("a rate bounds how fast bodies are read") {
  BackedUp world;
  for (unsigned i = 0; i < 40; ++i) (void)world.append(mail_text(i, 50'000));
  BackupOptions options;
  options.octets_per_second = 4'000'000;
  const auto began = std::chrono::steady_clock::now();
  (void)world.run(options);
  CHECK(std::chrono::steady_clock::now() - began >= std::chrono::milliseconds(450));
}
