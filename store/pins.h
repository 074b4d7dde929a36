// Pinned blobs: counted in memory only, since a pin lives as long as a session. Any thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "store/store.h"

namespace twinpost::store {

class PinTable : public std::enable_shared_from_this<PinTable> {
 public:
  // `on_release` is called, on whatever thread a pin goes, when a blob that was asked for
  // (is_pinned) has no pin any more; until disconnect().
  explicit PinTable(std::function<void()> on_release) : on_release_(std::move(on_release)) {}

  [[nodiscard]] std::unique_ptr<Store::Pin> pin(std::vector<BlobId> blobs);
  [[nodiscard]] bool is_pinned(BlobId blob);
  void disconnect();

 private:
  class Handle;
  void release(const std::vector<BlobId>& blobs);

  struct Count {
    unsigned pins = 0;
    bool asked_for = false;  // somebody waits for the last pin to go
  };

  std::mutex mutex_;
  std::unordered_map<BlobId, Count> counts_;
  std::function<void()> on_release_;
};

}  // namespace twinpost::store
