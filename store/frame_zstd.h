// One frame, compressed by zstd (RFC 8878), with a checksum of its own. Any thread; each has its contexts.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"

namespace twinpost::store {

// Appends the compressed frame to `out`; false, and nothing, where that is not at least `worth` octets smaller.
// kInternal where zstd has no memory.
[[nodiscard]] Result<bool> compress_frame(std::string_view plain, std::size_t worth,
                                          std::string& out);
// Puts exactly `plain_octets` octets at `out`; false where `compressed` is not one frame of just so many. Never
// writes more, whatever the frame says, and takes no memory that depends on it.
[[nodiscard]] bool decompress_frame(std::string_view compressed, char* out,
                                    std::size_t plain_octets);

}  // namespace twinpost::store
