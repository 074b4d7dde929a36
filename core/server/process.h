// The process itself: file descriptors, and becoming another user. Main thread, before any other thread starts.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/error.h"

namespace twinpost::server {

// Raises the soft limit of open files toward `wanted` (at most to the hard limit; root raises that too). Returns the limit
// in force.
std::uint64_t raise_file_limit(std::uint64_t wanted);

// Makes the data folder where it is missing (0700) and gives it to `user` (when one is named and we are root).
[[nodiscard]] Result<void> prepare_data_folder(const std::string& folder, const std::string& user);

// Becomes `user` for good: groups, group, user; then checks that there is no way back. Only as root; an empty name
// changes nothing.
[[nodiscard]] Result<void> become_user(const std::string& user);

}  // namespace twinpost::server
