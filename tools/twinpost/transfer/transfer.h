// Takes an account's mail from a source to a sink: resumable (what the sink has is not read again), never stopping at one bad
// message.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/twinpost/progress_bar.h"
#include "tools/twinpost/transfer/mail.h"

namespace twinpost::tools {

struct TransferOptions {
  std::function<bool(const MailFolder&)> wants_folder;  // empty: all
};

struct TransferReport {
  std::uint64_t folders = 0;
  std::uint64_t messages = 0;  // that the source has
  std::uint64_t stored = 0;
  std::uint64_t already_there = 0;
  std::uint64_t octets = 0;  // of those that were stored
  struct Failure {
    std::string folder;
    std::string message;  // its native name or UID
    std::string reason;
  };
  std::vector<Failure> failures;  // the first thousand
  std::uint64_t failed = 0;
  std::vector<std::string> notes;  // what source and sink had to say beside
};

// An error is one that ended it; what was stored before stays, and another run goes on from there.
[[nodiscard]] Result<TransferReport> transfer(MailSource& source, MailSink& sink,
                                              const TransferOptions& options, ProgressBar& bar);

// Prints the report for a person; the exit code is 0 where nothing failed, else 1.
int print_report(const TransferReport& report, std::string_view what);

}  // namespace twinpost::tools
