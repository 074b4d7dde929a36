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

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>

#include "core/base/error.h"
#include "core/base/executor.h"
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

  // Keeps the bytes of these blobs readable until the pin goes, whatever is removed and reaped meanwhile. Take it
  // in the same read() that found the blobs (pin_blobs may be called from there). Any thread.
  class Pin {
   public:
    virtual ~Pin() = default;
  };
  [[nodiscard]] virtual std::unique_ptr<Pin> pin_blobs(std::vector<BlobId> blobs) = 0;

  [[nodiscard]] virtual std::uint64_t store_id() const = 0;           // random, made with the store
  [[nodiscard]] virtual const std::string& spool_folder() const = 0;  // for Spool, on the same disk
  [[nodiscard]] virtual StoreFigures figures() const = 0;             // any thread
  // How long reaping waits, changed by a configuration reload. Loop thread.
  virtual void set_retention(std::chrono::seconds retention) = 0;

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
