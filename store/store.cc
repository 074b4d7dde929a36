// Opening a store, and the store as it is: folder, engine, pins and writer, put together.
//
// The table `meta`:
//   "format"    the version of the whole layout (upgrade.h)
//   "store"     store record (records.cc): id, when and by what it was made
//   "counters"  counters record
//   "keys"      proofs of the keys that bodies are encrypted with (key_proofs.h)
#include "store/store.h"

#include <cerrno>
#include <exception>
#include <mutex>
#include <sys/statvfs.h>
#include <utility>

#include "core/base/log.h"
#include "store/batch.h"
#include "store/change_log.h"
#include "store/check_access.h"
#include "store/compact.h"
#include "store/disk_reserve.h"
#include "store/engine/engine.h"
#include "store/folder.h"
#include "store/holds.h"
#include "store/key_proofs.h"
#include "store/pins.h"
#include "store/queries.h"
#include "store/recode.h"
#include "store/records.h"
#include "store/tables.h"
#include "store/upgrade.h"
#include "store/writer.h"

namespace twinpost::store {

namespace {

constexpr const char* kMetaTable = "meta";

// nullopt in a store that was just made. It is looked at before anything else is.
Result<std::optional<std::uint32_t>> read_format(const engine::ReadTxn& txn, engine::Table meta,
                                                 const std::string& folder) {
  auto format = txn.get(meta, kFormatKey);
  if (!format) return failed(format);
  if (!*format) return std::nullopt;
  Reader in(**format);
  const std::uint32_t version = in.key_u32();
  if (!in.at_end() || version == 0) {
    return fail(ErrorCode::kCorrupt, folder + ": the store's format can't be read");
  }
  if (version > kFormatVersion) {
    return fail(ErrorCode::kNewerFormat,
                folder + ": the store has format " + std::to_string(version) +
                    ", this version of Twinpost (" TWINPOST_VERSION ") reads formats up to " +
                    std::to_string(kFormatVersion));
  }
  return version;
}

Result<StoreRow> read_store_row(const engine::ReadTxn& txn, engine::Table meta,
                                const std::string& folder) {
  auto row = txn.get(meta, kStoreKey);
  if (!row) return failed(row);
  if (!*row) return fail(ErrorCode::kCorrupt, folder + ": the store has no id");
  return decode_store(kStoreKey, **row);
}

Result<void> write_meta(engine::WriteTxn& txn, engine::Table meta) {
  StoreRow row;
  row.store_id = random_u64();
  row.created = unix_now();
  row.created_by = "twinpost " TWINPOST_VERSION;
  auto done = txn.put(meta, kStoreKey, encode_store(kStoreKey, row));
  if (done) done = txn.put(meta, kCountersKey, encode_counters(kCountersKey, Counters{}));
  if (done) done = txn.put(meta, kFormatKey, encode_format(kFormatVersion));
  return done;
}

Reaper::Keep keep_of(const StoreOptions& options) {
  return {options.retention, options.removed_bytes, options.removed_messages};
}

class EngineStore final : public Store {
 public:
  EngineStore(StoreOptions options, Executor& executor, Folder folder,
              std::unique_ptr<engine::Environment> environment)
      : options_(std::move(options)),
        executor_(executor),
        folder_(std::move(folder)),
        environment_(std::move(environment)),
        coder_(options_.compression, options_.keys),
        keep_(keep_of(options_)),
        reserve_(folder_.path(), options_.reserve_bytes, *environment_),
        listeners_(std::make_shared<Listeners>()),
        pins_(std::make_shared<PinTable>([this] {
          if (writer_) writer_->wake_reaper();
        })),
        holds_(std::make_shared<HoldTable>([this] {
          if (writer_) writer_->wake_reaper();
        })) {}

  ~EngineStore() override {
    listeners_->close();
    pins_->disconnect();
    holds_->disconnect();
    writer_.reset();
  }
  EngineStore(const EngineStore&) = delete;
  EngineStore& operator=(const EngineStore&) = delete;

  // The second half of opening.
  Result<void> start();

  std::uint64_t subscribe(std::function<void(const MailboxChanged&)> listener) override {
    return listeners_->add(std::move(listener));
  }
  void unsubscribe(std::uint64_t id) override { listeners_->remove(id); }
  std::unique_ptr<Pin> pin_blobs(std::vector<BlobId> blobs) override {
    return pins_->pin(std::move(blobs));
  }
  void on_quota_passed(std::function<void(const QuotaPassed&)> listener) override {
    listeners_->on_quota_passed(std::move(listener));
  }
  std::unique_ptr<RemovalHold> hold_removals(MailboxKey mailbox, UnixTime since) override {
    return holds_->hold(mailbox, since);
  }
  UnixTime removals_seen_before() const override {
    return writer_ ? writer_->seen_before() : UnixTime{};
  }
  const BodyCoder& coder() const override { return coder_; }
  Result<std::uint64_t> recode(const Progress& progress) override;
  Result<Compacted> compact(const Progress& progress) override;
  Result<CheckReport> check(const CheckOptions& options, const Progress& progress) override;
  Result<StoreSpace> space() override;
  std::uint64_t store_id() const override { return row_.store_id; }
  const std::string& spool_folder() const override { return folder_.spool(); }
  StoreFigures figures() const override { return writer_ ? writer_->figures() : StoreFigures{}; }
  void set_retention(std::chrono::seconds retention) override {
    keep_.retention = retention;
    if (writer_) writer_->set_keep(keep_);
  }
  void set_removed_limits(std::uint64_t bytes, std::uint64_t messages) override {
    keep_.bytes = bytes;
    keep_.messages = messages;
    if (writer_) writer_->set_keep(keep_);
  }

 protected:
  void submit_read(ReadFunction function, std::function<void(Result<void>)> done) override {
    auto result = std::make_shared<Result<void>>();
    executor_.run_on_worker(
        [this, result, function = std::move(function)] { *result = run_read(function); },
        [result, done = std::move(done)] { done(std::move(*result)); });
  }
  void submit_write(WriteFunction function, std::function<void(Result<void>)> done) override {
    if (!writer_) {
      executor_.post([done = std::move(done)] { done(Result<void>(read_only())); });
      return;
    }
    writer_->submit(std::move(function), std::move(done));
  }
  Result<void> run_read(const ReadFunction& function) override;
  Result<void> run_write(const WriteFunction& function) override {
    if (!writer_) return read_only();
    return writer_->run(function);
  }

 private:
  static tl::unexpected<Error> read_only() {
    return fail(ErrorCode::kPermission, "the store is open for reading only");
  }

  // What start() does with the tables, in one transaction where anything is written.
  [[nodiscard]] Result<void> read_meta();
  [[nodiscard]] Result<void> prepare_meta();
  // Long work, one at a time.
  template <class T, class Work>
  Result<T> alone(Work work) {
    std::unique_lock lock(long_work_, std::try_to_lock);
    if (!lock) {
      return fail(ErrorCode::kInUse,
                  "the store is being checked, compacted or reencrypted already");
    }
    return work();
  }

  StoreOptions options_;
  Executor& executor_;
  Folder folder_;
  std::unique_ptr<engine::Environment> environment_;
  Tables tables_;
  StoreRow row_;
  BodyCoder coder_;
  Reaper::Keep keep_;  // loop thread
  std::mutex long_work_;
  ChangeLog change_log_;
  DiskReserve reserve_;
  std::shared_ptr<Listeners> listeners_;
  std::shared_ptr<PinTable> pins_;
  std::shared_ptr<HoldTable> holds_;
  std::unique_ptr<Writer> writer_;  // none where it is open for reading only
};

// A store that somebody else writes must have this version's format: only its writer upgrades it.
Result<void> EngineStore::read_meta() {
  auto txn = environment_->begin_read();
  if (!txn) return failed(txn);
  auto format = read_format(**txn, tables_.meta, folder_.path());
  if (!format) return failed(format);
  if (!*format) return fail(ErrorCode::kNotFound, folder_.path() + ": no store here");
  if (**format < kFormatVersion) {
    return fail(ErrorCode::kUnsupported, folder_.path() + ": the store has the older format " +
                                             std::to_string(**format) +
                                             "; start twinpostd once to upgrade it");
  }
  auto row = read_store_row(**txn, tables_.meta, folder_.path());
  if (!row) return failed(row);
  row_ = std::move(*row);
  return check_keys(**txn, tables_.meta, options_.keys.get());
}

Result<void> EngineStore::prepare_meta() {
  auto txn = environment_->begin_write();
  if (!txn) return failed(txn);
  engine::WriteTxn& t = **txn;
  auto format = read_format(t, tables_.meta, folder_.path());
  if (!format) return failed(format);
  Result<void> done;
  if (!*format) {
    done = write_meta(t, tables_.meta);
  } else if (**format < kFormatVersion) {
    done = upgrade(t, tables_, **format);
    log::info("store-upgrade", {{"data", folder_.path()},
                                {"from", **format},
                                {"to", kFormatVersion},
                                {"outcome", done ? "done" : done.error().message}});
  }
  if (done) done = check_keys(t, tables_.meta, options_.keys.get());
  if (done && options_.keys) done = remember_keys(t, tables_.meta, *options_.keys);
  if (!done) return done;
  auto row = read_store_row(t, tables_.meta, folder_.path());
  if (!row) return failed(row);
  row_ = std::move(*row);
  if (t.changes() == 0) return {};
  if (done = t.commit(); !done) return done;
  return *format ? Result<void>{}
                 : folder_.sync();  // a new store's files must not lose their names
}

Result<void> EngineStore::start() {
  const bool writable = !options_.read_only;
  auto dead = environment_->release_dead_readers();
  if (!dead) return failed(dead);
  auto meta = environment_->open_table(kMetaTable, writable);
  if (!meta) return failed(meta);
  if (!*meta) return fail(ErrorCode::kNotFound, folder_.path() + ": no store here");
  tables_.meta = **meta;
  // A newer version's tables are none of ours.
  {
    auto txn = environment_->begin_read();
    if (!txn) return failed(txn);
    auto format = read_format(**txn, tables_.meta, folder_.path());
    if (!format) return failed(format);
  }
  if (!writable) {
    if (auto read = read_meta(); !read) return read;
  }
  if (auto opened = tables_.open(*environment_, writable); !opened) return opened;
  if (!writable) return {};
  if (auto prepared = prepare_meta(); !prepared) return prepared;
  auto stats = environment_->stats();
  if (!stats) return failed(stats);
  const Writer::Parts parts{*environment_, tables_, coder_,      reserve_,
                            *pins_,        *holds_, change_log_, executor_};
  writer_ = std::make_unique<Writer>(parts, listeners_, keep_, stats->last_commit);
  return {};
}

Result<std::uint64_t> EngineStore::recode(const Progress& progress) {
  if (!writer_) return read_only();
  return alone<std::uint64_t>([&] {
    const RecodeAccess access{
        *environment_, tables_, coder_, folder_.spool(),
        [this](const RecodeAccess::Change& change) { return writer_->run_batch(change); }};
    return recode_all(access, progress);
  });
}

Result<CheckReport> EngineStore::check(const CheckOptions& options, const Progress& progress) {
  return alone<CheckReport>([&] {
    CheckAccess access{
        *environment_,   tables_, coder_, row_.store_id, folder_.path() + "/data.mdb",
        folder_.spool(), {}};
    if (writer_) {
      access.write = [this](const CheckAccess::Change& change) {
        return writer_->run_batch(change);
      };
    }
    return check_store(access, options, progress);
  });
}

Result<Store::Compacted> EngineStore::compact(const Progress& progress) {
  if (!writer_) return read_only();
  return alone<Compacted>([&]() -> Result<Compacted> {
    return compact_environment(
        *environment_, folder_.path(),
        [this](const std::function<Result<void>()>& function) {
          return writer_->run_between(function);
        },
        progress);
  });
}

Result<StoreSpace> EngineStore::space() {
  auto stats = environment_->stats();
  if (!stats) return failed(stats);
  struct statvfs disk {};
  if (::statvfs(folder_.path().c_str(), &disk) != 0) {
    return tl::unexpected(system_error(folder_.path(), errno));
  }
  StoreSpace space;
  space.file_octets = stats->used_pages * stats->page_octets;
  space.free_octets = stats->free_pages * stats->page_octets;
  space.disk_free_octets = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  space.reserve_octets = options_.reserve_bytes;
  space.last_commit = stats->last_commit;
  space.oldest_reader_lag = stats->last_commit - stats->oldest_reader;
  space.readers = stats->readers;
  space.format = kFormatVersion;
  return space;
}

Result<void> EngineStore::run_read(const ReadFunction& function) {
  auto txn = environment_->begin_read();
  if (!txn) return failed(txn);
  try {
    // Without a writer of its own this process does not know what changes.
    const ViewOver<ReadView> view(**txn, tables_, coder_, writer_ ? &change_log_ : nullptr);
    return function(view);
  } catch (const std::exception& e) {
    return fail(ErrorCode::kInternal, std::string("exception in a read: ") + e.what());
  } catch (...) {
    return fail(ErrorCode::kInternal, "exception in a read");
  }
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(StoreOptions options, Executor& executor) {
  auto folder = options.read_only ? Folder::open_for_reading(options.folder)
                                  : Folder::open_for_writing(options.folder);
  if (!folder) return failed(folder);
  engine::Options engine_options;
  engine_options.folder = options.folder;
  engine_options.map_size_bytes = options.map_size_bytes;
  engine_options.max_readers = options.max_readers;
  engine_options.read_only = options.read_only;
  engine_options.durable = options.durable;
  engine_options.unattended = options.read_only && !folder->has_writer();
  auto environment = engine::open_environment(engine_options);
  if (!environment) return failed(environment);
  auto store = std::make_unique<EngineStore>(std::move(options), executor, std::move(*folder),
                                             std::move(*environment));
  if (auto started = store->start(); !started) return failed(started);
  return store;
}

}  // namespace twinpost::store
