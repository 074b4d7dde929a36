// Single values: JSON to what the server uses, checked, and back. Internal to core/config.
//
// `info` gives the bounds and choices. Errors stand at `place`.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/config/json_text.h"
#include "core/config/place.h"
#include "core/config/schema.h"

namespace twinpost::config {

[[nodiscard]] Result<bool> read_flag(const Json& value, const KeyInfo& info, const Place& place);
[[nodiscard]] Result<std::uint64_t> read_count(const Json& value, const KeyInfo& info,
                                               const Place& place);
// [80, 95], ascending
[[nodiscard]] Result<std::vector<std::uint64_t>> read_counts(const Json& value, const KeyInfo& info,
                                                             const Place& place);
// 1048576, "1 MiB", "500 KB" (1000), "500 KiB" (1024), "12 B"
[[nodiscard]] Result<std::uint64_t> read_size(const Json& value, const KeyInfo& info,
                                              const Place& place);
// 90 (seconds), "500 ms", "30 s", "10 min", "1 h", "2 days"
[[nodiscard]] Result<std::chrono::milliseconds> read_duration(const Json& value,
                                                              const KeyInfo& info,
                                                              const Place& place);
[[nodiscard]] Result<std::string> read_text(const Json& value, const KeyInfo& info,
                                            const Place& place);
[[nodiscard]] Result<std::string> read_path(const Json& value, const KeyInfo& info,
                                            const Place& place);
// The index of the choice.
[[nodiscard]] Result<std::size_t> read_choice(const Json& value, const KeyInfo& info,
                                              const Place& place);

// Checks one text of a list and gives what is kept of it; its error has no place.
using TextCheck = std::function<Result<std::string>(std::string_view)>;
[[nodiscard]] Result<std::vector<std::string>> read_texts(const Json& value, const TextCheck& check,
                                                          std::string_view example,
                                                          const Place& place);

// The largest unit that divides it: "50 MiB", "10 min", 0.
[[nodiscard]] Json show_size(std::uint64_t octets);
[[nodiscard]] Json show_duration(std::chrono::milliseconds duration);

}  // namespace twinpost::config
