// What the functions of one engine transaction share: the transaction, the store-wide counters, and
// what there is to announce once it is committed. Writer thread only; dropped with the transaction
// where that is rolled back.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "store/change_log.h"
#include "store/disk_reserve.h"
#include "store/engine/engine.h"
#include "store/records.h"
#include "store/tables.h"
#include "store/types.h"

namespace twinpost::store {

// In `meta` (store.cc).
inline constexpr std::string_view kStoreKey = "store";
inline constexpr std::string_view kCountersKey = "counters";

class Batch {
 public:
  Batch(engine::WriteTxn& txn, const Tables& tables, DiskReserve& reserve, const BodyCoder& coder)
      : txn_(txn), tables_(tables), reserve_(reserve), coder_(coder), now_(unix_now()) {}
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  [[nodiscard]] engine::WriteTxn& txn() { return txn_; }
  [[nodiscard]] const Tables& tables() const { return tables_; }
  [[nodiscard]] DiskReserve& reserve() { return reserve_; }
  [[nodiscard]] const BodyCoder& coder() const { return coder_; }
  [[nodiscard]] UnixTime now() const { return now_; }

  // Read once a transaction and written back by finish(); whoever asks may change them.
  [[nodiscard]] Result<Counters*> counters();
  // Last before the commit.
  [[nodiscard]] Result<void> finish();

  void announce(const MailboxChanged& change) { changes_[change.mailbox] = change; }
  [[nodiscard]] const std::map<MailboxKey, MailboxChanged>& changes() const { return changes_; }

  // A mailbox takes its next modseq, and was committed with `before`, or has done so already in
  // this batch.
  void begin_touching(MailboxKey key, ModSeq before) { touched_.try_emplace(key, before); }
  // A message of it was put, with a modseq that it took in this batch.
  void touched(MailboxKey key, ModSeq modseq, Uid uid) { touched_.at(key).add(modseq, uid); }
  [[nodiscard]] const std::map<MailboxKey, TouchedMessages>& touched() const { return touched_; }

  void quota_passed(QuotaPassed passed) { quota_passed_.push_back(std::move(passed)); }
  [[nodiscard]] const std::vector<QuotaPassed>& quota_passed() const { return quota_passed_; }
  template <class Predicate>
  void forget_quota_passed(Predicate which) {
    std::erase_if(quota_passed_, which);
  }

  // Octets of message bodies put so far: what bounds a batch.
  void count_octets(std::uint64_t octets) { octets_ += octets; }
  [[nodiscard]] std::uint64_t octets() const { return octets_; }

  // A method failed after it had begun to write: whatever its function makes of that, it can't be
  // committed.
  void spoil(const Error& error) {
    if (!spoiled_) spoiled_ = error;
  }
  [[nodiscard]] const std::optional<Error>& spoiled() const { return spoiled_; }

  // Something was removed: the reaper has a new appointment.
  void note_removal() { removed_ = true; }
  [[nodiscard]] bool removed() const { return removed_; }
  // Something can be freed now.
  void note_reapable() { reapable_ = true; }
  [[nodiscard]] bool reapable() const { return reapable_; }

 private:
  engine::WriteTxn& txn_;
  const Tables& tables_;
  DiskReserve& reserve_;
  const BodyCoder& coder_;
  UnixTime now_;
  std::optional<Counters> counters_;
  std::map<MailboxKey, MailboxChanged> changes_;
  std::map<MailboxKey, TouchedMessages> touched_;
  std::vector<QuotaPassed> quota_passed_;
  std::uint64_t octets_ = 0;
  bool removed_ = false;
  bool reapable_ = false;
  std::optional<Error> spoiled_;
};

}  // namespace twinpost::store
