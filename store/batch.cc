#include "store/batch.h"

namespace twinpost::store {

Result<Counters*> Batch::counters() {
  if (!counters_) {
    auto value = txn_.get(tables_.meta, kCountersKey);
    if (!value) return failed(value);
    if (!*value) return fail(ErrorCode::kCorrupt, "the store has no counters");
    auto counters = decode_counters(kCountersKey, **value);
    if (!counters) return failed(counters);
    counters_ = *counters;
  }
  return &*counters_;
}

Result<void> Batch::finish() {
  if (spoiled_) return tl::unexpected(*spoiled_);
  if (!counters_) return {};
  return txn_.put(tables_.meta, kCountersKey, encode_counters(kCountersKey, *counters_));
}

}  // namespace twinpost::store
