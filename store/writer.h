// The writer: one thread that runs every change, many in one transaction, and tells the callers
// after the commit.
//
// It takes what is waiting, runs it in one engine transaction and commits once: under load the
// batches grow by themselves, there is no delay. Where a function fails, its batch is rolled back;
// those before it run again in one transaction, the failed one alone, and those after it in the
// next: nobody pays for a neighbour with more than a repetition. Where the commit itself fails,
// each runs again alone. Between batches it does the chores: the reaper's steps, while nothing is
// waiting or once they are overdue, and the check for dead readers.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "core/base/executor.h"
#include "store/batch.h"
#include "store/change_log.h"
#include "store/disk_reserve.h"
#include "store/engine/engine.h"
#include "store/holds.h"
#include "store/pins.h"
#include "store/reaper.h"
#include "store/store.h"

namespace twinpost::store {

// Who hears of commits. On the loop thread, but for close().
class Listeners {
 public:
  std::uint64_t add(std::function<void(const MailboxChanged&)> listener);
  void remove(std::uint64_t id) { listeners_.erase(id); }
  void tell(const std::vector<MailboxChanged>& changes);
  void on_quota_passed(std::function<void(const QuotaPassed&)> listener) {
    on_quota_passed_ = std::move(listener);
  }
  void tell(const std::vector<QuotaPassed>& passed);
  void close() { closed_ = true; }  // the store is going; what was posted before finds nobody

 private:
  std::map<std::uint64_t, std::function<void(const MailboxChanged&)>> listeners_;
  std::function<void(const QuotaPassed&)> on_quota_passed_;
  std::uint64_t next_ = 1;
  bool closed_ = false;
};

class Writer {
 public:
  using Function = std::function<Result<void>(WriteTxn&)>;
  using Done = std::function<void(Result<void>)>;

  // What it works with; all of it outlives it.
  struct Parts {
    engine::Environment& environment;
    const Tables& tables;
    const BodyCoder& coder;
    DiskReserve& reserve;
    PinTable& pins;
    HoldTable& holds;
    ChangeLog& change_log;
    Executor& executor;
  };
  // `opened_at`: the commit that was the last when the store was opened.
  Writer(const Parts& parts, std::shared_ptr<Listeners> listeners, const Reaper::Keep& keep,
         std::uint64_t opened_at);
  // Runs what is queued to its end.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // `done` is called on the loop thread. Any thread.
  void submit(Function function, Done done);
  // Waits for it. Any thread but the writer's (kInternal there).
  [[nodiscard]] Result<void> run(const Function& function);

  // Work of the store's own on its tables, in a transaction of its own; waits for it. Any thread but
  // the writer's.
  [[nodiscard]] Result<void> run_batch(const std::function<Result<void>(Batch&)>& function);
  // Calls the function on the writer's thread while there is no transaction; waits for it. After it
  // the engine may have begun to count its commits anew. Any thread but the writer's.
  [[nodiscard]] Result<void> run_between(const std::function<Result<void>()>& function);

  // What is committed later is dated this or later. Any thread.
  [[nodiscard]] UnixTime seen_before() const;

  void set_keep(const Reaper::Keep& keep);     // any thread
  void wake_reaper();                          // any thread
  [[nodiscard]] StoreFigures figures() const;  // any thread

 private:
  // One of the three functions.
  struct Job {
    Function function;
    std::function<Result<void>(Batch&)> on_batch;
    std::function<Result<void>()> between;
    Done done;
    bool on_loop = true;
    Result<void> result;
  };
  // How one transaction over some jobs went.
  struct Attempt {
    std::size_t ran = 0;  // so many from the front are committed
    bool committed = false;
    bool failed_alone = false;  // not committed: the one at `ran` failed; else the commit itself
    Error error;
    std::vector<MailboxChanged> changes;
    std::vector<QuotaPassed> quota_passed;
  };

  void loop();
  void process(std::span<Job> jobs);
  [[nodiscard]] Attempt attempt(std::span<Job> jobs);
  [[nodiscard]] static Result<void> call(const Job& job, Batch& batch);
  [[nodiscard]] Result<void> wait_for(Job job);
  void finish(std::span<Job> jobs, Attempt done);
  void count_commit(SteadyTime began);
  void announce(const Batch& batch);
  void do_chores();
  void reap();

  Parts parts_;
  std::shared_ptr<Listeners> listeners_;
  Reaper reaper_;                 // writer thread
  SteadyTime next_reader_check_;  // writer thread

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;  // under mutex_
  bool stopping_ = false;  // under mutex_
  SteadyTime reap_at_;     // under mutex_
  Reaper::Keep keep_;      // under mutex_

  std::atomic<std::int64_t> batch_began_{0};  // unix time of the batch that runs; 0: none
  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> writes_{0};
  std::atomic<std::uint64_t> write_failures_{0};
  std::atomic<std::uint64_t> batch_retries_{0};
  std::atomic<std::uint64_t> reaped_blobs_{0};
  std::atomic<std::uint64_t> forgotten_removals_{0};
  std::array<std::atomic<std::uint64_t>, StoreFigures::kCommitBounds.size() + 1> commits_by_time_{};
  std::atomic<std::uint64_t> commit_microseconds_{0};

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace twinpost::store
