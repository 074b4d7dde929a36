// What a check finds of damage of each kind, and what a repair makes of it.
#include <fcntl.h>
#include <thread>
#include <unistd.h>

#include "store/damaged_records.h"
#include "tests/store/check_support.h"
#include "tests/store/message_support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

// A store of many kinds of things, closed.
struct Furnished : Fixture {
  MailboxKey work;
  MailboxKey empty;
  std::string path = options.folder;
  CheckReport found;
  CheckReport repaired;

  Furnished() {
    options.compression = false;
    work = create("Work");
    empty = create("Empty");
    for (unsigned i = 1; i <= 6; ++i) append(mail_text(i, 200 * i));
    append(mail_text(7, 50'000));
    AppendRequest request = request_of(mail_text(1, 200));  // shares a body
    request.prefix = "Return-Path: <sam@example.net>\r\n";
    request.keywords = {"$Forwarded", "Later"};
    request.flags = bit(Flag::kSeen);
    request.imported_uidl = "old-uidl-1";
    append(work, request);
    append(work, request_of(mail_text(8, 9'000)));
    change([&](WriteTxn& txn) {
      return txn.change_flags(inbox, uids_of({1, 2}), adding(bit(Flag::kSeen), {"Todo"}));
    });
    change([&](WriteTxn& txn) {
      return txn.change_flags(inbox, uids_of({3}), adding(bit(Flag::kDeleted)));
    });
    change([&](WriteTxn& txn) { return txn.expunge(inbox, uids_of({4}), kAnn); });
    change([&](WriteTxn& txn) { return txn.move(inbox, uids_of({5}), work, kAnn); });
    change([&](WriteTxn& txn) { return txn.copy(inbox, uids_of({6}), work, Limits{}); });
    change([&](WriteTxn& txn) { return txn.set_subscribed(account, "Work", true); });
    change([&](WriteTxn& txn) { return txn.ensure_account("bob@example.net"); });
    store.reset();
  }
  template <class F>
  void change(F function) {
    must(store->write_now(std::move(function)));
  }

  // Checks, repairs, and checks again: the second must find nothing.
  void check_and_repair() {
    found = check_closed(path);
    repaired = repair_closed(path);
    const CheckReport again = check_closed(path);
    CHECK_MESSAGE(again.problems == 0, told(again));
    CHECK(repaired.problems == found.problems);
    CHECK(repaired.repaired == repaired.problems);
    CHECK(again.unreadable_messages == 0);
    CHECK(repaired.unreadable_messages == 0);
  }
};

void flip(RawStore& raw, engine::Table table, std::string_view key, std::size_t at,
          char bits = 0x40) {
  std::string value;
  {
    auto txn = must(raw.environment->begin_read());
    const auto found = must(txn->get(table, key));
    REQUIRE(found.has_value());
    value = *found;
  }
  REQUIRE(at < value.size());
  value[at] = static_cast<char>(value[at] ^ bits);
  raw.put(table, key, value);
}

template <class Row, class Decode>
Row row_of(RawStore& raw, engine::Table table, std::string_view key, Decode decode) {
  auto txn = must(raw.environment->begin_read());
  const auto value = must(txn->get(table, key));
  REQUIRE(value.has_value());
  return must(decode(key, *value));
}

MailboxRow mailbox_row(RawStore& raw, MailboxKey key) {
  const Key at = mailbox_key(key);
  return row_of<MailboxRow>(raw, raw.tables.mailboxes, at.view(), decode_mailbox);
}
void put(RawStore& raw, MailboxKey key, const MailboxRow& row) {
  const Key at = mailbox_key(key);
  raw.put(raw.tables.mailboxes, at.view(), encode_mailbox(at.view(), row));
}
BlobRow blob_row(RawStore& raw, std::uint64_t blob) {
  const Key at = blob_key(BlobId(blob));
  return row_of<BlobRow>(raw, raw.tables.blob_refs, at.view(), decode_blob);
}
void put(RawStore& raw, std::uint64_t blob, const BlobRow& row) {
  const Key at = blob_key(BlobId(blob));
  raw.put(raw.tables.blob_refs, at.view(), encode_blob(at.view(), row));
}
MessageRecord message_row(RawStore& raw, MailboxKey key, Uid uid) {
  const Key at = message_key(key, uid);
  auto txn = must(raw.environment->begin_read());
  MessageRecord record;
  must(decode_message(at.view(), *must(txn->get(raw.tables.messages, at.view())), record));
  return record;
}
void put(RawStore& raw, MailboxKey key, const MessageRecord& record) {
  const Key at = message_key(key, record.uid);
  raw.put(raw.tables.messages, at.view(), encode_message(at.view(), record));
}

}  // namespace

TEST_CASE("a store of many kinds of changes is clean") {
  Furnished f;
  const CheckReport report = check_closed(f.path);
  CHECK_MESSAGE(report.problems == 0, told(report));
  CHECK(report.details.empty());
  CHECK(report.accounts == 2);
  CHECK(report.mailboxes == 4);
  CHECK(report.messages == 9);
  CHECK(report.removed == 2);
  CHECK(report.blobs == 8);
  CHECK(report.body_octets > 50'000);
  CheckOptions one;
  one.account = "ann@example.org";
  const CheckReport ann = check_closed(f.path, one);
  CHECK_MESSAGE(ann.problems == 0, told(ann));
  CHECK(ann.accounts == 1);
  CHECK(ann.messages == 9);
  CheckOptions quick;
  quick.bodies = false;
  const CheckReport records = check_closed(f.path, quick);
  CHECK_MESSAGE(records.problems == 0, told(records));
  CHECK(records.body_octets == 0);
}

TEST_CASE("counters of mailboxes, accounts and the store are made anew") {
  Furnished f;
  {
    RawStore raw(f.path);
    MailboxRow row = mailbox_row(raw, f.inbox);
    row.info.messages += 2;
    row.info.unseen = 0;
    row.info.deleted = 9;
    row.info.bytes -= 1;
    row.info.uid_next = Uid(3);
    row.info.highest_modseq = ModSeq(2);
    row.tombstone_floor = ModSeq(0);
    row.tombstones = 77;
    put(raw, f.inbox, row);
    const Key at = account_key(f.account);
    auto account = row_of<AccountRow>(raw, raw.tables.accounts, at.view(), decode_account);
    account.info.bytes = 1;
    account.info.removed_messages = 0;
    account.info.mailboxes = 1;
    account.next_mailbox = MailboxId(1);
    raw.put(raw.tables.accounts, at.view(), encode_account(at.view(), account));
    Counters low;
    raw.put(raw.tables.meta, kCountersKey, encode_counters(kCountersKey, low));
  }
  f.check_and_repair();
  CHECK(tells(f.found, "ann@example.org/INBOX", "it has 5 messages, its record says 7"));
  CHECK(tells(f.found, "ann@example.org/INBOX", "UIDNEXT 3 is not above UID 7"));
  CHECK(tells(f.found, "ann@example.org/INBOX", "HIGHESTMODSEQ 2 is below the modseq"));
  CHECK(tells(f.found, "ann@example.org/INBOX", "tombstones, its record says 77"));
  CHECK(tells(f.found, "ann@example.org", "removed messages, its record says 0"));
  CHECK(tells(f.found, "store", "counter of bodies is 1"));
  f.reopen();
  const MailboxInfo info = f.info(f.inbox);
  CHECK(info.messages == 5);
  CHECK(info.unseen == 3);
  CHECK(info.deleted == 1);
  f.append(mail_text(100));
}

TEST_CASE("lost counters of the store leave room for what was given before") {
  Furnished f;
  {
    RawStore raw(f.path);
    flip(raw, raw.tables.meta, kCountersKey, 7);
  }
  f.check_and_repair();
  f.reopen();
  f.append(mail_text(100));
}

TEST_CASE("a message record with a wrong checksum is sealed anew where its parts agree") {
  Furnished f;
  {
    RawStore raw(f.path);
    flip(raw, raw.tables.messages, message_key(f.inbox, Uid(2)).view(), 2);  // the checksum
  }
  f.check_and_repair();
  CHECK(tells(f.found, "ann@example.org/INBOX UID 2", "does not match its checksum"));
  CHECK(f.found.unreadable_messages == 1);
  f.reopen();
  CHECK(f.text(f.inbox, Uid(2)) == mail_text(2, 400));
  CHECK(f.message(f.inbox, Uid(2)).flags == bit(Flag::kSeen));
}

TEST_CASE("a message record that can't be trusted is taken out, its body is kept") {
  Furnished f;
  std::uint64_t blob = 0;
  {
    RawStore raw(f.path);
    blob = message_row(raw, f.inbox, Uid(7)).blob.value();
    flip(raw, raw.tables.messages, message_key(f.inbox, Uid(7)).view(), 5 + 75 + 2);  // its blob
  }
  f.check_and_repair();
  CHECK(tells(f.repaired, "ann@example.org/INBOX UID 7", "taken out of table messages"));
  const CheckReport again = check_closed(f.path);
  CHECK(again.kept_bodies == 1);
  CHECK(tells(again, "blob " + std::to_string(blob), "body without a message (kept"));
  f.reopen();
  const ModSeq before(f.info(f.inbox).highest_modseq.value() - 1);
  const Changes changes =
      f.read([&](const ReadView& view) { return view.changes_since(f.inbox, before); });
  CHECK(changes.vanished == uids_of({7}));
  CHECK(f.read([&](const ReadView& view) { return view.blob_info(BlobId(blob)); }).references == 1);
}

TEST_CASE("a lost mailbox row is made anew under its name, with a new UIDVALIDITY") {
  Furnished f;
  UidValidity before;
  {
    RawStore raw(f.path);
    before = mailbox_row(raw, f.work).info.uid_validity;
    raw.erase(raw.tables.mailboxes, mailbox_key(f.work).view());
    flip(raw, raw.tables.mailboxes, mailbox_key(f.empty).view(), 30);
  }
  f.check_and_repair();
  f.reopen();
  const MailboxInfo info =
      f.read([&](const ReadView& view) { return view.find_mailbox(f.account, "Work"); });
  CHECK(info.id == f.work.mailbox);
  CHECK(info.uid_validity > before);
  CHECK(info.messages == 4);
  CHECK(info.keywords == std::vector<std::string>{"$Forwarded", "Later"});
  f.read([&](const ReadView& view) { return view.find_mailbox(f.account, "Empty"); });
}

TEST_CASE("a mailbox whose row and name are lost is called by its number") {
  Furnished f;
  {
    RawStore raw(f.path);
    raw.erase(raw.tables.mailboxes, mailbox_key(f.work).view());
    raw.erase(raw.tables.mailbox_names, name_key(f.account, "Work").view());
  }
  f.check_and_repair();
  f.reopen();
  const std::string name = "Recovered-" + std::to_string(f.work.mailbox.value());
  CHECK(f.read([&](const ReadView& view) { return view.find_mailbox(f.account, name); }).messages ==
        4);
}

TEST_CASE("a lost account row is made anew under its name") {
  Furnished f;
  {
    RawStore raw(f.path);
    raw.erase(raw.tables.accounts, account_key(f.account).view());
  }
  f.check_and_repair();
  f.reopen();
  const AccountInfo info =
      f.read([](const ReadView& view) { return view.account("ann@example.org"); });
  CHECK(info.messages == 9);
  CHECK(info.removed_messages == 2);
  f.create("New");
}

TEST_CASE("names that are lost, damaged or wrong are put right") {
  Furnished f;
  {
    RawStore raw(f.path);
    raw.erase(raw.tables.mailbox_names, name_key(f.account, "Work").view());
    flip(raw, raw.tables.mailbox_names, name_key(f.account, "Empty").view(), 6);
    const Key ghost = name_key(f.account, "Ghost");
    raw.put(raw.tables.mailbox_names, ghost.view(), encode_number(ghost.view(), 99));
    flip(raw, raw.tables.account_names, "bob@example.net", 6);
    const BlobRow row = blob_row(raw, 1);
    raw.erase(raw.tables.blob_names,
              {reinterpret_cast<const char*>(row.name.data()), row.name.size()});
    const BlobRow second = blob_row(raw, 2);
    const std::string_view name(reinterpret_cast<const char*>(second.name.data()),
                                second.name.size());
    raw.put(raw.tables.blob_names, name, encode_number(name, 777));
  }
  f.check_and_repair();
  CHECK(tells(f.found, "ann@example.org/Work", "its name is not listed"));
  CHECK(tells(f.found, "ann@example.org/Ghost", "stands for no mailbox"));
  CHECK(tells(f.found, "account name bob@example.net", "checksum"));
  CHECK(tells(f.found, "blob 1", "its name is not listed"));
  f.reopen();
  f.read([&](const ReadView& view) { return view.find_mailbox(f.account, "Empty"); });
  f.read([&](const ReadView& view) { return view.account("bob@example.net"); });
}

TEST_CASE("references are raised to what there is, and never lowered") {
  Furnished f;
  {
    RawStore raw(f.path);
    BlobRow low = blob_row(raw, 1);
    REQUIRE(low.references == 2);
    low.references = 0;
    put(raw, 1, low);
    const Key at = blob_key(BlobId(1));
    raw.put(raw.tables.reapable, at.view(), encode_number(at.view(), 1));
    BlobRow high = blob_row(raw, 2);
    high.references += 3;
    put(raw, 2, high);
    raw.put(raw.tables.reapable, blob_key(BlobId(555)).view(), "garbage");
  }
  f.check_and_repair();
  CHECK(tells(f.found, "blob 1", "2 messages name it, its record says 0"));
  CHECK(tells(f.found, "blob 555", "not there"));
  CHECK(f.found.kept_bodies == 1);
  {
    RawStore raw(f.path);
    CHECK(blob_row(raw, 1).references == 2);
    CHECK(blob_row(raw, 2).references == 4);
    CHECK(raw.all(raw.tables.reapable).empty());
  }
}

TEST_CASE("a body's record that is damaged or lost is proved by its octets") {
  Furnished f;
  {
    RawStore raw(f.path);
    flip(raw, raw.tables.blob_refs, blob_key(BlobId(1)).view(), 3);
    raw.erase(raw.tables.blob_refs, blob_key(BlobId(7)).view());
    flip(raw, raw.tables.blob_refs, blob_key(BlobId(2)).view(), 20);
  }
  f.check_and_repair();
  CHECK(tells(f.found, "ann@example.org/INBOX UID 7", "its body (blob 7) is not there"));
  CHECK(f.found.unreadable_messages == 4);
  f.reopen();
  CHECK(f.text(f.inbox, Uid(1)) == mail_text(1, 200));
  CHECK(f.text(f.inbox, Uid(7)) == mail_text(7, 50'000));
}

TEST_CASE("a damaged body is found, told with the messages that need it, and can't be repaired") {
  Furnished f;
  {
    RawStore raw(f.path);
    flip(raw, raw.tables.blobs, chunk_key(BlobId(1), 0).view(), 100);
    raw.erase(raw.tables.blobs, chunk_key(BlobId(7), 5).view());
  }
  const CheckReport repaired = repair_closed(f.path);
  CHECK(tells(repaired, "blob 1", "do not match their checksum"));
  CHECK(tells(repaired, "blob 7", "lacks a part"));
  CHECK(tells(repaired, "ann@example.org/INBOX UID 1", "its body (blob 1) can't be read"));
  CHECK(tells(repaired, "ann@example.org/Work UID 1", "its body (blob 1) can't be read"));
  CHECK(tells(repaired, "ann@example.org/INBOX UID 7", "its body (blob 7) can't be read"));
  CHECK(repaired.repaired == 0);
  CHECK(repaired.unreadable_messages == 3);
  CheckOptions quick;
  quick.bodies = false;
  const CheckReport records = check_closed(f.path, quick);
  CHECK(tells(records, "blob 7", "its record says"));
  CHECK(records.unreadable_messages == 1);
  f.reopen();  // the rest is there
  CHECK(f.text(f.inbox, Uid(2)) == mail_text(2, 400));
}

TEST_CASE("summaries are made anew from their bodies") {
  Furnished f;
  {
    RawStore raw(f.path);
    flip(raw, raw.tables.summaries, chunk_key(BlobId(2), 0).view(), 20);
    raw.erase(raw.tables.summaries, chunk_key(BlobId(3), 0).view());
    raw.put(raw.tables.summaries, chunk_key(BlobId(900), 0).view(), "stray");
  }
  f.check_and_repair();
  CHECK(tells(f.found, "blob 2", "its summary can't be read"));
  CHECK(tells(f.found, "blob 900", "a summary without a body"));
}

TEST_CASE("keywords that lost their names get others, tombstones that lie are dropped") {
  Furnished f;
  {
    RawStore raw(f.path);
    raw.erase(raw.tables.keywords, keyword_key(f.work, 1).view());
    flip(raw, raw.tables.keywords, keyword_key(f.inbox, 0).view(), 6);
    const Key lie = expunged_key(f.inbox, ModSeq(3), Uid(1));
    raw.put(raw.tables.expunged, lie.view(), encode_number(lie.view(), 3));
    const Key stray = expunged_key({f.account, MailboxId(70)}, ModSeq(3), Uid(1));
    raw.put(raw.tables.expunged, stray.view(), encode_number(stray.view(), 3));
  }
  f.check_and_repair();
  CHECK(tells(f.found, "ann@example.org/Work", "has keyword 1, which has no name"));
  CHECK(tells(f.found, "ann@example.org/INBOX", "a tombstone names UID 1, which is there"));
  f.reopen();
  CHECK(f.info(f.work).keywords == std::vector<std::string>{"$Forwarded", "keyword-1"});
  CHECK(f.info(f.inbox).keywords == std::vector<std::string>{"keyword-0"});
}

TEST_CASE("two messages of one mailbox never have one UIDL") {
  Furnished f;
  {
    RawStore raw(f.path);
    MessageRecord second = message_row(raw, f.inbox, Uid(2));
    second.serial = message_row(raw, f.inbox, Uid(1)).serial;
    put(raw, f.inbox, second);
    MessageRecord third = message_row(raw, f.work, Uid(2));
    third.imported_uidl = "old-uidl-1";
    put(raw, f.work, third);
  }
  f.check_and_repair();
  CHECK(tells(f.found, "ann@example.org/INBOX UID 2", "the same UIDL as UID 1"));
  CHECK(tells(f.found, "ann@example.org/Work UID 2", "the same UIDL as UID 1"));
}

TEST_CASE("damaged removals, subscriptions and entries under impossible keys") {
  Furnished f;
  {
    RawStore raw(f.path);
    const auto removed = raw.all(raw.tables.removed);
    REQUIRE(removed.size() == 2);
    flip(raw, raw.tables.removed, removed[0].first, 2);
    flip(raw, raw.tables.removed, removed[1].first, 5 + 4 + 2 + 75);
    raw.put(raw.tables.subscriptions, name_key(f.account, "Work").view(), "bad");
    raw.put(raw.tables.messages, "short", "x");
    raw.put(raw.tables.blob_names, "short", "x");
    raw.put(raw.tables.blobs, "short", "x");
  }
  f.check_and_repair();
  CHECK(tells(f.found, "ann@example.org removed ", "does not match its checksum"));
  CHECK(tells(f.found, "table messages", "under a key that can't be"));
}

TEST_CASE("a damaged page of the file is found before anybody follows it") {
  Furnished f;
  {
    // The last leaf page that is in use, in its head.
    const int fd = ::open((f.path + "/data.mdb").c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(fd >= 0);
    const off_t size = ::lseek(fd, 0, SEEK_END);
    for (off_t page = size / 4096 - 1; page > 1; --page) {
      std::uint16_t flags = 0;
      REQUIRE(::pread(fd, &flags, sizeof flags, page * 4096 + 10) == sizeof flags);
      const std::uint16_t bad = 0x7777;
      if (flags == 2) REQUIRE(::pwrite(fd, &bad, sizeof bad, page * 4096 + 10) == sizeof bad);
    }
    ::close(fd);
  }
  const auto problems = must(check_pages(f.path + "/data.mdb", 100, {}));
  REQUIRE(!problems.empty());
  CHECK(problems.front().find("page ") != std::string::npos);
}

TEST_CASE("a check beside changes finds nothing") {
  Fixture f;
  const MailboxKey other = f.create("Other");
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    unsigned number = 0;
    while (!stop) {
      ++number;
      auto appended = f.store->write_now([&](WriteTxn& txn) {
        return txn.append(f.inbox, request_of(mail_text(number, 100 + number % 7 * 3'000)));
      });
      if (!appended) continue;
      const std::vector<Uid> uids{appended->uid};
      (void)f.store->write_now([&](WriteTxn& txn) {
        return txn.change_flags(f.inbox, uids, adding(bit(Flag::kSeen), {"k"}));
      });
      (void)f.store->write_now(
          [&](WriteTxn& txn) { return txn.copy(f.inbox, uids, other, Limits{}); });
      if (number % 3 == 0) {
        (void)f.store->write_now([&](WriteTxn& txn) { return txn.expunge(f.inbox, uids, kAnn); });
      }
    }
  });
  CheckReport last;
  for (int round = 0; round < 10 || last.messages < 20; ++round) {
    CheckOptions options;
    options.repair = round % 2 == 1;
    auto report = f.store->check(options, {});
    if (!report) {
      stop = true;
      writer.join();
      FAIL(report.error().message);
    }
    last = std::move(*report);
    if (last.problems > 0) break;
  }
  stop = true;
  writer.join();
  CHECK_MESSAGE(last.problems == 0, told(last));
  CHECK(last.messages > 0);
}

TEST_CASE("a repair of what is open for reading only is refused") {
  Furnished f;
  f.options.read_only = true;
  f.store = must(Store::open(f.options, f.executor));
  CheckOptions options;
  CHECK(must(f.store->check(options, {})).problems == 0);
  options.repair = true;
  CHECK(code_of(f.store->check(options, {})) == ErrorCode::kPermission);
  options.repair = false;
  options.account = "nobody@example.org";
  CHECK(code_of(f.store->check(options, {})) == ErrorCode::kNotFound);
  CHECK(code_of(f.store->check({}, [](auto, auto, auto) { return false; })) ==
        ErrorCode::kShutdown);
}
