// The store's options, the same for the load and for those who look at its images.
#pragma once

#include <string>

#include "store/store.h"

namespace twinpost::powercut {

inline store::StoreOptions store_options(const std::string& folder, bool durable) {
  store::StoreOptions options;
  options.folder = folder + "/store";
  options.map_size_bytes = std::uint64_t{1} << 32;  // sanitizers want the rest of the address space
  options.reserve_bytes = 0;
  options.max_readers = 128;
  options.durable = durable;
  options.retention = std::chrono::hours(24);
  return options;
}

}  // namespace twinpost::powercut
