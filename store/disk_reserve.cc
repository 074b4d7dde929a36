#include "store/disk_reserve.h"

#include <cerrno>
#include <chrono>
#include <sys/statvfs.h>

namespace twinpost::store {

namespace {
constexpr std::chrono::seconds kCountEvery{1};
constexpr std::uint64_t kMebibyte = 1024 * 1024;
}  // namespace

Result<void> DiskReserve::check() {
  if (reserve_octets_ == 0) return {};
  struct statvfs disk {};
  if (::statvfs(folder_.c_str(), &disk) != 0) return tl::unexpected(system_error(folder_, errno));
  const std::uint64_t free_on_disk = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (free_on_disk >= reserve_octets_) return {};
  const SteadyTime now = steady_now();
  if (counted_at_ == SteadyTime{} || now - counted_at_ >= kCountEvery) {
    auto stats = environment_.stats();
    if (!stats) return engine::failed(stats);
    free_in_file_ = stats->free_pages * stats->page_octets;
    counted_at_ = now;
  }
  if (free_in_file_ >= reserve_octets_ - free_on_disk) return {};
  return fail(ErrorCode::kDiskFull, "the disk holding " + folder_ +
                                        " has less than the reserve of " +
                                        std::to_string(reserve_octets_ / kMebibyte) + " MiB left");
}

}  // namespace twinpost::store
