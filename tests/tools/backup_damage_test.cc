// What damage to a backup costs: what is damaged, and nothing else.
#include <doctest/doctest.h>
#include <filesystem>
#include <random>
#include <string>

#include "tests/tools/backup_support.h"

using namespace twinpost;
using namespace twinpost::tools::backup;
using namespace twinpost::tools::backup::test;
using store::Uid;

namespace {

const store::Remover kAnn{"ann@example.org", "imap", "192.0.2.1"};

// Two accounts, several mailboxes, a full listing and deltas on it.
struct Company : BackedUp {
  store::MailboxKey work;
  Company() {
    work = create("Work");
    for (unsigned i = 0; i < 40; ++i) (void)append(mail_text(i, 400));
    for (unsigned i = 100; i < 130; ++i) {
      (void)append(work, store::test::request_of(mail_text(i, 400)));
    }
    const auto bob =
        write([](store::WriteTxn& txn) { return txn.ensure_account("bob@example.org"); });
    const store::MailboxKey bobs{bob.id, read([&](const store::ReadView& view) {
                                           return view.find_mailbox(bob.id, "INBOX");
                                         }).id};
    for (unsigned i = 200; i < 230; ++i) {
      (void)append(bobs, store::test::request_of(mail_text(i, 400)));
    }
  }

  void use_key() {
    must(store::Keyring::add_key(folder / "keys"));
    keys = must(store::Keyring::load(folder / "keys"));
  }

  void two_generations() {
    (void)run();
    for (unsigned i = 40; i < 45; ++i) (void)append(mail_text(i, 400));
    const std::vector<Uid> some{Uid(2), Uid(3)};
    (void)write([&](store::WriteTxn& txn) { return txn.expunge(inbox, some, kAnn); });
    REQUIRE(run().changed_mailboxes == 1);
  }
};

std::map<std::string, MessageDump> messages_of(const StoreDump& dump) {
  std::map<std::string, MessageDump> messages;
  for (const auto& [account, mailboxes] : dump) {
    for (const auto& [name, mailbox] : mailboxes) {
      for (const auto& [uid, message] : mailbox.messages) {
        messages[account + "/" + name + "/" + std::to_string(uid)] = message;
      }
    }
  }
  return messages;
}

// How many messages a restore lacks; what it has must be right.
std::size_t missing_after_restore(BackedUp& world, const StoreDump& whole, RestoreReport& report) {
  Restored target({"ann@example.org", "bob@example.org"});
  report = target.restore(world.backup, {}, world.keys);
  const auto wanted = messages_of(whole);
  const auto there = messages_of(dump_of(*target.store));
  for (const auto& [place, message] : there) {
    REQUIRE_MESSAGE(wanted.contains(place), place);
    CHECK(wanted.at(place).octets == message.octets);
    CHECK(wanted.at(place).uidl == message.uidl);
  }
  return wanted.size() - there.size();
}

// Flips octets of every file, one at a time, and gives the most messages that one of them cost.
std::size_t worst_loss(Company& world, unsigned flips, unsigned seed) {
  const StoreDump whole = dump_of(*world.store);
  std::mt19937 random(seed);
  std::size_t worst = 0;
  for (const std::string& file : files_below(world.backup)) {
    const std::string octets = octets_of(file);
    if (octets.empty()) continue;  // the locks
    for (unsigned i = 0; i < flips; ++i) {
      std::string damaged = octets;
      const std::size_t at = random() % damaged.size();
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
      put_octets(file, damaged);
      INFO("seed ", seed, ": ", file, " at ", at);
      RestoreReport report;
      const std::size_t missing = missing_after_restore(world, whole, report);
      if (missing > 0) CHECK(report.failed >= missing);
      worst = std::max(worst, missing);
    }
    put_octets(file, octets);
  }
  return worst;
}

std::string newest(Company& world) {
  return world.backup + "/generations/" + to_string(world.generations().back().name);
}

void flip_middle(const std::string& path) {
  std::string octets = octets_of(path);
  octets[octets.size() / 2] ^= 1;
  put_octets(path, octets);
}

// A run that finds what the last one rests on damaged says so, once, and makes it good.
void check_healed(Company& world) {
  const BackupReport report = world.run();
  CHECK_FALSE(report.problems.empty());
  RestoreReport restored;
  CHECK(missing_after_restore(world, dump_of(*world.store), restored) == 0);
  CHECK(restored.failed == 0);
  CHECK(world.run().problems.empty());
}

}  // namespace

TEST_CASE("a damaged octet anywhere costs one message at most") {
  Company world;
  world.two_generations();
  CHECK(worst_loss(world, 25, 31) == 1);
}

TEST_CASE(
    "a damaged octet anywhere in an encrypted backup costs one block of its manifest at most") {
  Company world;
  world.use_key();
  world.two_generations();
  const std::size_t worst = worst_loss(world, 12, 32);
  CHECK(worst >= 1);
  CHECK(worst < 60);
}

TEST_CASE("the mailboxes of a backup are found without its index, and by the index alone") {
  Company world;
  (void)world.run();
  const std::string manifest = newest(world) + "/manifest-1";
  const std::string octets = octets_of(manifest);
  const StoreDump whole = dump_of(*world.store);
  const std::size_t index = octets.find("{\"account_at\"");
  REQUIRE(index != std::string::npos);
  RestoreReport report;
  put_octets(manifest, octets.substr(0, index));
  CHECK(missing_after_restore(world, whole, report) == 0);
  CHECK(report.failed > 0);
  std::string damaged = octets;
  for (std::size_t at = 0; (at = damaged.find("{\"mailbox\"", at)) < index; ++at) damaged[at] = '[';
  for (std::size_t at = 0; (at = damaged.find("{\"account\"", at)) < index; ++at) damaged[at] = '[';
  put_octets(manifest, damaged);
  CHECK(missing_after_restore(world, whole, report) == 0);
  // A mailbox that both have lost takes none of its messages to another.
  const std::size_t line = octets.find("{\"mailbox\":\"Work\"");
  const std::size_t entry = octets.find("\"line\":{\"mailbox\":\"Work\"");
  REQUIRE(entry > index);
  damaged = octets;
  damaged[line + 3] ^= 1;
  damaged[entry + 3] ^= 1;
  put_octets(manifest, damaged);
  CHECK(missing_after_restore(world, whole, report) == 30);
  CHECK(report.failed > 0);
}

TEST_CASE("a run does not build on a pack that is gone, and stores its bodies again") {
  Company world;
  world.two_generations();
  std::filesystem::remove(world.backup + "/packs/000001.pack");
  check_healed(world);
}

TEST_CASE("a run does not build on a pack that was cut short") {
  Company world;
  world.two_generations();
  const std::string pack = world.backup + "/packs/000001.pack";
  put_octets(pack, octets_of(pack).substr(0, 5000));
  check_healed(world);
  CHECK(must(world.try_verify()).problems == 0);
}

TEST_CASE("a run does not build on a damaged manifest, near or far") {
  for (const bool is_near : {true, false}) {
    Company world;
    world.two_generations();
    const auto generation = is_near ? world.generations().back() : world.generations().front();
    flip_middle(world.backup + "/generations/" + to_string(generation.name) + "/manifest-1");
    check_healed(world);
  }
}

TEST_CASE("a run does not build on a generation that is gone") {
  Company world;
  world.two_generations();
  std::filesystem::remove_all(world.backup + "/generations/" +
                              to_string(world.generations().front().name));
  check_healed(world);
}

TEST_CASE("a pack whose first octets are damaged is mended") {
  Company world;
  world.two_generations();
  const std::string pack = world.backup + "/packs/000001.pack";
  std::string octets = octets_of(pack);
  octets[2] ^= 1;
  put_octets(pack, octets);
  (void)world.run();
  CHECK(must(world.try_verify()).problems == 0);
}

TEST_CASE("a damaged generation.json is read from its copy, and made anew by the next run") {
  Company world;
  world.two_generations();
  const std::string file = newest(world) + "/generation.json";
  const std::string octets = octets_of(file);
  flip_middle(file);
  CHECK(world.generations().size() == 2);
  CHECK(must(world.try_verify()).problems == 1);
  (void)world.run();
  CHECK(octets_of(file) == octets);
  CHECK(must(world.try_verify()).problems == 0);
  const std::string info = world.backup + "/backup.json";
  std::filesystem::remove(info);
  CHECK(must(world.try_verify()).problems == 1);
  (void)world.run();
  CHECK(must(world.try_verify()).problems == 0);
}

TEST_CASE("a generation that can't be read at all is counted, and the store's bodies read anew") {
  Company world;
  world.two_generations();
  const std::string file = newest(world) + "/generation.json";
  flip_middle(file);
  flip_middle(copy_of(file));
  {
    auto repository = must(Repository::open(world.backup, Repository::Use::kRead, nullptr));
    CHECK(repository.lost_generations() == 1);
    CHECK(repository.generations().size() == 1);
  }
  (void)world.run();
  RestoreReport restored;
  CHECK(missing_after_restore(world, dump_of(*world.store), restored) == 0);
}

TEST_CASE("when the old key is gone a run stores everything again under the new one") {
  Company world;
  world.use_key();
  world.two_generations();
  std::filesystem::remove(world.folder / "keys");
  world.use_key();
  RestoreReport report;
  // Nothing of it can be read now, and that is told account by account.
  CHECK(missing_after_restore(world, dump_of(*world.store), report) == 103);
  CHECK_FALSE(report.failures.empty());
  check_healed(world);
  const VerifyReport verified = must(world.try_verify());
  CHECK(verified.problems > 0);  // the generations under the old key
  (void)world.run();
  RestoreReport restored;
  CHECK(missing_after_restore(world, dump_of(*world.store), restored) == 0);
}

TEST_CASE("bodies under a key that is gone fail one by one, and the rest comes back") {
  Company world;
  world.use_key();
  (void)world.run();
  must(store::Keyring::add_key(world.folder / "keys"));
  world.keys = must(store::Keyring::load(world.folder / "keys"));
  for (unsigned i = 40; i < 45; ++i) (void)world.append(mail_text(i, 400));
  BackupOptions full;
  (void)world.run(full);
  // The manifest that builds on nothing, with bodies under both keys.
  (void)world.run_prune(1);
  const std::string text = octets_of(world.folder / "keys");
  put_octets(world.folder / "new", text.substr(text.rfind("twinpost-key-1")));
  std::filesystem::permissions(world.folder / "new", std::filesystem::perms::owner_read);
  world.keys = must(store::Keyring::load(world.folder / "new"));
  RestoreReport report;
  CHECK(missing_after_restore(world, dump_of(*world.store), report) == 100);
  CHECK(report.failed == 100);
  CHECK(report.restored == 5);
  RestoreOptions dry;
  dry.dry_run = true;
  Restored target({"ann@example.org", "bob@example.org"});
  const RestoreReport rehearsed = target.restore(world.backup, dry, world.keys);
  CHECK(rehearsed.failed == 100);
  CHECK(rehearsed.restored == 5);
  check_healed(world);
}
