// The reserve: disk space that new mail may not take, so that people can always expunge (which
// needs pages of its own before it gives any back). Writer thread only.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "store/engine/engine.h"

namespace twinpost::store {

class DiskReserve {
 public:
  DiskReserve(std::string folder, std::uint64_t reserve_octets, engine::Environment& environment)
      : folder_(std::move(folder)), reserve_octets_(reserve_octets), environment_(environment) {}

  // kDiskFull where what the disk has free, and what the data file has free inside it, is below the
  // reserve. The file's own list is walked only where the disk alone does not do, and at most once
  // a second.
  [[nodiscard]] Result<void> check();

 private:
  std::string folder_;
  std::uint64_t reserve_octets_;
  engine::Environment& environment_;
  SteadyTime counted_at_{};
  std::uint64_t free_in_file_ = 0;
};

}  // namespace twinpost::store
