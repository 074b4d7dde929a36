#include "store/writer.h"

#include <algorithm>
#include <exception>
#include <future>
#include <utility>

#include "core/base/log.h"
#include "store/transaction.h"

namespace twinpost::store {

namespace {

using namespace std::chrono_literals;

// What bounds a batch, and with it the wait of those who come next.
constexpr std::size_t kBatchFunctions = 1000;
constexpr std::uint64_t kBatchOctets = 64 * 1024 * 1024;

constexpr auto kReaderCheckEvery = 60s;
constexpr auto kReaperPatience = 1s;      // how long a busy queue may keep the reaper waiting
constexpr auto kSparedAgainAfter = 1s;    // blobs that a running reader may see
constexpr auto kReaperLongestSleep = 1h;  // whatever the clock does
constexpr auto kReaperAfterFailure = 10s;

}  // namespace

std::uint64_t Listeners::add(std::function<void(const MailboxChanged&)> listener) {
  listeners_.emplace(next_, std::move(listener));
  return next_++;
}

// A listener may add or remove listeners, itself included.
void Listeners::tell(const std::vector<MailboxChanged>& changes) {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, listener] : listeners_) ids.push_back(id);
  for (const MailboxChanged& change : changes) {
    for (const std::uint64_t id : ids) {
      if (closed_) return;
      const auto entry = listeners_.find(id);
      if (entry == listeners_.end()) continue;
      const auto listener = entry->second;
      listener(change);
    }
  }
}

Writer::Writer(engine::Environment& environment, const Tables& tables, DiskReserve& reserve,
               PinTable& pins, ChangeLog& change_log, Executor& executor,
               std::shared_ptr<Listeners> listeners, std::chrono::seconds retention,
               std::uint64_t opened_at)
    : environment_(environment),
      tables_(tables),
      reserve_(reserve),
      change_log_(change_log),
      executor_(executor),
      listeners_(std::move(listeners)),
      reaper_(environment, tables, pins, opened_at),
      next_reader_check_(steady_now() + kReaderCheckEvery),
      reap_at_(steady_now()),
      retention_(retention),
      thread_([this] { loop(); }) {}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Writer::submit(Function function, Done done) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(Job{std::move(function), std::move(done), true, {}});
  }
  wake_.notify_one();
}

Result<void> Writer::run(const Function& function) {
  if (std::this_thread::get_id() == thread_.get_id()) {
    return fail(ErrorCode::kInternal, "a write inside a write");
  }
  std::promise<Result<void>> promise;
  auto future = promise.get_future();
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(Job{[&function](WriteTxn& txn) { return function(txn); },
                         [&promise](Result<void> result) { promise.set_value(std::move(result)); },
                         false,
                         {}});
  }
  wake_.notify_one();
  return future.get();
}

void Writer::set_retention(std::chrono::seconds retention) {
  {
    const std::lock_guard lock(mutex_);
    retention_ = retention;
    reap_at_ = steady_now();
  }
  wake_.notify_one();
}

void Writer::wake_reaper() {
  {
    const std::lock_guard lock(mutex_);
    reap_at_ = std::min(reap_at_, steady_now());
  }
  wake_.notify_one();
}

StoreFigures Writer::figures() const {
  StoreFigures figures;
  figures.commits = commits_;
  figures.writes = writes_;
  figures.write_failures = write_failures_;
  figures.batch_retries = batch_retries_;
  figures.change_scans = change_log_.scans();
  const std::lock_guard lock(mutex_);
  figures.queued = queue_.size();
  return figures;
}

void Writer::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const SteadyTime chores_at = std::min(reap_at_, next_reader_check_);
    if (queue_.empty()) {
      if (stopping_) return;
      if (steady_now() < chores_at) {
        wake_.wait_until(lock, chores_at);
        continue;
      }
    }
    const bool overdue = steady_now() >= chores_at + kReaperPatience;
    if (queue_.empty() || (overdue && !stopping_)) {
      lock.unlock();
      do_chores();
      lock.lock();
      continue;
    }
    std::vector<Job> jobs;
    const std::size_t count = std::min(queue_.size(), kBatchFunctions);
    std::move(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count),
              std::back_inserter(jobs));
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
    lock.unlock();
    process(jobs);
    lock.lock();
  }
}

// Ends with every job finished, in order.
void Writer::process(std::span<Job> jobs) {
  while (!jobs.empty()) {
    Attempt tried = attempt(jobs);
    if (tried.committed) {
      finish(jobs.first(tried.ran), std::move(tried.changes));
      jobs = jobs.subspan(tried.ran);
      continue;
    }
    if (jobs.size() == 1) {
      jobs.front().result = tl::unexpected(std::move(tried.error));
      finish(jobs, {});
      return;
    }
    ++batch_retries_;
    if (tried.failed_alone) {
      process(jobs.first(tried.ran));
      process(jobs.subspan(tried.ran, 1));
      jobs = jobs.subspan(tried.ran + 1);
    } else {
      for (; !jobs.empty(); jobs = jobs.subspan(1)) process(jobs.first(1));
    }
  }
}

Result<void> Writer::call(const Function& function, Batch& batch) {
  Result<void> result;
  try {
    Transaction transaction(batch);
    result = function(transaction);
  } catch (const std::exception& e) {
    return fail(ErrorCode::kInternal, std::string("exception in a write: ") + e.what());
  } catch (...) {
    return fail(ErrorCode::kInternal, "exception in a write");
  }
  if (result && batch.spoiled()) return tl::unexpected(*batch.spoiled());
  return result;
}

Writer::Attempt Writer::attempt(std::span<Job> jobs) {
  Attempt tried;
  auto txn = environment_.begin_write();
  if (!txn) {
    tried.error = std::move(txn.error());
    return tried;
  }
  Batch batch(**txn, tables_, reserve_);
  while (tried.ran < jobs.size() && batch.octets() < kBatchOctets) {
    auto result = call(jobs[tried.ran].function, batch);
    if (!result) {
      tried.failed_alone = true;
      tried.error = std::move(result.error());
      return tried;
    }
    ++tried.ran;
  }
  auto committed = batch.finish();
  // Before anybody can see the changes.
  if (committed) change_log_.publish(batch.touched());
  if (committed) committed = (*txn)->commit();
  if (!committed) {
    tried.error = std::move(committed.error());
    return tried;
  }
  ++commits_;
  tried.committed = true;
  for (const auto& [key, change] : batch.changes()) tried.changes.push_back(change);
  if (batch.removed()) {
    const std::lock_guard lock(mutex_);
    const SteadyTime expiry =
        steady_now() + std::min<std::chrono::seconds>(retention_, kReaperLongestSleep);
    reap_at_ = std::min(reap_at_, expiry);
  }
  return tried;
}

// Announcements first: whoever resumes finds everybody informed.
void Writer::finish(std::span<Job> jobs, std::vector<MailboxChanged> changes) {
  struct Finished {
    Done done;
    Result<void> result;
  };
  auto finished = std::make_shared<std::vector<Finished>>();
  std::vector<Finished> waiting_threads;
  for (Job& job : jobs) {
    ++(job.result ? writes_ : write_failures_);
    auto& list = job.on_loop ? *finished : waiting_threads;
    list.push_back({std::move(job.done), std::move(job.result)});
    job.function = nullptr;
  }
  if (!finished->empty() || !changes.empty()) {
    executor_.post([finished, changes = std::move(changes), listeners = listeners_] {
      listeners->tell(changes);
      for (Finished& one : *finished) one.done(std::move(one.result));
    });
  }
  for (Finished& one : waiting_threads) one.done(std::move(one.result));
}

void Writer::do_chores() {
  const SteadyTime now = steady_now();
  if (now >= next_reader_check_) {
    next_reader_check_ = now + kReaderCheckEvery;
    auto dead = environment_.release_dead_readers();
    if (!dead) log::warning("reader-check", {{"error", dead.error().message}});
    if (dead && *dead > 0) log::info("reader-check", {{"dead", *dead}});
  }
  bool due = false;
  {
    const std::lock_guard lock(mutex_);
    due = now >= reap_at_;
    // Set anew below; what comes in meanwhile (a removal, a pin that goes) may only bring it
    // forward.
    if (due) reap_at_ = now + kReaperLongestSleep;
  }
  if (due) reap();
}

void Writer::reap() {
  std::chrono::seconds retention{};
  {
    const std::lock_guard lock(mutex_);
    retention = retention_;
  }
  Result<Reaper::Step> step;
  auto txn = environment_.begin_write();
  if (!txn) {
    step = failed(txn);
  } else {
    Batch batch(**txn, tables_, reserve_);
    step = reaper_.step(batch, retention);
    if (step && step->progress) {
      auto committed = batch.finish();
      if (committed) committed = (*txn)->commit();
      if (!committed) step = failed(committed);
      if (committed) ++commits_;
    }
  }
  std::chrono::steady_clock::duration pause = kReaperLongestSleep;
  if (!step) {
    log::warning("reaper", {{"error", step.error().message}});
    reaper_.start_over();
    pause = kReaperAfterFailure;
  } else if (step->progress) {
    pause = 0s;
  } else {
    if (step->waiting) pause = kSparedAgainAfter;
    if (step->next_expiry) {
      const auto until = std::max<std::chrono::seconds>(*step->next_expiry - unix_now(), 1s);
      pause = std::min<std::chrono::steady_clock::duration>(pause, until);
    }
  }
  const std::lock_guard lock(mutex_);
  reap_at_ = std::min(reap_at_, steady_now() + pause);
}

}  // namespace twinpost::store
