#include "store/types.h"

#include <charconv>
#include <fmt/format.h>
#include <limits>

namespace twinpost::store {

std::string uidl_of(const MessageRecord& record, std::uint64_t store_id) {
  if (!record.imported_uidl.empty()) return record.imported_uidl;
  return fmt::format("{:016x}{:016x}", store_id, record.serial.value());
}

std::string to_string(const RemovedId& id) {
  return fmt::format("{}-{}-{}", id.time.time_since_epoch().count(), id.mailbox.value(),
                     id.uid.value());
}

std::optional<RemovedId> parse_removed_id(std::string_view text) {
  std::uint64_t parts[3] = {};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parts[i]);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (i == 2) break;
    if (text.empty() || text.front() != '-') return std::nullopt;
    text.remove_prefix(1);
  }
  constexpr std::uint64_t kMostId = std::numeric_limits<std::uint32_t>::max();
  if (!text.empty() || parts[0] > std::numeric_limits<std::int64_t>::max() || parts[1] > kMostId ||
      parts[2] > kMostId) {
    return std::nullopt;
  }
  return RemovedId{UnixTime(std::chrono::seconds(static_cast<std::int64_t>(parts[0]))),
                   MailboxId(static_cast<std::uint32_t>(parts[1])),
                   Uid(static_cast<std::uint32_t>(parts[2]))};
}

}  // namespace twinpost::store
