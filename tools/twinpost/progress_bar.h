// Progress of long work for a person: a bar that is drawn over itself on a terminal, else a line
// every ten seconds; nothing with `quiet`. Standard error.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "store/store.h"

namespace twinpost::tools {

class ProgressBar {
 public:
  explicit ProgressBar(bool quiet);
  ~ProgressBar();  // ends the line
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // Always true (Ctrl-C ends the tool by itself). `unit` is what is counted: "messages", "octets"
  // (shown as MiB).
  bool show(std::string_view phase, std::uint64_t done, std::uint64_t total,
            std::string_view unit = {});
  [[nodiscard]] store::Progress as_progress();

 private:
  bool quiet_;
  bool terminal_;
  bool drawn_ = false;
  std::string phase_;
  std::chrono::steady_clock::time_point began_;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace twinpost::tools
