// Temporary files of messages on their way in: without a name from the start, or, where the file system can't do that,
// with one for the moment before they are unlinked. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"

namespace twinpost::store {

// So that start-up finds what a crash in that moment left.
inline constexpr std::string_view kSpoolFilePrefix = "spool-";

// kDiskFull, kIo.
[[nodiscard]] Error spool_error(const std::string& folder, int error_number);
// A descriptor, close-on-exec, that is the caller's.
[[nodiscard]] Result<int> open_spool_file(const std::string& folder);
// All of them, at the file's position. `folder` is for the error.
[[nodiscard]] Result<void> write_spool_file(int fd, std::string_view octets,
                                            const std::string& folder);

}  // namespace twinpost::store
