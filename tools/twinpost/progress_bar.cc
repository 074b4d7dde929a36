#include "tools/twinpost/progress_bar.h"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/ascii.h"
#include "core/base/clock.h"

namespace twinpost::tools {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kDrawEvery{100};
constexpr seconds kLineEvery{10};
constexpr std::size_t kBarCells = 24;
constexpr std::size_t kPhaseOctets = 60;
constexpr std::size_t kDefaultColumns = 80;

std::size_t columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kDefaultColumns;
  return size.ws_col;
}

std::string count_text(std::uint64_t count, std::string_view unit) {
  if (unit != "octets") return fmt::format("{}", count);
  return fmt::format("{:.1f} MiB", static_cast<double>(count) / (1024.0 * 1024.0));
}

std::string amount(std::uint64_t done, std::uint64_t total, std::string_view unit) {
  std::string text = count_text(done, unit);
  if (total != 0) text += " of " + count_text(total, unit);
  if (!unit.empty() && unit != "octets") text += fmt::format(" {}", unit);
  return text;
}

std::string duration_text(seconds left) {
  const auto count = left.count();
  if (count < 60) return fmt::format("{} s", count);
  if (count < 3600) return fmt::format("{} min {:02} s", count / 60, count % 60);
  return fmt::format("{} h {:02} min", count / 3600, count / 60 % 60);
}

std::string bar_text(double share) {
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(kBarCells));
  return "[" + std::string(filled, '#') + std::string(kBarCells - filled, '-') + "]";
}

}  // namespace

ProgressBar::ProgressBar(bool quiet)
    : quiet_(quiet), terminal_(::isatty(STDERR_FILENO) == 1), began_(steady_now()) {}

ProgressBar::~ProgressBar() {
  if (drawn_ && terminal_) fmt::print(stderr, "\n");
}

bool ProgressBar::show(std::string_view phase, std::uint64_t done, std::uint64_t total,
                       std::string_view unit) {
  if (quiet_) return true;
  const SteadyTime now = steady_now();
  const bool new_phase = phase != phase_;
  if (new_phase) {
    if (drawn_ && terminal_) fmt::print(stderr, "\n");
    phase_ = std::string(phase);
    began_ = now;
    drawn_ = false;
    // A short piece of work has no line of its own where lines stay.
    if (!terminal_) last_ = now;
  }
  const bool complete = total != 0 && done >= total;
  const auto interval = terminal_ ? milliseconds(kDrawEvery) : milliseconds(kLineEvery);
  // The end of what was shown is shown, too.
  const bool due = now - last_ >= interval || (terminal_ && new_phase) || (complete && drawn_);
  if (!due) return true;
  last_ = now;
  drawn_ = true;

  std::string line = ascii::printable(phase_, kPhaseOctets) + ": ";
  if (total != 0) {
    const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    if (terminal_) line += bar_text(share) + " ";
    line += fmt::format("{:.0f} %, ", share * 100.0);
  }
  line += amount(done, total, unit);
  const auto elapsed = std::chrono::duration_cast<seconds>(now - began_);
  if (total > done && done != 0 && elapsed.count() >= 3) {
    const double left = static_cast<double>(elapsed.count()) * static_cast<double>(total - done) /
                        static_cast<double>(done);
    constexpr double kMostShown = 1'000'000;
    if (left < kMostShown) {
      line += fmt::format(", {} left", duration_text(seconds(static_cast<std::int64_t>(left))));
    }
  }
  if (!terminal_) {
    fmt::print(stderr, "{}\n", line);
    return true;
  }
  // Cut, as a line that wraps could not be drawn over.
  const std::size_t room = columns() - 1;
  if (line.size() > room) line.resize(room);
  fmt::print(stderr, "\r{}\x1b[K", line);
  std::fflush(stderr);
  return true;
}

store::Progress ProgressBar::as_progress() {
  return [this](std::string_view phase, std::uint64_t done, std::uint64_t total) {
    return show(phase, done, total);
  };
}

}  // namespace twinpost::tools
