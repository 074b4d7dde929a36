// Opening: folders, formats, damage, and other processes.
#include <fcntl.h>
#include <fstream>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/spool_file.h"
#include "tests/store/child_process.h"
#include "tests/store/consistency.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

TEST_CASE("a store's folder is made private") {
  TempFolder folder;
  InlineExecutor executor;
  const std::string path = folder / "made/by/open/";
  auto store = must(Store::open(options_for(path), executor));
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
  REQUIRE(::stat((path + "data.mdb").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  REQUIRE(::stat(store->spool_folder().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE("opening where there can be no folder is an error that names it") {
  InlineExecutor executor;
  TempFolder folder;
  std::ofstream(folder / "file") << "x";
  for (const std::string& path :
       {folder / "file", folder / "file/below", std::string("/proc/nothing/here")}) {
    const auto opened = Store::open(options_for(path), executor);
    REQUIRE(!opened.has_value());
    CHECK(opened.error().message.find("/") != std::string::npos);
  }
  StoreOptions reading = options_for(folder / "none");
  reading.read_only = true;
  CHECK(code_of(Store::open(reading, executor)) == ErrorCode::kNotFound);
  reading.folder = folder.path();  // there, but no store
  CHECK(code_of(Store::open(reading, executor)) == ErrorCode::kNotFound);
}

TEST_CASE("a store is open once in a process") {
  Fixture f;
  CHECK(code_of(Store::open(f.options, f.executor)) == ErrorCode::kInUse);
  StoreOptions reading = f.options;
  reading.read_only = true;
  CHECK(code_of(Store::open(reading, f.executor)) == ErrorCode::kInUse);
  f.append(mail_text(1));
}

TEST_CASE("spool files that a crash left are removed, and nothing else is") {
  Fixture f;
  const std::string spool = f.store->spool_folder();
  f.store.reset();
  std::ofstream(spool + "/" + std::string(kSpoolFilePrefix) + "abcdef") << "left";
  std::ofstream(spool + "/mine") << "kept";
  f.open();
  CHECK(!std::filesystem::exists(spool + "/" + std::string(kSpoolFilePrefix) + "abcdef"));
  CHECK(std::filesystem::exists(spool + "/mine"));
}

TEST_CASE("a store of a newer format is not touched, and the message names both versions") {
  Fixture f;
  f.append(mail_text(1));
  f.store.reset();
  {
    RawStore raw(f.options.folder);
    raw.put(raw.tables.meta, "format", std::string("\0\0\0\7", 4));
  }
  for (const bool read_only : {false, true}) {
    StoreOptions options = f.options;
    options.read_only = read_only;
    const auto opened = Store::open(options, f.executor);
    REQUIRE(code_of(opened) == ErrorCode::kNewerFormat);
    CHECK(opened.error().message.find("format 7") != std::string::npos);
    CHECK(opened.error().message.find("up to 3") != std::string::npos);
  }
}

TEST_CASE("damaged records are kCorrupt to whoever asks for them, and to nobody else") {
  Fixture f;
  f.append(mail_text(1, 10'000));
  f.append(mail_text(2, 10'000));
  const BlobId blob = f.message(f.inbox, Uid(1)).blob;
  f.store.reset();
  const auto damage = [&](auto pick_table, std::string_view key) {
    RawStore raw(f.options.folder);
    const engine::Table table = pick_table(raw.tables);
    for (auto [found, value] : raw.all(table)) {
      if (found != key) continue;
      value[value.size() / 2] = static_cast<char>(value[value.size() / 2] ^ 0x10);
      raw.put(table, found, value);
      return;
    }
    FAIL("nothing to damage");
  };
  const auto read_first = [&] {
    return f.store->read_now([&](const ReadView& v) -> Result<std::string> {
      auto record = v.message(f.inbox, Uid(1));
      if (!record) return tl::unexpected(record.error());
      std::string out = "before";
      auto read = v.read_message(*record, 0, record->size, out);
      if (!read) CHECK(out == "before");
      if (!read) return tl::unexpected(read.error());
      return out;
    });
  };
  SUBCASE("a chunk") {
    damage([](const Tables& t) { return t.blobs; }, chunk_key(blob, 1).view());
    f.open();
    CHECK(code_of(read_first()) == ErrorCode::kCorrupt);
  }
  SUBCASE("a missing chunk") {
    {
      RawStore raw(f.options.folder);
      raw.erase(raw.tables.blobs, chunk_key(blob, 2).view());
    }
    f.open();
    CHECK(code_of(read_first()) == ErrorCode::kCorrupt);
  }
  SUBCASE("a chunk of another length") {
    {
      RawStore raw(f.options.folder);
      raw.put(raw.tables.blobs, chunk_key(blob, 0).view(), std::string(4079, 'x'));
    }
    f.open();
    CHECK(code_of(read_first()) == ErrorCode::kCorrupt);
  }
  SUBCASE("a message record") {
    damage([](const Tables& t) { return t.messages; }, message_key(f.inbox, Uid(1)).view());
    f.open();
    CHECK(code_of(read_first()) == ErrorCode::kCorrupt);
    // Half an expunge can't be committed, even where the function overlooks the failure.
    const auto overlooked = f.store->write_now([&](WriteTxn& txn) -> Result<int> {
      const std::vector<Uid> uids{Uid(2)};
      must(txn.expunge(f.inbox, uids, Remover{}));
      return 0;
    });
    CHECK(overlooked.has_value());
    f.append(mail_text(3));
    const auto half = f.store->write_now([&](WriteTxn& txn) -> Result<int> {
      const std::vector<Uid> uids{Uid(1), Uid(3)};
      (void)txn.expunge(f.inbox, uids, Remover{});
      return 0;
    });
    CHECK(half.has_value());  // it failed at its first message: nothing was written
    CHECK(f.info(f.inbox).messages == 2);
  }
  SUBCASE("a blob's row") {
    damage([](const Tables& t) { return t.blob_refs; }, blob_key(blob).view());
    f.open();
    CHECK(code_of(read_first()) == ErrorCode::kCorrupt);
    // The same message comes again: it is stored anew.
    const Appended again = f.append(mail_text(1, 10'000));
    CHECK(f.text(f.inbox, again.uid) == mail_text(1, 10'000));
  }
  SUBCASE("a summary is made anew") {
    damage([](const Tables& t) { return t.summaries; }, chunk_key(blob, 0).view());
    f.open();
    const Summary summary = f.read([&](const ReadView& v) { return v.summary(blob); });
    CHECK(summary.message.envelope.subject == "number 1");
  }
  SUBCASE("the mailbox's row") {
    damage([](const Tables& t) { return t.mailboxes; }, mailbox_key(f.inbox).view());
    f.store = must(Store::open(f.options, f.executor));
    CHECK(code_of(f.store->read_now([&](const ReadView& v) { return v.mailbox(f.inbox); })) ==
          ErrorCode::kCorrupt);
    CHECK(code_of(f.store->write_now([&](WriteTxn& t) {
            return t.append(f.inbox, request_of("x"));
          })) == ErrorCode::kCorrupt);
    return;
  }
  CHECK(f.store->write_now([&](WriteTxn& t) { return t.append(f.inbox, request_of(mail_text(9))); })
            .has_value());
}

TEST_CASE("a change that fails halfway is not committed, even if its function overlooks that") {
  Fixture f;
  for (unsigned i = 1; i <= 3; ++i) f.append(mail_text(i));
  f.store.reset();
  {
    RawStore raw(f.options.folder);
    raw.put(raw.tables.messages, message_key(f.inbox, Uid(2)).view(), "damaged");
  }
  f.open();
  const auto half = f.store->write_now([&](WriteTxn& txn) -> Result<int> {
    const std::vector<Uid> uids{Uid(1), Uid(2)};
    CHECK(code_of(txn.expunge(f.inbox, uids, Remover{})) == ErrorCode::kCorrupt);
    return 0;
  });
  CHECK(code_of(half) == ErrorCode::kCorrupt);
  CHECK(f.message(f.inbox, Uid(1)).uid == Uid(1));
  CHECK(f.info(f.inbox).messages == 3);
}

TEST_CASE("child: opens for writing" * doctest::skip()) {
  InlineExecutor executor;
  const auto opened = Store::open(options_for(child_argument(0)), executor);
  ::_exit(code_of(opened) == ErrorCode::kInUse ? 0 : 1);
}

TEST_CASE("child: reads beside a writer" * doctest::skip()) {
  InlineExecutor executor;
  StoreOptions options = options_for(child_argument(0));
  options.read_only = true;
  const auto store = Store::open(options, executor);
  if (!store) ::_exit(2);
  const auto count = (*store)->read_now([](const ReadView& v) -> Result<std::uint32_t> {
    auto account = v.account("ann@example.org");
    if (!account) return tl::unexpected(account.error());
    auto inbox = v.find_mailbox(account->id, "INBOX");
    if (!inbox) return tl::unexpected(inbox.error());
    return inbox->messages;
  });
  if (!count || *count != 1) ::_exit(3);
  const auto refused =
      (*store)->write_now([](WriteTxn& txn) { return txn.ensure_account("eve@example.org"); });
  ::_exit(code_of(refused) == ErrorCode::kPermission ? 0 : 4);
}

TEST_CASE("another process can't write beside the one that does, but it can read") {
  Fixture f;
  f.append(mail_text(1));
  CHECK(ChildProcess("child: opens for writing", {f.options.folder}).wait() == 0);
  CHECK(ChildProcess("child: reads beside a writer", {f.options.folder}).wait() == 0);
  f.append(mail_text(2));
  f.store.reset();
  f.open();
  CHECK(f.info(f.inbox).messages == 2);
}
