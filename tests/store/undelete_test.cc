// What was removed comes back as it was, once; and what `removed` keeps is counted and bounded.
#include <set>

#include "tests/store/consistency.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

const Remover kAnn{"ann@example.org", "pop3", "192.0.2.7"};

std::vector<RemovedMessage> removed_of(Fixture& f) {
  std::vector<RemovedMessage> all;
  f.read([&](const ReadView& v) {
    return v.for_each_removed(f.account, UnixTime{}, [&](const RemovedMessage& removed) {
      all.push_back(removed);
      return true;
    });
  });
  return all;
}

std::vector<RemovedId> ids_of(const std::vector<RemovedMessage>& removed) {
  std::vector<RemovedId> ids;
  for (const RemovedMessage& one : removed) ids.push_back(one.id);
  return ids;
}

Undeleted undelete(Fixture& f, const std::vector<RemovedId>& ids,
                   std::optional<MailboxId> to = std::nullopt, const Limits& limits = {}) {
  return f.write([&](WriteTxn& t) { return t.undelete(f.account, ids, to, limits); });
}

void expunge(Fixture& f, MailboxKey key, std::vector<Uid> uids) {
  f.write([&](WriteTxn& t) { return t.expunge(key, uids, kAnn); });
}

AppendRequest marked(unsigned number) {
  AppendRequest request = request_of(mail_text(number, 9000));
  request.flags = bit(Flag::kFlagged) | bit(Flag::kDeleted);
  request.keywords = {"$Work", "Later"};
  request.prefix = "Return-Path: <a@example.net>\r\n";
  return request;
}

AccountInfo account_of(Fixture& f) {
  return f.read([&](const ReadView& v) { return v.account(f.account); });
}

bool within_seconds(const std::function<bool()>& condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace

TEST_CASE("an id of a removal is read as it is printed") {
  const RemovedId id{UnixTime(std::chrono::seconds(1'700'000'000)), MailboxId(3), Uid(17)};
  CHECK(to_string(id) == "1700000000-3-17");
  CHECK(parse_removed_id("1700000000-3-17") == id);
  for (const char* wrong : {"", "1", "1-2", "1-2-", "1-2-3-4", "1-2-3 ", "a-2-3", "1--3",
                            "1-4294967296-3", "1-2-4294967296", "99999999999999999999-1-1"}) {
    CHECK_MESSAGE(!parse_removed_id(wrong), wrong);
  }
}

TEST_CASE("a message comes back with a new UID and everything else that it had") {
  Fixture f;
  f.append(f.inbox, marked(1));
  const MessageRecord before = f.message(f.inbox, Uid(1));
  const AccountInfo used = account_of(f);
  expunge(f, f.inbox, {Uid(1)});
  const auto removed = removed_of(f);
  REQUIRE(removed.size() == 1);
  CHECK(removed[0].keywords == std::vector<std::string>{"$Work", "Later"});
  CHECK(removed[0].remover.protocol == "pop3");
  CHECK(account_of(f).removed_messages == 1);
  CHECK(account_of(f).removed_bytes == before.size);
  CHECK(account_of(f).bytes == 0);
  const Undeleted back = undelete(f, ids_of(removed));
  REQUIRE(back.messages.size() == 1);
  CHECK(back.messages[0].uid == Uid(2));
  const MessageRecord after = f.message(f.inbox, Uid(2));
  CHECK(uidl_of(after, f.store->store_id()) == uidl_of(before, f.store->store_id()));
  CHECK(after.flags == bit(Flag::kFlagged));
  CHECK(after.keywords == before.keywords);
  CHECK(after.internal_date == before.internal_date);
  CHECK(after.email_id == before.email_id);
  CHECK(f.text(f.inbox, Uid(2)) == "Return-Path: <a@example.net>\r\n" + mail_text(1, 9000));
  CHECK(account_of(f).bytes == used.bytes);
  // What is left is the record of one that was moved.
  CHECK(account_of(f).removed_messages == 1);
  CHECK(account_of(f).removed_bytes == 0);
  REQUIRE(ids_of(removed_of(f)) == ids_of(removed));
  CHECK(removed_of(f)[0].how == Removal::kMoved);
  CHECK(undelete(f, ids_of(removed)).present == ids_of(removed));
  f.store.reset();
  CHECK(inconsistencies(f.options.folder).empty());
}

TEST_CASE("a deleted mailbox comes back with its messages and their keywords") {
  Fixture f;
  const MailboxKey work = f.create("Work/2026");
  for (unsigned i = 0; i < 3; ++i) f.append(work, marked(i));
  f.write([&](WriteTxn& t) -> Result<bool> {
    if (auto done = t.delete_mailbox(work, kAnn); !done) return tl::unexpected(done.error());
    return true;
  });
  const auto removed = removed_of(f);
  REQUIRE(removed.size() == 3);
  CHECK(removed[0].how == Removal::kMailboxDeleted);
  CHECK(removed[0].mailbox_name == "Work/2026");
  const Undeleted back = undelete(f, ids_of(removed));
  REQUIRE(back.messages.size() == 3);
  const MailboxInfo again =
      f.read([&](const ReadView& v) { return v.find_mailbox(f.account, "Work/2026"); });
  CHECK(again.messages == 3);
  CHECK(again.id != work.mailbox);
  CHECK(std::set<std::string>(again.keywords.begin(), again.keywords.end()) ==
        std::set<std::string>{"$Work", "Later"});
  f.store.reset();
  CHECK(inconsistencies(f.options.folder).empty());
}

TEST_CASE("a message that is in the account already does not come back a second time") {
  Fixture f;
  const MailboxKey other = f.create("Other");
  f.append(mail_text(1));
  f.write([&](WriteTxn& t) { return t.move(f.inbox, std::vector{Uid(1)}, other, kAnn); });
  const auto moved = removed_of(f);
  REQUIRE(moved.size() == 1);
  CHECK(moved[0].how == Removal::kMoved);
  CHECK(account_of(f).removed_messages == 1);
  CHECK(account_of(f).removed_bytes == 0);
  CHECK(undelete(f, ids_of(moved)).present == ids_of(moved));
  SUBCASE("but once it is gone from there too") {
    expunge(f, other, {Uid(1)});
    const Undeleted back = undelete(f, ids_of(removed_of(f)));
    CHECK(back.messages.size() == 1);
    CHECK(back.present.size() == 1);
  }
  SUBCASE("nor where its UIDL was given to a restored one") {
    const std::string uidl = uidl_of(f.message(other, Uid(1)), f.store->store_id());
    expunge(f, other, {Uid(1)});
    AppendRequest restored = request_of(mail_text(1));
    restored.imported_uidl = uidl;
    f.append(f.inbox, restored);
    CHECK(undelete(f, ids_of(removed_of(f))).present.size() == 2);
    expunge(f, f.inbox, {Uid(2)});
    CHECK(undelete(f, ids_of(removed_of(f))).messages.size() == 1);
  }
  f.store.reset();
  CHECK(inconsistencies(f.options.folder).empty());
}

TEST_CASE("undeleting goes where it is told to, within the quota, or not at all") {
  Fixture f;
  const MailboxKey other = f.create("Other");
  for (unsigned i = 0; i < 3; ++i) f.append(mail_text(i));
  expunge(f, f.inbox, {Uid(1), Uid(2), Uid(3)});
  const auto ids = ids_of(removed_of(f));
  const auto refused = f.store->write_now([&](WriteTxn& t) {
    return t.undelete(f.account, ids, other.mailbox, Limits{0, 2});
  });
  CHECK(code_of(refused) == ErrorCode::kOverQuota);
  CHECK(removed_of(f).size() == 3);
  const auto nowhere = f.store->write_now(
      [&](WriteTxn& t) { return t.undelete(f.account, ids, MailboxId(99), Limits{}); });
  CHECK(code_of(nowhere) == ErrorCode::kNotFound);
  CHECK(undelete(f, ids, other.mailbox, Limits{0, 3}).messages.size() == 3);
  CHECK(f.info(other).messages == 3);
  CHECK(f.info(f.inbox).messages == 0);
}

TEST_CASE("a removal that is forgotten frees its octets at once") {
  Fixture f;
  f.append(mail_text(1));
  const BlobId blob = f.message(f.inbox, Uid(1)).blob;
  expunge(f, f.inbox, {Uid(1)});
  const auto ids = ids_of(removed_of(f));
  CHECK(f.write([&](WriteTxn& t) { return t.forget_removed(f.account, ids); }) == 1);
  CHECK(f.write([&](WriteTxn& t) { return t.forget_removed(f.account, ids); }) == 0);
  CHECK(account_of(f).removed_messages == 0);
  CHECK(within_seconds([&] {
    return code_of(f.store->read_now([&](const ReadView& v) { return v.blob_info(blob); })) ==
           ErrorCode::kNotFound;
  }));
}

TEST_CASE("of what is kept of an account the oldest goes where it is too much") {
  Fixture f;
  for (unsigned i = 0; i < 10; ++i) f.append(mail_text(i, 1000));
  const std::uint64_t size = f.message(f.inbox, Uid(1)).size;
  for (std::uint32_t uid = 1; uid <= 10; ++uid) expunge(f, f.inbox, {Uid(uid)});
  SUBCASE("in number") { f.store->set_removed_limits(0, 4); }
  SUBCASE("in octets") { f.store->set_removed_limits(4 * size, 0); }
  CHECK(within_seconds([&] { return account_of(f).removed_messages == 4; }));
  const auto left = removed_of(f);
  REQUIRE(left.size() == 4);
  CHECK(left.front().id.uid == Uid(7));
  CHECK(account_of(f).removed_bytes == 4 * size);
  expunge(f, f.inbox, {});
  f.append(mail_text(9, 1000));
  expunge(f, f.inbox, {Uid(11)});
  CHECK(within_seconds([&] { return removed_of(f).front().id.uid == Uid(8); }));
  CHECK(f.store->figures().forgotten_removals == 7);
  f.store.reset();
  CHECK(inconsistencies(f.options.folder).empty());
}

TEST_CASE("what a session has not told its client of stays readable without any retention") {
  Fixture f;
  f.append(mail_text(1));
  auto hold = f.store->hold_removals(f.inbox, f.store->removals_seen_before());
  auto later = f.store->hold_removals(f.inbox, f.store->removals_seen_before());
  f.store->set_retention(std::chrono::seconds(0));
  expunge(f, f.inbox, {Uid(1)});
  const auto found = [&] {
    return f.read([&](const ReadView& v) { return v.removed_message(f.inbox, Uid(1), {}); });
  };
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  REQUIRE(found());
  const auto told = found();
  CHECK(f.read([&](const ReadView& v) -> Result<std::string> { return read_whole(v, *told); }) ==
        mail_text(1));
  hold.reset();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  CHECK(found());
  SUBCASE("until it is told") {
    later->move_on(f.store->removals_seen_before() + std::chrono::seconds(1));
  }
  SUBCASE("until it ends") { later.reset(); }
  CHECK(within_seconds([&] { return !found(); }));
}

TEST_CASE("a session that was not told of a removal reads on what an undelete has brought back") {
  Fixture f;
  f.append(f.inbox, marked(1));
  const MessageRecord before = f.message(f.inbox, Uid(1));
  auto hold = f.store->hold_removals(f.inbox, f.store->removals_seen_before());
  expunge(f, f.inbox, {Uid(1)});
  const auto ids = ids_of(removed_of(f));
  REQUIRE(undelete(f, ids).messages.size() == 1);
  const auto seen = [&] {
    return f.read([&](const ReadView& v) { return v.removed_message(f.inbox, Uid(1), {}); });
  };
  const auto is_readable = [&] {
    const auto found = seen();
    REQUIRE(found);
    CHECK(found->flags == before.flags);
    CHECK(found->keywords == before.keywords);
    CHECK(f.read([&](const ReadView& v) -> Result<std::string> { return read_whole(v, *found); }) ==
          "Return-Path: <a@example.net>\r\n" + mail_text(1, 9000));
  };
  is_readable();
  SUBCASE("whatever its retention is") {
    f.store->set_retention(std::chrono::seconds(0));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    is_readable();
  }
  SUBCASE("though it is removed once more") {
    expunge(f, f.inbox, {Uid(2)});
    const std::vector<RemovedId> again{removed_of(f).back().id};
    CHECK(again[0].uid == Uid(2));
    f.write([&](WriteTxn& t) { return t.forget_removed(f.account, again); });
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    is_readable();
  }
  SUBCASE("though a second undelete brings it back") {
    expunge(f, f.inbox, {Uid(2)});
    CHECK(undelete(f, ids).messages.size() == 1);
    CHECK(f.text(f.inbox, Uid(3)) == "Return-Path: <a@example.net>\r\n" + mail_text(1, 9000));
    is_readable();
  }
  f.store->set_retention(std::chrono::seconds(0));
  hold.reset();
  CHECK(within_seconds([&] { return !seen(); }));
  f.store.reset();
  CHECK(inconsistencies(f.options.folder).empty());
}

TEST_CASE("a quota's thresholds are announced when they are passed upwards, once") {
  Fixture f;
  std::vector<QuotaPassed> passed;
  f.store->on_quota_passed([&](const QuotaPassed& one) { passed.push_back(one); });
  Limits limits{0, 10, {50, 80}};
  const auto append = [&](unsigned number) {
    AppendRequest request = request_of(mail_text(number));
    request.limits = limits;
    f.append(f.inbox, request);
    f.executor.run_until_idle();
  };
  for (unsigned i = 0; i < 4; ++i) append(i);
  CHECK(passed.empty());
  append(4);
  REQUIRE(passed.size() == 1);
  CHECK(passed[0].percent == 50);
  CHECK(passed[0].of_messages);
  CHECK(passed[0].used == 5);
  CHECK(passed[0].name == "ann@example.org");
  append(5);
  CHECK(passed.size() == 1);
  f.write([&](WriteTxn& t) {
    return t.copy(f.inbox, std::vector{Uid(1), Uid(2), Uid(3)}, f.inbox, limits);
  });
  f.executor.run_until_idle();
  REQUIRE(passed.size() == 2);
  CHECK(passed[1].percent == 80);
  CHECK(passed[1].used == 9);
}

TEST_CASE("a threshold is not announced where the same transaction takes the use below it again") {
  Fixture f;
  std::vector<QuotaPassed> passed;
  f.store->on_quota_passed([&](const QuotaPassed& one) { passed.push_back(one); });
  AppendRequest request = request_of(mail_text(1));
  request.limits = Limits{0, 4, {50}};
  const Uid first = f.append(f.inbox, request).uid;
  // What REPLACE does (RFC 8508): the new one in, the old one out.
  f.write([&](WriteTxn& t) -> Result<Expunged> {
    must(t.append(f.inbox, request));
    const std::vector<Uid> old{first};
    return t.expunge(f.inbox, old, kAnn);
  });
  f.executor.run_until_idle();
  CHECK(passed.empty());
  f.append(f.inbox, request);
  f.executor.run_until_idle();
  CHECK(passed.size() == 1);
}

TEST_CASE("a quota of one message has thresholds too, which an empty account has not passed") {
  Fixture f;
  std::vector<QuotaPassed> passed;
  f.store->on_quota_passed([&](const QuotaPassed& one) { passed.push_back(one); });
  AppendRequest request = request_of(mail_text(1));
  request.limits = Limits{0, 1, {80}};
  f.append(f.inbox, request);
  f.executor.run_until_idle();
  REQUIRE(passed.size() == 1);
  CHECK(passed[0].percent == 80);
}
