// Mailbox names as the store keeps them: UTF-8, '/' between levels, and INBOX in upper case. Pure;
// any thread.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"

namespace twinpost::store {

inline constexpr std::string_view kInbox = "INBOX";
inline constexpr char kHierarchySeparator = '/';

// INBOX is case-insensitive, as a whole name and as a first level (RFC 9051 5.1); the rest stays as
// it is.
[[nodiscard]] std::string canonical_name(std::string_view name);

// What no mailbox may be called, whatever protocol asks: kInvalid for a name that is empty, not
// UTF-8, has a NUL or an empty level; kLimit for one that is longer than kMaxNameOctets.
[[nodiscard]] Result<void> check_name(std::string_view name);

// True for "a/b" and "a/b/c" below "a".
[[nodiscard]] bool is_below(std::string_view name, std::string_view parent);

}  // namespace twinpost::store
