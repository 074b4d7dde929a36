// The load whose trace is cut: some accounts, each with a thread that changes it without a pause,
// and one account that all of them write to. Every operation is announced in the trace by a mark
// before it begins and another when the store has said that it is done.
#pragma once

#include <cstdint>
#include <string>

namespace twinpost::powercut {

struct LoadOptions {
  std::string folder;  // empty; the store is made in it
  std::string trace;
  std::uint64_t seed = 0;
  unsigned threads = 4;
  unsigned operations = 700;  // of each thread
  bool durable = true;        // false: the deliberately wrong setting
};

inline constexpr const char* kReady = "ready";  // the mark after which the power may fail

// Marks: "B <thread> <operation>" and "A <thread>".
//
// Returns the program's exit status; says what failed on standard error.
int run_load(const LoadOptions& options);

}  // namespace twinpost::powercut
