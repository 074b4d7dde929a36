#include "store/types.h"

#include <fmt/format.h>

namespace twinpost::store {

std::string uidl_of(const MessageRecord& record, std::uint64_t store_id) {
  if (!record.imported_uidl.empty()) return record.imported_uidl;
  return fmt::format("{:016x}{:016x}", store_id, record.serial.value());
}

}  // namespace twinpost::store
