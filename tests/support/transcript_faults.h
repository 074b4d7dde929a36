// A store that fails when it is told to: for the replies that real trouble should give.
//
// It stands in front of a real one. Without a fault set everything goes through unchanged, though
// reads and writes run on the executor's workers.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>

#include "core/base/executor.h"
#include "store/store.h"

namespace twinpost::testing {

// Set from any thread.
class Faults {
 public:
  struct Plan {
    std::optional<ErrorCode> reads;     // every read transaction
    std::optional<ErrorCode> writes;    // every write transaction
    std::optional<ErrorCode> messages;  // read_message() that reaches past `from`
    std::uint64_t from = 0;
    std::optional<std::uint64_t> flipped_octet;  // read_message() gives a wrong octet there
  };
  void set(Plan plan) {
    const std::lock_guard lock(mutex_);
    plan_ = plan;
  }
  [[nodiscard]] Plan get() const {
    const std::lock_guard lock(mutex_);
    return plan_;
  }

 private:
  mutable std::mutex mutex_;
  Plan plan_;
};

class FaultyStore final : public store::Store {
 public:
  FaultyStore(store::Store& store, Executor& executor, const Faults& faults)
      : store_(store), executor_(executor), faults_(faults) {}

  std::uint64_t subscribe(std::function<void(const store::MailboxChanged&)> listener) override {
    return store_.subscribe(std::move(listener));
  }
  void unsubscribe(std::uint64_t id) override { store_.unsubscribe(id); }
  void on_quota_passed(std::function<void(const store::QuotaPassed&)> listener) override {
    store_.on_quota_passed(std::move(listener));
  }
  std::unique_ptr<RemovalHold> hold_removals(store::MailboxKey mailbox, UnixTime since) override {
    return store_.hold_removals(mailbox, since);
  }
  [[nodiscard]] UnixTime removals_seen_before() const override {
    return store_.removals_seen_before();
  }
  [[nodiscard]] const store::BodyCoder& coder() const override { return store_.coder(); }
  Result<std::uint64_t> recode(const store::Progress& progress) override {
    return store_.recode(progress);
  }
  Result<Compacted> compact(const store::Progress& progress) override {
    return store_.compact(progress);
  }
  Result<store::CheckReport> check(const store::CheckOptions& options,
                                   const store::Progress& progress) override {
    return store_.check(options, progress);
  }
  Result<store::StoreSpace> space() override { return store_.space(); }
  void set_removed_limits(std::uint64_t bytes, std::uint64_t messages) override {
    store_.set_removed_limits(bytes, messages);
  }
  std::unique_ptr<Pin> pin_blobs(std::vector<store::BlobId> blobs) override {
    return store_.pin_blobs(std::move(blobs));
  }
  [[nodiscard]] std::uint64_t store_id() const override { return store_.store_id(); }
  [[nodiscard]] const std::string& spool_folder() const override { return store_.spool_folder(); }
  [[nodiscard]] store::StoreFigures figures() const override { return store_.figures(); }
  void set_retention(std::chrono::seconds retention) override { store_.set_retention(retention); }

 protected:
  void submit_read(ReadFunction function, std::function<void(Result<void>)> done) override;
  void submit_write(WriteFunction function, std::function<void(Result<void>)> done) override;
  Result<void> run_read(const ReadFunction& function) override;
  Result<void> run_write(const WriteFunction& function) override;

 private:
  store::Store& store_;
  Executor& executor_;
  const Faults& faults_;
};

}  // namespace twinpost::testing
