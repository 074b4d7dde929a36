// The name that temporary spool files have for the moment before they are unlinked, so that
// start-up finds what a crash in that moment left.
#pragma once

#include <string_view>

namespace twinpost::store {

inline constexpr std::string_view kSpoolFilePrefix = "spool-";

}  // namespace twinpost::store
