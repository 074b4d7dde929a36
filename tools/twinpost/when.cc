#include "tools/twinpost/when.h"

#include <array>
#include <ctime>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <utility>

#include "core/base/ascii.h"

namespace twinpost::tools {

namespace {

using std::chrono::seconds;

struct Calendar {
  int year = 0;
  int month = 1;
  int day = 1;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

// nullopt for what no calendar has: 30 February, and an hour that a change of the clocks leaves
// out.
std::optional<UnixTime> from_local(const Calendar& calendar) {
  std::tm local{};
  local.tm_year = calendar.year - 1900;
  local.tm_mon = calendar.month - 1;
  local.tm_mday = calendar.day;
  local.tm_hour = calendar.hour;
  local.tm_min = calendar.minute;
  local.tm_sec = calendar.second;
  local.tm_isdst = -1;
  const std::time_t time = std::mktime(&local);
  if (time == -1 || local.tm_year != calendar.year - 1900 || local.tm_mon != calendar.month - 1 ||
      local.tm_mday != calendar.day || local.tm_hour != calendar.hour ||
      local.tm_min != calendar.minute) {
    return std::nullopt;
  }
  return UnixTime(seconds(time));
}

std::tm to_local(UnixTime time) {
  const std::time_t value = time.time_since_epoch().count();
  std::tm local{};
  ::localtime_r(&value, &local);
  return local;
}

// Digits at the front of `text`, exactly so many, taken off it.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  const auto number = ascii::parse_number<unsigned>(text.substr(0, count));
  if (!number) return std::nullopt;
  text.remove_prefix(count);
  return static_cast<int>(*number);
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// "2026-11-20" and what may follow; `with_time` says whether it did.
std::optional<Calendar> parse_calendar(std::string_view text, bool& with_time) {
  const auto year = take_digits(text, 4);
  if (!year || *year < 1970 || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day) return std::nullopt;
  Calendar calendar{*year, *month, *day};
  with_time = !text.empty();
  if (!with_time) return calendar;
  if (!take(text, 'T') && !take(text, ' ')) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  calendar.hour = *hour;
  calendar.minute = *minute;
  if (text.empty()) return calendar;
  if (!take(text, ':')) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *second > 59 || !text.empty()) return std::nullopt;
  calendar.second = *second;
  return calendar;
}

std::optional<seconds> parse_age(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 6> kUnits = {
      {{"min", 60}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 24 * 3600}, {"w", 7 * 24 * 3600}}};
  constexpr std::uint32_t kMost = 1'000'000;
  for (const auto& [unit, length] : kUnits) {
    if (!text.ends_with(unit)) continue;
    const auto count =
        ascii::parse_number<std::uint32_t>(text.substr(0, text.size() - unit.size()));
    if (count && *count <= kMost) return seconds(*count * length);
  }
  return std::nullopt;
}

// Midnight at the beginning of the day that is `days` before today; or the last second of it. Days
// can have 23 or 25 hours.
std::optional<UnixTime> day_edge(Calendar day, DayEdge edge) {
  if (edge == DayEdge::kEnd) {
    day.hour = 23;
    day.minute = 59;
    day.second = 59;
  }
  return from_local(day);
}

std::optional<UnixTime> days_ago(UnixTime now, int days, DayEdge edge) {
  std::tm local = to_local(now);
  local.tm_mday -= days;
  local.tm_hour = 12;
  local.tm_isdst = -1;
  if (std::mktime(&local) == -1) return std::nullopt;
  return day_edge({local.tm_year + 1900, local.tm_mon + 1, local.tm_mday}, edge);
}

std::optional<UnixTime> parse(std::string_view text, UnixTime now, DayEdge edge) {
  if (text == "today") return days_ago(now, 0, edge);
  if (text == "yesterday") return days_ago(now, 1, edge);
  if (const auto age = parse_age(text)) return now - *age;
  bool with_time = false;
  const auto calendar = parse_calendar(text, with_time);
  if (!calendar) return std::nullopt;
  return with_time ? from_local(*calendar) : day_edge(*calendar, edge);
}

}  // namespace

Result<UnixTime> parse_when(std::string_view text, UnixTime now, DayEdge edge) {
  const auto time = parse(text, now, edge);
  if (time) return *time;
  return fail(
      ErrorCode::kInvalid,
      fmt::format("\"{}\" is no time: use 2026-11-20, 2026-11-20T14:00, today, yesterday, or "
                  "30min, 2h, 3d, 2w for so long ago",
                  ascii::printable(text, 60)));
}

std::string format_local(UnixTime time) {
  const std::tm local = to_local(time);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", local.tm_year + 1900, local.tm_mon + 1,
                     local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
}

}  // namespace twinpost::tools
