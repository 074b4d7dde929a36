#include "store/reaper.h"

#include <algorithm>
#include <vector>

#include "core/base/log.h"
#include "store/blobs.h"
#include "store/queries.h"
#include "store/transaction.h"

namespace twinpost::store {

namespace {

// Looked at in one step, spared ones included.
constexpr std::size_t kBlobsAStep = 2000;

struct Listed {
  BlobId blob;
  std::uint64_t commit = 0;
};

}  // namespace

// The commit numbers of an earlier process say nothing about the readers of this one; neither do
// those from before the store was copied compactly, which begins the count anew and leaves them in
// the future.
bool Reaper::may_be_seen(std::uint64_t last_reference_went) const {
  if (last_reference_went <= opened_at_) return false;
  const std::optional<std::uint64_t> oldest = environment_.oldest_reader();
  return oldest && *oldest < last_reference_went;
}

Result<void> Reaper::reap_blobs(Batch& batch, Step& step, unsigned& pages_left) {
  const Queries queries(batch.txn(), tables_);
  if (blob_from_ == 0) seen_ = listed_more_ = false;
  std::vector<Listed> listed;
  const auto collect = [&](auto key, auto value) -> Result<bool> {
    const BlobId blob(Reader(key).key_u64());
    // A damaged row says nothing about its age: taken as this process's, and so as the most careful
    // case.
    listed.push_back({blob, decode_number(key, value, "reapable").value_or(batch.txn().id())});
    return listed.size() < kBlobsAStep;
  };
  auto scanned = queries.scan(tables_.reapable, {}, blob_key(BlobId(blob_from_)).view(), collect);
  if (!scanned) return scanned;
  const bool to_the_end = listed.size() < kBlobsAStep;
  blob_from_ = to_the_end ? 0 : listed.back().blob.value() + 1;
  Blobs blobs(batch);
  for (const Listed& entry : listed) {
    if (pages_left == 0) {
      blob_from_ = entry.blob.value();
      return {};
    }
    // In this order: a reader that is over has its pins by now.
    if (entry.commit <= batch.txn().id() && may_be_seen(entry.commit)) {
      seen_ = true;
      continue;
    }
    if (pins_.is_pinned(entry.blob)) continue;
    auto reaped = blobs.reap(entry.blob, pages_left);
    if (!reaped && reaped.error().code == ErrorCode::kCorrupt) {
      log::warning("reaper", {{"blob", entry.blob.value()}, {"error", reaped.error().message}});
      continue;  // left on the list for `check`
    }
    if (!reaped) return failed(reaped);
    step.progress = true;
    if (reaped->finished) ++step.reaped;
    pages_left -= std::min(pages_left, reaped->pages + 1);
  }
  if (!to_the_end || listed_more_) step.progress = true;
  return {};
}

// Removals whose retention is over, and the oldest of an account that keeps too much, lose their
// record and their reference. Rows are in order of time.
Result<void> Reaper::drop_expired_of(Batch& batch, const AccountInfo& account, const Keep& keep,
                                     Step& step) {
  const Queries queries(batch.txn(), tables_);
  const UnixTime latest = batch.now() - keep.retention;
  std::uint64_t messages = account.removed_messages;
  std::uint64_t bytes = account.removed_bytes;
  const Key prefix = account_key(account.id);
  std::vector<std::string> expired;
  auto scanned = queries.scan(
      tables_.removed, prefix.view(), prefix.view(), [&](auto key, auto value) -> Result<bool> {
        Reader in(key.substr(prefix.view().size()));
        const UnixTime time(std::chrono::seconds(static_cast<std::int64_t>(in.key_u64())));
        const MailboxKey mailbox{account.id, MailboxId(in.key_u32())};
        const bool too_much = (keep.bytes != 0 && bytes > keep.bytes) ||
                              (keep.messages != 0 && messages > keep.messages);
        if (time > latest && !too_much) {
          const UnixTime due = time + keep.retention;
          step.next_expiry = std::min(step.next_expiry.value_or(due), due);
          return false;
        }
        auto row = decode_removed(key, value);
        if (!row) {
          log::warning("reaper", {{"account", account.name}, {"error", row.error().message}});
          return true;
        }
        if (holds_.spares(mailbox, time)) return true;
        if (messages > 0) --messages;
        if (row->how != Removal::kMoved) bytes -= std::min(bytes, row->message.size);
        expired.emplace_back(key);
        return step.forgotten + expired.size() < kRowsAStep;
      });
  if (!scanned || expired.empty()) return scanned;
  auto dropped = Transaction(batch).drop_removed(account.id, expired);
  if (!dropped) return failed(dropped);
  step.forgotten += expired.size();
  step.progress = listed_more_ = true;
  return {};
}

Result<void> Reaper::drop_expired(Batch& batch, const Keep& keep, Step& step) {
  auto accounts = Queries(batch.txn(), tables_).accounts();
  if (!accounts) return failed(accounts);
  for (const AccountInfo& account : *accounts) {
    if (auto dropped = drop_expired_of(batch, account, keep, step); !dropped) return dropped;
    if (step.forgotten >= kRowsAStep) break;
  }
  return {};
}

Result<Reaper::Step> Reaper::step(Batch& batch, const Keep& keep) {
  Step step;
  unsigned pages_left = kPagesAStep;
  if (auto reaped = reap_blobs(batch, step, pages_left); !reaped) return failed(reaped);
  if (pages_left == kPagesAStep) {
    if (auto dropped = drop_expired(batch, keep, step); !dropped) return failed(dropped);
  }
  step.waiting = seen_;
  return step;
}

}  // namespace twinpost::store
