// What was removed is kept as long as it should be, and then its pages come back.
#include <thread>

#include "tests/store/consistency.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;
using namespace std::chrono_literals;

namespace {

struct ReapFixture : Fixture {
  explicit ReapFixture(std::chrono::seconds retention) {
    options.retention = retention;
    reopen();
  }
  BlobId blob_of(Uid uid) { return message(inbox, uid).blob; }
  void expunge(std::vector<Uid> uids) {
    write([&](WriteTxn& txn) { return txn.expunge(inbox, uids, Remover{}); });
  }
  bool exists(BlobId blob) {
    return store->read_now([&](const ReadView& v) { return v.blob_info(blob); }).has_value();
  }
  bool goes(BlobId blob, std::chrono::seconds within = 20s) {
    const auto give_up = std::chrono::steady_clock::now() + within;
    while (exists(blob)) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      std::this_thread::sleep_for(5ms);
    }
    return true;
  }
};

}  // namespace

TEST_CASE("with no retention a removed message's blob goes soon, and nothing of it is left") {
  ReapFixture f(0s);
  f.append(mail_text(1, 50'000));
  f.append(mail_text(2, 3'000'000));  // more pages than one step takes
  f.append(mail_text(3));
  const BlobId first = f.blob_of(Uid(1));
  const BlobId second = f.blob_of(Uid(2));
  const BlobId third = f.blob_of(Uid(3));
  f.expunge({Uid(1), Uid(2)});
  CHECK(f.goes(first));
  CHECK(f.goes(second));
  CHECK(f.exists(third));
  f.store.reset();
  CHECK(inconsistencies(f.options.folder) == std::vector<std::string>{});
  RawStore raw(f.options.folder);
  CHECK(raw.all(raw.tables.removed).empty());
  CHECK(raw.all(raw.tables.reapable).empty());
  CHECK(raw.all(raw.tables.blob_refs).size() == 1);
  CHECK(raw.all(raw.tables.blob_names).size() == 1);
}

TEST_CASE("within the retention nothing goes; when it is shortened, it does") {
  ReapFixture f(3600s);
  f.append(mail_text(1));
  const BlobId blob = f.blob_of(Uid(1));
  f.expunge({Uid(1)});
  std::this_thread::sleep_for(300ms);
  CHECK(f.exists(blob));
  CHECK(f.read([&](const ReadView& v) { return v.blob_info(blob); }).references == 1);
  f.store->set_retention(0s);
  CHECK(f.goes(blob));
}

TEST_CASE("a retention of a second ends by itself, after a reopening too") {
  ReapFixture f(1s);
  f.append(mail_text(1));
  f.append(mail_text(2));
  const BlobId first = f.blob_of(Uid(1));
  const BlobId second = f.blob_of(Uid(2));
  f.expunge({Uid(1)});
  CHECK(f.goes(first));
  f.expunge({Uid(2)});
  f.reopen();
  CHECK(f.goes(second));
}

TEST_CASE("a pinned blob stays readable whatever is removed, and goes with its pin") {
  ReapFixture f(0s);
  f.append(mail_text(1, 20'000));
  const MessageRecord record = f.message(f.inbox, Uid(1));
  auto pin = f.store->pin_blobs({record.blob, record.blob});
  auto second_pin = f.store->pin_blobs({record.blob});
  f.expunge({Uid(1)});
  std::this_thread::sleep_for(300ms);
  CHECK(f.read([&](const ReadView& v) -> Result<std::string> { return read_whole(v, record); }) ==
        mail_text(1, 20'000));
  pin.reset();
  std::this_thread::sleep_for(100ms);
  CHECK(f.exists(record.blob));
  second_pin.reset();
  CHECK(f.goes(record.blob));
}

TEST_CASE("pinned in the read that found it, a blob is safe even if it was reaped a moment later") {
  ReapFixture f(0s);
  f.append(mail_text(1, 20'000));
  std::unique_ptr<Store::Pin> pin;
  MessageRecord record;
  f.read([&](const ReadView& v) -> Result<int> {
    record = must(v.message(f.inbox, Uid(1)));
    f.expunge({Uid(1)});
    std::this_thread::sleep_for(
        400ms);  // time enough for the reaper, which must wait for this read
    pin = f.store->pin_blobs({record.blob});
    return 0;
  });
  std::this_thread::sleep_for(1500ms);
  CHECK(f.read([&](const ReadView& v) -> Result<std::string> { return read_whole(v, record); }) ==
        mail_text(1, 20'000));
  pin.reset();
  CHECK(f.goes(record.blob));
}

TEST_CASE("a pin may outlive its store") {
  std::unique_ptr<Store::Pin> pin;
  {
    ReapFixture f(0s);
    f.append(mail_text(1));
    pin = f.store->pin_blobs({f.blob_of(Uid(1))});
  }
  pin.reset();
}

TEST_CASE("a blob that nobody refers to is shared again by the same message") {
  ReapFixture f(0s);
  f.append(mail_text(1));
  const BlobId blob = f.blob_of(Uid(1));
  auto pin = f.store->pin_blobs({blob});
  f.expunge({Uid(1)});
  while (f.read([&](const ReadView& v) { return v.blob_info(blob); }).references > 0) {
    std::this_thread::sleep_for(5ms);
  }
  f.append(mail_text(1));
  CHECK(f.blob_of(Uid(2)) == blob);
  pin.reset();
  std::this_thread::sleep_for(300ms);
  CHECK(f.text(f.inbox, Uid(2)) == mail_text(1));
  f.store.reset();
  CHECK(inconsistencies(f.options.folder) == std::vector<std::string>{});
}

TEST_CASE("blobs without references are found again after a reopening") {
  ReapFixture f(0s);
  f.append(mail_text(1));
  const BlobId blob = f.blob_of(Uid(1));
  auto pin = f.store->pin_blobs({blob});
  f.expunge({Uid(1)});
  while (f.read([&](const ReadView& v) { return v.blob_info(blob); }).references > 0) {
    std::this_thread::sleep_for(5ms);
  }
  f.store.reset();
  pin.reset();
  f.open();
  CHECK(f.goes(blob));
}

TEST_CASE("the pages of thousands of removals come back, also while mail keeps coming in") {
  ReapFixture f(0s);
  const auto fill = [&](unsigned from) {
    f.write([&](WriteTxn& txn) -> Result<int> {
      for (unsigned i = from; i < from + 1000; ++i)
        must(txn.append(f.inbox, request_of(mail_text(i, 300))));
      return 0;
    });
  };
  fill(0);
  fill(1000);
  const BlobId last = f.blob_of(Uid(2000));
  std::vector<Uid> all = f.read([&](const ReadView& v) { return v.uids(f.inbox); });
  f.expunge(all);
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    for (unsigned i = 5000; !stop; ++i) f.append(mail_text(i, 300));
  });
  CHECK(f.goes(last, 60s));
  stop = true;
  busy.join();
  f.store.reset();
  CHECK(inconsistencies(f.options.folder) == std::vector<std::string>{});
  RawStore raw(f.options.folder);
  CHECK(raw.all(raw.tables.removed).empty());
}
