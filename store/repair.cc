#include "store/repair.h"

#include <algorithm>

#include "core/base/log.h"
#include "store/damaged_records.h"

namespace twinpost::store {

namespace {

// What may have been given and is not in use any more, where the counters themselves are lost.
constexpr std::uint32_t kSpareAccounts = 1000;
constexpr std::uint64_t kSpareNumbers = std::uint64_t{1} << 20;

Result<bool> repair_counters(Repair& repair) {
  const Counters& needed = repair.census.needed;
  auto value = repair.batch.txn().get(repair.batch.tables().meta, kCountersKey);
  if (!value) return failed(value);
  if (*value && decode_counters(kCountersKey, **value)) {
    auto counters = repair.batch.counters();
    if (!counters) return failed(counters);
    Counters& now = **counters;
    now.next_account = std::max(now.next_account, needed.next_account);
    now.last_uid_validity = std::max(now.last_uid_validity, needed.last_uid_validity);
    now.next_blob = std::max(now.next_blob, needed.next_blob);
    now.next_serial = std::max(now.next_serial, needed.next_serial);
    return true;
  }
  Counters anew = needed;
  anew.next_account = AccountId(needed.next_account.value() + kSpareAccounts);
  anew.next_blob = BlobId(needed.next_blob.value() + kSpareNumbers);
  anew.next_serial = MessageSerial(needed.next_serial.value() + kSpareNumbers);
  const auto now = static_cast<std::uint32_t>(std::clamp<std::int64_t>(
      repair.batch.now().time_since_epoch().count(), 1, ~std::uint32_t{0} - 1));
  anew.last_uid_validity = std::max(needed.last_uid_validity, UidValidity(now));
  auto put = repair.batch.txn().put(repair.batch.tables().meta, kCountersKey,
                                    encode_counters(kCountersKey, anew));
  if (!put) return failed(put);
  return true;
}

Result<bool> repair_unit(Repair& repair, const RepairUnit& unit) {
  switch (unit.kind) {
    case RepairUnit::Kind::kNone:
    case RepairUnit::Kind::kSummary: break;
    case RepairUnit::Kind::kCounters: return repair_counters(repair);
    case RepairUnit::Kind::kBlobRow: return repair_blob_row(repair, BlobId(unit.blob));
    case RepairUnit::Kind::kMailbox:
      return repair_mailbox(repair, {AccountId(unit.account), MailboxId(unit.mailbox)});
    case RepairUnit::Kind::kEntry: return repair_entry(repair, unit.table, unit.key);
    case RepairUnit::Kind::kAccount: return repair_account(repair, AccountId(unit.account));
    case RepairUnit::Kind::kName: return repair_name(repair, unit.table, unit.key);
    case RepairUnit::Kind::kBlob: return repair_blob(repair, BlobId(unit.blob));
  }
  return false;
}

bool ends_repair(ErrorCode code) {
  return code == ErrorCode::kDiskFull || code == ErrorCode::kIo || code == ErrorCode::kShutdown;
}

}  // namespace

Result<void> take_out(Repair& repair, engine::Table table, std::string_view key,
                      std::string where) {
  auto value = repair.batch.txn().get(table, key);
  if (!value) return failed(value);
  if (!*value) return {};
  repair.taken.push_back({std::move(where), "taken out of table " + repair.census.name_of(table) +
                                                "; its key was " + hex_of(key) +
                                                ", its octets were " + hex_of(**value)});
  auto erased = repair.batch.txn().erase(table, key);
  if (!erased) return failed(erased);
  return {};
}

Result<bool> is_trustworthy_now(Batch& batch, const MessageRecord& record) {
  if (!is_plausible(record)) return false;
  auto counters = batch.counters();
  if (!counters) return failed(counters);
  const auto row = Queries(batch.txn(), batch.tables(), &batch.coder()).blob_row(record.blob);
  const MessageSerial next = (*counters)->next_serial;
  return row && !row->dying && record.size == record.prefix.size() + row->size &&
         record.serial < next && record.email_id.value() < next.value() &&
         record.thread_id.value() < next.value();
}

std::string describe(Batch& batch, MailboxKey key) {
  const Queries queries(batch.txn(), batch.tables(), &batch.coder());
  const auto account = queries.account_row(key.account);
  const auto mailbox = queries.mailbox_row(key);
  return (account ? account->info.name : "account " + std::to_string(key.account.value())) + "/" +
         (mailbox ? mailbox->info.name : "mailbox " + std::to_string(key.mailbox.value()));
}

Result<void> repair_findings(Census& census) {
  std::vector<RepairUnit> units;
  for (const auto& [unit, found] : census.findings.units()) units.push_back(unit);
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (!census.step("repair", i, units.size())) {
      return fail(ErrorCode::kShutdown, "the repair was ended; what it had done stays");
    }
    std::vector<TakenOut> taken;
    Result<bool> good = false;
    if (units[i].kind == RepairUnit::Kind::kSummary) {
      good = repair_summary(census, BlobId(units[i].blob));
    } else {
      auto written = census.access.write([&](Batch& batch) -> Result<void> {
        taken.clear();
        Repair repair{batch, census, taken};
        good = repair_unit(repair, units[i]);
        if (!good) return failed(good);
        return {};
      });
      if (!written) good = tl::unexpected(written.error());
    }
    if (!good && ends_repair(good.error().code)) return tl::unexpected(good.error());
    if (!good) {
      log::warning("repair", {{"error", good.error().message}});
      continue;
    }
    if (*good) census.findings.repaired(units[i]);
    for (TakenOut& out : taken) census.findings.keep(std::move(out.where), std::move(out.what));
  }
  census.step("repair", units.size(), units.size());
  return {};
}

}  // namespace twinpost::store
