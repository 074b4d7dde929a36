// The store: every account's mailboxes and messages, in one transactional environment.
//
// Two verbs, both awaitable on the loop:
//
//   auto info = co_await store.read([&](const ReadView& view) { return view.mailbox(key); });
//   auto done = co_await store.write([&](WriteTxn& txn) { return txn.append(key, request); });
//
// read() runs its function on a worker, in one read transaction; keep it short (about 256 KiB of output or
// 20 ms) and go on with another. write() queues its function for the writer thread, which runs everything that
// is waiting in one transaction, commits once, and resumes the callers after the commit is on disk. Reads
// never wait for writes.
//
// A function given to write() may run more than once (when a neighbour in its batch fails, the batch is rolled back
// and each change runs again alone): it must compute its result afresh each time and have no other effect. Both
// verbs' functions return Result<T>; what the engine itself fails with (kDiskFull, kIo, kCorrupt) comes back
// the same way. A write function that returns an error has changed nothing: its transaction is rolled back.
// An exception in a function fails that call with kInternal.
//
// Promises of the commit path: durable before the caller hears; a failed batch never takes a neighbour with it; with less
// than the reserve left on the disk, append() fails with kDiskFull while everything that frees or marks still works.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>

#include "core/base/error.h"
#include "core/base/executor.h"
#include "store/body_codec.h"
#include "store/check.h"
#include "store/read_view.h"
#include "store/types.h"
#include "store/write_txn.h"

namespace twinpost::store {

struct StoreOptions {
  std::string folder;                                     // made if missing (0700)
  std::uint64_t map_size_bytes = std::uint64_t{1} << 40;  // address space, not disk
  std::uint64_t reserve_bytes = 256 * 1024 * 1024;  // kept free so that people can always expunge
  unsigned max_readers = 1024;
  bool read_only = false;                          // tools beside a running server
  bool durable = true;                             // false only in tests and benches
  std::chrono::seconds retention{14 * 24 * 3600};  // how long `removed` keeps; 0: reaped at once
  // What `removed` keeps of one account, the oldest going first; 0: no limit.
  std::uint64_t removed_bytes = 0;
  std::uint64_t removed_messages = 0;
  // How bodies are kept from now on (body_codec.h). kPermission where the store was encrypted with keys that
  // are not among these.
  bool compression = false;
  KeyringPtr keys;
};

// How far a long piece of work has come: what is being done, and so many of so many (of messages, octets,
// pages: the phase says; total 0: not known). Returns false to end it (kShutdown). Called on the thread that works.
using Progress =
    std::function<bool(std::string_view phase, std::uint64_t done, std::uint64_t total)>;

// The data file and what is in it.
struct StoreSpace {
  std::uint64_t file_octets = 0;
  std::uint64_t free_octets = 0;  // of these: of pages that are free to be written again
  std::uint64_t disk_free_octets = 0;
  std::uint64_t reserve_octets = 0;
  std::uint64_t last_commit = 0;
  // How many commits the oldest running reader (of this process) lies behind: what it holds up is not reused.
  std::uint64_t oldest_reader_lag = 0;
  unsigned readers = 0;
  std::uint32_t format = 0;
};

// Counters for metrics and tests.
struct StoreFigures {
  std::uint64_t commits = 0;
  std::uint64_t writes = 0;  // functions run to success
  std::uint64_t write_failures = 0;
  std::uint64_t batch_retries = 0;  // batches that were rolled back and run one by one
  std::uint64_t queued = 0;         // waiting now
  // Calls of changes_since() that had to look at every message of their mailbox.
  std::uint64_t change_scans = 0;
  // Commits by how long they took, the writer's own part of it included: upper bounds in microseconds are
  // kCommitBounds, the last one counts the longer ones. And their sum.
  static constexpr std::array<std::uint64_t, 7> kCommitBounds{500,    1'000,  2'500,  5'000,
                                                              10'000, 50'000, 250'000};
  std::array<std::uint64_t, kCommitBounds.size() + 1> commits_by_time{};
  std::uint64_t commit_microseconds = 0;
  std::uint64_t reaped_blobs = 0;
  std::uint64_t forgotten_removals = 0;  // whose retention was over, or for which there was no room
};

class Store {
 public:
  // Opens or creates. Fails clearly: kInUse where another process has it open for writing, kNewerFormat where a
  // newer version wrote it, kPermission/kIo with the path. Starts the writer and the reaper. Loop thread.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(StoreOptions options,
                                                           Executor& executor);

  // Runs what is queued to its end, commits it, stops the threads. Nobody may be waiting on it any more.
  virtual ~Store() = default;

  template <class F>
  [[nodiscard]] auto read(F function);  // awaitable of what F returns, a Result
  template <class F>
  [[nodiscard]] auto write(F function);

  // The same without a loop, blocking: tools, tests, and start-up.
  template <class F>
  [[nodiscard]] auto read_now(F function) -> std::invoke_result_t<F&, const ReadView&>;
  template <class F>
  [[nodiscard]] auto write_now(F function) -> std::invoke_result_t<F&, WriteTxn&>;

  // Calls `listener` on the loop after each commit, once for each mailbox that it changed. Returns an id for unsubscribe().
  virtual std::uint64_t subscribe(std::function<void(const MailboxChanged&)> listener) = 0;
  virtual void unsubscribe(std::uint64_t id) = 0;

  // Calls `listener` on the loop after a commit in which an account passed one of its quota's thresholds.
  // One listener; nullptr: none.
  virtual void on_quota_passed(std::function<void(const QuotaPassed&)> listener) = 0;

  // Keeps the bytes of these blobs readable until the pin goes, whatever is removed and reaped meanwhile. Take it
  // in the same read() that found the blobs (pin_blobs may be called from there). Any thread.
  class Pin {
   public:
    virtual ~Pin() = default;
  };
  [[nodiscard]] virtual std::unique_ptr<Pin> pin_blobs(std::vector<BlobId> blobs) = 0;

  // A session that has a mailbox open and whose client has not been told of the latest removals: what left
  // the mailbox at or after `since` stays readable (ReadView::removed_message), whatever its retention is,
  // until the hold is moved on or goes. Any thread; a hold itself, one at a time.
  class RemovalHold {
   public:
    virtual ~RemovalHold() = default;
    virtual void move_on(UnixTime since) = 0;
  };
  [[nodiscard]] virtual std::unique_ptr<RemovalHold> hold_removals(MailboxKey mailbox,
                                                                   UnixTime since) = 0;
  // A read that begins after this call sees every removal from before this time. Any thread.
  [[nodiscard]] virtual UnixTime removals_seen_before() const = 0;

  // How bodies are encoded now: for prepare_message(). Any thread.
  [[nodiscard]] virtual const BodyCoder& coder() const = 0;

  // Long work on the whole store, blocking, on a thread that is neither the loop's nor the writer's; the
  // store goes on serving meanwhile. One at a time (kInUse).
  //
  // Rewrites every body that is not kept as the options say (another key, or none; not compressed):
  // returns how many were rewritten.
  [[nodiscard]] virtual Result<std::uint64_t> recode(const Progress& progress) = 0;
  // Writes the data file anew without its free pages and puts it in the old one's place, at a moment when
  // nobody reads or writes. kDiskFull where the disk has no room for both.
  struct Compacted {
    std::uint64_t octets_before = 0;
    std::uint64_t octets_after = 0;
  };
  [[nodiscard]] virtual Result<Compacted> compact(const Progress& progress) = 0;
  // check.h. With `repair`, what derives from the messages is made anew; kPermission in a store that is open for
  // reading only.
  [[nodiscard]] virtual Result<CheckReport> check(const CheckOptions& options,
                                                  const Progress& progress) = 0;

  [[nodiscard]] virtual Result<StoreSpace> space() = 0;  // walks the list of free pages; any thread
  [[nodiscard]] virtual std::uint64_t store_id() const = 0;           // random, made with the store
  [[nodiscard]] virtual const std::string& spool_folder() const = 0;  // for Spool, on the same disk
  [[nodiscard]] virtual StoreFigures figures() const = 0;             // any thread
  // How long reaping waits, changed by a configuration reload. Loop thread.
  virtual void set_retention(std::chrono::seconds retention) = 0;
  virtual void set_removed_limits(std::uint64_t bytes, std::uint64_t messages) = 0;

 protected:
  // The untyped forms under the templates. `done` is called on the loop thread.
  using ReadFunction = std::function<Result<void>(const ReadView&)>;
  using WriteFunction = std::function<Result<void>(WriteTxn&)>;
  virtual void submit_read(ReadFunction function, std::function<void(Result<void>)> done) = 0;
  virtual void submit_write(WriteFunction function, std::function<void(Result<void>)> done) = 0;
  virtual Result<void> run_read(const ReadFunction& function) = 0;
  virtual Result<void> run_write(const WriteFunction& function) = 0;
};

}  // namespace twinpost::store

#include "store/store_awaitables.h"
