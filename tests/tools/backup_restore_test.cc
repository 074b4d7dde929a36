#include <doctest/doctest.h>
#include <filesystem>
#include <string>

#include "tests/tools/backup_support.h"

using namespace twinpost;
using namespace twinpost::tools::backup;
using namespace twinpost::tools::backup::test;
using store::Uid;

namespace {

const store::Remover kAdmin{"ann@example.org", "imap", "192.0.2.1"};

// An account as people have them: gaps in the UIDs, levels, a subscription, a special use.
struct Office : BackedUp {
  store::MailboxKey sent;
  store::MailboxKey deep;
  Office() {
    for (unsigned i = 0; i < 20; ++i) (void)append(mail_text(i));
    const std::vector<Uid> some{Uid(2), Uid(3), Uid(20)};
    (void)write([&](store::WriteTxn& txn) { return txn.expunge(inbox, some, kAdmin); });
    sent = {account, write([&](store::WriteTxn& txn) {
                       return txn.create_mailbox(account, "Sent", store::SpecialUse::kSent);
                     }).id};
    (void)create("Work");
    deep = create("Work/Deep");
    for (unsigned i = 100; i < 105; ++i) (void)append(deep, store::test::request_of(mail_text(i)));
    must(store->write_now([&](store::WriteTxn& txn) -> Result<void> {
      auto done = txn.set_subscribed(account, "Work/Deep", true);
      if (done) done = txn.set_provisioned(account);
      return done;
    }));
  }
  AccountDump dump() { return dump_of(*store).at("ann@example.org"); }
  // Restores into this very store, as a running server would.
  RestoreReport restore_here(RestoreOptions restore_options = {}) {
    auto accounts = std::make_shared<config::AccountsConfig>();
    accounts->accounts["ann@example.org"].name = "ann@example.org";
    const auto access =
        tools::make_local_access(*store, std::make_shared<config::ServerConfig>(), accounts);
    auto repository = must(Repository::open(backup, Repository::Use::kRead, keys));
    auto packs = must(Packs::open(repository.packs_folder(), repository.coder(), false));
    restore_options.generation = repository.generations().back().name;
    RestoreReport report;
    must(restore(repository, packs, *access, restore_options, report));
    return report;
  }
  store::MailboxInfo find(const std::string& name) {
    return read([&](const store::ReadView& view) { return view.find_mailbox(account, name); });
  }
};

std::vector<std::string> names_of(const AccountDump& account) {
  std::vector<std::string> names;
  for (const auto& [name, mailbox] : account) names.push_back(name);
  return names;
}

}  // namespace

TEST_CASE("a whole account comes back into another store as clients knew it") {
  Office office;
  (void)office.run();
  Restored target;
  const RestoreReport report = target.restore(office.backup);
  CHECK(report.failures.empty());
  CHECK(report.restored == 22);
  CHECK(report.unlisted.empty());
  const StoreDump dump = dump_of(*target.store);
  CHECK(dump == dump_of(*office.store));
  const auto info = must(target.store->read_now(
      [](const store::ReadView& view) { return view.account("ann@example.org"); }));
  CHECK(info.provisioned);
  // UIDs that mail which came after the backup may have had are not given again.
  const auto inbox = must(target.store->read_now(
      [&](const store::ReadView& view) { return view.find_mailbox(info.id, "INBOX"); }));
  CHECK(inbox.uid_next == Uid(21 + kUidGap));
  CHECK(inbox.highest_modseq.value() >
        office.find("INBOX").highest_modseq.value() + kModSeqGap / 2);
}

TEST_CASE("a restore that is run again brings nothing twice") {
  Office office;
  (void)office.run();
  Restored target;
  (void)target.restore(office.backup);
  const StoreDump once = dump_of(*target.store);
  const RestoreReport again = target.restore(office.backup);
  CHECK(again.failures.empty());
  CHECK(again.restored == 0);
  CHECK(again.already_there == 22);
  CHECK(dump_of(*target.store) == once);
}

TEST_CASE("a restore that was interrupted goes on where it was, UIDs and all") {
  Office office;
  for (unsigned i = 200; i < 2600; ++i) (void)office.append(mail_text(i));
  (void)office.run();
  for (const unsigned calls : {1U, 500U, 1100U, 2200U}) {
    Restored target;
    RestoreOptions stopping;
    auto left = std::make_shared<unsigned>(calls);
    stopping.progress = [left](std::string_view, std::uint64_t, std::uint64_t) {
      return (*left)-- > 0;
    };
    const RestoreReport first = target.restore(office.backup, stopping);
    REQUIRE(first.failures.size() == 1);
    const RestoreReport second = target.restore(office.backup);
    CHECK(second.failures.empty());
    CHECK(second.restored + first.restored >= 22);
    CHECK(dump_of(*target.store) == dump_of(*office.store));
  }
}

TEST_CASE("mail that comes into INBOX before it is restored stays, under a new UID") {
  Office office;
  (void)office.run();
  Restored target;
  bool came = false;
  RestoreOptions options;
  options.progress = [&](std::string_view, std::uint64_t done, std::uint64_t) {
    if (done < 5 || came) return true;
    came = true;
    (void)must(target.store->write_now([](store::WriteTxn& txn) -> Result<store::Appended> {
      const auto account = must(txn.account("ann@example.org"));
      const auto inbox = must(txn.find_mailbox(account.id, "INBOX"));
      return txn.append({account.id, inbox.id}, store::test::request_of(mail_text(5000)));
    }));
    return true;
  };
  CHECK(target.restore(office.backup, options).failures.empty());
  REQUIRE(came);
  AccountDump dump = dump_of(*target.store).at("ann@example.org");
  REQUIRE(dump.at("INBOX").messages.size() == 18);
  const auto last = std::prev(dump.at("INBOX").messages.end());
  CHECK(last->first >= 21 + kUidGap);
  CHECK(last->second.octets == mail_text(5000));
  dump.at("INBOX").messages.erase(last);
  CHECK(dump == office.dump());
}

TEST_CASE(
    "messages that are gone from a mailbox come back under new UIDs, the rest stays as it is") {
  Office office;
  (void)office.run();
  const AccountDump before = office.dump();
  const std::vector<Uid> lost{Uid(5), Uid(6), Uid(7)};
  (void)office.write([&](store::WriteTxn& txn) { return txn.expunge(office.inbox, lost, kAdmin); });
  store::FlagChange seen;
  seen.flags = store::bit(store::Flag::kSeen);
  const std::vector<Uid> read{Uid(8)};
  (void)office.write(
      [&](store::WriteTxn& txn) { return txn.change_flags(office.inbox, read, seen); });
  (void)office.append(mail_text(300));
  const AccountDump changed = office.dump();
  const store::MessageRecord original = office.message(office.inbox, Uid(4));
  const RestoreReport report = office.restore_here();
  CHECK(report.restored == 3);
  CHECK(report.failures.empty());
  AccountDump after = office.dump();
  MailboxDump& inbox = after.at("INBOX");
  for (std::uint32_t uid = 22; uid <= 24; ++uid) {
    REQUIRE(inbox.messages.count(uid) == 1);
    CHECK(inbox.messages.at(uid) == before.at("INBOX").messages.at(uid - 17));
    inbox.messages.erase(uid);
  }
  CHECK(after == changed);
  // The same server's own ids.
  CHECK(office.message(office.inbox, Uid(22)).email_id.value() == original.email_id.value() + 1);
}

TEST_CASE(
    "one mailbox that was deleted comes back with its identity into the server that lost it") {
  Office office;
  (void)office.run();
  const AccountDump before = office.dump();
  must(office.store->write_now([&](store::WriteTxn& txn) -> Result<void> {
    auto done = txn.delete_mailbox(office.deep, kAdmin);
    if (done) done = txn.set_subscribed(office.account, "Work/Deep", false);
    return done;
  }));
  RestoreOptions options;
  options.account = "Ann@example.org";
  options.mailboxes = {"Work/Deep"};
  const RestoreReport report = office.restore_here(options);
  CHECK(report.restored == 5);
  REQUIRE(report.mailboxes.size() == 1);
  CHECK(report.mailboxes[0].made);
  CHECK(report.mailboxes[0].renumbered == 0);
  CHECK(office.dump() == before);
}

TEST_CASE("a dry run says what would come and changes nothing") {
  Office office;
  (void)office.run();
  Restored target{std::vector<std::string>{}};
  RestoreOptions options;
  options.dry_run = true;
  CHECK(target.restore(office.backup, options).restored == 22);
  CHECK(dump_of(*target.store).empty());
  const std::vector<Uid> lost{Uid(5)};
  (void)office.write([&](store::WriteTxn& txn) { return txn.expunge(office.inbox, lost, kAdmin); });
  const AccountDump before = office.dump();
  const RestoreReport report = office.restore_here(options);
  CHECK(report.restored == 1);
  CHECK(report.already_there == 21);
  CHECK(office.dump() == before);
}

TEST_CASE("mailboxes can be put below another one, and into another account") {
  Office office;
  (void)office.run();
  Restored target({"bob@example.org"});
  RestoreOptions options;
  options.account = "ann@example.org";
  options.as = "bob@example.org";
  options.below = "From the backup";
  options.mailboxes = {"inbox", "Work/Deep"};
  CHECK(target.restore(office.backup, options).failures.empty());
  const AccountDump dump = dump_of(*target.store).at("bob@example.org");
  CHECK(names_of(dump) == std::vector<std::string>{"From the backup", "From the backup/INBOX",
                                                   "From the backup/Work",
                                                   "From the backup/Work/Deep", "INBOX"});
  const AccountDump before = office.dump();
  CHECK(dump.at("From the backup/INBOX").messages == before.at("INBOX").messages);
  CHECK(dump.at("From the backup/INBOX").guid != before.at("INBOX").guid);
  // Beside the original, in the same account: no id twice.
  options.as.clear();
  CHECK(office.restore_here(options).restored == 22);
  CHECK(office.dump().at("From the backup/INBOX").guid != before.at("INBOX").guid);
  CHECK(office.dump().at("INBOX") == before.at("INBOX"));
}

TEST_CASE("an account that is not listed is restored all the same, and said") {
  Office office;
  (void)office.run();
  Restored target{std::vector<std::string>{}};
  const RestoreReport report = target.restore(office.backup);
  CHECK(report.unlisted == std::vector<std::string>{"ann@example.org"});
  CHECK(dump_of(*target.store) == dump_of(*office.store));
}

TEST_CASE("an account is restored over its quota rather than not, and that is said") {
  Office office;
  (void)office.run();
  Restored target({"ann@example.org"}, 10);
  const RestoreReport report = target.restore(office.backup);
  CHECK(report.failures.empty());
  CHECK(report.over_quota == std::vector<std::string>{"ann@example.org"});
  CHECK(dump_of(*target.store) == dump_of(*office.store));
}

TEST_CASE("a damaged body costs its message only") {
  Office office;
  (void)office.run();
  const std::string pack = office.backup + "/packs/000001.pack";
  std::string octets = octets_of(pack);
  octets[octets.size() - 3] ^= 1;
  put_octets(pack, octets);
  Restored target;
  const RestoreReport report = target.restore(office.backup);
  CHECK(report.failed == 1);
  CHECK(report.restored == 21);
  REQUIRE(report.failures.size() == 1);
  CHECK(report.failures[0].find("UID") != std::string::npos);
}

TEST_CASE("what the backup does not have is a clear error") {
  Office office;
  (void)office.run();
  Restored target;
  RestoreOptions options;
  options.account = "nobody@example.org";
  REQUIRE(target.restore(office.backup, options).failures.size() == 1);
  options.account = "ann@example.org";
  options.mailboxes = {"Nowhere"};
  const RestoreReport report = target.restore(office.backup, options);
  REQUIRE(report.failures.size() == 1);
  CHECK(report.failures[0].find("no mailbox Nowhere") != std::string::npos);
}
