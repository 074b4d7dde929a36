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
constexpr auto kTrimAfter = 1s;  // a removal, where what is kept is limited

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

void Listeners::tell(const std::vector<QuotaPassed>& passed) {
  const auto listener = on_quota_passed_;
  if (closed_ || !listener) return;
  for (const QuotaPassed& one : passed) listener(one);
}

Writer::Writer(const Parts& parts, std::shared_ptr<Listeners> listeners, const Reaper::Keep& keep,
               std::uint64_t opened_at)
    : parts_(parts),
      listeners_(std::move(listeners)),
      reaper_(parts.environment, parts.tables, parts.pins, parts.holds, opened_at),
      next_reader_check_(steady_now() + kReaderCheckEvery),
      reap_at_(steady_now()),
      keep_(keep),
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
  Job job;
  job.function = std::move(function);
  job.done = std::move(done);
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
}

Result<void> Writer::wait_for(Job job) {
  if (std::this_thread::get_id() == thread_.get_id()) {
    return fail(ErrorCode::kInternal, "a write inside a write");
  }
  std::promise<Result<void>> promise;
  auto future = promise.get_future();
  job.on_loop = false;
  job.done = [&promise](Result<void> result) { promise.set_value(std::move(result)); };
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
  return future.get();
}

Result<void> Writer::run(const Function& function) {
  Job job;
  job.function = [&function](WriteTxn& txn) { return function(txn); };
  return wait_for(std::move(job));
}

Result<void> Writer::run_batch(const std::function<Result<void>(Batch&)>& function) {
  Job job;
  job.on_batch = function;
  return wait_for(std::move(job));
}

Result<void> Writer::run_between(const std::function<Result<void>()>& function) {
  Job job;
  job.between = function;
  return wait_for(std::move(job));
}

UnixTime Writer::seen_before() const {
  // In this order: a batch that begins after it was looked for is dated now or later.
  const UnixTime now = unix_now();
  const std::int64_t began = batch_began_;
  return began == 0 ? now : std::min(now, UnixTime(std::chrono::seconds(began)));
}

void Writer::set_keep(const Reaper::Keep& keep) {
  {
    const std::lock_guard lock(mutex_);
    keep_ = keep;
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
  figures.change_scans = parts_.change_log.scans();
  figures.reaped_blobs = reaped_blobs_;
  figures.forgotten_removals = forgotten_removals_;
  figures.commit_microseconds = commit_microseconds_;
  for (std::size_t i = 0; i < commits_by_time_.size(); ++i) {
    figures.commits_by_time[i] = commits_by_time_[i];
  }
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
    std::size_t count = 1;  // what runs between transactions is alone
    if (!queue_.front().between) {
      const auto next_between = std::find_if(queue_.begin(), queue_.end(),
                                             [](const Job& job) { return job.between != nullptr; });
      count = std::min(static_cast<std::size_t>(next_between - queue_.begin()), kBatchFunctions);
    }
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
  if (jobs.front().between) {
    jobs.front().result = jobs.front().between();
    auto stats = parts_.environment.stats();
    if (stats) reaper_.commits_begin_anew(stats->last_commit);
    finish(jobs, {});
    return;
  }
  while (!jobs.empty()) {
    Attempt tried = attempt(jobs);
    if (tried.committed) {
      const std::size_t ran = tried.ran;
      finish(jobs.first(ran), std::move(tried));
      jobs = jobs.subspan(ran);
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

Result<void> Writer::call(const Job& job, Batch& batch) {
  Result<void> result;
  try {
    if (job.on_batch) {
      result = job.on_batch(batch);
    } else {
      Transaction transaction(batch);
      result = job.function(transaction);
    }
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
  const SteadyTime began = steady_now();
  batch_began_ = unix_now().time_since_epoch().count();
  const struct Ended {
    std::atomic<std::int64_t>& began;
    ~Ended() { began = 0; }
  } ended{batch_began_};
  auto txn = parts_.environment.begin_write();
  if (!txn) {
    tried.error = std::move(txn.error());
    return tried;
  }
  Batch batch(**txn, parts_.tables, parts_.reserve, parts_.coder);
  while (tried.ran < jobs.size() && batch.octets() < kBatchOctets) {
    auto result = call(jobs[tried.ran], batch);
    if (!result) {
      tried.failed_alone = true;
      tried.error = std::move(result.error());
      return tried;
    }
    ++tried.ran;
  }
  auto committed = batch.finish();
  // Before anybody can see the changes.
  if (committed) parts_.change_log.publish(batch.touched());
  if (committed) committed = (*txn)->commit();
  if (!committed) {
    tried.error = std::move(committed.error());
    return tried;
  }
  count_commit(began);
  tried.committed = true;
  for (const auto& [key, change] : batch.changes()) tried.changes.push_back(change);
  tried.quota_passed = batch.quota_passed();
  if (batch.reapable()) wake_reaper();
  if (batch.removed()) {
    const std::lock_guard lock(mutex_);
    const bool is_limited = keep_.bytes != 0 || keep_.messages != 0;  // perhaps it is too much now
    const auto wait = is_limited
                          ? std::min<std::chrono::seconds>(keep_.retention, kTrimAfter)
                          : std::min<std::chrono::seconds>(keep_.retention, kReaperLongestSleep);
    reap_at_ = std::min(reap_at_, steady_now() + wait);
  }
  return tried;
}

void Writer::count_commit(SteadyTime began) {
  ++commits_;
  const auto took = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(steady_now() - began).count());
  const auto& bounds = StoreFigures::kCommitBounds;
  const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), took) - bounds.begin();
  ++commits_by_time_[static_cast<std::size_t>(bucket)];
  commit_microseconds_ += took;
}

// Announcements first: whoever resumes finds everybody informed.
void Writer::finish(std::span<Job> jobs, Attempt done) {
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
  if (!finished->empty() || !done.changes.empty() || !done.quota_passed.empty()) {
    parts_.executor.post([finished, changes = std::move(done.changes),
                          passed = std::move(done.quota_passed), listeners = listeners_] {
      listeners->tell(changes);
      listeners->tell(passed);
      for (Finished& one : *finished) one.done(std::move(one.result));
    });
  }
  for (Finished& one : waiting_threads) one.done(std::move(one.result));
}

void Writer::announce(const Batch& batch) {
  if (batch.changes().empty()) return;
  std::vector<MailboxChanged> changes;
  for (const auto& [key, change] : batch.changes()) changes.push_back(change);
  parts_.executor.post(
      [changes = std::move(changes), listeners = listeners_] { listeners->tell(changes); });
}

void Writer::do_chores() {
  const SteadyTime now = steady_now();
  if (now >= next_reader_check_) {
    next_reader_check_ = now + kReaderCheckEvery;
    auto dead = parts_.environment.release_dead_readers();
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
  Reaper::Keep keep;
  {
    const std::lock_guard lock(mutex_);
    keep = keep_;
  }
  Result<Reaper::Step> step;
  const SteadyTime began = steady_now();
  auto txn = parts_.environment.begin_write();
  if (!txn) {
    step = failed(txn);
  } else {
    Batch batch(**txn, parts_.tables, parts_.reserve, parts_.coder);
    step = reaper_.step(batch, keep);
    if (step && step->progress) {
      auto committed = batch.finish();
      // What was dropped may have been shown in a mailbox.
      if (committed) parts_.change_log.publish(batch.touched());
      if (committed) committed = (*txn)->commit();
      if (!committed) step = failed(committed);
      if (committed) announce(batch);
      if (committed) {
        count_commit(began);
        reaped_blobs_ += step->reaped;
        forgotten_removals_ += step->forgotten;
      }
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
