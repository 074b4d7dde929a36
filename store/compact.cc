#include "store/compact.h"

#include <algorithm>
#include <cerrno>
#include <sys/statvfs.h>

namespace twinpost::store {

using engine::failed;

namespace {

constexpr std::uint64_t kMebibyte = 1024 * 1024;
// Beside the copy itself: what comes in meanwhile. A small store must not need a large disk; where it is
// not enough after all, the copy is given up and nothing has changed.
constexpr std::uint64_t kMostSpareOctets = 64 * kMebibyte;
std::uint64_t with_spare(std::uint64_t live) {
  return live + std::min(kMostSpareOctets, live / 4 + kMebibyte);
}
// So many changes are carried over in the pause that everybody notices (some milliseconds).
constexpr std::uint64_t kFewChanges = 1'000;
constexpr unsigned kMostRounds = 20;

Result<void> check_room(const std::string& folder, std::uint64_t needed) {
  struct statvfs disk {};
  if (::statvfs(folder.c_str(), &disk) != 0) return tl::unexpected(system_error(folder, errno));
  const std::uint64_t available = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (available >= needed) return {};
  return fail(ErrorCode::kDiskFull, "compacting needs " + std::to_string(needed / kMebibyte + 1) +
                                        " MiB beside the store, the disk holding " + folder +
                                        " has " + std::to_string(available / kMebibyte) + " MiB");
}

}  // namespace

Result<Store::Compacted> compact_environment(engine::Environment& environment,
                                             const std::string& folder,
                                             const BetweenTransactions& between,
                                             const Progress& progress) {
  auto before = environment.stats();
  if (!before) return failed(before);
  const std::uint64_t live = (before->used_pages - before->free_pages) * before->page_octets;
  if (auto room = check_room(folder, with_spare(live)); !room) return failed(room);
  auto compaction =
      environment.begin_compaction([&progress](std::uint64_t done, std::uint64_t total) {
        return !progress || progress("copying", done, total);
      });
  if (!compaction) return failed(compaction);
  for (unsigned round = 0; round < kMostRounds; ++round) {
    auto carried = (*compaction)->catch_up();
    if (!carried) return failed(carried);
    if (progress && !progress("catching up", 0, *carried)) {
      return fail(ErrorCode::kShutdown, "ended");
    }
    if (*carried <= kFewChanges) break;
  }
  auto swapped = between([&compaction] { return (*compaction)->take_over(); });
  if (!swapped) return failed(swapped);
  auto after = environment.stats();
  if (!after) return failed(after);
  Store::Compacted result;
  result.octets_before = before->used_pages * before->page_octets;
  result.octets_after = after->used_pages * after->page_octets;
  return result;
}

}  // namespace twinpost::store
