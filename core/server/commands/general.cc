#include <fmt/format.h>
#include <unistd.h>

#include "core/server/commands/commands.h"
#include "core/server/commands/request.h"

namespace twinpost::server {

namespace {

template <class Numbers>
Json list_of(const Numbers& numbers) {
  Json list = Json::array();
  for (const std::uint64_t number : numbers) list.push_back(number);
  return list;
}

}  // namespace

Result<Json> admin_ping(AdminJob& job) {
  Members members(job.request);
  if (auto good = members.finish(); !good) return tl::unexpected(good.error());
  return Json{{"version", TWINPOST_VERSION},
              {"store_id", fmt::format("{:016x}", job.store.store_id())},
              {"pid", ::getpid()},
              {"data", job.config->data}};
}

Result<Json> admin_space(AdminJob& job) {
  Members members(job.request);
  if (auto good = members.finish(); !good) return tl::unexpected(good.error());
  const auto space = job.store.space();
  if (!space) return tl::unexpected(space.error());
  const store::StoreFigures figures = job.store.figures();
  return Json{{"file_octets", space->file_octets},
              {"free_octets", space->free_octets},
              {"disk_free_octets", space->disk_free_octets},
              {"reserve_octets", space->reserve_octets},
              {"last_commit", space->last_commit},
              {"oldest_reader_lag", space->oldest_reader_lag},
              {"readers", space->readers},
              {"format", space->format},
              {"commits", figures.commits},
              {"writes", figures.writes},
              {"write_failures", figures.write_failures},
              {"batch_retries", figures.batch_retries},
              {"queued", figures.queued},
              {"change_scans", figures.change_scans},
              {"commit_bounds", list_of(store::StoreFigures::kCommitBounds)},
              {"commits_by_time", list_of(figures.commits_by_time)},
              {"commit_microseconds", figures.commit_microseconds},
              {"reaped_blobs", figures.reaped_blobs},
              {"forgotten_removals", figures.forgotten_removals}};
}

}  // namespace twinpost::server
