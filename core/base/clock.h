// Time: wall-clock instants that are stored, and the steady clock that measures waits. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace twinpost {

// Seconds since 1970-01-01T00:00:00Z, as it is stored.
using UnixTime = std::chrono::sys_seconds;
using SteadyTime = std::chrono::steady_clock::time_point;

[[nodiscard]] UnixTime unix_now();
[[nodiscard]] inline SteadyTime steady_now() { return std::chrono::steady_clock::now(); }

// 2026-01-31T08:05:09Z (RFC 3339)
[[nodiscard]] std::string format_rfc3339(UnixTime time);

}  // namespace twinpost
