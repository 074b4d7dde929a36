// The log of recent changes: alone, against the scan that it spares, and with a writer beside it.
#include "store/change_log.h"

#include <algorithm>
#include <random>

#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

constexpr MailboxKey kKey{AccountId(1), MailboxId(2)};

MailboxKey mailbox(std::uint32_t number) { return {AccountId(7), MailboxId(number)}; }

// One batch that touches UIDs of one mailbox, each with a modseq of its own from before + 1 on.
std::map<MailboxKey, TouchedMessages> batch(MailboxKey key, std::uint64_t before,
                                            const std::vector<std::uint32_t>& uids) {
  TouchedMessages touched{ModSeq(before)};
  for (const std::uint32_t uid : uids) touched.add(ModSeq(++before), Uid(uid));
  return {{key, touched}};
}

std::optional<std::vector<std::uint32_t>> since(ChangeLog& log, MailboxKey key,
                                                std::uint64_t modseq) {
  const auto found = log.touched_since(key, ModSeq(modseq));
  if (!found) return std::nullopt;
  std::vector<std::uint32_t> uids;
  for (const Uid uid : *found) uids.push_back(uid.value());
  return uids;
}

using Uids = std::vector<std::uint32_t>;

struct Answer {
  std::vector<std::pair<Uid, ModSeq>> changed;
  std::vector<Uid> vanished;
  ModSeq highest;
  friend bool operator==(const Answer&, const Answer&) = default;
};

Answer answer(const Changes& changes) {
  Answer one;
  for (const MessageRecord& record : changes.changed) {
    one.changed.emplace_back(record.uid, record.modseq);
  }
  one.vanished = changes.vanished;
  one.highest = changes.highest;
  return one;
}

Answer by_log(Fixture& f, MailboxKey key, ModSeq modseq) {
  return answer(f.read([&](const ReadView& v) { return v.changes_since(key, modseq); }));
}

// A write transaction has changes of its own, which no log knows: it always scans.
Answer by_scan(Fixture& f, MailboxKey key, ModSeq modseq) {
  return answer(f.write([&](WriteTxn& t) { return t.changes_since(key, modseq); }));
}

std::vector<Uid> some_uids(std::mt19937& random, std::uint32_t uid_next) {
  std::vector<Uid> uids;
  for (auto i = random() % 5; i > 0; --i) {
    uids.emplace_back(static_cast<std::uint32_t>(1 + random() % uid_next));
  }
  return uids;
}

void change_something(WriteTxn& txn, std::mt19937& random, MailboxKey one, MailboxKey other,
                      const std::vector<AppendRequest>& requests) {
  const MailboxKey key = random() % 3 == 0 ? other : one;
  const auto uids = some_uids(random, must(txn.mailbox(key)).uid_next.value());
  FlagChange change;
  change.operation = static_cast<FlagOperation>(random() % 3);
  change.flags = static_cast<FlagBits>(random() % 32);
  switch (random() % 8) {
    case 0: must(txn.expunge(key, uids, Remover{})); break;
    case 1: must(txn.move(key, uids, random() % 2 == 0 ? one : other, Remover{})); break;
    case 2: must(txn.copy(key, uids, random() % 2 == 0 ? one : other, Limits{})); break;
    case 3:
    case 4: must(txn.change_flags(key, uids, change)); break;
    case 5: must(txn.hide_from_pop3(key, uids)); break;
    default: must(txn.append(key, requests[random() % requests.size()]));
  }
}

std::vector<AppendRequest> some_requests() {
  std::vector<AppendRequest> requests;
  for (unsigned i = 0; i < 8; ++i) requests.push_back(request_of(mail_text(i)));
  return requests;
}

}  // namespace

TEST_CASE("the log has what was published, from its floor on") {
  ChangeLog log;
  CHECK(!since(log, kKey, 100));
  log.publish(batch(kKey, 10, {5, 3, 5}));
  log.publish(batch(kKey, 13, {9}));
  CHECK(!since(log, kKey, 9));
  CHECK(since(log, kKey, 10) == Uids{3, 5, 9});
  CHECK(since(log, kKey, 11) == Uids{3, 5, 9});
  CHECK(since(log, kKey, 12) == Uids{5, 9});
  CHECK(since(log, kKey, 13) == Uids{9});
  CHECK(since(log, kKey, 14) == Uids{});
  CHECK(!since(log, mailbox(1), 14));
}

TEST_CASE("a batch takes the place of one whose commit failed") {
  ChangeLog log;
  log.publish(batch(kKey, 10, {1}));
  log.publish(batch(kKey, 11, {2, 3, 4}));  // and its commit fails
  log.publish(batch(kKey, 11, {7}));
  log.publish(batch(kKey, 12, {8}));
  CHECK(since(log, kKey, 10) == Uids{1, 7, 8});
  CHECK(since(log, kKey, 12) == Uids{8});
  // One that had raised the floor, too: all that there is since 13 is in the next batch.
  TouchedMessages many{ModSeq(13)};
  for (std::uint32_t uid = 1; uid <= 5000; ++uid) many.add(ModSeq(14), Uid(uid));
  log.publish({{kKey, many}});
  CHECK(!since(log, kKey, 13));
  log.publish(batch(kKey, 13, {2}));
  CHECK(since(log, kKey, 13) == Uids{2});
  CHECK(!since(log, kKey, 12));
}

TEST_CASE("more than a batch may touch raises the floor, and what comes above it counts again") {
  TouchedMessages touched{ModSeq(5)};
  for (std::uint32_t uid = 1; uid <= TouchedMessages::kMost; ++uid)
    touched.add(ModSeq(6), Uid(uid));
  CHECK(touched.floor() == ModSeq(5));
  CHECK(touched.entries().size() == TouchedMessages::kMost);
  touched.add(ModSeq(7), Uid(1));
  touched.add(ModSeq(7), Uid(2));
  touched.add(ModSeq(8), Uid(3));
  CHECK(touched.floor() == ModSeq(7));
  CHECK(touched.before() == ModSeq(5));
  ChangeLog log;
  log.publish({{kKey, touched}});
  CHECK(!since(log, kKey, 6));
  CHECK(since(log, kKey, 7) == Uids{3});
}

TEST_CASE("the log of one mailbox and all of them together stay bounded") {
  ChangeLog log(20'000);
  std::uint64_t modseq = 1;
  for (int i = 0; i < 100'000; ++i, ++modseq) {
    log.publish(batch(kKey, modseq, {static_cast<std::uint32_t>(i)}));
  }
  CHECK(log.cost() <= ChangeLog::kMostOfMailbox + ChangeLog::kMailboxCost);
  const auto recent = since(log, kKey, modseq - ChangeLog::kMostOfMailbox / 2);
  REQUIRE(recent);
  CHECK(recent->size() == ChangeLog::kMostOfMailbox / 2);
  CHECK(!since(log, kKey, 1));
  // The mailbox that nobody has used for longest goes; one that is only read is used.
  for (std::uint32_t other = 1; other <= 3000; ++other) {
    log.publish(batch(mailbox(other), 1, {1, 2, 3}));
    CHECK(since(log, mailbox(1), 1));
    CHECK(log.cost() <= 20'000);
  }
  CHECK(!since(log, kKey, modseq));
  CHECK(!since(log, mailbox(2), 2));
  CHECK(since(log, mailbox(3000), 2) == Uids{2, 3});
}

TEST_CASE("changes_since() says the same from the log as from a scan, whatever happened") {
  std::random_device device;
  const char* given = std::getenv("TWINPOST_MODEL_SEED");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::stoul(given)) : device();
  MESSAGE("seed " << seed << " (again with TWINPOST_MODEL_SEED)");
  std::mt19937 random(seed);
  const std::vector<AppendRequest> requests = some_requests();
  Fixture f;
  const MailboxKey other = f.create("Other");
  for (int round = 0; round < 1500; ++round) {
    f.write([&](WriteTxn& txn) -> Result<int> {
      for (auto i = random() % 4; i > 0; --i) {
        change_something(txn, random, f.inbox, other, requests);
      }
      return 0;
    });
    // A batch that comes to nothing leaves nothing behind that could show.
    if (random() % 10 == 0) {
      CHECK(!f.store->write_now([&](WriteTxn& txn) -> Result<int> {
        change_something(txn, random, f.inbox, other, requests);
        return fail(ErrorCode::kConflict, "no");
      }));
    }
    for (const MailboxKey key : {f.inbox, other}) {
      const std::uint64_t highest = f.info(key).highest_modseq.value();
      const std::uint64_t most = random() % 2 == 0 ? 20 : highest;
      const ModSeq from(highest - random() % std::min(most, highest));
      const std::uint64_t scans = f.store->figures().change_scans;
      CHECK(by_log(f, key, from) == by_scan(f, key, from));
      // Of so few changes each is looked up.
      if (most == 20) CHECK(f.store->figures().change_scans == scans);
    }
  }
  const std::uint64_t scans = f.store->figures().change_scans;
  CHECK(scans > 0);
  const ModSeq late(f.info(f.inbox).highest_modseq.value() - 5);
  const Answer before = by_log(f, f.inbox, late);
  CHECK(f.store->figures().change_scans == scans);
  f.reopen();
  CHECK(by_log(f, f.inbox, late) == before);
  CHECK(f.store->figures().change_scans == 1);
}

TEST_CASE("one change in a mailbox of many messages is found without a scan") {
  Fixture f;
  const AppendRequest request = request_of(mail_text(1));
  f.write([&](WriteTxn& txn) -> Result<int> {
    for (int i = 0; i < 20'000; ++i) must(txn.append(f.inbox, request));
    return 0;
  });
  const ModSeq start = f.info(f.inbox).highest_modseq;
  f.append(f.inbox, request);
  CHECK(by_log(f, f.inbox, start).changed.size() == 1);
  f.write([&](WriteTxn& t) { return t.expunge(f.inbox, std::vector<Uid>{Uid(3)}, Remover{}); });
  const Answer both = by_log(f, f.inbox, start);
  CHECK(both.changed.size() == 1);
  CHECK(both.vanished == std::vector<Uid>{Uid(3)});
  CHECK(f.store->figures().change_scans == 0);
  // Too many for the log at once: scanned for, and only for them.
  std::vector<Uid> all;
  for (std::uint32_t uid = 1; uid <= 20'000; ++uid) all.emplace_back(uid);
  FlagChange change;
  change.flags = bit(Flag::kSeen);
  f.write([&](WriteTxn& t) { return t.change_flags(f.inbox, all, change); });
  const ModSeq flagged = f.info(f.inbox).highest_modseq;
  CHECK(by_log(f, f.inbox, start).changed.size() == 20'000);
  CHECK(f.store->figures().change_scans == 1);
  f.append(f.inbox, request);
  CHECK(by_log(f, f.inbox, flagged).changed.size() == 1);
  CHECK(f.store->figures().change_scans == 1);
}

TEST_CASE("a reader finds every change of its own snapshot while the writer goes on") {
  Fixture f;
  const MailboxKey other = f.create("Other");
  const std::vector<AppendRequest> requests = some_requests();
  std::atomic<bool> over{false};
  std::atomic<int> compared{0};
  std::atomic<int> different{0};
  std::vector<std::thread> readers;
  for (unsigned t = 0; t < 2; ++t) {
    readers.emplace_back([&, t] {
      std::mt19937 random(t);
      while (!over) {
        const auto same = f.store->read_now([&](const ReadView& v) -> Result<bool> {
          const auto info = v.mailbox(f.inbox);
          if (!info) return tl::unexpected(info.error());
          const std::uint64_t highest = info->highest_modseq.value();
          const ModSeq from(highest - std::min<std::uint64_t>(highest - 1, random() % 20));
          const auto changes = v.changes_since(f.inbox, from);
          if (!changes) return tl::unexpected(changes.error());
          std::vector<std::pair<Uid, ModSeq>> expected;
          auto scanned =
              v.for_each_message(f.inbox, {Uid(1), Uid(~0U)}, [&](const MessageRecord& record) {
                if (record.modseq > from) expected.emplace_back(record.uid, record.modseq);
                return true;
              });
          if (!scanned) return tl::unexpected(scanned.error());
          return answer(*changes).changed == expected;
        });
        if (!same || !*same) ++different;
        ++compared;
      }
    });
  }
  std::mt19937 random(99);
  for (int i = 0; i < 1500; ++i) {
    f.write([&](WriteTxn& txn) -> Result<int> {
      change_something(txn, random, f.inbox, other, requests);
      return 0;
    });
  }
  over = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(compared > 0);
  CHECK(different == 0);
  CHECK(f.store->figures().change_scans == 0);
}
