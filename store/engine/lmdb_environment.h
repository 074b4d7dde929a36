// LMDB's environment, as lmdb_open.cc makes it and lmdb_engine.cc works with it. Below the seam: nobody else includes
// this.
#pragma once

#include <atomic>
#include <condition_variable>
#include <lmdb.h>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "store/engine/engine.h"

namespace twinpost::engine {

// This process has the folder open. Never twice: LMDB's file locks would be lost.
class FolderClaim {
 public:
  // nullptr where the process has it already.
  [[nodiscard]] static std::shared_ptr<const FolderClaim> take(dev_t device, ino_t inode);
  ~FolderClaim();
  FolderClaim(const FolderClaim&) = delete;
  FolderClaim& operator=(const FolderClaim&) = delete;

 private:
  using Identity = std::pair<dev_t, ino_t>;
  explicit FolderClaim(Identity folder) : folder_(folder) {}
  Identity folder_;
};

// LMDB's environment of the folder, opened. Readers wait while another process puts a data file in
// place (LmdbEnvironment::replace_with).
[[nodiscard]] Result<MDB_env*> open_mdb_env(const Options& options);

// Held by who puts a data file in place of another, and, shared, by who opens one for reading: LMDB's
// lock file belongs to one data file only.
class SwapLock {
 public:
  SwapLock(const std::string& folder, bool exclusive);  // waits
  ~SwapLock();
  SwapLock(const SwapLock&) = delete;
  SwapLock& operator=(const SwapLock&) = delete;

 private:
  int fd_;
};

// After a replacement that failed half-way.
[[nodiscard]] tl::unexpected<Error> not_open();

// The first handle that mdb_dbi_open gives: LMDB has two tables of its own.
inline constexpr Table kFirstTable = 2;

// The code that fits LMDB's, and its words.
[[nodiscard]] tl::unexpected<Error> lmdb_error(const std::string& context, int rc);

class LmdbEnvironment final : public Environment {
 public:
  LmdbEnvironment(MDB_env* env, Options options, std::shared_ptr<const FolderClaim> claim)
      : env_(env), options_(std::move(options)), claim_(std::move(claim)) {}

  ~LmdbEnvironment() override { close(); }
  LmdbEnvironment(const LmdbEnvironment&) = delete;
  LmdbEnvironment& operator=(const LmdbEnvironment&) = delete;

  Result<std::optional<Table>> open_table(const std::string& name, bool create) override;
  Result<std::unique_ptr<ReadTxn>> begin_read() override;
  Result<std::unique_ptr<WriteTxn>> begin_write() override;
  std::optional<std::uint64_t> oldest_reader() const override {
    const std::lock_guard lock(mutex_);
    if (active_.empty()) return std::nullopt;
    return *active_.begin();
  }
  Result<Stats> stats() override;
  Result<unsigned> release_dead_readers() override;
  Result<std::unique_ptr<Compaction>> begin_compaction(const CopyProgress& progress) override;

  // The pool's side of a read transaction.
  Result<MDB_txn*> take_reader();
  void give_back(MDB_txn* txn);
  // True where every page from `first` on is free.
  Result<bool> all_free_from(std::uint64_t first, std::uint64_t end);
  // A transaction that is being committed: what it changed, in case a copy needs to know.
  using Change = std::pair<Table, std::string>;  // and its key
  [[nodiscard]] bool is_journaling() const { return journaling_; }
  void journal(std::vector<Change> changes);
  // EIO of a write: LMDB says so for a short write, which is what a full disk looks like.
  [[nodiscard]] tl::unexpected<Error> write_error(const std::string& context, int rc) const;

 private:
  friend class LmdbCompaction;
  template <class Visit>
  Result<void> for_each_free_list(Visit visit);
  void close();
  // Puts the data file `file` in place of the folder's. Writer thread, no transaction.
  Result<void> replace_with(const std::string& file);
  [[nodiscard]] Result<void> reopen();

  MDB_env* env_;  // null where a replacement failed half-way
  Options options_;
  std::shared_ptr<const FolderClaim> claim_;  // goes after the environment is closed
  mutable std::mutex mutex_;                  // over what follows
  std::vector<MDB_txn*> idle_;                // reset, to be renewed
  std::multiset<std::uint64_t> active_;       // snapshots of the running readers
  bool replacing_ = false;                    // no reader may begin
  std::condition_variable readers_changed_;   // active_ or replacing_
  std::vector<std::string> tables_;           // by handle, from kFirstTable on
  std::vector<Change> journal_;
  bool journal_overflowed_ = false;
  std::atomic<bool> journaling_{false};
};

}  // namespace twinpost::engine
