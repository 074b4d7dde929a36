#include "store/pins.h"

#include <utility>

namespace twinpost::store {

class PinTable::Handle final : public Store::Pin {
 public:
  Handle(std::shared_ptr<PinTable> table, std::vector<BlobId> blobs)
      : table_(std::move(table)), blobs_(std::move(blobs)) {}
  ~Handle() override { table_->release(blobs_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

 private:
  std::shared_ptr<PinTable> table_;  // a pin may outlive its store
  std::vector<BlobId> blobs_;
};

std::unique_ptr<Store::Pin> PinTable::pin(std::vector<BlobId> blobs) {
  {
    const std::lock_guard lock(mutex_);
    for (const BlobId blob : blobs) ++counts_[blob].pins;
  }
  return std::make_unique<Handle>(shared_from_this(), std::move(blobs));
}

bool PinTable::is_pinned(BlobId blob) {
  const std::lock_guard lock(mutex_);
  const auto entry = counts_.find(blob);
  if (entry == counts_.end()) return false;
  entry->second.asked_for = true;
  return true;
}

void PinTable::disconnect() {
  const std::lock_guard lock(mutex_);
  on_release_ = nullptr;
}

// The callback runs under the lock: disconnect() then means that it is over.
void PinTable::release(const std::vector<BlobId>& blobs) {
  const std::lock_guard lock(mutex_);
  bool any = false;
  for (const BlobId blob : blobs) {
    const auto entry = counts_.find(blob);
    if (--entry->second.pins > 0) continue;
    any = any || entry->second.asked_for;
    counts_.erase(entry);
  }
  if (any && on_release_) on_release_();
}

}  // namespace twinpost::store
