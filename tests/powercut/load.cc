#include "tests/powercut/load.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "core/base/inline_executor.h"
#include "store/prepare.h"
#include "tests/powercut/model.h"
#include "tests/powercut/store_options.h"
#include "tests/powercut/trace.h"

namespace twinpost::powercut {

namespace {

using namespace twinpost::store;
using Kind = Operation::Kind;

const Remover kRemover{"user@example.org", "imap", "192.0.2.1"};

void mark(const std::string& text) { twinpost_trace_mark(text.data(), text.size()); }

std::vector<Uid> uids_of(const Operation& operation) {
  return {operation.uids.begin(), operation.uids.end()};
}

Result<void> expect(bool holds, const char* what) {
  if (holds) return {};
  return fail(ErrorCode::kInternal, what);
}

// One thread's account.
class Worker {
 public:
  Worker(Store& store, unsigned thread, std::uint64_t seed)
      : store_(store), thread_(thread), random_(seed * 1000 + thread) {}

  Result<void> prepare() {
    auto own = inbox_of(account_of(thread_));
    if (!own) return tl::unexpected(own.error());
    account_ = own->account;
    auto shared = inbox_of(kSharedAccount);
    if (!shared) return tl::unexpected(shared.error());
    shared_ = *shared;
    return {};
  }

  // Counts what it has done.
  Result<void> run(unsigned operations, std::atomic<unsigned>& done_so_far) {
    const std::string who = std::to_string(thread_);
    for (unsigned i = 0; i < operations; ++i) {
      const Operation operation = model_.choose(random_, next_number_);
      mark("B " + who + " " + operation.line());
      if (auto done = perform(operation); !done) {
        return fail(done.error().code,
                    "operation " + operation.line() + ": " + done.error().message);
      }
      mark("A " + who);
      model_.apply(operation);
      ++done_so_far;
    }
    auto found = describe(store_, thread_);
    if (!found) return tl::unexpected(found.error());
    return expect(*found == model_.lines(), "the store is not what the model says");
  }

 private:
  Result<MailboxKey> inbox_of(const std::string& name) {
    return store_.write_now([&](WriteTxn& txn) -> Result<MailboxKey> {
      auto account = txn.ensure_account(name);
      if (!account) return tl::unexpected(account.error());
      auto inbox = txn.find_mailbox(account->id, "INBOX");
      if (!inbox) return tl::unexpected(inbox.error());
      return MailboxKey{account->id, inbox->id};
    });
  }

  Result<void> perform(const Operation& operation) {
    const MailboxKey mailbox{account_, MailboxId(operation.mailbox)};
    switch (operation.kind) {
      case Kind::kAppend: return append(mailbox, operation);
      case Kind::kSharedAppend: return append(shared_, operation);
      case Kind::kSharedExpunge: return expunge_shared(operation.number);
      case Kind::kUndelete:
      case Kind::kForget: return on_removed(operation);
      case Kind::kCreate:
      case Kind::kDelete:
      case Kind::kRename: return on_mailbox(mailbox, operation);
      default: return on_messages(mailbox, operation);
    }
  }

  Result<void> append(MailboxKey mailbox, const Operation& operation) {
    Spool spool(store_.spool_folder(), 0);
    if (auto kept = spool.append(mail_of(operation.number)); !kept) return kept;
    if (auto finished = spool.finish(); !finished) return finished;
    auto message = prepare_message(std::move(spool), store_.coder());
    if (!message) return tl::unexpected(message.error());
    AppendRequest request;
    request.message = std::move(*message);
    request.flags = operation.flags;
    if (!operation.keyword.empty()) request.keywords = {operation.keyword};
    request.internal_date.time = unix_now();
    auto appended = store_.write_now([&](WriteTxn& txn) { return txn.append(mailbox, request); });
    if (!appended) return tl::unexpected(appended.error());
    if (operation.kind == Kind::kSharedAppend) shared_uids_[operation.number] = appended->uid;
    return {};
  }

  Result<void> expunge_shared(std::uint64_t number) {
    const std::vector<Uid> uids{shared_uids_.extract(number).mapped()};
    auto done =
        store_.write_now([&](WriteTxn& txn) { return txn.expunge(shared_, uids, kRemover); });
    if (!done) return tl::unexpected(done.error());
    return expect(done->removed == uids, "a shared message was not there");
  }

  Result<void> on_messages(MailboxKey mailbox, const Operation& operation) {
    const std::vector<Uid> uids = uids_of(operation);
    const MailboxKey target{account_, MailboxId(operation.target)};
    return store_.write_now([&](WriteTxn& txn) -> Result<void> {
      if (operation.kind == Kind::kFlags) {
        FlagChange change;
        change.operation = operation.change;
        change.flags = operation.flags;
        if (!operation.keyword.empty()) change.keywords = {operation.keyword};
        auto done = txn.change_flags(mailbox, uids, change);
        if (!done) return tl::unexpected(done.error());
        return {};
      }
      if (operation.kind == Kind::kExpunge) {
        auto done = txn.expunge(mailbox, uids, kRemover);
        if (!done) return tl::unexpected(done.error());
        return expect(done->removed == uids, "a message was not there");
      }
      auto done = operation.kind == Kind::kMove ? txn.move(mailbox, uids, target, kRemover)
                                                : txn.copy(mailbox, uids, target, Limits{});
      if (!done) return tl::unexpected(done.error());
      return expect(done->messages.size() == uids.size(), "a message was not there");
    });
  }

  Result<void> on_removed(const Operation& operation) {
    return store_.write_now([&](WriteTxn& txn) -> Result<void> {
      std::vector<RemovedId> ids;
      auto read = txn.for_each_removed(account_, UnixTime{}, [&](const RemovedMessage& row) {
        const bool wanted = row.id.mailbox.value() == operation.mailbox &&
                            std::find(operation.uids.begin(), operation.uids.end(),
                                      row.id.uid.value()) != operation.uids.end();
        if (wanted) ids.push_back(row.id);
        return true;
      });
      if (!read) return read;
      if (ids.size() != operation.uids.size()) {
        return fail(ErrorCode::kInternal, "a removed message is not there");
      }
      if (operation.kind == Kind::kForget) {
        auto done = txn.forget_removed(account_, ids);
        if (!done) return tl::unexpected(done.error());
        return expect(*done == ids.size(), "a removed message was not forgotten");
      }
      auto done = txn.undelete(account_, ids, MailboxId(operation.target), Limits{});
      if (!done) return tl::unexpected(done.error());
      return expect(done->messages.size() == ids.size(), "a removed message did not come back");
    });
  }

  Result<void> on_mailbox(MailboxKey mailbox, const Operation& operation) {
    return store_.write_now([&](WriteTxn& txn) -> Result<void> {
      if (operation.kind == Kind::kDelete) return txn.delete_mailbox(mailbox, kRemover);
      if (operation.kind == Kind::kCreate) {
        auto made = txn.create_mailbox(account_, operation.name, SpecialUse::kNone);
        if (!made) return tl::unexpected(made.error());
        return {};
      }
      auto info = txn.mailbox(mailbox);
      if (!info) return tl::unexpected(info.error());
      return txn.rename_mailbox(account_, info->name, operation.name);
    });
  }

  Store& store_;
  unsigned thread_;
  std::mt19937_64 random_;
  Model model_;
  std::uint64_t next_number_ = first_number(thread_);
  AccountId account_;
  MailboxKey shared_{};
  std::map<std::uint64_t, Uid> shared_uids_;
};

bool report(const Result<void>& result) {
  if (!result) std::fprintf(stderr, "load: %s\n", result.error().message.c_str());
  return result.has_value();
}

// How far the workers are.
struct Progress {
  std::atomic<unsigned> operations = 0;
  std::atomic<unsigned> running = 0;
};

// The data file is replaced by a compact one after a third of the load and after two, so that the
// power also fails while that is done and when the new one has everything.
Result<void> compact_meanwhile(Store& store, const Progress& progress, unsigned operations) {
  for (unsigned third = 1; third <= 2; ++third) {
    while (progress.operations < third * operations / 3) {
      if (progress.running == 0) return {};
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    auto done = store.compact([](std::string_view, std::uint64_t, std::uint64_t) { return true; });
    if (!done) return fail(done.error().code, "compaction: " + done.error().message);
  }
  return {};
}

bool run_workers(Store& store, const LoadOptions& options) {
  std::vector<Worker> workers;
  for (unsigned i = 0; i < options.threads; ++i) workers.emplace_back(store, i, options.seed);
  for (Worker& worker : workers) {
    if (!report(worker.prepare())) return false;
  }
  mark(kReady);
  std::atomic<bool> well = true;
  Progress progress;
  progress.running = options.threads;
  std::vector<std::thread> threads;
  for (Worker& worker : workers) {
    threads.emplace_back([&] {
      if (!report(worker.run(options.operations, progress.operations))) well = false;
      --progress.running;
    });
  }
  const unsigned all = options.threads * options.operations;
  if (!report(compact_meanwhile(store, progress, all))) well = false;
  for (std::thread& thread : threads) thread.join();
  return well;
}

}  // namespace

int run_load(const LoadOptions& options) {
  if (!twinpost_trace_begin(options.folder.c_str(), options.trace.c_str())) {
    std::perror(options.trace.c_str());
    return 2;
  }
  bool well = false;
  {
    InlineExecutor executor;
    auto store = Store::open(store_options(options.folder, options.durable), executor);
    if (!store) {
      std::fprintf(stderr, "load: %s\n", store.error().message.c_str());
      return 2;
    }
    well = run_workers(**store, options);
  }
  if (!twinpost_trace_end()) {
    std::fprintf(stderr, "load: the trace could not be written\n");
    return 2;
  }
  return well ? 0 : 1;
}

}  // namespace twinpost::powercut
