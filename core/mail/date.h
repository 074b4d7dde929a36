// Dates: RFC 5322 section 3.3 and 4.3 as mail has them, and IMAP's own forms (RFC 9051 section 9).
// Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace twinpost::mail {

struct DateTime {
  std::int64_t seconds = 0;  // since 1970-01-01T00:00:00Z
  int zone_minutes = 0;      // what the text said, east is positive
  bool zone_known =
      true;  // false for "-0000", a missing zone and names that mean nothing (RFC 5322 4.3)
  friend bool operator==(const DateTime&, const DateTime&) = default;
};

// A Date field's value. Beyond RFC 5322 with its obsolete parts it takes what is seen in the wild:
// any or no day name, full month names, asctime's order, dd-Mon-yyyy, ISO 8601, "GMT+0200",
// "+02:00", AM/PM, a zone without sign, no seconds, no zone, no time. nullopt where no day, month
// and year can be made out, or where a number is out of its range. Linear, and no more than 16
// words are looked at.
[[nodiscard]] std::optional<DateTime> parse_date(std::string_view value);

// "Fri, 21 Nov 1997 09:55:06 -0600"
[[nodiscard]] std::string format_date(std::int64_t seconds, int zone_minutes);

// IMAP date-time, without the quotes: "17-Jul-1996 02:44:25 -0700", the day padded with a space or
// a zero.
[[nodiscard]] std::string format_imap_date_time(std::int64_t seconds, int zone_minutes);
// Strict (RFC 9051 section 9, date-time), without the quotes.
[[nodiscard]] std::optional<DateTime> parse_imap_date_time(std::string_view text);
// IMAP date for SEARCH, "1-Feb-1994", without quotes: days since 1970-01-01.
[[nodiscard]] std::optional<std::int64_t> parse_imap_date(std::string_view text);

}  // namespace twinpost::mail
