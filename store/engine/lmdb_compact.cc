// Compaction: a copy of the environment without its free pages, brought up to date with what was
// changed while it was made, and put in the place of the data file.
//
// LMDB's own copying (mdb_env_copyfd2 with MDB_CP_COMPACT) sees one snapshot; every transaction that
// is committed from before that snapshot on notes which keys it changed. Their present values are
// then carried over, which needs no order and may be done twice.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "store/engine/lmdb_environment.h"

namespace twinpost::engine {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kCopyOctets = 1024 * 1024;
// Keys that are remembered while the copying goes on: above it a quieter hour is needed.
constexpr std::size_t kMostChanges = 8'000'000;
constexpr std::size_t kChangesATransaction = 5'000;
constexpr auto kReadersPatience = 5s;

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

Result<void> write_all(int fd, const char* octets, std::size_t count, const std::string& path) {
  while (count > 0) {
    const ssize_t written = ::write(fd, octets, count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return tl::unexpected(system_error(path, errno));
    octets += written;
    count -= static_cast<std::size_t>(written);
  }
  return {};
}

Result<void> sync_folder(const std::string& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || ::fsync(folder.get()) != 0) {
    return tl::unexpected(system_error(path, errno));
  }
  return {};
}

// From the pipe into the file, until the other end is closed.
Result<void> pour(int pipe, const std::string& path, std::uint64_t total,
                  const Environment::CopyProgress& progress) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0) return tl::unexpected(system_error(path, errno));
  std::string buffer(kCopyOctets, '\0');
  for (std::uint64_t done = 0;;) {
    const ssize_t got = ::read(pipe, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tl::unexpected(system_error("copying", errno));
    if (got == 0) return {};
    const auto count = static_cast<std::size_t>(got);
    if (auto written = write_all(file.get(), buffer.data(), count, path); !written) return written;
    done += count;
    if (progress && !progress(done, total)) return fail(ErrorCode::kShutdown, "ended");
  }
}

// A snapshot of the environment, compact, into a new file.
Result<void> copy_compactly(MDB_env* env, const std::string& path, std::uint64_t total,
                            const Environment::CopyProgress& progress) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return tl::unexpected(system_error("copying", errno));
  Descriptor reading(ends[0]);
  int copied = 0;
  std::thread copier([env, fd = ends[1], &copied] {
    // Where the reading end goes first, EPIPE says it.
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, nullptr);
    copied = mdb_env_copyfd2(env, fd, MDB_CP_COMPACT);
    ::close(fd);
  });
  auto poured = pour(reading.get(), path, total, progress);
  reading.reset();
  copier.join();
  if (!poured) return poured;
  if (copied != 0) return lmdb_error("copying", copied);
  return {};
}

}  // namespace

class LmdbCompaction final : public Compaction {
 public:
  LmdbCompaction(LmdbEnvironment& environment, std::string folder)
      : environment_(environment), folder_(std::move(folder)) {}
  ~LmdbCompaction() override {
    close();
    environment_.journaling_ = false;
    {
      const std::lock_guard lock(environment_.mutex_);
      environment_.journal_ = {};
      environment_.journal_overflowed_ = false;
    }
    std::error_code ignored;  // removed when the store is opened next
    std::filesystem::remove_all(folder_, ignored);
  }
  LmdbCompaction(const LmdbCompaction&) = delete;
  LmdbCompaction& operator=(const LmdbCompaction&) = delete;

  Result<void> copy(const Environment::CopyProgress& progress);
  Result<std::uint64_t> catch_up() override;
  Result<void> take_over() override;

 private:
  [[nodiscard]] std::string file() const { return folder_ + "/data.mdb"; }
  [[nodiscard]] Result<void> open_copy();
  [[nodiscard]] Result<void> carry_over(std::span<const LmdbEnvironment::Change> changes);
  void close() {
    if (env_ != nullptr) mdb_env_close(env_);
    env_ = nullptr;
  }

  LmdbEnvironment& environment_;
  std::string folder_;
  MDB_env* env_ = nullptr;       // the copy
  std::vector<MDB_dbi> tables_;  // its handles, by ours from kFirstTable on
};

Result<void> LmdbCompaction::copy(const Environment::CopyProgress& progress) {
  std::error_code error;
  std::filesystem::remove_all(folder_, error);
  if (::mkdir(folder_.c_str(), 0700) != 0) return tl::unexpected(system_error(folder_, errno));
  auto stats = environment_.stats();
  if (!stats) return failed(stats);
  environment_.journaling_ = true;
  // A transaction that was begun before that may not note its changes: the copy must see it.
  if (auto barrier = environment_.begin_write(); !barrier) return failed(barrier);
  const std::uint64_t total = (stats->used_pages - stats->free_pages) * stats->page_octets;
  auto copied = copy_compactly(environment_.env_, file(), total, progress);
  if (!copied) return copied;
  return open_copy();
}

Result<void> LmdbCompaction::open_copy() {
  Options options = environment_.options_;
  options.folder = folder_;
  options.durable = false;  // until it takes over
  options.max_readers = 8;
  auto env = open_mdb_env(options);
  if (!env) return failed(env);
  env_ = *env;
  MDB_txn* txn = nullptr;
  int rc = mdb_txn_begin(env_, nullptr, 0, &txn);
  if (rc != 0) return lmdb_error("copying", rc);
  for (const std::string& name : environment_.tables_) {
    MDB_dbi table = 0;
    rc = mdb_dbi_open(txn, name.c_str(), MDB_CREATE, &table);
    if (rc != 0) {
      mdb_txn_abort(txn);
      return lmdb_error("copying " + name, rc);
    }
    tables_.push_back(table);
  }
  if (rc = mdb_txn_commit(txn); rc != 0) return lmdb_error("copying", rc);
  return {};
}

// The present values of these keys.
Result<void> LmdbCompaction::carry_over(std::span<const LmdbEnvironment::Change> changes) {
  auto source = environment_.begin_read();
  if (!source) return failed(source);
  MDB_txn* txn = nullptr;
  if (const int rc = mdb_txn_begin(env_, nullptr, 0, &txn); rc != 0) {
    return lmdb_error("copying", rc);
  }
  for (const auto& [table, key] : changes) {
    auto value = (*source)->get(table, key);
    if (!value) {
      mdb_txn_abort(txn);
      return failed(value);
    }
    MDB_val wanted{key.size(), const_cast<char*>(key.data())};
    const MDB_dbi target = tables_.at(table - kFirstTable);
    int rc = 0;
    if (*value) {
      MDB_val octets{(*value)->size(), const_cast<char*>((*value)->data())};
      rc = mdb_put(txn, target, &wanted, &octets, 0);
    } else {
      rc = mdb_del(txn, target, &wanted, nullptr);
      if (rc == MDB_NOTFOUND) rc = 0;
    }
    if (rc != 0) {
      mdb_txn_abort(txn);
      return environment_.write_error("copying", rc);
    }
  }
  source->reset();
  if (const int rc = mdb_txn_commit(txn); rc != 0) return environment_.write_error("copying", rc);
  return {};
}

Result<std::uint64_t> LmdbCompaction::catch_up() {
  std::vector<LmdbEnvironment::Change> changes;
  {
    const std::lock_guard lock(environment_.mutex_);
    if (environment_.journal_overflowed_) {
      return fail(ErrorCode::kLimit,
                  "too much was changed while the file was copied; "
                  "try again when there is less to do");
    }
    changes.swap(environment_.journal_);
  }
  std::sort(changes.begin(), changes.end());
  changes.erase(std::unique(changes.begin(), changes.end()), changes.end());
  for (std::size_t i = 0; i < changes.size(); i += kChangesATransaction) {
    const std::size_t count = std::min(kChangesATransaction, changes.size() - i);
    if (auto done = carry_over(std::span(changes).subspan(i, count)); !done) return failed(done);
  }
  return changes.size();
}

Result<void> LmdbCompaction::take_over() {
  if (auto caught_up = catch_up(); !caught_up) return failed(caught_up);
  if (const int rc = mdb_env_sync(env_, 1); rc != 0) return environment_.write_error("copying", rc);
  close();
  const Descriptor copied(::open(file().c_str(), O_RDONLY | O_CLOEXEC));
  if (copied.get() < 0 || ::fsync(copied.get()) != 0) {
    return tl::unexpected(system_error(file(), errno));
  }
  return environment_.replace_with(file());
}

void LmdbEnvironment::close() {
  for (MDB_txn* txn : idle_) mdb_txn_abort(txn);
  idle_.clear();
  if (env_ != nullptr) mdb_env_close(env_);
  env_ = nullptr;
}

void LmdbEnvironment::journal(std::vector<Change> changes) {
  const std::lock_guard lock(mutex_);
  if (!journaling_ || journal_overflowed_) return;
  if (journal_.size() + changes.size() > kMostChanges) {
    journal_overflowed_ = true;
    journal_ = {};
    return;
  }
  std::move(changes.begin(), changes.end(), std::back_inserter(journal_));
}

// With the same tables under the same handles.
Result<void> LmdbEnvironment::reopen() {
  auto env = open_mdb_env(options_);
  if (!env) return failed(env);
  MDB_txn* txn = nullptr;
  int rc = mdb_txn_begin(*env, nullptr, MDB_RDONLY, &txn);
  for (std::size_t i = 0; rc == 0 && i < tables_.size(); ++i) {
    MDB_dbi table = 0;
    rc = mdb_dbi_open(txn, tables_[i].c_str(), 0, &table);
    if (rc == 0 && table != kFirstTable + i) rc = MDB_BAD_DBI;
  }
  if (rc == 0) {
    rc = mdb_txn_commit(txn);
  } else if (txn != nullptr) {
    mdb_txn_abort(txn);
  }
  if (rc != 0) {
    mdb_env_close(*env);
    return lmdb_error(options_.folder, rc);
  }
  env_ = *env;
  return {};
}

Result<void> LmdbEnvironment::replace_with(const std::string& file) {
  std::unique_lock lock(mutex_);
  replacing_ = true;
  const bool quiet =
      readers_changed_.wait_for(lock, kReadersPatience, [this] { return active_.empty(); });
  Result<void> done;
  if (!quiet) {
    done = fail(ErrorCode::kInUse, "somebody reads for too long; try again later");
  } else {
    const SwapLock swapping(options_.folder, true);
    close();
    const std::string path = options_.folder + "/data.mdb";
    const std::string lock_path = options_.folder + "/lock.mdb";
    // First the lock file, which counts the old file's transactions. A crash between the two leaves the
    // old file, or the new one, and either without a lock file, which is then made.
    if (::unlink(lock_path.c_str()) != 0 && errno != ENOENT) {
      done = tl::unexpected(system_error(lock_path, errno));
    } else if (::rename(file.c_str(), path.c_str()) != 0) {
      done = tl::unexpected(system_error(path, errno));
    } else {
      done = sync_folder(options_.folder);
    }
    if (auto opened = reopen(); !opened) done = failed(opened);
  }
  replacing_ = false;
  readers_changed_.notify_all();
  return done;
}

Result<std::unique_ptr<Compaction>> LmdbEnvironment::begin_compaction(
    const CopyProgress& progress) {
  if (options_.read_only) return fail(ErrorCode::kPermission, "the store is open for reading only");
  if (journaling_) return fail(ErrorCode::kInUse, "the file is being compacted already");
  auto compaction =
      std::make_unique<LmdbCompaction>(*this, options_.folder + "/" + kCompactionFolder);
  if (auto copied = compaction->copy(progress); !copied) return failed(copied);
  return compaction;
}

}  // namespace twinpost::engine
