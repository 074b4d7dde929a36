// Logging: one event a line, as logfmt or JSON, to stderr or a file.
//
//   log::info("login", {{"account", name}, {"protocol", "pop3"}, {"address", peer}});
//   ts=2026-01-31T08:05:09.123Z level=info event=login account=ann@example.org protocol=pop3 address=::1
//
// The daemon writes from a thread of its own (start_thread), so that a full pipe or a slow disk never holds the
// event loop: when more than a few thousand lines wait, the oldest are dropped and their number is logged.
//
// Never give it message content or a password. Values are quoted and escaped here, so that a hostile client
// cannot forge a line. Any thread; a line is written whole.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace twinpost::log {

enum class Level : std::uint8_t { kDebug, kInfo, kWarning, kError };
enum class Format : std::uint8_t { kLogfmt, kJson };

struct Settings {
  Level level = Level::kInfo;
  Format format = Format::kLogfmt;
  std::string file;  // empty: stderr
};

struct Field {
  std::string_view key;
  std::string value;
  bool is_number = false;  // JSON shows it without quotes

  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  template <std::integral T>
  Field(std::string_view k, T v) : key(k), value(std::to_string(v)), is_number(true) {}
};

// At start and at reload. Until then: info, logfmt, stderr. Fails where the file can't be opened and changes
// nothing then.
[[nodiscard]] Result<void> configure(const Settings& settings);

// From here on lines are written by a thread. Once, before other threads log. finish() writes what waits and ends it.
void start_thread();
void finish();

[[nodiscard]] bool enabled(Level level);
void write(Level level, std::string_view event, std::initializer_list<Field> fields);

inline void debug(std::string_view event, std::initializer_list<Field> fields = {}) {
  if (enabled(Level::kDebug)) write(Level::kDebug, event, fields);
}
inline void info(std::string_view event, std::initializer_list<Field> fields = {}) {
  if (enabled(Level::kInfo)) write(Level::kInfo, event, fields);
}
inline void warning(std::string_view event, std::initializer_list<Field> fields = {}) {
  if (enabled(Level::kWarning)) write(Level::kWarning, event, fields);
}
inline void error(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::kError, event, fields);
}

// The line that `write` would make, without its newline; `timestamp` as it stands in the line.
[[nodiscard]] std::string format_line(Format format, std::string_view timestamp, Level level,
                                      std::string_view event, std::initializer_list<Field> fields);

}  // namespace twinpost::log
