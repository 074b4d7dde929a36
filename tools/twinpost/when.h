// Points in time as an admin writes them. Local time. Any one thread (the C library's time zone).
#pragma once

#include <string_view>

#include "core/base/clock.h"
#include "core/base/error.h"

namespace twinpost::tools {

// Which end of a day a date without a time stands for.
enum class DayEdge : std::uint8_t { kBegin, kEnd };

// "2026-11-20", "2026-11-20T14:00", "2026-11-20 14:00:30", "today", "yesterday"; or that long
// before `now`: "90s", "30min", "2h", "3d", "2w". kInvalid shows the forms.
[[nodiscard]] Result<UnixTime> parse_when(std::string_view text, UnixTime now, DayEdge edge);

// "2026-11-20 14:00:30", local time.
[[nodiscard]] std::string format_local(UnixTime time);

}  // namespace twinpost::tools
