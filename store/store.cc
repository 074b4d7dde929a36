// Opening a store, and the store as it is: folder, engine, pins and writer, put together.
//
// The table `meta`:
//   "format"    four octets, big-endian: the version of the whole layout. Its own form never
//               changes, so that every version can say which one it found.
//   "store"     store record (records.cc): id, when and by what it was made
//   "counters"  counters record
#include "store/store.h"

#include <exception>
#include <utility>

#include "store/batch.h"
#include "store/change_log.h"
#include "store/disk_reserve.h"
#include "store/engine/engine.h"
#include "store/folder.h"
#include "store/pins.h"
#include "store/queries.h"
#include "store/records.h"
#include "store/tables.h"
#include "store/writer.h"

namespace twinpost::store {

namespace {

constexpr std::string_view kFormatKey = "format";
constexpr std::string_view kStoreKey = "store";
constexpr const char* kMetaTable = "meta";

std::string encode_format(std::uint32_t version) { return std::string(Key().u32(version).view()); }

// nullopt in a store that was just made. The format is looked at before anything else is.
Result<std::optional<StoreRow>> read_meta(engine::Environment& environment, engine::Table meta,
                                          const std::string& folder) {
  auto txn = environment.begin_read();
  if (!txn) return failed(txn);
  auto format = (*txn)->get(meta, kFormatKey);
  if (!format) return failed(format);
  if (!*format) return std::nullopt;
  Reader in(**format);
  const std::uint32_t version = in.key_u32();
  if (!in.at_end()) return fail(ErrorCode::kCorrupt, folder + ": the store's format can't be read");
  if (version > kFormatVersion) {
    return fail(ErrorCode::kNewerFormat,
                folder + ": the store has format " + std::to_string(version) +
                    ", this version of Twinpost (" TWINPOST_VERSION ") reads formats up to " +
                    std::to_string(kFormatVersion));
  }
  auto row = (*txn)->get(meta, kStoreKey);
  if (!row) return failed(row);
  if (!*row) return fail(ErrorCode::kCorrupt, folder + ": the store has no id");
  return decode_store(kStoreKey, **row);
}

Result<StoreRow> write_meta(engine::Environment& environment, engine::Table meta) {
  StoreRow row;
  row.store_id = random_u64();
  row.created = unix_now();
  row.created_by = "twinpost " TWINPOST_VERSION;
  auto txn = environment.begin_write();
  if (!txn) return failed(txn);
  auto done = (*txn)->put(meta, kStoreKey, encode_store(kStoreKey, row));
  if (done) done = (*txn)->put(meta, kCountersKey, encode_counters(kCountersKey, Counters{}));
  if (done) done = (*txn)->put(meta, kFormatKey, encode_format(kFormatVersion));
  if (done) done = (*txn)->commit();
  if (!done) return failed(done);
  return row;
}

class EngineStore final : public Store {
 public:
  EngineStore(StoreOptions options, Executor& executor, Folder folder,
              std::unique_ptr<engine::Environment> environment)
      : options_(std::move(options)),
        executor_(executor),
        folder_(std::move(folder)),
        environment_(std::move(environment)),
        reserve_(folder_.path(), options_.reserve_bytes, *environment_),
        listeners_(std::make_shared<Listeners>()),
        pins_(std::make_shared<PinTable>([this] {
          if (writer_) writer_->wake_reaper();
        })) {}

  ~EngineStore() override {
    listeners_->close();
    pins_->disconnect();
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
  std::uint64_t store_id() const override { return row_.store_id; }
  const std::string& spool_folder() const override { return folder_.spool(); }
  StoreFigures figures() const override { return writer_ ? writer_->figures() : StoreFigures{}; }
  void set_retention(std::chrono::seconds retention) override {
    if (writer_) writer_->set_retention(retention);
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
      executor_.post([done = std::move(done)] { done(read_only()); });
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
  static Result<void> read_only() {
    return fail(ErrorCode::kPermission, "the store is open for reading only");
  }

  StoreOptions options_;
  Executor& executor_;
  Folder folder_;
  std::unique_ptr<engine::Environment> environment_;
  Tables tables_;
  StoreRow row_;
  ChangeLog change_log_;
  DiskReserve reserve_;
  std::shared_ptr<Listeners> listeners_;
  std::shared_ptr<PinTable> pins_;
  std::unique_ptr<Writer> writer_;  // none where it is open for reading only
};

Result<void> EngineStore::start() {
  const bool writable = !options_.read_only;
  auto dead = environment_->release_dead_readers();
  if (!dead) return failed(dead);
  auto meta = environment_->open_table(kMetaTable, writable);
  if (!meta) return failed(meta);
  if (!*meta) return fail(ErrorCode::kNotFound, folder_.path() + ": no store here");
  tables_.meta = **meta;
  auto row = read_meta(*environment_, tables_.meta, folder_.path());
  if (!row) return failed(row);
  if (!*row && !writable) return fail(ErrorCode::kNotFound, folder_.path() + ": no store here");
  if (auto opened = tables_.open(*environment_, writable); !opened) return opened;
  if (!*row) {
    auto made = write_meta(*environment_, tables_.meta);
    if (!made) return failed(made);
    *row = std::move(*made);
  }
  row_ = std::move(**row);
  if (!writable) return {};
  auto stats = environment_->stats();
  if (!stats) return failed(stats);
  writer_ = std::make_unique<Writer>(*environment_, tables_, reserve_, *pins_, change_log_,
                                     executor_, listeners_, options_.retention, stats->last_commit);
  return {};
}

Result<void> EngineStore::run_read(const ReadFunction& function) {
  auto txn = environment_->begin_read();
  if (!txn) return failed(txn);
  try {
    // Without a writer of its own this process does not know what changes.
    const ViewOver<ReadView> view(**txn, tables_, writer_ ? &change_log_ : nullptr);
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
