// Little or no disk left: an error to whoever brings more, and everything else goes on.
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/store/child_process.h"
#include "tests/store/consistency.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

// In a child: every failed check ends it with the line's number, below 256.
#define EXPECT(condition)                          \
  do {                                             \
    if (!(condition)) ::_exit(__LINE__ % 255 + 1); \
  } while (false)

// Fills the store until it refuses. Returns the UIDs that it took.
struct Filled {
  std::vector<Uid> uids;
  std::optional<ErrorCode> refusal;
};
Filled fill(Store& store, MailboxKey inbox, unsigned first_number, std::size_t octets) {
  Filled filled;
  for (unsigned i = 0; i < 5000; ++i) {
    const AppendRequest request = request_of(mail_text(first_number + i, octets));
    const auto done = store.write_now([&](WriteTxn& txn) { return txn.append(inbox, request); });
    if (!done) {
      filled.refusal = done.error().code;
      return filled;
    }
    filled.uids.push_back(done->uid);
  }
  return filled;
}

struct ChildStore {
  InlineExecutor executor;
  std::unique_ptr<Store> store;
  MailboxKey inbox;
  explicit ChildStore(const StoreOptions& options) {
    auto opened = Store::open(options, executor);
    EXPECT(opened.has_value());
    store = std::move(*opened);
    const auto account = store->write_now([](WriteTxn& t) { return t.ensure_account("a"); });
    EXPECT(account.has_value());
    const auto found =
        store->read_now([&](const ReadView& v) { return v.find_mailbox(account->id, "INBOX"); });
    EXPECT(found.has_value());
    inbox = {account->id, found->id};
  }
  bool readable(Uid uid) {
    const auto text = store->read_now([&](const ReadView& v) -> Result<std::string> {
      auto record = v.message(inbox, uid);
      if (!record) return tl::unexpected(record.error());
      std::string out;
      if (auto read = v.read_message(*record, 0, record->size, out); !read) {
        return tl::unexpected(read.error());
      }
      return out;
    });
    return text.has_value();
  }
  bool expunge(const std::vector<Uid>& uids) {
    const auto done =
        store->write_now([&](WriteTxn& txn) { return txn.expunge(inbox, uids, Remover{}); });
    return done.has_value() && done->removed.size() == uids.size();
  }
};

}  // namespace

TEST_CASE("below the reserve mail is refused, marking and expunging work") {
  Fixture f;
  f.append(mail_text(1));
  f.append(mail_text(2));
  f.options.reserve_bytes = std::uint64_t{1} << 60;
  f.reopen();
  const auto refused = f.store->write_now(
      [&](WriteTxn& txn) { return txn.append(f.inbox, request_of(mail_text(3))); });
  REQUIRE(code_of(refused) == ErrorCode::kDiskFull);
  CHECK(refused.error().message ==
        "the disk holding " + f.options.folder + " has less than the reserve of " +
            std::to_string((std::uint64_t{1} << 60) / (1024 * 1024)) + " MiB left");
  const std::vector<Uid> first{Uid(1)};
  FlagChange change;
  change.flags = bit(Flag::kSeen);
  f.write([&](WriteTxn& txn) { return txn.change_flags(f.inbox, first, change); });
  const MailboxKey trash = f.create("Trash");
  f.write([&](WriteTxn& txn) { return txn.move(f.inbox, first, trash, Remover{}); });
  f.write([&](WriteTxn& txn) { return txn.expunge(f.inbox, std::vector<Uid>{Uid(2)}, Remover{}); });
  f.options.reserve_bytes = 0;
  f.reopen();
  f.append(mail_text(3));
}

TEST_CASE("child: fills a file of limited size" * doctest::skip()) {
  ::signal(SIGXFSZ, SIG_IGN);
  StoreOptions options = options_for(child_argument(0));
  options.durable = true;
  ChildStore child(options);
  EXPECT(!fill(*child.store, child.inbox, 0, 100).refusal);
  const auto size = std::filesystem::file_size(options.folder + "/data.mdb");
  rlimit limit{};
  EXPECT(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
  limit.rlim_cur = size + 1024 * 1024;
  EXPECT(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  const Filled filled = fill(*child.store, child.inbox, 10'000, 20'000);
  EXPECT(filled.refusal == ErrorCode::kDiskFull || filled.refusal == ErrorCode::kIo);
  for (const Uid uid : filled.uids) EXPECT(child.readable(uid));
  // Once there is room again, it goes on without a reopening.
  limit.rlim_cur = limit.rlim_max;
  EXPECT(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  const Filled more = fill(*child.store, child.inbox, 20'000, 100);
  EXPECT(!more.refusal);
  EXPECT(child.expunge(filled.uids));
  child.store.reset();
  ::_exit(0);
}

TEST_CASE(
    "a file that can't grow fails the append, keeps what was acknowledged, and goes on later") {
  TempFolder folder;
  CHECK(ChildProcess("child: fills a file of limited size", {folder / "store"}).wait() == 0);
  CHECK(inconsistencies(folder / "store") == std::vector<std::string>{});
}

TEST_CASE("child: fills a small disk" * doctest::skip()) {
  const std::string folder = child_argument(0);
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("none", folder.c_str(), "tmpfs", 0, "size=24m") != 0) {
    ::_exit(255);
  }
  StoreOptions options = options_for(folder + "/store");
  options.durable = true;
  options.retention = std::chrono::seconds(0);
  options.reserve_bytes = 4 * 1024 * 1024;
  {
    // With the reserve: refused in time, and people can free what they like.
    ChildStore child(options);
    const Filled filled = fill(*child.store, child.inbox, 0, 50'000);
    EXPECT(filled.refusal == ErrorCode::kDiskFull);
    EXPECT(filled.uids.size() > 100);
    for (const Uid uid : filled.uids) EXPECT(child.readable(uid));
    EXPECT(child.expunge(filled.uids));
    // The reaper gives the pages back: mail is taken again, into the file as it is.
    bool taken = false;
    for (int i = 0; i < 200 && !taken; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      taken = !fill(*child.store, child.inbox, 50'000, 50'000).uids.empty();
    }
    EXPECT(taken);
  }
  EXPECT(inconsistencies(options.folder).empty());
  {
    // Without one: the disk itself says no.
    options.reserve_bytes = 0;
    ChildStore child(options);
    const Filled filled = fill(*child.store, child.inbox, 100'000, 50'000);
    EXPECT(filled.refusal == ErrorCode::kDiskFull || filled.refusal == ErrorCode::kIo);
    for (const Uid uid : filled.uids) EXPECT(child.readable(uid));
    Spool spool(child.store->spool_folder(), 0);
    Result<void> spooled;
    for (int i = 0; i < 1000 && spooled; ++i) spooled = spool.append(std::string(100'000, 'x'));
    EXPECT(code_of(spooled) == ErrorCode::kDiskFull);
  }
  EXPECT(inconsistencies(options.folder).empty());
  ::_exit(0);
}

TEST_CASE("a full disk") {
  TempFolder folder;
  const int status = ChildProcess("child: fills a small disk", {folder.path()}).wait();
  if (status == 255) {
    MESSAGE("skipped: no permission to mount a tmpfs");
    return;
  }
  CHECK(status == 0);
}
