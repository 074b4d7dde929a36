#include "store/names.h"

#include "core/base/ascii.h"
#include "store/tables.h"

namespace twinpost::store {

std::string canonical_name(std::string_view name) {
  std::string canonical(name);
  const bool first_level_ends =
      name.size() == kInbox.size() ||
      (name.size() > kInbox.size() && name[kInbox.size()] == kHierarchySeparator);
  if (first_level_ends && ascii::starts_with_ignore_case(name, kInbox)) {
    canonical.replace(0, kInbox.size(), kInbox);
  }
  return canonical;
}

Result<void> check_name(std::string_view name) {
  if (name.size() > kMaxNameOctets) {
    return fail(ErrorCode::kLimit, "a mailbox name can have " + std::to_string(kMaxNameOctets) +
                                       " octets, this one has " + std::to_string(name.size()));
  }
  if (name.empty() || name.front() == kHierarchySeparator || name.back() == kHierarchySeparator ||
      name.find("//") != std::string_view::npos) {
    return fail(ErrorCode::kInvalid, "a mailbox name can't have an empty level");
  }
  if (name.find('\0') != std::string_view::npos || !ascii::is_utf8(name)) {
    return fail(ErrorCode::kInvalid, "a mailbox name must be UTF-8 without NUL");
  }
  return {};
}

bool is_below(std::string_view name, std::string_view parent) {
  return name.size() > parent.size() && name.starts_with(parent) &&
         name[parent.size()] == kHierarchySeparator;
}

}  // namespace twinpost::store
