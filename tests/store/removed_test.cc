// What left a mailbox: its record in `removed`, found again for a session that was not told yet.
#include "store/codec.h"
#include "store/records.h"
#include "tests/store/consistency.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

const Remover kAnn{"ann@example.org", "imap", "192.0.2.7"};

std::optional<MessageRecord> removed_message(Fixture& f, MailboxKey key, std::uint32_t uid,
                                             UnixTime since = {}) {
  return f.read([&](const ReadView& v) { return v.removed_message(key, Uid(uid), since); });
}

std::string text_of(Fixture& f, const MessageRecord& record) {
  return f.read([&](const ReadView& v) -> Result<std::string> { return read_whole(v, record); });
}

std::vector<Uid> one(std::uint32_t uid) { return {Uid(uid)}; }

AppendRequest with_keyword(unsigned number, const std::string& keyword) {
  AppendRequest request = request_of(mail_text(number, 9000));
  request.keywords = {keyword};
  request.flags = bit(Flag::kFlagged);
  request.prefix = "Return-Path: <a@example.net>\r\n";
  return request;
}

}  // namespace

TEST_CASE("an expunged message can still be read as it was, until its retention is over") {
  Fixture f;
  f.append(f.inbox, with_keyword(1, "A"));
  f.append(f.inbox, with_keyword(2, "B"));
  const MessageRecord before = f.message(f.inbox, Uid(2));
  CHECK(!removed_message(f, f.inbox, 2));
  f.write([&](WriteTxn& t) { return t.expunge(f.inbox, one(2), kAnn); });
  const auto found = removed_message(f, f.inbox, 2);
  REQUIRE(found);
  CHECK(found->uid == Uid(2));
  CHECK(found->flags == before.flags);
  CHECK(found->keywords == before.keywords);
  CHECK(f.info(f.inbox).keywords == std::vector<std::string>{"A", "B"});
  CHECK(found->serial == before.serial);
  CHECK(text_of(f, *found) == "Return-Path: <a@example.net>\r\n" + mail_text(2, 9000));
  CHECK(!removed_message(f, f.inbox, 1));
  CHECK(!removed_message(f, f.inbox, 3));
  CHECK(!removed_message(f, {f.account, MailboxId(99)}, 2));
  CHECK(!removed_message(f, {AccountId(99), f.inbox.mailbox}, 2));
  f.store->set_retention(std::chrono::seconds(0));
  for (int i = 0; i < 1000 && removed_message(f, f.inbox, 2); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK(!removed_message(f, f.inbox, 2));
}

TEST_CASE("a moved message can still be read where it was, with the keywords of that mailbox") {
  Fixture f;
  const MailboxKey other = f.create("Other");
  f.append(other, with_keyword(9, "X"));
  f.append(f.inbox, with_keyword(1, "A"));
  const MessageRecord before = f.message(f.inbox, Uid(1));
  const auto references = [&] {
    return f.read([&](const ReadView& v) { return v.blob_info(before.blob); }).references;
  };
  CHECK(references() == 1);
  f.write([&](WriteTxn& t) { return t.move(f.inbox, one(1), other, kAnn); });
  CHECK(references() == 2);
  const auto found = removed_message(f, f.inbox, 1);
  REQUIRE(found);
  CHECK(found->keywords == before.keywords);
  CHECK(f.message(other, Uid(2)).keywords != before.keywords);
  CHECK(found->serial == f.message(other, Uid(2)).serial);
  CHECK(!removed_message(f, other, 2));
  // Removed where it went, too: each place has its own record.
  f.write([&](WriteTxn& t) { return t.expunge(other, one(2), kAnn); });
  CHECK(references() == 2);
  CHECK(text_of(f, *removed_message(f, f.inbox, 1)) == text_of(f, *removed_message(f, other, 2)));
  // A move within one mailbox: the old UID is gone, and readable.
  f.append(f.inbox, with_keyword(2, "A"));
  f.write([&](WriteTxn& t) { return t.move(f.inbox, one(2), f.inbox, kAnn); });
  REQUIRE(removed_message(f, f.inbox, 2));
  CHECK(text_of(f, *removed_message(f, f.inbox, 2)) == f.text(f.inbox, Uid(3)));
  f.store.reset();
  CHECK(inconsistencies(f.options.folder) == std::vector<std::string>{});
}

TEST_CASE("`removed` says how a message left, and what was moved goes from it like the rest") {
  Fixture f;
  const MailboxKey other = f.create("Other");
  for (unsigned i = 1; i <= 4; ++i) f.append(mail_text(i));
  f.write([&](WriteTxn& t) { return t.move(f.inbox, one(1), other, kAnn); });
  f.write([&](WriteTxn& t) { return t.expunge(f.inbox, one(2), kAnn); });
  f.write([&](WriteTxn& t) { return t.delete_mailbox(other, kAnn); });
  f.write([&](WriteTxn& t) { return t.rename_mailbox(f.account, "INBOX", "Old"); });
  CHECK(removed_message(f, f.inbox, 4));
  f.store.reset();
  std::map<std::string, std::string> how;
  {
    RawStore raw(f.options.folder);
    for (const auto& [key, value] : raw.all(raw.tables.removed)) {
      const RemovedRow row = must(decode_removed(key, value));
      how[row.mailbox_name + std::to_string(row.message.uid.value())] =
          row.remover.protocol + std::to_string(static_cast<int>(row.how));
    }
  }
  const std::map<std::string, std::string> expected{{"INBOX1", "imap2"},
                                                    {"INBOX2", "imap0"},
                                                    {"Other1", "imap1"},
                                                    {"INBOX3", "rename2"},
                                                    {"INBOX4", "rename2"}};
  CHECK(how == expected);
  CHECK(inconsistencies(f.options.folder) == std::vector<std::string>{});
  f.options.retention = std::chrono::seconds(0);
  f.open();
  const MailboxId old =
      f.read([&](const ReadView& v) { return v.find_mailbox(f.account, "Old"); }).id;
  for (int i = 0; i < 1000 && removed_message(f, f.inbox, 3); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK(!removed_message(f, f.inbox, 3));
  CHECK(f.text({f.account, old}, Uid(1)) == mail_text(3));
  f.store.reset();
  CHECK(inconsistencies(f.options.folder) == std::vector<std::string>{});
}

TEST_CASE("a removal is looked for from a time on, past whatever else was removed") {
  Fixture f;
  const MailboxKey other = f.create("Other");
  for (unsigned i = 1; i <= 3; ++i) f.append(mail_text(i));
  const UnixTime before = unix_now();
  f.write([&](WriteTxn& t) { return t.expunge(f.inbox, one(2), kAnn); });
  f.store.reset();
  {
    // Removals of many other seconds, earlier and later, around the one that is looked for.
    RawStore raw(f.options.folder);
    const auto rows = raw.all(raw.tables.removed);
    REQUIRE(rows.size() == 1);
    const RemovedRow row = must(decode_removed(rows[0].first, rows[0].second));
    auto txn = must(raw.environment->begin_write());
    for (int i = -500; i < 500; ++i) {
      for (const MailboxKey key : {f.inbox, other, MailboxKey{AccountId(77), MailboxId(1)}}) {
        RemovedRow another = row;
        another.message.uid = Uid(static_cast<std::uint32_t>(1000 + i));
        const Key at = removed_key(key, before + std::chrono::seconds(i), another.message.uid);
        must(txn->put(raw.tables.removed, at.view(), encode_removed(at.view(), another)));
      }
    }
    must(txn->commit());
  }
  f.open();
  CHECK(removed_message(f, f.inbox, 2, before));
  CHECK(removed_message(f, f.inbox, 2));
  CHECK(removed_message(f, f.inbox, 1400, before));
  CHECK(!removed_message(f, f.inbox, 600, before));
  CHECK(removed_message(f, f.inbox, 600));
  CHECK(removed_message(f, f.inbox, 600, UnixTime(std::chrono::seconds(-5))));
  CHECK(!removed_message(f, f.inbox, 2, before + std::chrono::seconds(600)));
}

TEST_CASE("a damaged message can be filed away, and then only its old place is not readable") {
  Fixture f;
  const MailboxKey other = f.create("Other");
  f.append(mail_text(1));
  const BlobId blob = f.message(f.inbox, Uid(1)).blob;
  f.store.reset();
  {
    RawStore raw(f.options.folder);
    raw.erase(raw.tables.blob_refs, blob_key(blob).view());
  }
  f.open();
  const Copied moved = f.write([&](WriteTxn& t) { return t.move(f.inbox, one(1), other, kAnn); });
  CHECK(moved.messages.size() == 1);
  CHECK(f.info(other).messages == 1);
  CHECK(!removed_message(f, f.inbox, 1));
}

TEST_CASE("an account is provisioned once, for ever, and rows without the word are not") {
  Fixture f;
  const auto provisioned = [&] {
    return f.read([&](const ReadView& v) { return v.account(f.account); }).provisioned;
  };
  CHECK(!provisioned());
  f.write([&](WriteTxn& t) { return t.set_provisioned(f.account); });
  CHECK(provisioned());
  f.append(mail_text(1));
  f.reopen();
  CHECK(provisioned());
  CHECK(code_of(f.store->write_now([&](WriteTxn& t) {
          return t.set_provisioned(AccountId(99));
        })) == ErrorCode::kNotFound);
  f.store.reset();
  {
    RawStore raw(f.options.folder);
    const std::string key(account_key(f.account).view());
    Record old(1);
    old.u32(2).u32(1).u64(1).u64(mail_text(1).size()).sized("ann@example.org");
    raw.put(raw.tables.accounts, key, old.seal(key));
  }
  f.open();
  CHECK(!provisioned());
  CHECK(f.read([&](const ReadView& v) { return v.account(f.account); }).messages == 1);
}

TEST_CASE("a record of a removal that does not say how is one of an expunge") {
  const Key key = removed_key({AccountId(1), MailboxId(1)}, unix_now(), Uid(7));
  RemovedRow row;
  row.message.uid = Uid(7);
  row.mailbox_name = "INBOX";
  row.how = Removal::kMoved;
  row.remover = kAnn;
  const std::string octets = encode_removed(key.view(), row);
  CHECK(must(decode_removed(key.view(), octets)).how == Removal::kMoved);
  Record old(1);
  old.octets(std::string_view(octets).substr(kSealOctets, octets.size() - kSealOctets - 1));
  const RemovedRow found = must(decode_removed(key.view(), old.seal(key.view())));
  CHECK(found.how == Removal::kExpunged);
  CHECK(found.remover.address == kAnn.address);
  Record strange(1);
  strange.octets(std::string_view(octets).substr(kSealOctets, octets.size() - kSealOctets - 1))
      .u8(3);
  CHECK(code_of(decode_removed(key.view(), strange.seal(key.view()))) == ErrorCode::kCorrupt);
}
