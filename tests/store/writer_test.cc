// The writer: group commit, failing neighbours, announcements, and the awaitable faces.
#include <algorithm>
#include <future>
#include <stdexcept>

#include "core/base/task.h"
#include "tests/store/consistency.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

// A store on a real loop.
struct LoopFixture {
  TempFolder folder;
  ThreadExecutor executor;
  std::unique_ptr<Store> store;
  AccountId account;
  MailboxKey inbox;

  LoopFixture() {
    store = must(Store::open(options_for(folder / "store"), executor));
    account =
        must(store->write_now([](WriteTxn& t) { return t.ensure_account("ann@example.org"); })).id;
    inbox = {account, must(store->read_now([&](const ReadView& v) {
                        return v.find_mailbox(account, "INBOX");
                      })).id};
  }
};

struct Tally {
  int ended = 0;
  int succeeded = 0;
  std::vector<ErrorCode> errors;
};

Task<void> append_one(Store& store, MailboxKey key, AppendRequest request, Tally& tally) {
  const auto done = co_await store.write([&](WriteTxn& txn) { return txn.append(key, request); });
  if (done) {
    ++tally.succeeded;
    // What the caller was told is there for every reader from now on.
    const auto record =
        co_await store.read([&](const ReadView& v) { return v.message(key, done->uid); });
    CHECK(record.has_value());
  } else {
    tally.errors.push_back(done.error().code);
  }
  ++tally.ended;
}

Task<void> fail_one(Store& store, MailboxKey key, AppendRequest request, bool by_exception,
                    Tally& tally) {
  const auto done = co_await store.write([&](WriteTxn& txn) -> Result<int> {
    if (auto appended = txn.append(key, request); !appended)
      return tl::unexpected(appended.error());
    if (by_exception) throw std::runtime_error("broken");
    return fail(ErrorCode::kConflict, "no");
  });
  ++tally.ended;
  CHECK(!done.has_value());
  tally.errors.push_back(done.error().code);
}

}  // namespace

TEST_CASE("many awaiting writers share commits, and each gets its own result") {
  LoopFixture f;
  // Holds the writer until everything is queued: how many commits there are must not hang on who is
  // quicker.
  std::promise<void> go;
  std::shared_future<void> gate = go.get_future().share();
  std::atomic<bool> held{false};
  std::thread holder([&] {
    must(f.store->write_now([&, gate](WriteTxn&) -> Result<int> {
      held = true;
      gate.wait();
      return 0;
    }));
  });
  while (!held) std::this_thread::yield();
  const auto before = f.store->figures();
  Tally tally;
  constexpr int kWriters = 500;
  for (int i = 0; i < kWriters; ++i) {
    spawn(append_one(*f.store, f.inbox, request_of(mail_text(static_cast<unsigned>(i))), tally),
          nullptr);
  }
  go.set_value();
  holder.join();
  REQUIRE(f.executor.run_until([&] { return tally.ended == kWriters; }));
  CHECK(tally.succeeded == kWriters);
  const auto after = f.store->figures();
  CHECK(after.writes - before.writes == kWriters + 1);  // with the holder
  CHECK(after.commits - before.commits == 2);
  CHECK(after.queued == 0);
}

TEST_CASE("a failing function takes no neighbour with it") {
  LoopFixture f;
  // Holds the writer until everything is queued, so that all of it is one batch.
  std::promise<void> go;
  std::shared_future<void> gate = go.get_future().share();
  Tally tally;
  std::thread holder([&] {
    must(f.store->write_now([gate](WriteTxn&) -> Result<int> {
      gate.wait();
      return 0;
    }));
  });
  constexpr int kEach = 40;
  for (int i = 0; i < kEach; ++i) {
    const auto number = static_cast<unsigned>(2 * i);
    spawn(append_one(*f.store, f.inbox, request_of(mail_text(number)), tally), nullptr);
    spawn(fail_one(*f.store, f.inbox, request_of(mail_text(number + 1)), i % 2 == 0, tally),
          nullptr);
  }
  go.set_value();
  holder.join();
  REQUIRE(f.executor.run_until([&] { return tally.ended == 2 * kEach; }));
  CHECK(tally.succeeded == kEach);
  CHECK(std::count(tally.errors.begin(), tally.errors.end(), ErrorCode::kConflict) == kEach / 2);
  CHECK(std::count(tally.errors.begin(), tally.errors.end(), ErrorCode::kInternal) == kEach / 2);
  CHECK(f.store->figures().batch_retries > 0);
  CHECK(f.store->figures().write_failures == kEach);
  const MailboxInfo info =
      must(f.store->read_now([&](const ReadView& v) { return v.mailbox(f.inbox); }));
  CHECK(info.messages == kEach);
  f.store.reset();
  CHECK(inconsistencies(f.folder / "store") == std::vector<std::string>{});
}

TEST_CASE("threads that block on writes share commits too") {
  Fixture f;
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (unsigned t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (unsigned i = 0; i < 50; ++i) {
        const AppendRequest request = request_of(mail_text(1000 * t + i));
        const auto done =
            f.store->write_now([&](WriteTxn& txn) { return txn.append(f.inbox, request); });
        if (!done) ++wrong;
        const auto seen =
            f.store->read_now([&](const ReadView& v) { return v.message(f.inbox, done->uid); });
        if (!seen) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(f.info(f.inbox).messages == 400);
}

TEST_CASE(
    "each changed mailbox is announced once a commit, on the loop, before the callers resume") {
  Fixture f;
  const MailboxKey other = f.create("Other");
  f.executor.run_until_idle();
  std::vector<MailboxChanged> heard;
  const std::uint64_t id =
      f.store->subscribe([&](const MailboxChanged& change) { heard.push_back(change); });
  f.write([&](WriteTxn& txn) -> Result<int> {
    for (unsigned i = 0; i < 5; ++i) must(txn.append(f.inbox, request_of(mail_text(i))));
    must(txn.append(other, request_of(mail_text(9))));
    return 0;
  });
  CHECK(heard.empty());
  f.executor.run_until_idle();
  REQUIRE(heard.size() == 2);
  CHECK(heard[0].mailbox == f.inbox);
  CHECK(heard[0].highest == f.info(f.inbox).highest_modseq);
  CHECK(heard[1].mailbox == other);
  heard.clear();
  f.write([&](WriteTxn& txn) { return txn.delete_mailbox(other, Remover{}); });
  f.executor.run_until_idle();
  REQUIRE(heard.size() == 1);
  CHECK(!heard[0].exists);
  heard.clear();
  // What failed, and what changed nothing, is not announced.
  (void)f.store->write_now([&](WriteTxn& txn) -> Result<int> {
    must(txn.append(f.inbox, request_of(mail_text(1))));
    return fail(ErrorCode::kConflict, "no");
  });
  f.write(
      [&](WriteTxn& txn) { return txn.expunge(f.inbox, std::vector<Uid>{Uid(99)}, Remover{}); });
  f.executor.run_until_idle();
  CHECK(heard.empty());
  f.store->unsubscribe(id);
  f.append(mail_text(5));
  f.executor.run_until_idle();
  CHECK(heard.empty());
}

TEST_CASE("the end of a store runs and commits what is queued, and nobody is called afterwards") {
  TempFolder folder;
  InlineExecutor executor;
  auto store = must(Store::open(options_for(folder / "store"), executor));
  const AccountId account =
      must(store->write_now([](WriteTxn& t) { return t.ensure_account("a"); })).id;
  const MailboxKey inbox{account, must(store->read_now([&](const ReadView& v) {
                                    return v.find_mailbox(account, "INBOX");
                                  })).id};
  executor.run_until_idle();
  int heard = 0;
  store->subscribe([&](const MailboxChanged&) { ++heard; });
  Tally tally;
  std::vector<AppendRequest> requests;
  for (unsigned i = 0; i < 50; ++i) requests.push_back(request_of(mail_text(i)));
  struct Submit {
    static Task<void> run(Store& s, MailboxKey key, AppendRequest request, Tally& t) {
      const auto done = co_await s.write([&](WriteTxn& txn) { return txn.append(key, request); });
      ++t.ended;
      if (done) ++t.succeeded;
    }
  };
  for (const AppendRequest& request : requests) {
    spawn(Submit::run(*store, inbox, request, tally), nullptr);
  }
  store.reset();
  executor.run_until_idle();
  CHECK(tally.succeeded == 50);
  CHECK(heard == 0);
  store = must(Store::open(options_for(folder / "store"), executor));
  CHECK(must(store->read_now([&](const ReadView& v) { return v.mailbox(inbox); })).messages == 50);
}

TEST_CASE("a read goes on while a write is running") {
  Fixture f;
  f.append(mail_text(1));
  std::promise<void> inside;
  std::promise<void> go;
  std::thread writer([&] {
    must(f.store->write_now([&](WriteTxn& txn) -> Result<int> {
      must(txn.append(f.inbox, request_of(mail_text(2))));
      inside.set_value();
      go.get_future().wait();
      return 0;
    }));
  });
  inside.get_future().wait();
  CHECK(f.info(f.inbox).messages == 1);
  go.set_value();
  writer.join();
  CHECK(f.info(f.inbox).messages == 2);
}

TEST_CASE("an exception in a read fails that read") {
  Fixture f;
  const auto broken =
      f.store->read_now([](const ReadView&) -> Result<int> { throw std::runtime_error("x"); });
  CHECK(code_of(broken) == ErrorCode::kInternal);
}

TEST_CASE("a write inside a write is refused, not a deadlock") {
  Fixture f;
  f.write([&](WriteTxn&) -> Result<int> {
    const auto inner = f.store->write_now([](WriteTxn&) -> Result<int> { return 1; });
    CHECK(code_of(inner) == ErrorCode::kInternal);
    return 0;
  });
}
