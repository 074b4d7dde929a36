// The embedded engine: LMDB 0.9 (Symas), one environment of data.mdb and lock.mdb in a folder.
//
// What is done here and in lmdb_open.cc because LMDB leaves it to its callers:
//   - the same folder is never opened twice in one process;
//   - read transactions are pooled, with reset and renew: a read needs no search for a reader slot;
//   - a transaction in which a put failed is always aborted; a full map, a full disk and a short
//     write have their own error code;
//   - a data file shorter than it says is opened only if every missing page is free;
//   - pages about to be read are asked for together: a cold page fault costs more than the page.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/engine/lmdb_environment.h"

namespace twinpost::engine {

namespace {

constexpr std::size_t kIdleReaders = 64;
constexpr MDB_dbi kFreeList = 0;  // LMDB's own table of free pages

ErrorCode code_of(int rc) {
  switch (rc) {
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return ErrorCode::kDiskFull;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID: return ErrorCode::kCorrupt;
    case MDB_VERSION_MISMATCH: return ErrorCode::kNewerFormat;
    case MDB_READERS_FULL: return ErrorCode::kLimit;
    case MDB_PANIC:
    case EIO: return ErrorCode::kIo;
    case MDB_BAD_VALSIZE:
    case MDB_KEYEXIST:
    case MDB_BAD_TXN:
    case MDB_BAD_DBI:
    case EINVAL: return ErrorCode::kInternal;
    default: return rc > 0 ? system_error("", rc).code : ErrorCode::kInternal;
  }
}

MDB_val to_val(std::string_view octets) {
  return MDB_val{octets.size(), const_cast<char*>(octets.data())};
}
std::string_view to_view(const MDB_val& val) {
  return {static_cast<const char*>(val.mv_data), val.mv_size};
}

class LmdbCursor final : public Cursor {
 public:
  explicit LmdbCursor(MDB_cursor* cursor) : cursor_(cursor) {}
  ~LmdbCursor() override { mdb_cursor_close(cursor_); }
  LmdbCursor(const LmdbCursor&) = delete;
  LmdbCursor& operator=(const LmdbCursor&) = delete;

  Result<bool> seek(std::string_view key) override { return move(key, MDB_SET_RANGE); }
  Result<bool> next() override { return move({}, MDB_NEXT); }
  Result<bool> last() override { return move({}, MDB_LAST); }

 private:
  Result<bool> move(std::string_view key, MDB_cursor_op operation) {
    MDB_val found_key = to_val(key);
    MDB_val found_value{};
    // LMDB refuses an empty key, which means the first entry here.
    if (operation == MDB_SET_RANGE && key.empty()) operation = MDB_FIRST;
    const int rc = mdb_cursor_get(cursor_, &found_key, &found_value, operation);
    if (rc == MDB_NOTFOUND) return false;
    if (rc != 0) return lmdb_error("read", rc);
    key_ = to_view(found_key);
    value_ = to_view(found_value);
    return true;
  }

  MDB_cursor* cursor_;
};

Result<std::optional<std::string_view>> get_value(MDB_txn* txn, Table table, std::string_view key) {
  MDB_val wanted = to_val(key);
  MDB_val value{};
  const int rc = mdb_get(txn, table, &wanted, &value);
  if (rc == MDB_NOTFOUND) return std::nullopt;
  if (rc != 0) return lmdb_error("read", rc);
  return to_view(value);
}

Result<std::unique_ptr<Cursor>> make_cursor(MDB_txn* txn, Table table) {
  MDB_cursor* cursor = nullptr;
  const int rc = mdb_cursor_open(txn, table, &cursor);
  if (rc != 0) return lmdb_error("read", rc);
  return std::make_unique<LmdbCursor>(cursor);
}

// madvise(WILLNEED) over runs of neighbouring pages.
void advise(std::span<const std::string_view> values) {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  std::vector<std::pair<std::uintptr_t, std::uintptr_t>> runs;
  runs.reserve(values.size());
  for (const std::string_view value : values) {
    const auto begin = reinterpret_cast<std::uintptr_t>(value.data()) & ~(page - 1);
    runs.emplace_back(begin, reinterpret_cast<std::uintptr_t>(value.data()) + value.size());
  }
  std::sort(runs.begin(), runs.end());
  for (std::size_t i = 0; i < runs.size();) {
    auto [begin, end] = runs[i];
    for (++i; i < runs.size() && runs[i].first <= end + page; ++i)
      end = std::max(end, runs[i].second);
    (void)::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_WILLNEED);  // only a hint
  }
}

class LmdbRead final : public ReadTxn {
 public:
  LmdbRead(LmdbEnvironment& environment, MDB_txn* txn) : environment_(environment), txn_(txn) {}
  ~LmdbRead() override { environment_.give_back(txn_); }
  LmdbRead(const LmdbRead&) = delete;
  LmdbRead& operator=(const LmdbRead&) = delete;

  Result<std::optional<std::string_view>> get(Table table, std::string_view key) const override {
    return get_value(txn_, table, key);
  }
  Result<std::unique_ptr<Cursor>> cursor(Table table) const override {
    return make_cursor(txn_, table);
  }
  std::uint64_t id() const override { return mdb_txn_id(txn_); }
  void will_read(std::span<const std::string_view> values) const override { advise(values); }

 private:
  LmdbEnvironment& environment_;
  MDB_txn* txn_;
};

class LmdbWrite final : public WriteTxn {
 public:
  LmdbWrite(LmdbEnvironment& environment, MDB_txn* txn)
      : environment_(environment), txn_(txn), journaling_(environment.is_journaling()) {}
  ~LmdbWrite() override {
    if (txn_ != nullptr) mdb_txn_abort(txn_);
  }
  LmdbWrite(const LmdbWrite&) = delete;
  LmdbWrite& operator=(const LmdbWrite&) = delete;

  Result<std::optional<std::string_view>> get(Table table, std::string_view key) const override {
    return get_value(txn_, table, key);
  }
  Result<std::unique_ptr<Cursor>> cursor(Table table) const override {
    return make_cursor(txn_, table);
  }
  std::uint64_t id() const override { return mdb_txn_id(txn_); }
  void will_read(std::span<const std::string_view> values) const override {
    (void)values;  // pages of a write transaction may be on the heap
  }

  Result<void> put(Table table, std::string_view key, std::string_view value) override {
    return store(table, key, value, 0);
  }
  Result<void> append(Table table, std::string_view key, std::string_view value) override {
    return store(table, key, value, MDB_APPEND);
  }
  Result<bool> erase(Table table, std::string_view key) override {
    ++changes_;
    if (journaling_) journal_.emplace_back(table, key);
    MDB_val wanted = to_val(key);
    const int rc = mdb_del(txn_, table, &wanted, nullptr);
    if (rc == MDB_NOTFOUND) return false;
    if (rc != 0) return broken("erase", rc);
    return true;
  }
  std::uint64_t changes() const override { return changes_; }
  Result<void> commit() override {
    MDB_txn* txn = std::exchange(txn_, nullptr);  // mdb_txn_commit frees it, whatever happens
    if (failure_) {
      mdb_txn_abort(txn);
      return tl::unexpected(*failure_);
    }
    if (const int rc = mdb_txn_commit(txn); rc != 0) return environment_.write_error("commit", rc);
    if (journaling_) environment_.journal(std::move(journal_));
    return {};
  }

 private:
  Result<void> store(Table table, std::string_view key, std::string_view value, unsigned flags) {
    ++changes_;
    if (journaling_) journal_.emplace_back(table, key);
    if (key.empty() || key.size() > kMaxKeyOctets || value.size() > kMaxValueOctets) {
      return broken("put", MDB_BAD_VALSIZE);
    }
    MDB_val put_key = to_val(key);
    MDB_val put_value = to_val(value);
    const int rc = mdb_put(txn_, table, &put_key, &put_value, flags);
    if (rc != 0) return broken("put", rc);
    return {};
  }
  // Remembered, so that a caller that overlooks it can't commit half of a change.
  tl::unexpected<Error> broken(const char* context, int rc) {
    tl::unexpected<Error> error = environment_.write_error(context, rc);
    if (!failure_) failure_ = error.value();
    return error;
  }

  LmdbEnvironment& environment_;
  MDB_txn* txn_;
  // Where a copy is being made: what it must be told of.
  const bool journaling_;
  std::vector<LmdbEnvironment::Change> journal_;
  std::uint64_t changes_ = 0;
  std::optional<Error> failure_;
};

}  // namespace

tl::unexpected<Error> not_open() {
  return fail(ErrorCode::kIo, "the data file is not open since a compaction failed; restart");
}

tl::unexpected<Error> lmdb_error(const std::string& context, int rc) {
  std::string text = context + ": " + mdb_strerror(rc);
  if (rc == MDB_PANIC)
    text += " (a write to the head of the file failed; restart when the disk is well)";
  return fail(code_of(rc), std::move(text));
}

// EIO is also what LMDB makes of a short write, and that is what a full disk looks like.
tl::unexpected<Error> LmdbEnvironment::write_error(const std::string& context, int rc) const {
  struct statvfs disk {};
  if (rc == EIO && ::statvfs(options_.folder.c_str(), &disk) == 0 &&
      static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize < 1024 * 1024) {
    return fail(ErrorCode::kDiskFull,
                context + ": the disk holding " + options_.folder + " is full");
  }
  return lmdb_error(context, rc);
}

Result<unsigned> LmdbEnvironment::release_dead_readers() {
  int dead = 0;
  if (env_ == nullptr) return not_open();
  if (const int rc = mdb_reader_check(env_, &dead); rc != 0) return lmdb_error("reader check", rc);
  return static_cast<unsigned>(dead);
}

Result<std::optional<Table>> LmdbEnvironment::open_table(const std::string& name, bool create) {
  // Looked up in a read transaction first: an existing environment is not written to for it.
  for (const bool creating : {false, true}) {
    if (creating && (!create || options_.read_only)) return std::nullopt;
    MDB_txn* txn = nullptr;
    int rc = mdb_txn_begin(env_, nullptr, creating ? 0 : MDB_RDONLY, &txn);
    if (rc != 0) return lmdb_error("open table " + name, rc);
    MDB_dbi table = 0;
    rc = mdb_dbi_open(txn, name.c_str(), creating ? MDB_CREATE : 0, &table);
    if (rc == MDB_NOTFOUND && !creating) {
      mdb_txn_abort(txn);
      continue;
    }
    if (rc != 0) {
      mdb_txn_abort(txn);
      return write_error("open table " + name, rc);
    }
    rc = mdb_txn_commit(txn);  // of a read transaction too: it keeps the handle
    if (rc != 0) return write_error("open table " + name, rc);
    const std::lock_guard lock(mutex_);
    if (table >= kFirstTable + tables_.size()) tables_.resize(table - kFirstTable + 1);
    tables_[table - kFirstTable] = name;
    return table;
  }
  return std::nullopt;
}

Result<MDB_txn*> LmdbEnvironment::take_reader() {
  // One lock around the start and its entry in `active_`: oldest_reader() misses no running reader.
  std::unique_lock lock(mutex_);
  readers_changed_.wait(lock, [this] { return !replacing_; });
  if (env_ == nullptr) return not_open();
  MDB_txn* txn = nullptr;
  int rc = 0;
  if (!idle_.empty()) {
    txn = idle_.back();
    idle_.pop_back();
    if (mdb_txn_renew(txn) != 0) {
      mdb_txn_abort(txn);
      txn = nullptr;
    }
  }
  if (txn == nullptr) rc = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
  if (rc == MDB_READERS_FULL) {
    int dead = 0;
    (void)mdb_reader_check(env_, &dead);  // the second try says how it went
    rc = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
  }
  if (rc != 0) return lmdb_error("begin read", rc);
  active_.insert(mdb_txn_id(txn));
  return txn;
}

void LmdbEnvironment::give_back(MDB_txn* txn) {
  const std::lock_guard lock(mutex_);
  if (const auto entry = active_.find(mdb_txn_id(txn)); entry != active_.end())
    active_.erase(entry);
  if (replacing_ && active_.empty()) readers_changed_.notify_all();
  if (idle_.size() < kIdleReaders) {
    mdb_txn_reset(txn);
    idle_.push_back(txn);
  } else {
    mdb_txn_abort(txn);
  }
}

Result<std::unique_ptr<ReadTxn>> LmdbEnvironment::begin_read() {
  auto txn = take_reader();
  if (!txn) return failed(txn);
  return std::make_unique<LmdbRead>(*this, *txn);
}

Result<std::unique_ptr<WriteTxn>> LmdbEnvironment::begin_write() {
  if (options_.read_only) return fail(ErrorCode::kPermission, "the store is open for reading only");
  if (env_ == nullptr) return not_open();
  MDB_txn* txn = nullptr;
  if (const int rc = mdb_txn_begin(env_, nullptr, 0, &txn); rc != 0) {
    return write_error("begin write", rc);
  }
  return std::make_unique<LmdbWrite>(*this, txn);
}

// Calls visit(list) for each entry of LMDB's free list: its page numbers, as they stand there (the
// count is first).
template <class Visit>
Result<void> LmdbEnvironment::for_each_free_list(Visit visit) {
  auto txn = take_reader();
  if (!txn) return failed(txn);
  const LmdbRead guard(*this, *txn);
  auto cursor = make_cursor(*txn, kFreeList);
  if (!cursor) return failed(cursor);
  for (auto found = (*cursor)->seek({});; found = (*cursor)->next()) {
    if (!found) return failed(found);
    if (!*found) return {};
    const std::string_view value = (*cursor)->value();
    std::uint64_t count = 0;
    if (value.size() >= sizeof count) std::memcpy(&count, value.data(), sizeof count);
    if (count > value.size() / sizeof count || value.size() < sizeof count) {
      return fail(ErrorCode::kCorrupt, "the list of free pages is damaged");
    }
    visit(std::span(value.data() + sizeof count, count * sizeof count));
  }
}

Result<bool> LmdbEnvironment::all_free_from(std::uint64_t first, std::uint64_t end) {
  std::set<std::uint64_t> free;
  auto walked = for_each_free_list([&](std::span<const char> pages) {
    for (std::size_t at = 0; at < pages.size(); at += sizeof(std::uint64_t)) {
      std::uint64_t page = 0;
      std::memcpy(&page, pages.data() + at, sizeof page);
      if (page >= first && page < end) free.insert(page);
    }
  });
  if (!walked) return failed(walked);
  return free.size() == end - first;
}

Result<Stats> LmdbEnvironment::stats() {
  Stats stats;
  // Keeps the environment where it is.
  auto txn = take_reader();
  if (!txn) return failed(txn);
  const LmdbRead guard(*this, *txn);
  auto walked = for_each_free_list([&](std::span<const char> pages) {
    stats.free_pages += pages.size() / sizeof(std::uint64_t);
  });
  if (!walked) return failed(walked);
  MDB_envinfo info{};
  MDB_stat page_stats{};
  if (const int rc = mdb_env_info(env_, &info); rc != 0) return lmdb_error("stats", rc);
  if (const int rc = mdb_env_stat(env_, &page_stats); rc != 0) return lmdb_error("stats", rc);
  stats.page_octets = page_stats.ms_psize;
  stats.map_octets = info.me_mapsize;
  stats.used_pages = info.me_last_pgno + 1;
  stats.last_commit = info.me_last_txnid;
  stats.oldest_reader = std::min(oldest_reader().value_or(stats.last_commit), stats.last_commit);
  stats.readers = info.me_numreaders;
  stats.max_readers = info.me_maxreaders;
  return stats;
}

}  // namespace twinpost::engine
