// kill -9 under load: what was acknowledged is there, once; nothing half-written shows.
#include <charconv>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <unistd.h>

#include "tests/store/child_process.h"
#include "tests/store/consistency.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

constexpr unsigned kThreads = 4;
constexpr unsigned kPerRound = 1'000'000;  // numbers of one round; a thread has its share of them

void acknowledge(char what, unsigned number) {
  const std::string line = what + std::to_string(number) + "\n";
  (void)!::write(kChildPipe, line.data(),
                 line.size());  // shorter than PIPE_BUF: whole or not at all
}

// Appends without end; removes some of what it appended; acknowledges each when it was told that it is done.
void deliver(Store& store, MailboxKey inbox, unsigned first) {
  std::mt19937 random(first);
  for (unsigned number = first;; ++number) {
    const AppendRequest request = request_of(mail_text(number, random() % 20'000));
    const auto done = store.write_now([&](WriteTxn& txn) { return txn.append(inbox, request); });
    if (!done) ::_exit(3);
    acknowledge('+', number);
    std::vector<Uid> uids{done->uid};
    if (random() % 4 == 0) {  // the same message under another UID
      const auto moved =
          store.write_now([&](WriteTxn& txn) { return txn.move(inbox, uids, inbox, Remover{}); });
      if (!moved || moved->messages.size() != 1) ::_exit(5);
      uids = {moved->messages[0].target};
    }
    if (random() % 3 != 0) continue;
    const auto gone =
        store.write_now([&](WriteTxn& txn) { return txn.expunge(inbox, uids, Remover{}); });
    if (!gone || gone->removed.size() != 1) ::_exit(4);
    acknowledge('-', number);
  }
}

struct Acknowledged {
  std::set<unsigned> appended;
  std::set<unsigned> removed;
  void take(const std::string& lines) {
    std::istringstream in(lines);
    for (std::string line; std::getline(in, line);) {
      unsigned number = 0;
      std::from_chars(line.data() + 1, line.data() + line.size(), number);
      (line[0] == '+' ? appended : removed).insert(number);
    }
  }
};

}  // namespace

TEST_CASE("child: delivers until it is killed" * doctest::skip()) {
  InlineExecutor executor;
  StoreOptions options = options_for(child_argument(0));
  options.durable = true;
  options.retention = std::chrono::seconds(0);
  const auto first = static_cast<unsigned>(std::stoul(child_argument(1)));
  auto store = Store::open(options, executor);
  if (!store) {
    acknowledge('!', 0);
    ::_exit(2);
  }
  const auto inbox = (*store)->write_now([](WriteTxn& txn) -> Result<MailboxKey> {
    auto account = txn.ensure_account("ann@example.org");
    if (!account) return tl::unexpected(account.error());
    auto found = txn.find_mailbox(account->id, "INBOX");
    if (!found) return tl::unexpected(found.error());
    return MailboxKey{account->id, found->id};
  });
  if (!inbox) ::_exit(2);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] { deliver(**store, *inbox, first + t * (kPerRound / kThreads)); });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_CASE("after kill -9 at random moments every acknowledged message is there once") {
  const char* more = std::getenv("TWINPOST_CRASH_ROUNDS");
  const int rounds = more != nullptr ? std::atoi(more) : 12;
  std::random_device device;
  const unsigned seed = device();
  MESSAGE("seed " << seed);
  std::mt19937 random(seed);
  TempFolder folder;
  const std::string path = folder / "store";
  Acknowledged all;
  for (int round = 1; round <= rounds; ++round) {
    CAPTURE(round);
    const std::string first = std::to_string(static_cast<unsigned>(round) * kPerRound);
    ChildProcess child("child: delivers until it is killed", {path, first});
    std::string lines = child.read();  // it has begun
    REQUIRE(!lines.empty());
    std::thread killer([&child, delay = random() % 150'000] {
      std::this_thread::sleep_for(std::chrono::microseconds(delay));
      child.kill();
    });
    for (std::string more_lines = child.read(); !more_lines.empty(); more_lines = child.read()) {
      lines += more_lines;
    }
    killer.join();
    CHECK(child.wait() == -9);
    all.take(lines);
    CHECK(inconsistencies(path) == std::vector<std::string>{});
    InlineExecutor executor;
    auto store = must(Store::open(options_for(path), executor));
    std::map<unsigned, unsigned> found;
    must(store->read_now([&](const ReadView& v) -> Result<int> {
      const AccountInfo account = must(v.account("ann@example.org"));
      const MailboxKey inbox{account.id, must(v.find_mailbox(account.id, "INBOX")).id};
      must(v.for_each_message(inbox, {Uid(1), Uid(~0U)}, [&](const MessageRecord& record) {
        const std::string text = read_whole(v, record);
        unsigned number = 0;
        const char* at = text.data() + text.find("Subject: number ") + 16;
        std::from_chars(at, text.data() + text.size(), number);
        ++found[number];
        return true;
      }));
      return 0;
    }));
    // Who was killed between a commit and its acknowledgement may find more done than was said, never less.
    for (const unsigned number : all.appended) {
      const unsigned times = found.contains(number) ? found[number] : 0;
      if (all.removed.contains(number)) {
        CHECK(times == 0);
      } else if (times != 1) {
        // Perhaps its removal was committed and not acknowledged: then it is the last that its thread did.
        CHECK(times == 0);
        CHECK(!all.appended.contains(number + 1));
      }
    }
    for (const auto& [number, times] : found) CHECK(times == 1);
  }
  CHECK(all.appended.size() > static_cast<std::size_t>(rounds));
}
