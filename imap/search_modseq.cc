#include "imap/search_modseq.h"

#include <algorithm>

#include "imap/search_text.h"

namespace twinpost::imap {

// False where the next message that counts is far away: a new cursor is quicker than the way there.
bool HighestModSeq::meet(const store::MessageRecord& record) {
  constexpr std::uint32_t kWorthJumping = 200;
  const std::uint32_t uid = record.uid.value();
  const auto& ranges = uids_.ranges();
  while (range_ < ranges.size() && ranges[range_].last < uid) ++range_;
  position_ = std::uint64_t{uid} + 1;
  if (range_ == ranges.size()) return false;
  if (ranges[range_].first > uid) return ranges[range_].first - uid < kWorthJumping;
  highest_ = std::max(highest_, record.modseq.value());
  return true;
}

Result<bool> HighestModSeq::slice(const store::ReadView& view) {
  constexpr unsigned kLookAtClock = 64;
  const SliceTimer timer(slice_);
  while (range_ < uids_.ranges().size() && position_ <= uids_.highest()) {
    const auto first = static_cast<std::uint32_t>(
        std::max<std::uint64_t>(position_, uids_.ranges()[range_].first));
    const store::UidRange rest{store::Uid(first), store::Uid(uids_.highest())};
    bool stopped = false;
    unsigned records = 0;
    auto scanned = view.for_each_message(mailbox_, rest, [&](const store::MessageRecord& record) {
      stopped = !meet(record) || (++records % kLookAtClock == 0 && timer.is_over());
      return !stopped;
    });
    if (!scanned && scanned.error().code == ErrorCode::kNotFound)
      return true;  // the mailbox is gone
    if (!scanned) return tl::unexpected(std::move(scanned.error()));
    if (!stopped) return true;
    if (timer.is_over()) return false;
  }
  return true;
}

}  // namespace twinpost::imap
