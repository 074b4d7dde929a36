#include "core/base/log.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <fmt/format.h>
#include <memory>
#include <mutex>
#include <poll.h>
#include <spdlog/async.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <unistd.h>

#include "core/base/ascii.h"
#include "core/base/clock.h"

namespace twinpost::log {

namespace {

std::atomic<Level> current_level{Level::kInfo};
std::atomic<Format> current_format{Format::kLogfmt};
std::mutex sink_mutex;
std::shared_ptr<spdlog::logger> current_logger;  // guarded by sink_mutex

std::shared_ptr<spdlog::details::thread_pool> log_thread;  // guarded by sink_mutex

constexpr std::size_t kQueuedLines = 8192;
constexpr int kPatienceMs = 1000;

// Standard error that gives up on a reader who does not read: a line that can't be written in time is dropped, and
// until the reader comes back no further line waits for it.
class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    pollfd ready{STDERR_FILENO, POLLOUT, 0};
    if (::poll(&ready, 1, stuck_ ? 0 : kPatienceMs) <= 0) {
      stuck_ = true;
      return;
    }
    stuck_ = false;
    std::size_t written = 0;
    while (written < line.size()) {
      const ssize_t count = ::write(STDERR_FILENO, line.data() + written, line.size() - written);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return;
      written += static_cast<std::size_t>(count);
    }
  }
  void flush_() override {}

 private:
  bool stuck_ = false;
};

// The caller holds sink_mutex.
std::shared_ptr<spdlog::logger> make_logger(spdlog::sink_ptr sink) {
  sink->set_pattern("%v");
  std::shared_ptr<spdlog::logger> logger;
  if (log_thread) {
    logger = std::make_shared<spdlog::async_logger>("twinpost", std::move(sink), log_thread,
                                                    spdlog::async_overflow_policy::overrun_oldest);
  } else {
    logger = std::make_shared<spdlog::logger>("twinpost", std::move(sink));
  }
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::trace);
  return logger;
}

std::string_view level_name(Level level) {
  switch (level) {
    case Level::kDebug: return "debug";
    case Level::kInfo: return "info";
    case Level::kWarning: return "warning";
    case Level::kError: return "error";
  }
  return "error";
}

std::string timestamp_now() {
  const auto now = std::chrono::system_clock::now();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now - seconds).count();
  std::string text = format_rfc3339(seconds);
  text.pop_back();
  return text + fmt::format(".{:03}Z", ms);
}

bool is_bare(std::string_view value) {
  if (value.empty()) return false;
  for (const char c : value) {
    if (ascii::is_control(c) || ascii::is_8bit(c) || c == ' ' || c == '"' || c == '=' ||
        c == '\\') {
      return false;
    }
  }
  return true;
}

// A JSON string literal; octets that are no UTF-8 become \u00NN, so that every line is valid JSON.
void append_quoted(std::string& out, std::string_view value) {
  const bool utf8 = ascii::is_utf8(value);
  out += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (ascii::is_control(c) || (ascii::is_8bit(c) && !utf8)) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_logfmt(std::string& out, std::string_view key, std::string_view value) {
  if (!out.empty()) out += ' ';
  out += key;
  out += '=';
  if (is_bare(value)) {
    out += value;
  } else {
    append_quoted(out, value);
  }
}

void append_json(std::string& out, std::string_view key, std::string_view value, bool is_number) {
  out += out.empty() ? '{' : ',';
  append_quoted(out, key);
  out += ':';
  if (is_number) {
    out += value;
  } else {
    append_quoted(out, value);
  }
}

}  // namespace

Result<void> configure(const Settings& settings) {
  spdlog::sink_ptr sink;
  try {
    if (settings.file.empty()) {
      sink = std::make_shared<StderrSink>();
    } else {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(settings.file);
    }
  } catch (const spdlog::spdlog_ex&) {
    return tl::unexpected(system_error("log.file: " + settings.file, errno));
  }
  const std::lock_guard lock(sink_mutex);
  current_logger = make_logger(std::move(sink));
  current_level = settings.level;
  current_format = settings.format;
  return {};
}

void start_thread() {
  const std::lock_guard lock(sink_mutex);
  if (log_thread) return;
  log_thread = std::make_shared<spdlog::details::thread_pool>(kQueuedLines, 1);
  const spdlog::sink_ptr sink =
      current_logger ? current_logger->sinks().front() : std::make_shared<StderrSink>();
  current_logger = make_logger(sink);
}

void finish() {
  const std::lock_guard lock(sink_mutex);
  if (!log_thread) return;
  const std::size_t dropped = log_thread->overrun_counter();
  spdlog::sink_ptr sink = current_logger->sinks().front();
  current_logger.reset();
  log_thread.reset();  // writes what waits, then joins
  current_logger = make_logger(std::move(sink));
  if (dropped != 0) {
    const std::string line = format_line(current_format, timestamp_now(), Level::kWarning,
                                         "log-lines-dropped", {{"count", dropped}});
    current_logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
  }
}

bool enabled(Level level) { return level >= current_level.load(std::memory_order_relaxed); }

std::string format_line(Format format, std::string_view timestamp, Level level,
                        std::string_view event, std::initializer_list<Field> fields) {
  std::string line;
  if (format == Format::kLogfmt) {
    append_logfmt(line, "ts", timestamp);
    append_logfmt(line, "level", level_name(level));
    append_logfmt(line, "event", event);
    for (const Field& field : fields) append_logfmt(line, field.key, field.value);
  } else {
    append_json(line, "ts", timestamp, false);
    append_json(line, "level", level_name(level), false);
    append_json(line, "event", event, false);
    for (const Field& field : fields) append_json(line, field.key, field.value, field.is_number);
    line += '}';
  }
  return line;
}

void write(Level level, std::string_view event, std::initializer_list<Field> fields) {
  const std::string line = format_line(current_format, timestamp_now(), level, event, fields);
  std::shared_ptr<spdlog::logger> logger;
  {
    const std::lock_guard lock(sink_mutex);
    if (!current_logger) current_logger = make_logger(std::make_shared<StderrSink>());
    logger = current_logger;
  }
  logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace twinpost::log
