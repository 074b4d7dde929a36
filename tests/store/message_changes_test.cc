// Flags, keywords, expunge, and what changed since a modseq, in one thread.
#include "store/records.h"
#include "tests/store/consistency.h"
#include "tests/store/message_support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

TEST_CASE("flags: add, remove, replace, and only what differs is reported and gets a modseq") {
  Fixture f;
  for (unsigned i = 1; i <= 4; ++i) f.append(mail_text(i));
  const auto change = [&](std::vector<Uid> uids, FlagChange how) {
    return f.write([&](WriteTxn& txn) { return txn.change_flags(f.inbox, uids, how); });
  };
  FlagResult result =
      change(uids_of({3, 1, 1, 9}), adding(bit(Flag::kSeen) | bit(Flag::kDeleted), {"Later"}));
  REQUIRE(result.changed.size() == 2);
  CHECK(result.changed[0].uid == Uid(1));
  CHECK(result.changed[1].uid == Uid(3));
  CHECK(result.changed[0].modseq == result.changed[1].modseq);
  MailboxInfo info = f.info(f.inbox);
  CHECK(info.unseen == 2);
  CHECK(info.deleted == 2);
  CHECK(info.highest_modseq == result.changed[0].modseq);
  // The same again changes nothing; keywords are the same in either case.
  result = change(uids_of({1}), adding(bit(Flag::kSeen), {"LATER"}));
  CHECK(result.changed.empty());
  CHECK(f.info(f.inbox).highest_modseq == info.highest_modseq);
  CHECK(f.info(f.inbox).keywords == std::vector<std::string>{"Later"});
  FlagChange removing = adding(bit(Flag::kDeleted), {"later", "unknown"});
  removing.operation = FlagOperation::kRemove;
  result = change(uids_of({1, 2, 3, 4}), removing);
  CHECK(result.changed.size() == 2);
  CHECK(f.message(f.inbox, Uid(1)).keywords.none());
  CHECK(f.message(f.inbox, Uid(1)).flags == bit(Flag::kSeen));
  FlagChange replacing = adding(bit(Flag::kAnswered), {"New"});
  replacing.operation = FlagOperation::kReplace;
  result = change(uids_of({1}), replacing);
  REQUIRE(result.changed.size() == 1);
  CHECK(result.changed[0].flags == bit(Flag::kAnswered));
  CHECK(result.changed[0].keywords.test(1));
  info = f.info(f.inbox);
  CHECK(info.unseen == 3);
  CHECK(info.deleted == 0);
  CHECK(info.keywords == std::vector<std::string>{"Later", "New"});
}

TEST_CASE("UNCHANGEDSINCE leaves and reports a message that changed since") {
  Fixture f;
  f.append(mail_text(1));
  const ModSeq before = f.append(mail_text(2)).modseq;
  f.write([&](WriteTxn& txn) {
    return txn.change_flags(f.inbox, uids_of({1}), adding(bit(Flag::kFlagged)));
  });
  FlagChange change = adding(bit(Flag::kSeen));
  change.unchanged_since = before;
  const FlagResult result = f.write([&](WriteTxn& txn) {
    return txn.change_flags(f.inbox, uids_of({1, 2}), change);
  });
  CHECK(result.conflicts == uids_of({1}));
  REQUIRE(result.changed.size() == 1);
  CHECK(result.changed[0].uid == Uid(2));
}

TEST_CASE("a mailbox takes 128 keywords and refuses the next without giving any bit away") {
  Fixture f;
  f.append(mail_text(1));
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kMaxKeywords; ++i) names.push_back("key" + std::to_string(i));
  f.write([&](WriteTxn& txn) { return txn.change_flags(f.inbox, uids_of({1}), adding(0, names)); });
  CHECK(f.info(f.inbox).keywords == names);
  CHECK(f.message(f.inbox, Uid(1)).keywords.test(127));
  const auto refused = f.store->write_now([&](WriteTxn& txn) {
    return txn.change_flags(f.inbox, uids_of({1}), adding(0, {"another"}));
  });
  CHECK(code_of(refused) == ErrorCode::kLimit);
  AppendRequest request = request_of(mail_text(2));
  request.keywords = {"another"};
  CHECK(code_of(f.store->write_now([&](WriteTxn& txn) { return txn.append(f.inbox, request); })) ==
        ErrorCode::kLimit);
  CHECK(f.info(f.inbox).keywords.size() == kMaxKeywords);
  CHECK(f.info(f.inbox).messages == 1);
  // A mailbox with a full list still takes what is filed there; the keyword stays behind.
  const MailboxKey other = f.create("Other");
  request.keywords = {"unique to Other"};
  f.append(other, request);
  const Copied moved =
      f.write([&](WriteTxn& txn) { return txn.move(other, uids_of({1}), f.inbox, kAnn); });
  REQUIRE(moved.messages.size() == 1);
  CHECK(f.message(f.inbox, moved.messages[0].target).keywords.none());
}

TEST_CASE("expunge moves records to `removed`, leaves tombstones, and says what was gone before") {
  Fixture f;
  for (unsigned i = 1; i <= 6; ++i) f.append(mail_text(i));
  const ModSeq before = f.info(f.inbox).highest_modseq;
  const Expunged first = f.write([&](WriteTxn& txn) {
    return txn.expunge(f.inbox, uids_of({5, 2, 3, 3}), kAnn);
  });
  CHECK(first.removed == uids_of({2, 3, 5}));
  CHECK(first.already_gone.empty());
  CHECK(first.modseq == before.next());
  const Expunged second = f.write([&](WriteTxn& txn) {
    return txn.expunge(f.inbox, uids_of({2, 77}), kAnn);
  });
  CHECK(second.removed.empty());
  CHECK(second.already_gone == uids_of({2, 77}));
  CHECK(second.modseq == ModSeq());
  CHECK(f.info(f.inbox).highest_modseq == first.modseq);
  const Changes changes =
      f.read([&](const ReadView& v) { return v.changes_since(f.inbox, before); });
  CHECK(changes.vanished == uids_of({2, 3, 5}));
  CHECK(changes.changed.empty());
  CHECK(changes.highest == first.modseq);
  CHECK(f.info(f.inbox).messages == 3);
  f.store.reset();
  RawStore raw(f.options.folder);
  const auto removed = raw.all(raw.tables.removed);
  REQUIRE(removed.size() == 3);
  const RemovedRow row = must(decode_removed(removed[0].first, removed[0].second));
  CHECK(row.remover.account == kAnn.account);
  CHECK(row.remover.protocol == kAnn.protocol);
  CHECK(row.remover.address == kAnn.address);
  CHECK(row.mailbox_name == "INBOX");
  CHECK(row.message.uid == Uid(2));
}

TEST_CASE("changes_since tells arrivals, flag changes and removals, each once, from any modseq") {
  Fixture f;
  std::vector<ModSeq> at{f.info(f.inbox).highest_modseq};
  for (unsigned i = 1; i <= 3; ++i) at.push_back(f.append(mail_text(i)).modseq);
  f.write([&](WriteTxn& txn) {
    return txn.change_flags(f.inbox, uids_of({1}), adding(bit(Flag::kSeen)));
  });
  at.push_back(f.info(f.inbox).highest_modseq);
  f.write([&](WriteTxn& txn) { return txn.expunge(f.inbox, uids_of({2}), kAnn); });
  const auto changes = [&](ModSeq since) {
    return f.read([&](const ReadView& v) { return v.changes_since(f.inbox, since); });
  };
  const auto changed_uids = [](const Changes& c) {
    std::vector<Uid> uids;
    for (const MessageRecord& record : c.changed) uids.push_back(record.uid);
    return uids;
  };
  CHECK(changed_uids(changes(ModSeq(0))) == uids_of({1, 3}));
  CHECK(changed_uids(changes(at[0])) == uids_of({1, 3}));
  CHECK(changed_uids(changes(at[2])) == uids_of({1, 3}));
  CHECK(changed_uids(changes(at[3])) == uids_of({1}));
  CHECK(changed_uids(changes(at[4])).empty());
  CHECK(changes(at[4]).vanished == uids_of({2}));
  CHECK(changes(f.info(f.inbox).highest_modseq).vanished.empty());
}

TEST_CASE("changes of one write function share one modseq") {
  Fixture f;
  const ModSeq before = f.info(f.inbox).highest_modseq;
  f.write([&](WriteTxn& txn) -> Result<int> {
    const Appended one = must(txn.append(f.inbox, request_of(mail_text(1))));
    const Appended two = must(txn.append(f.inbox, request_of(mail_text(2))));
    CHECK(one.modseq == two.modseq);
    must(txn.change_flags(f.inbox, uids_of({1}), adding(bit(Flag::kSeen))));
    must(txn.expunge(f.inbox, uids_of({2}), kAnn));
    CHECK(must(txn.mailbox(f.inbox)).messages == 1);
    return 0;
  });
  CHECK(f.info(f.inbox).highest_modseq == before.next());
}

TEST_CASE("tombstones are pruned past a hundred thousand, and an older modseq is refused") {
  Fixture f;
  const AppendRequest request = request_of(mail_text(1));
  constexpr unsigned kMessages = 202'000;  // every second one goes: each a run of its own
  f.write([&](WriteTxn& txn) -> Result<int> {
    for (unsigned i = 0; i < kMessages; ++i) must(txn.append(f.inbox, request));
    return 0;
  });
  const ModSeq start = f.info(f.inbox).highest_modseq;
  std::vector<Uid> odd;
  for (std::uint32_t uid = 1; uid <= kMessages; uid += 2) odd.emplace_back(uid);
  const std::span<const Uid> all(odd);
  f.write([&](WriteTxn& txn) { return txn.expunge(f.inbox, all.first(50'000), kAnn); });
  const ModSeq middle = f.info(f.inbox).highest_modseq;
  f.write([&](WriteTxn& txn) { return txn.expunge(f.inbox, all.subspan(50'000, 50'000), kAnn); });
  const auto since = [&](ModSeq modseq) {
    return f.store->read_now([&](const ReadView& v) { return v.changes_since(f.inbox, modseq); });
  };
  CHECK(must(since(start)).vanished.size() == 100'000);
  f.write([&](WriteTxn& txn) { return txn.expunge(f.inbox, all.subspan(100'000), kAnn); });
  CHECK(code_of(since(start)) == ErrorCode::kInvalid);
  CHECK(must(since(middle)).vanished.size() == 51'000);
}
