// Compaction: a smaller file with everything in it, made and put in place while everything goes on.
#include <atomic>
#include <filesystem>
#include <random>
#include <thread>

#include "tests/store/consistency.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

void fill(Fixture& f, unsigned messages, std::size_t octets) {
  for (unsigned i = 0; i < messages; ++i) f.append(mail_text(i, octets));
}

// Every other message goes, octets included.
void thin_out(Fixture& f, unsigned messages) {
  std::vector<Uid> gone;
  for (unsigned uid = 1; uid <= messages; uid += 2) gone.emplace_back(uid);
  f.store->set_retention(std::chrono::seconds(0));
  f.write([&](WriteTxn& t) { return t.expunge(f.inbox, gone, Remover{}); });
  for (int i = 0; i < 1000 && f.store->figures().reaped_blobs < gone.size(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  REQUIRE(f.store->figures().reaped_blobs == gone.size());
  f.store->set_retention(std::chrono::days(14));
}

}  // namespace

TEST_CASE("a compacted store is smaller and has everything") {
  Fixture f;
  fill(f, 200, 20'000);
  thin_out(f, 200);
  const StoreSpace before = must(f.store->space());
  CHECK(before.free_octets > before.file_octets / 3);
  const auto compacted = must(f.store->compact({}));
  CHECK(compacted.octets_before == before.file_octets);
  CHECK(compacted.octets_after < before.file_octets * 2 / 3);
  CHECK(std::filesystem::file_size(f.options.folder + "/data.mdb") <= compacted.octets_after);
  CHECK_FALSE(std::filesystem::exists(f.options.folder + "/compact.tmp"));
  for (std::uint32_t uid = 2; uid <= 200; uid += 2) {
    CHECK(f.text(f.inbox, Uid(uid)) == mail_text(uid - 1, 20'000));
  }
  // It goes on: changes, their log, the reaper, another compaction, and the next opening.
  const Appended added = f.append(mail_text(500));
  CHECK(f.read([&](const ReadView& v) { return v.changes_since(f.inbox, ModSeq(1)); }).highest ==
        added.modseq);
  f.store->set_retention(std::chrono::seconds(0));
  f.write([&](WriteTxn& t) { return t.expunge(f.inbox, std::vector{Uid(2)}, Remover{}); });
  for (int i = 0; i < 1000 && f.store->figures().reaped_blobs < 101; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK(f.store->figures().reaped_blobs == 101);
  must(f.store->compact({}));
  f.reopen();
  CHECK(f.text(f.inbox, added.uid) == mail_text(500));
  f.store.reset();
  CHECK(inconsistencies(f.options.folder).empty());
}

TEST_CASE("what is changed while the file is copied is in the copy") {
  Fixture f;
  fill(f, 300, 8'000);
  std::atomic<bool> stop{false};
  std::atomic<unsigned> rounds{0};
  std::vector<std::string> expected;  // by UID - 301; empty: expunged
  std::thread writing([&] {
    std::mt19937 random(1);
    for (unsigned i = 0; !stop || rounds < 50; ++i, ++rounds) {
      const std::string text = mail_text(1000 + i, random() % 20'000 + 200);
      const AppendRequest request = request_of(text);
      const Appended added =
          must(f.store->write_now([&](WriteTxn& t) { return t.append(f.inbox, request); }));
      CHECK(added.uid == Uid(301 + i));
      expected.push_back(text);
      if (i % 3 != 0) continue;
      const std::vector<Uid> gone{Uid(static_cast<std::uint32_t>(1 + i % 300))};
      must(f.store->write_now([&](WriteTxn& t) { return t.expunge(f.inbox, gone, Remover{}); }));
    }
  });
  std::thread reading([&] {
    while (!stop) {
      const auto info = f.store->read_now([&](const ReadView& v) { return v.mailbox(f.inbox); });
      CHECK(info.has_value());
    }
  });
  for (int i = 0; i < 5; ++i) {
    const auto done = f.store->compact({});
    CHECK_MESSAGE(done.has_value(), done.error().message);
  }
  stop = true;
  writing.join();
  reading.join();
  const auto check_all = [&] {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CHECK(f.text(f.inbox, Uid(static_cast<std::uint32_t>(301 + i))) == expected[i]);
    }
  };
  check_all();
  f.reopen();
  check_all();
  f.store.reset();
  CHECK(inconsistencies(f.options.folder).empty());
}

TEST_CASE("a compaction that is ended, or finds no room, leaves all as it was") {
  Fixture f;
  fill(f, 100, 20'000);
  const auto ended =
      f.store->compact([](std::string_view, std::uint64_t, std::uint64_t) { return false; });
  CHECK(code_of(ended) == ErrorCode::kShutdown);
  CHECK_FALSE(std::filesystem::exists(f.options.folder + "/compact.tmp"));
  CHECK(f.text(f.inbox, Uid(100)) == mail_text(99, 20'000));
  must(f.store->compact({}));
  f.append(mail_text(500));
}

TEST_CASE("a compaction waits for a reader, and gives up where that takes too long") {
  Fixture f;
  fill(f, 20, 20'000);
  std::atomic<bool> reads{false};
  std::thread reading([&] {
    must(f.store->read_now([&](const ReadView& v) -> Result<MailboxInfo> {
      reads = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
      return v.mailbox(f.inbox);
    }));
  });
  while (!reads) std::this_thread::yield();
  CHECK(f.store->compact({}).has_value());
  reading.join();
  f.append(mail_text(500));
}

TEST_CASE("what a compaction left that was cut short is removed at the next opening") {
  Fixture f;
  f.store.reset();
  std::filesystem::create_directories(f.options.folder + "/compact.tmp");
  std::filesystem::copy(f.options.folder + "/data.mdb", f.options.folder + "/compact.tmp/data.mdb");
  f.open();
  CHECK_FALSE(std::filesystem::exists(f.options.folder + "/compact.tmp"));
}
