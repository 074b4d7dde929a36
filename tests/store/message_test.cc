// Appending, reading, copy and move, quota, in one thread.
#include <numeric>

#include "tests/store/consistency.h"
#include "tests/store/message_support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

TEST_CASE("a new account has an empty INBOX") {
  Fixture f;
  const MailboxInfo info = f.info(f.inbox);
  CHECK(info.name == "INBOX");
  CHECK(info.messages == 0);
  CHECK(info.uid_next == Uid(1));
  CHECK(info.highest_modseq.value() >= 1);
  CHECK(info.uid_validity.value() > 0);
  CHECK(!info.mailbox_guid.empty());
}

TEST_CASE("a message comes out as it went in, and is counted") {
  Fixture f;
  AppendRequest request = request_of(mail_text(1, 100));
  request.prefix = "Return-Path: <bob@example.net>\r\nDelivered-To: ann@example.org\r\n";
  request.flags = bit(Flag::kFlagged);
  request.keywords = {"$Forwarded", "Work"};
  request.internal_date.zone_minutes = -210;
  request.imported_uidl = "old-uidl-1";
  const Appended appended = f.append(f.inbox, request);
  CHECK(appended.uid == Uid(1));
  CHECK(f.text(f.inbox, Uid(1)) == request.prefix + mail_text(1, 100));
  const MessageRecord record = f.message(f.inbox, Uid(1));
  CHECK(record.size == request.prefix.size() + mail_text(1, 100).size());
  CHECK(record.flags == bit(Flag::kFlagged));
  CHECK(record.internal_date == request.internal_date);
  CHECK(record.prefix == request.prefix);
  CHECK(record.serial == appended.serial);
  CHECK(record.modseq == appended.modseq);
  CHECK(uidl_of(record, f.store->store_id()) == "old-uidl-1");
  const MailboxInfo info = f.info(f.inbox);
  CHECK(info.keywords == request.keywords);
  CHECK(record.keywords.test(0));
  CHECK(record.keywords.test(1));
  CHECK(info.messages == 1);
  CHECK(info.unseen == 1);
  CHECK(info.bytes == record.size);
  CHECK(info.uid_next == Uid(2));
  CHECK(info.highest_modseq == appended.modseq);
  const AccountInfo account = f.read([&](const ReadView& v) { return v.account(f.account); });
  CHECK(account.messages == 1);
  CHECK(account.bytes == record.size);
}

TEST_CASE("the UIDL is 32 hexadecimal digits and survives a reopening") {
  Fixture f;
  f.append(mail_text(1));
  const std::uint64_t id = f.store->store_id();
  const std::string uidl = uidl_of(f.message(f.inbox, Uid(1)), id);
  CHECK(uidl.size() == 32);
  f.reopen();
  CHECK(f.store->store_id() == id);
  CHECK(uidl_of(f.message(f.inbox, Uid(1)), f.store->store_id()) == uidl);
}

TEST_CASE("bodies of every size around the chunk limits come out whole and in any slice") {
  Fixture f;
  unsigned number = 0;
  std::vector<std::pair<Uid, std::string>> stored;
  for (const std::size_t chunks : {0, 1, 2, 3, 17}) {
    for (int delta = -2; delta <= 2; ++delta) {
      const auto size = static_cast<std::int64_t>(chunks) * 4080 + delta;
      if (size < 0) continue;
      std::string text;
      while (text.size() < static_cast<std::size_t>(size)) {
        text.push_back(static_cast<char>('A' + (text.size() * 7 + number) % 26));
      }
      if (size >= 2) text.replace(text.size() - 2, 2, "\r\n");
      ++number;
      if (size == 1) text = "\r\n";
      const Appended appended = f.append(text);
      stored.emplace_back(appended.uid, text);
    }
  }
  for (const auto& [uid, text] : stored) {
    CHECK(f.text(f.inbox, uid) == text);
    const MessageRecord record = f.message(f.inbox, uid);
    for (const std::uint64_t offset : {0, 1, 4079, 4080, 4081, 8159, 8160, 8161, 100'000}) {
      for (const std::uint64_t length : {0, 1, 2, 4079, 4080, 4081, 1'000'000}) {
        const std::string slice = f.read([&](const ReadView& v) -> Result<std::string> {
          std::string out = "kept";
          if (auto read = v.read_message(record, offset, length, out); !read) {
            return tl::unexpected(read.error());
          }
          return out;
        });
        const std::string expected = offset < text.size() ? text.substr(offset, length) : "";
        CHECK(slice == "kept" + expected);
      }
    }
  }
}

TEST_CASE("slices run across the end of the prefix") {
  Fixture f;
  AppendRequest request = request_of(mail_text(3, 60));
  request.prefix = "Delivered-To: ann@example.org\r\n";
  f.append(f.inbox, request);
  const std::string whole = request.prefix + mail_text(3, 60);
  const MessageRecord record = f.message(f.inbox, Uid(1));
  for (std::uint64_t offset = 0; offset <= whole.size() + 1; ++offset) {
    for (const std::uint64_t length : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{30},
                                       std::uint64_t{31}, ~std::uint64_t{0}}) {
      const std::string slice = f.read([&](const ReadView& v) -> Result<std::string> {
        std::string out;
        if (auto read = v.read_message(record, offset, length, out); !read) {
          return tl::unexpected(read.error());
        }
        return out;
      });
      CHECK(slice == (offset < whole.size() ? whole.substr(offset, length) : ""));
    }
  }
}

TEST_CASE("the same octets are stored once, whatever their prefix") {
  Fixture f;
  AppendRequest request = request_of(mail_text(1, 10'000));
  for (int i = 0; i < 50; ++i) {
    request.prefix = "Delivered-To: user" + std::to_string(i) + "@example.org\r\n";
    f.append(f.inbox, request);
  }
  const BlobId blob = f.message(f.inbox, Uid(1)).blob;
  for (std::uint32_t uid = 1; uid <= 50; ++uid) CHECK(f.message(f.inbox, Uid(uid)).blob == blob);
  CHECK(f.read([&](const ReadView& v) { return v.blob_info(blob); }).references == 50);
  CHECK(f.text(f.inbox, Uid(50)).starts_with("Delivered-To: user49@"));
  // Within one transaction too.
  f.write([&](WriteTxn& txn) -> Result<int> {
    const AppendRequest other = request_of(mail_text(2));
    for (int i = 0; i < 3; ++i) must(txn.append(f.inbox, other));
    return 0;
  });
  CHECK(f.message(f.inbox, Uid(51)).blob == f.message(f.inbox, Uid(53)).blob);
  f.store.reset();
  CHECK(inconsistencies(f.options.folder) == std::vector<std::string>{});
}

TEST_CASE("the summary made at arrival is there") {
  Fixture f;
  f.append(mail_text(9));
  const BlobId blob = f.message(f.inbox, Uid(1)).blob;
  const Summary summary = f.read([&](const ReadView& v) { return v.summary(blob); });
  CHECK(summary.message.envelope.subject == "number 9");
  const BlobInfo info = f.read([&](const ReadView& v) { return v.blob_info(blob); });
  CHECK(info.header_octets == mail_text(9).find("\r\n\r\n") + 4);
  CHECK(info.size == mail_text(9).size());
}

TEST_CASE("a copy is another message of the same content, a move is the same message elsewhere") {
  Fixture f;
  const MailboxKey other = f.create("Other");
  AppendRequest request = request_of(mail_text(1));
  request.keywords = {"A", "B"};
  request.imported_uidl = "imported";
  request.flags = bit(Flag::kFlagged);
  f.append(f.inbox, request);
  f.append(mail_text(2));
  f.write([&](WriteTxn& txn) -> Result<int> {
    must(txn.hide_from_pop3(f.inbox, uids_of({1})));
    return 0;
  });
  f.append(other, [&] {
    AppendRequest first = request_of(mail_text(3));
    first.keywords = {"B"};
    return first;
  }());
  const MessageRecord original = f.message(f.inbox, Uid(1));
  CHECK(original.pop3_hidden);
  const Copied copied = f.write([&](WriteTxn& txn) {
    return txn.copy(f.inbox, uids_of({2, 1, 9}), other, Limits{});
  });
  CHECK(copied.missing == uids_of({9}));
  REQUIRE(copied.messages.size() == 2);
  CHECK(copied.messages[0].source == Uid(1));
  CHECK(copied.messages[0].target == Uid(2));
  const MessageRecord copy = f.message(other, Uid(2));
  CHECK(copy.serial != original.serial);
  CHECK(copy.email_id == original.email_id);
  CHECK(copy.blob == original.blob);
  CHECK(copy.imported_uidl.empty());
  CHECK(!copy.pop3_hidden);
  CHECK(copy.flags == original.flags);
  CHECK(copy.internal_date == original.internal_date);
  CHECK(f.info(other).keywords == std::vector<std::string>{"B", "A"});
  CHECK(copy.keywords.test(0));
  CHECK(copy.keywords.test(1));

  const ModSeq before = f.info(f.inbox).highest_modseq;
  const Copied moved = f.write([&](WriteTxn& txn) {
    return txn.move(f.inbox, uids_of({1, 9}), other, kAnn);
  });
  CHECK(moved.missing == uids_of({9}));
  REQUIRE(moved.messages.size() == 1);
  CHECK(moved.uid_validity == f.info(other).uid_validity);
  const MessageRecord there = f.message(other, moved.messages[0].target);
  CHECK(there.serial == original.serial);
  CHECK(there.email_id == original.email_id);
  CHECK(there.imported_uidl == "imported");
  CHECK(there.pop3_hidden);
  CHECK(f.read([&](const ReadView& v) { return v.changes_since(f.inbox, before); }).vanished ==
        uids_of({1}));
  // Within the mailbox itself: a new UID, the old one vanishes.
  const Copied again =
      f.write([&](WriteTxn& txn) { return txn.move(f.inbox, uids_of({2}), f.inbox, kAnn); });
  CHECK(again.messages[0].target == Uid(3));
  CHECK(f.info(f.inbox).messages == 1);
  CHECK(f.text(f.inbox, Uid(3)) == mail_text(2));
  f.store.reset();
  CHECK(inconsistencies(f.options.folder) == std::vector<std::string>{});
}

TEST_CASE("a mailbox's messages don't leave the account") {
  Fixture f;
  const AccountInfo bob =
      f.write([](WriteTxn& txn) { return txn.ensure_account("bob@example.org"); });
  const MailboxKey bobs{
      bob.id, f.read([&](const ReadView& v) { return v.find_mailbox(bob.id, "inbox"); }).id};
  f.append(mail_text(1));
  CHECK(code_of(f.store->write_now([&](WriteTxn& txn) {
          return txn.copy(f.inbox, uids_of({1}), bobs, Limits{});
        })) == ErrorCode::kInvalid);
  CHECK(code_of(f.store->write_now([&](WriteTxn& txn) {
          return txn.move(f.inbox, uids_of({1}), bobs, kAnn);
        })) == ErrorCode::kInvalid);
}

TEST_CASE("the quota counts octets and messages, exactly, and copies too") {
  Fixture f;
  const std::uint64_t size = mail_text(1).size();
  AppendRequest request = request_of(mail_text(1));
  request.limits.quota_bytes = 2 * size;
  f.append(f.inbox, request);
  f.append(f.inbox, request);
  const auto append = [&] {
    return f.store->write_now([&](WriteTxn& txn) { return txn.append(f.inbox, request); });
  };
  CHECK(code_of(append()) == ErrorCode::kOverQuota);
  request.limits = {0, 2};
  CHECK(code_of(append()) == ErrorCode::kOverQuota);
  CHECK(code_of(f.store->write_now([&](WriteTxn& txn) {
          return txn.copy(f.inbox, uids_of({1, 2}), f.inbox, Limits{0, 3});
        })) == ErrorCode::kOverQuota);
  f.write([&](WriteTxn& txn) { return txn.expunge(f.inbox, uids_of({1}), kAnn); });
  must(append());
  CHECK(f.info(f.inbox).messages == 2);
}

TEST_CASE("a function that goes on after a refused append commits the rest of what it did") {
  Fixture f;
  AppendRequest refused = request_of(mail_text(1));
  refused.limits.quota_bytes = 1;
  refused.keywords = {"never"};
  f.write([&](WriteTxn& txn) -> Result<int> {
    CHECK(code_of(txn.append(f.inbox, refused)) == ErrorCode::kOverQuota);
    must(txn.append(f.inbox, request_of(mail_text(2))));
    return 0;
  });
  CHECK(f.info(f.inbox).messages == 1);
  CHECK(f.info(f.inbox).keywords.empty());
}

TEST_CASE("an error undoes all of its function") {
  Fixture f;
  const auto failing = f.store->write_now([&](WriteTxn& txn) -> Result<int> {
    must(txn.append(f.inbox, request_of(mail_text(1))));
    return fail(ErrorCode::kConflict, "changed my mind");
  });
  CHECK(code_of(failing) == ErrorCode::kConflict);
  CHECK(f.info(f.inbox).messages == 0);
}

TEST_CASE("what is not there is kNotFound") {
  Fixture f;
  const MailboxKey nowhere{f.account, MailboxId(99)};
  const MailboxKey nobody{AccountId(99), MailboxId(1)};
  for (const MailboxKey key : {nowhere, nobody}) {
    CHECK(code_of(f.store->read_now([&](const ReadView& v) { return v.mailbox(key); })) ==
          ErrorCode::kNotFound);
    CHECK(code_of(f.store->read_now([&](const ReadView& v) { return v.uids(key); })) ==
          ErrorCode::kNotFound);
    CHECK(code_of(f.store->read_now([&](const ReadView& v) { return v.message(key, Uid(1)); })) ==
          ErrorCode::kNotFound);
    CHECK(code_of(f.store->read_now([&](const ReadView& v) {
            return v.changes_since(key, ModSeq(0));
          })) == ErrorCode::kNotFound);
    CHECK(code_of(f.store->write_now([&](WriteTxn& t) {
            return t.append(key, request_of("x"));
          })) == ErrorCode::kNotFound);
    CHECK(code_of(f.store->write_now([&](WriteTxn& t) {
            return t.expunge(key, uids_of({1}), kAnn);
          })) == ErrorCode::kNotFound);
  }
  CHECK(code_of(f.store->read_now([&](const ReadView& v) { return v.account("x"); })) ==
        ErrorCode::kNotFound);
  CHECK(code_of(f.store->read_now([&](const ReadView& v) { return v.account(""); })) ==
        ErrorCode::kNotFound);
  CHECK(code_of(f.store->read_now([&](const ReadView& v) { return v.account(AccountId(9)); })) ==
        ErrorCode::kNotFound);
  CHECK(code_of(f.store->read_now([&](const ReadView& v) { return v.mailboxes(AccountId(9)); })) ==
        ErrorCode::kNotFound);
  CHECK(code_of(f.store->read_now([&](const ReadView& v) { return v.summary(BlobId(9)); })) ==
        ErrorCode::kNotFound);
}

TEST_CASE("what is too long for a record is refused, not cut") {
  Fixture f;
  AppendRequest request = request_of(mail_text(1));
  request.prefix = std::string(2049, 'x');
  const auto append = [&] {
    return f.store->write_now([&](WriteTxn& txn) { return txn.append(f.inbox, request); });
  };
  CHECK(code_of(append()) == ErrorCode::kTooLarge);
  request.prefix = std::string(2048, 'x');
  request.imported_uidl = std::string(256, 'x');
  CHECK(code_of(append()) == ErrorCode::kTooLarge);
  request.imported_uidl.pop_back();
  request.keywords = {std::string(256, 'k')};
  CHECK(code_of(append()) == ErrorCode::kInvalid);
  request.keywords = {std::string(255, 'k')};
  must(append());
  // The longest record can also be removed, from the longest name, by the longest remover.
  const MailboxKey key = f.create(std::string(500, 'n'));
  f.append(key, request);
  const Remover remover{std::string(5000, 'a'), std::string(5000, 'b'), std::string(5000, 'c')};
  f.write([&](WriteTxn& txn) { return txn.expunge(key, uids_of({1}), remover); });
}

TEST_CASE("visits go through a range in order and stop when told") {
  Fixture f;
  for (unsigned i = 1; i <= 9; ++i) f.append(mail_text(i));
  const auto visit = [&](std::uint32_t first, std::uint32_t last, std::size_t most) {
    return f.read([&](const ReadView& v) -> Result<std::vector<std::uint32_t>> {
      std::vector<std::uint32_t> seen;
      must(v.for_each_message(f.inbox, {Uid(first), Uid(last)}, [&](const MessageRecord& record) {
        seen.push_back(record.uid.value());
        return seen.size() < most;
      }));
      return seen;
    });
  };
  CHECK(visit(3, 5, 100) == std::vector<std::uint32_t>{3, 4, 5});
  CHECK(visit(8, ~0U, 100) == std::vector<std::uint32_t>{8, 9});
  CHECK(visit(1, 9, 2) == std::vector<std::uint32_t>{1, 2});
  CHECK(visit(5, 3, 100).empty());
  CHECK(f.read([&](const ReadView& v) { return v.uids(f.inbox); }).size() == 9);
}

TEST_CASE("a visit may change what it visits") {
  Fixture f;
  const MailboxKey other = f.create("Other");
  constexpr std::uint32_t kMessages = 1000;
  f.write([&](WriteTxn& txn) -> Result<int> {
    for (unsigned i = 0; i < kMessages; ++i) must(txn.append(f.inbox, request_of(mail_text(i))));
    std::vector<std::uint32_t> seen;
    must(txn.for_each_message(f.inbox, {Uid(1), Uid(kMessages)}, [&](const MessageRecord& record) {
      const std::uint32_t number = record.uid.value();
      seen.push_back(number);
      const std::vector<Uid> uid{record.uid};
      if (number % 4 == 0) must(txn.expunge(f.inbox, uid, kAnn));
      if (number % 4 == 1) must(txn.move(f.inbox, uid, other, kAnn));
      if (number % 4 == 2) must(txn.change_flags(f.inbox, uid, adding(bit(Flag::kSeen), {"K"})));
      if (number % 4 == 3) must(txn.copy(f.inbox, uid, f.inbox, Limits{}));
      return true;
    }));
    std::vector<std::uint32_t> all(kMessages);
    std::iota(all.begin(), all.end(), 1U);
    CHECK(seen == all);
    return 0;
  });
  CHECK(f.info(f.inbox).messages == kMessages * 3 / 4);
  f.store.reset();
  CHECK(inconsistencies(f.options.folder) == std::vector<std::string>{});
}

TEST_CASE("\\Recent is claimed once") {
  Fixture f;
  f.append(mail_text(1));
  f.append(mail_text(2));
  const auto claim = [&] {
    return f.write([&](WriteTxn& txn) { return txn.claim_recent(f.inbox); });
  };
  CHECK(claim() == Uid(1));
  CHECK(claim() == Uid(3));
  f.append(mail_text(3));
  CHECK(f.info(f.inbox).first_recent == Uid(3));
  CHECK(claim() == Uid(3));
  CHECK(claim() == Uid(4));
}
