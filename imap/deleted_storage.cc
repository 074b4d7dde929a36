#include "imap/deleted_storage.h"

#include <limits>

namespace twinpost::imap {

namespace {

constexpr std::uint32_t kMaxUid = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint32_t kBetweenLooksAtTheClock = 1024;

}  // namespace

Result<bool> DeletedStorage::advance(const store::ReadView& view, SteadyTime deadline) {
  if (left_ == 0) return true;
  bool interrupted = false;
  std::uint32_t seen = 0;
  const auto visit = [&](const store::MessageRecord& record) {
    if ((record.flags & bit(store::Flag::kDeleted)) != 0) {
      octets_ += record.size;
      if (--left_ == 0) return false;
    }
    if (++seen % kBetweenLooksAtTheClock != 0 || steady_now() < deadline) return true;
    interrupted = record.uid.value() != kMaxUid;
    if (interrupted) next_ = record.uid.next();
    return false;
  };
  const store::UidRange range{next_, store::Uid(kMaxUid)};
  const auto visited = view.for_each_message(mailbox_, range, visit);
  if (!visited) return tl::unexpected(visited.error());
  return !interrupted;
}

}  // namespace twinpost::imap
