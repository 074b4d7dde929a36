#include "core/mail/date.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <fmt/format.h>

#include "core/base/ascii.h"
#include "core/mail/structured.h"

namespace twinpost::mail {

namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

struct NamedZone {
  std::string_view name;
  int minutes;
};
// RFC 5322 4.3, and the European and Japanese names, which have one meaning each.
constexpr std::array kZones = {
    NamedZone{"UT", 0},     NamedZone{"UTC", 0},    NamedZone{"GMT", 0},    NamedZone{"Z", 0},
    NamedZone{"EST", -300}, NamedZone{"EDT", -240}, NamedZone{"CST", -360}, NamedZone{"CDT", -300},
    NamedZone{"MST", -420}, NamedZone{"MDT", -360}, NamedZone{"PST", -480}, NamedZone{"PDT", -420},
    NamedZone{"WET", 0},    NamedZone{"WEST", 60},  NamedZone{"CET", 60},   NamedZone{"CEST", 120},
    NamedZone{"MET", 60},   NamedZone{"MEST", 120}, NamedZone{"EET", 120},  NamedZone{"EEST", 180},
    NamedZone{"JST", 540},
};

// Counted from 0, by the first three letters ("Sept", "December").
template <std::size_t N>
std::optional<unsigned> name_index(const std::array<std::string_view, N>& names,
                                   std::string_view word) {
  if (word.size() < 3) return std::nullopt;
  for (unsigned i = 0; i < names.size(); ++i) {
    if (ascii::starts_with_ignore_case(word, names[i])) return i;
  }
  return std::nullopt;
}

struct Fields {
  std::optional<unsigned> day;
  std::optional<unsigned> month;  // 1..12
  std::optional<unsigned> year;
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
  bool has_time = false;
  std::optional<int> zone;
  bool zone_numeric = false;
  bool zone_unknown = false;
};

std::optional<std::int64_t> days_of(unsigned year, unsigned month, unsigned day) {
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(month), std::chrono::day(day)};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count();
}

// RFC 5322 4.3: two digits below 50 are of this century, other two and all three digit years count
// from 1900.
std::optional<unsigned> full_year(std::string_view digits) {
  const auto year = ascii::parse_number<unsigned>(digits);
  if (!year || digits.size() < 2 || *year > 9999) return std::nullopt;
  if (digits.size() == 2) return *year < 50 ? *year + 2000 : *year + 1900;
  if (digits.size() == 3) return *year + 1900;
  return year;
}

// "+hhmm", "-hh:mm", "+hh", "+hmm"; the sign is at the front.
std::optional<int> numeric_zone(std::string_view text) {
  const bool west = text.front() == '-';
  text.remove_prefix(1);
  std::string digits;
  for (const char c : text.substr(0, 6)) {
    if (c != ':') digits += c;
  }
  const auto number = ascii::parse_number<unsigned>(digits);
  if (!number || text.size() > 6 || digits.size() > 4) return std::nullopt;
  const unsigned hours = digits.size() <= 2 ? *number : *number / 100;
  const unsigned minutes = digits.size() <= 2 ? 0 : *number % 100;
  if (hours >= 24 || minutes >= 60) return std::nullopt;
  const int offset = static_cast<int>(hours * 60 + minutes);
  return west ? -offset : offset;
}

void set_numeric_zone(Fields& fields, std::string_view text) {
  const auto zone = numeric_zone(text);
  fields.zone_numeric = true;
  fields.zone = zone.value_or(0);
  // RFC 5322 3.3: "-0000" says that the local zone is not known.
  fields.zone_unknown = !zone || (*zone == 0 && text.front() == '-');
}

void set_named_zone(Fields& fields, std::string_view word) {
  if (fields.zone_numeric || (fields.zone && !fields.zone_unknown)) return;
  const std::size_t sign = word.find_first_of("+-");
  if (sign != std::string_view::npos && sign + 1 < word.size()) {  // "GMT+0200"
    set_numeric_zone(fields, word.substr(sign));
    return;
  }
  fields.zone = 0;
  fields.zone_unknown = true;
  for (const NamedZone& zone : kZones) {
    if (!ascii::equals_ignore_case(zone.name, word)) continue;
    fields.zone = zone.minutes;
    fields.zone_unknown = false;
  }
}

// "AM" or "PM" behind a time.
bool read_half_day(Fields& fields, std::string_view word) {
  const bool pm = ascii::equals_ignore_case(word, "pm");
  if (!pm && !ascii::equals_ignore_case(word, "am")) return false;
  // "15:04 PM": the PM says nothing new.
  if (fields.hour >= 1 && fields.hour <= 12) fields.hour = fields.hour % 12 + (pm ? 12 : 0);
  return true;
}

// "9:55", "09:55:06", "09:55:06.123", "09.55.06", with a zone right behind it ("...+0200", "...Z").
bool read_time(Fields& fields, std::string_view word) {
  const std::size_t clock_end = word.find_first_not_of("0123456789:.");
  const std::string_view clock = word.substr(0, clock_end);
  std::array<std::string_view, 3> parts;
  std::size_t count = 0;
  std::size_t begin = 0;
  while (count < 3) {
    const std::size_t end = clock.find_first_of(":.", begin);
    parts[count++] = clock.substr(begin, end == std::string_view::npos ? end : end - begin);
    if (end == std::string_view::npos) break;
    begin = end + 1;
  }
  if (count < 2 || fields.has_time) return false;
  const auto number = [&](std::size_t i, unsigned limit) -> std::optional<unsigned> {
    if (i >= count) return 0U;
    const auto value = ascii::parse_number<unsigned>(parts[i]);
    return value && parts[i].size() <= 2 && *value <= limit ? value : std::nullopt;
  };
  const auto hour = number(0, 23);
  const auto minute = number(1, 59);
  const auto second = number(2, 60);  // 60 is a leap second
  if (!hour || !minute || !second) return false;
  fields.hour = *hour;
  fields.minute = *minute;
  fields.second = *second;
  fields.has_time = true;
  if (clock_end == std::string_view::npos) return true;
  const std::string_view rest = word.substr(clock_end);
  if ((rest.front() == '+' || rest.front() == '-') && rest.size() > 1) {
    set_numeric_zone(fields, rest);
  } else if (!read_half_day(fields, rest)) {
    set_named_zone(fields, rest);
  }
  return true;
}

// "21-Nov-1997", "21/Nov/97", "1997-11-21", "1997-11-21T09:55:06Z".
bool read_joined_date(Fields& fields, std::string_view word) {
  const std::size_t first = word.find_first_of("-/");
  const std::size_t second = word.find_first_of("-/", first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return false;
  const std::string_view a = word.substr(0, first);
  const std::string_view b = word.substr(first + 1, second - first - 1);
  std::string_view c = word.substr(second + 1);
  if (fields.day || fields.month || fields.year) return false;
  if (const auto month = name_index(kMonths, b)) {
    fields.day = ascii::parse_number<unsigned>(a);
    fields.month = *month + 1;
    fields.year = full_year(c);
    return fields.day.has_value() && fields.year.has_value();
  }
  if (a.size() != 4 || word[first] != '-') return false;
  std::string_view time;
  if (const std::size_t t = c.find_first_of("Tt"); t != std::string_view::npos) {
    time = c.substr(t + 1);
    c = c.substr(0, t);
  }
  fields.year = ascii::parse_number<unsigned>(a);
  fields.month = ascii::parse_number<unsigned>(b);
  fields.day = ascii::parse_number<unsigned>(c);
  if (!fields.year || !fields.month || !fields.day) return false;
  return time.empty() || read_time(fields, time);
}

bool read_number(Fields& fields, std::string_view word) {
  if (word.size() <= 2 && !fields.day) {
    fields.day = ascii::parse_number<unsigned>(word);
    return fields.day.has_value();
  }
  if (!fields.year) {
    fields.year = full_year(word);
    return fields.year.has_value();
  }
  if (word.size() == 4 && fields.has_time && !fields.zone) {  // a zone that lost its sign
    set_numeric_zone(fields, "+" + std::string(word));
  }
  return true;
}

bool read_letters(Fields& fields, std::string_view word) {
  if (fields.has_time && read_half_day(fields, word)) return true;
  if (!fields.month) {
    if (const auto month = name_index(kMonths, word)) {
      fields.month = *month + 1;
      return true;
    }
    // A day name says nothing that the date does not; an unknown word before the date is one in
    // another language.
    return true;
  }
  if (!fields.has_time && !fields.year) return true;
  if (name_index(kDays, word)) return true;  // asctime and the like: no zone begins so
  set_named_zone(fields, word);
  return true;
}

bool read_word(Fields& fields, std::string_view word) {
  if ((word.front() == '+' || word.front() == '-') && word.size() > 1) {
    if (fields.has_time && !fields.zone_numeric) set_numeric_zone(fields, word);
    return true;
  }
  if (ascii::is_digit(word.front())) {
    if (word.find_first_not_of("0123456789") == std::string_view::npos) {
      return read_number(fields, word);
    }
    if (word.find_first_of("-/") < word.find(':')) {
      if (read_joined_date(fields, word)) return true;
    }
    if (word.find_first_of(":.") != std::string_view::npos && !fields.has_time) {
      if (word.back() == '.' && !fields.day)
        return read_number(fields, word.substr(0, word.size() - 1));
      return read_time(fields, word);
    }
    return fields.has_time;  // a second date behind the first, or worse: the first counts
  }
  if (ascii::is_alpha(word.front())) return read_letters(fields, word);
  return true;
}

std::int64_t seconds_of_day(unsigned hour, unsigned minute, unsigned second) {
  return std::int64_t{hour} * 3600 + std::int64_t{minute} * 60 + second;
}

std::optional<DateTime> to_date_time(const Fields& fields) {
  if (!fields.day || !fields.month || !fields.year || *fields.year > 9999) return std::nullopt;
  const auto days = days_of(*fields.year, *fields.month, *fields.day);
  if (!days) return std::nullopt;
  DateTime result;
  result.zone_minutes = fields.zone.value_or(0);
  result.zone_known = fields.zone.has_value() && !fields.zone_unknown;
  result.seconds = *days * 86400 + seconds_of_day(fields.hour, fields.minute, fields.second) -
                   static_cast<std::int64_t>(result.zone_minutes) * 60;
  return result;
}

// Without comments, blanks single, none around colons (RFC 5322 4.3: "09(comment):   55  :  06"). A
// date is short: what is beyond 512 octets of it is not read.
std::string flatten(std::string_view value) {
  constexpr std::size_t kMaxDate = 512;
  std::string out;
  bool blank = false;
  for (std::size_t at = 0; at < value.size() && out.size() < kMaxDate;) {
    const char c = value[at];
    if (is_wsp(c) || c == '(') {
      at = c == '(' ? skip_comment(value, at) : at + 1;
      blank = true;
      continue;
    }
    if (blank && !out.empty() && c != ':' && out.back() != ':') out += ' ';
    blank = false;
    out += c;
    ++at;
  }
  return out;
}

struct Local {
  std::chrono::year_month_day date;
  unsigned weekday;
  std::chrono::hh_mm_ss<std::chrono::seconds> time;
};

Local local_time(std::int64_t seconds, int zone_minutes) {
  const std::chrono::sys_seconds local(
      std::chrono::seconds(seconds + static_cast<std::int64_t>(zone_minutes) * 60));
  const auto days = std::chrono::floor<std::chrono::days>(local);
  return {std::chrono::year_month_day(days), std::chrono::weekday(days).c_encoding(),
          std::chrono::hh_mm_ss<std::chrono::seconds>(local - days)};
}

// A FETCH of a million dates is made of these: a general formatter takes several times as long.
void append_padded(std::string& out, std::int64_t number, std::size_t width, char pad) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  const auto size = static_cast<std::size_t>(end - digits);
  if (size < width) out.append(width - size, pad);
  out.append(digits, size);
}

std::string format_zone(int minutes) {
  const int absolute = std::abs(minutes);
  return fmt::format("{}{:02}{:02}", minutes < 0 ? '-' : '+', absolute / 60, absolute % 60);
}

}  // namespace

std::optional<DateTime> parse_date(std::string_view value) {
  constexpr int kMaxWords = 16;
  const std::string flat = flatten(value);
  const std::string_view text = flat;
  Fields fields;
  std::size_t at = 0;
  for (int words = 0; words < kMaxWords; ++words) {
    at = text.find_first_not_of(" ,", at);
    if (at == std::string_view::npos) break;
    const std::size_t end = std::min(text.find_first_of(" ,", at), text.size());
    if (!read_word(fields, text.substr(at, end - at))) return std::nullopt;
    at = end;
  }
  return to_date_time(fields);
}

std::string format_date(std::int64_t seconds, int zone_minutes) {
  const Local local = local_time(seconds, zone_minutes);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} {}", kDays[local.weekday],
                     static_cast<unsigned>(local.date.day()),
                     kMonths[static_cast<unsigned>(local.date.month()) - 1],
                     static_cast<int>(local.date.year()), local.time.hours().count(),
                     local.time.minutes().count(), local.time.seconds().count(),
                     format_zone(zone_minutes));
}

std::string format_imap_date_time(std::int64_t seconds, int zone_minutes) {
  const Local local = local_time(seconds, zone_minutes);
  const int zone = std::abs(zone_minutes);
  std::string out;
  out.reserve(26);
  append_padded(out, static_cast<unsigned>(local.date.day()), 2, ' ');
  out += '-';
  out += kMonths[static_cast<unsigned>(local.date.month()) - 1];
  out += '-';
  append_padded(out, static_cast<int>(local.date.year()), 4, '0');
  out += ' ';
  append_padded(out, local.time.hours().count(), 2, '0');
  out += ':';
  append_padded(out, local.time.minutes().count(), 2, '0');
  out += ':';
  append_padded(out, local.time.seconds().count(), 2, '0');
  out += zone_minutes < 0 ? " -" : " +";
  append_padded(out, zone / 60, 2, '0');
  append_padded(out, zone % 60, 2, '0');
  return out;
}

std::optional<std::int64_t> parse_imap_date(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == 0 || dash > 2 || text.size() != dash + 9 || text[dash + 4] != '-')
    return std::nullopt;
  const auto day = ascii::parse_number<unsigned>(text.substr(0, dash));
  const auto month = name_index(kMonths, text.substr(dash + 1, 3));
  const auto year = ascii::parse_number<unsigned>(text.substr(dash + 5));
  if (!day || !month || !year) return std::nullopt;
  return days_of(*year, *month + 1, *day);
}

std::optional<DateTime> parse_imap_date_time(std::string_view text) {
  // date-day-fixed: "( 1)" or "17"; then exactly "-Mon-yyyy hh:mm:ss +zzzz".
  if (text.size() != 26 || text[11] != ' ' || text[14] != ':' || text[17] != ':' ||
      text[20] != ' ') {
    return std::nullopt;
  }
  const auto days = parse_imap_date(text.front() == ' ' ? text.substr(1, 10) : text.substr(0, 11));
  const auto hour = ascii::parse_number<unsigned>(text.substr(12, 2));
  const auto minute = ascii::parse_number<unsigned>(text.substr(15, 2));
  const auto second = ascii::parse_number<unsigned>(text.substr(18, 2));
  const std::string_view zone_text = text.substr(21);
  if (zone_text.front() != '+' && zone_text.front() != '-') return std::nullopt;
  if (!ascii::parse_number<unsigned>(zone_text.substr(1))) return std::nullopt;
  const auto zone = numeric_zone(zone_text);
  if (!days || !hour || !minute || !second || !zone) return std::nullopt;
  if (*hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  DateTime result;
  result.zone_minutes = *zone;
  result.zone_known = !(zone_text.front() == '-' && *zone == 0);
  result.seconds = *days * 86400 + seconds_of_day(*hour, *minute, *second) -
                   static_cast<std::int64_t>(*zone) * 60;
  return result;
}

}  // namespace twinpost::mail
