// Imports and exports as a whole: what comes through, what a second run does, what a break leaves.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include "tests/tools/transfer_support.h"
#include "tools/twinpost/transfer/maildir.h"
#include "tools/twinpost/transfer/mbox.h"

using namespace twinpost;
using namespace twinpost::tools;
using namespace twinpost::tools::test;
using store::test::mail_text;
using store::test::request_of;

namespace {

const store::FlagBits kSeen = store::bit(store::Flag::kSeen);

// Flags, keywords, dates, UIDLs of both kinds, gaps between UIDs, odd names.
void fill(World& world, unsigned messages) {
  store::test::Fixture& store = world;
  const auto work = store.create("Work/2024 \xc3\xa9t\xc3\xa9");
  const auto dots = store.create("a.b");
  store.create("~nothing");
  store.create("Work");
  store.write([&](store::WriteTxn& txn) {
    return txn.set_subscribed(store.account, "Work/2024 \xc3\xa9t\xc3\xa9", true);
  });
  store.write([&](store::WriteTxn& txn) { return txn.set_subscribed(store.account, "a.b", true); });
  for (unsigned i = 0; i < messages; ++i) {
    auto request = request_of(mail_text(i, 30 + i * 37 % 5'000));
    request.flags = static_cast<store::FlagBits>(i % 32);
    if (i % 3 == 0) request.keywords = {"Work", "k" + std::to_string(i % 7)};
    request.internal_date.time += std::chrono::hours(i);
    if (i % 2 == 0) request.prefix = "Return-Path: <sam@example.net>\r\n";
    if (i % 5 == 0) request.imported_uidl = "old-" + std::to_string(i);
    store.append(i % 4 == 0 ? work : i % 4 == 1 ? dots : store.inbox, request);
  }
  const std::vector<store::Uid> gone{store::Uid(2)};
  store.write([&](store::WriteTxn& txn) {
    return txn.expunge(store.inbox, gone, {"ann@example.org", "imap", ""});
  });
}

MaildirOptions all_uidls() {
  MaildirOptions options;
  options.uidl_all = true;
  return options;
}

TransferReport export_maildir(MailSource& source, const std::string& path) {
  auto sink = must(make_maildir(path, {}));
  return must(run(source, *sink));
}

TransferReport import_maildir(World& world, const std::string& path) {
  auto source = must(open_maildir(path, all_uidls()));
  auto sink = world.sink();
  return must(run(*source, *sink));
}

std::uint64_t stored_messages(World& world) {
  return world.read([&](const store::ReadView& view) { return view.account(world.account); })
      .messages;
}

}  // namespace

TEST_CASE("an account comes through a Maildir into a new store with all that clients know it by") {
  World old_world;
  fill(old_world, 120);
  auto source = old_world.source();
  TempFolder folder;
  const TransferReport exported = export_maildir(*source, folder / "out");
  CHECK(exported.stored == 119);
  CHECK(exported.failed == 0);
  World new_world;
  const TransferReport imported = import_maildir(new_world, folder / "out");
  CHECK(imported.stored == 119);
  CHECK(imported.failed == 0);
  Account before = everything_in(*source);
  CHECK(differences(before, everything_in(*new_world.source())) == "");
  // And once more brings nothing.
  CHECK(import_maildir(new_world, folder / "out").stored == 0);
  CHECK(export_maildir(*source, folder / "out").already_there == 119);
}

TEST_CASE("a second export brings flags up to date and adds what is new") {
  World world;
  fill(world, 20);
  auto source = world.source();
  TempFolder folder;
  export_maildir(*source, folder / "out");
  const std::vector<store::Uid> first{store::Uid(1)};
  world.write([&](store::WriteTxn& txn) {
    store::FlagChange change;
    change.operation = store::FlagOperation::kReplace;
    change.flags = store::bit(store::Flag::kFlagged);
    change.keywords = {"Fresh"};
    return txn.change_flags(world.inbox, first, change);
  });
  world.append(mail_text(1000));
  CHECK(export_maildir(*source, folder / "out").stored == 1);
  auto exported = must(open_maildir(folder / "out", all_uidls()));
  CHECK(differences(everything_in(*source), everything_in(*exported)) == "");
}

TEST_CASE("an export interrupted anywhere goes on from there, and nothing is written twice") {
  World world;
  fill(world, 60);
  auto source = world.source();
  const Account before = everything_in(*source);
  TempFolder folder;
  for (int calls = 1; calls < 60; calls += 7) {
    BreakingSource breaking(*source, calls);
    auto sink = must(make_maildir(folder / "out", {}));
    (void)run(breaking, *sink);
  }
  export_maildir(*source, folder / "out");
  auto exported = must(open_maildir(folder / "out", all_uidls()));
  CHECK(differences(before, everything_in(*exported)) == "");
}

TEST_CASE("an import interrupted anywhere goes on from there: nothing twice, nothing missing") {
  World old_world;
  fill(old_world, 60);
  TempFolder folder;
  auto source = old_world.source();
  export_maildir(*source, folder / "out");
  for (int calls = 1; calls < 60; calls += 11) {
    World world;
    for (int again = calls; again < 60; again += calls) {
      auto maildir = must(open_maildir(folder / "out", all_uidls()));
      BreakingSource breaking(*maildir, again);
      BreakingAccess access(*world.access, 3 + again);
      auto sink = make_store_sink(access, "ann@example.org", {});
      (void)run(breaking, *sink);
    }
    import_maildir(world, folder / "out");
    CHECK(counts_of(everything_in(*world.source())) == counts_of(everything_in(*source)));
  }
}

TEST_CASE("what was removed here does not come back, and what is new there comes") {
  TempFolder folder;
  write_file(folder / "cur/1.a:2,S", "Subject: 1\n\nx\n");
  write_file(folder / "new/2.b", "Subject: 2\n\nx\n");
  World world;
  CHECK(import_maildir(world, folder.path()).stored == 2);
  const std::vector<store::Uid> first{store::Uid(1)};
  world.write([&](store::WriteTxn& txn) {
    return txn.expunge(world.inbox, first, {"ann@example.org", "imap", ""});
  });
  write_file(folder / "new/3.c", "Subject: 3\n\nx\n");
  std::filesystem::rename(folder / "new/2.b", folder / "cur/2.b:2,S");
  const TransferReport report = import_maildir(world, folder.path());
  CHECK(report.stored == 1);
  CHECK(report.already_there == 2);
  CHECK(stored_messages(world) == 2);
}

TEST_CASE("what comes without a UID gets none that the source has given away") {
  TempFolder folder;
  write_file(folder / "cur/1.a:2,", "Subject: 1\n\nx\n");
  write_file(folder / "new/2.b", "Subject: 2\n\nx\n");
  write_file(folder / "dovecot-uidlist", "3 V77 N50\n7 :1.a\n");
  World world;
  import_maildir(world, folder.path());
  const Account account = everything_in(*world.source());
  REQUIRE(account.at("INBOX").messages.size() == 2);
  CHECK(account.at("INBOX").uid_validity == 77);
  CHECK(account.at("INBOX").messages[0].uid == 7);
  CHECK(account.at("INBOX").messages[1].uid == 50);
}

TEST_CASE("a mailbox that has mail keeps its identity, and the messages get UIDs of its own") {
  TempFolder folder;
  write_file(folder / "cur/1.a:2,S", "Subject: 1\n\nx\n");
  write_file(folder / "dovecot-uidlist", "3 V77 N5000\n4000 Pold :1.a\n");
  World world;
  world.append(mail_text(1));
  import_maildir(world, folder.path());
  const Account account = everything_in(*world.source());
  CHECK(account.at("INBOX").uid_validity != 77);
  CHECK(account.at("INBOX").messages.at(1).uid == 2);
  CHECK(account.at("INBOX").messages[1].uidl == "old");
}

TEST_CASE("two messages with one UIDL both come, one of them under a new one") {
  TempFolder folder;
  write_file(folder / "cur/1.a:2,S", "Subject: 1\n\nx\n");
  write_file(folder / "cur/2.b:2,S", "Subject: 2\n\nx\n");
  write_file(folder / "dovecot-uidlist", "3 V77 N3\n1 Psame :1.a\n2 Psame :2.b\n");
  World world;
  const TransferReport report = import_maildir(world, folder.path());
  CHECK(report.stored == 2);
  CHECK(report.failed == 0);
  CHECK(report.notes.size() == 1);
  const Account account = everything_in(*world.source());
  CHECK(account.at("INBOX").messages.at(0).uidl == "same");
  CHECK(account.at("INBOX").messages.at(1).uidl != "same");
}

TEST_CASE("one bad message or folder is reported and stops nothing") {
  TempFolder folder;
  for (int i = 0; i < 5; ++i) {
    write_file(folder / fmt::format("cur/{}.x:2,", i),
               fmt::format("Subject: {}\n\n{}\n", i, std::string(100, 'x')));
  }
  write_file(folder / "cur/9.large:2,", std::string(5'000, 'y'));
  write_file(folder / "cur/99.empty:2,", "");
  write_file(folder / ("." + std::string(70, 'a') + ".b." + std::string(60, 'c') + "/cur/1.z:2,"),
             "Subject: z\n\n");
  MaildirOptions options;
  options.message_limit = 1'000;
  auto source = must(open_maildir(folder.path(), options));
  World world;
  auto sink = world.sink();
  const TransferReport report = must(run(*source, *sink));
  CHECK(report.stored == 6);
  CHECK(report.failed == 1);
  REQUIRE(report.failures.size() == 1);
  CHECK(report.failures[0].message == "cur/9.large:2,");
  CHECK(report.notes.size() == 1);
}

TEST_CASE("an import that meets the quota ends there, and goes on when there is room") {
  TempFolder folder;
  for (int i = 0; i < 10; ++i) {
    write_file(folder / fmt::format("cur/{}.x:2,", i), fmt::format("Subject: {}\n\nx\n", i));
  }
  World world(R"(, "quota_messages": 4)");
  auto source = must(open_maildir(folder.path(), {}));
  auto sink = world.sink();
  const auto first = run(*source, *sink);
  CHECK(code_of(first) == ErrorCode::kOverQuota);
  CHECK(stored_messages(world) == 4);
  StoreSinkOptions options;
  options.ignore_quota = true;
  sink = world.sink(options);
  CHECK(must(run(*source, *sink)).stored == 6);
}

TEST_CASE("everything can be put below a mailbox, with new identities") {
  World old_world;
  fill(old_world, 12);
  auto source = old_world.source();
  World world;
  StoreSinkOptions options;
  options.below = "Old mail";
  options.keep_identity = false;
  auto sink = world.sink(options);
  CHECK(must(run(*source, *sink)).failed == 0);
  const Account account = everything_in(*world.source());
  CHECK(account.at("Old mail/INBOX").messages.size() == 5);
  CHECK(account.at("Old mail/Work/2024 \xc3\xa9t\xc3\xa9").messages.size() == 3);
  CHECK(account.at("INBOX").messages.empty());
}

TEST_CASE("keywords for which a Maildir has no letter are told of") {
  World world;
  for (int i = 0; i < 30; ++i) {
    auto request = request_of(mail_text(static_cast<unsigned>(i)));
    request.keywords = {fmt::format("keyword{}", i)};
    world.append(world.inbox, request);
  }
  TempFolder folder;
  auto source = world.source();
  const TransferReport report = export_maildir(*source, folder / "out");
  CHECK(report.stored == 30);
  CHECK(report.notes.size() == 4);
}

TEST_CASE("an export into another mailbox's Maildir is refused") {
  World one;
  one.append(mail_text(1));
  TempFolder folder;
  auto source = one.source();
  export_maildir(*source, folder / "out");
  write_file(folder / "out/dovecot-uidlist", "3 V1 N2\n");
  auto sink = must(make_maildir(folder / "out", {}));
  CHECK(code_of(run(*source, *sink)) == ErrorCode::kExists);
}

TEST_CASE("no name of a mailbox leads out of the folder it is exported to") {
  World world;
  for (const char* name : {"..", "../..", "../../etc", "~root", ".x", "a.b"}) {
    const auto mailbox = world.create(name);
    world.append(mailbox, request_of(mail_text(1)));
  }
  const auto deep = world.create(std::string(240, 'x') + "/" + std::string(240, 'y'));
  world.append(deep, request_of(mail_text(1)));
  TempFolder folder;
  auto source = world.source();
  export_maildir(*source, folder / "out");
  auto mbox = must(make_mbox(folder / "boxes"));
  must(run(*source, *mbox));
  CHECK(files_in(folder.path()) == std::vector<std::string>{
                                       "boxes",
                                       "out",
                                   });
  auto exported = must(open_maildir(folder / "out", all_uidls()));
  CHECK(differences(everything_in(*source), everything_in(*exported)) == "");
}

TEST_CASE("an account comes through mboxes with octets, flags, keywords, UIDs and dates") {
  World old_world;
  fill(old_world, 80);
  auto source = old_world.source();
  TempFolder folder;
  for (int run_number = 0; run_number < 2; ++run_number) {
    auto sink = must(make_mbox(folder / "out"));
    CHECK(must(run(*source, *sink)).failed == 0);
  }
  World new_world;
  MboxOptions options;
  options.uidl_all = true;
  for (int run_number = 0; run_number < 2; ++run_number) {
    auto mboxes = must(open_mbox(folder / "out", options));
    auto sink = new_world.sink();
    const TransferReport report = must(run(*mboxes, *sink));
    CHECK(report.stored == (run_number == 0 ? 79 : 0));
    CHECK(report.failed == 0);
  }
  Account before = everything_in(*source);
  Account after = everything_in(*new_world.source());
  for (Account* account : {&before, &after}) {
    for (auto& [name, mailbox] : *account) {
      mailbox.subscribed = false;  // an mbox can't say this, nor one that is empty its UIDVALIDITY
      if (mailbox.messages.empty()) mailbox.uid_validity = 0;
    }
  }
  CHECK(differences(before, after) == "");
}

TEST_CASE("two imports of the same mail at once bring every message once") {
  World old_world;
  fill(old_world, 80);
  auto source = old_world.source();
  TempFolder folder;
  export_maildir(*source, folder / "out");
  auto maildir = must(open_maildir(folder / "out", all_uidls()));
  World new_world;
  const auto first = new_world.sink();
  const auto second = new_world.sink();
  const auto folders = must(maildir->folders());
  for (const auto& sink : {first.get(), second.get()}) must(sink->begin(folders));
  for (const MailFolder& mailbox : folders) {
    const auto items = must(maildir->items(mailbox));
    // Neither has anything when both ask.
    for (const auto& sink : {first.get(), second.get()}) {
      CHECK(must(sink->wants(mailbox, items)) == std::vector<bool>(items.size(), true));
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::string octets = must(maildir->read(mailbox, items[i], {}));
      must((i % 2 == 0 ? first : second)->put(mailbox, items[i], octets));
      must((i % 2 == 0 ? second : first)->put(mailbox, items[i], octets));
    }
    must(second->finish_folder(mailbox));
    must(first->finish_folder(mailbox));
  }
  for (const auto& sink : {first.get(), second.get()}) {
    must(sink->finish());
    CHECK(sink->take_refused().empty());
  }
  CHECK(first->stored() + second->stored() == 79);
  CHECK(differences(everything_in(*source), everything_in(*new_world.source())) == "");
}
