// Octets that are made piece by piece and then read as one run: in memory, or, where they may be many, in an unlinked
// temporary file, so that a large message does not take its size of memory a second time.
//
// One owner; any one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace twinpost::store {

// Where runs are made.
struct RunPlace {
  std::string folder;                          // for temporary files; empty: all in memory
  std::uint64_t most_in_memory = 1024 * 1024;  // octets of a run; more go to a file
};

class RunBuffer {
 public:
  // For `expected` octets or so.
  [[nodiscard]] static Result<RunBuffer> make(std::uint64_t expected, const RunPlace& place);
  ~RunBuffer();
  RunBuffer(RunBuffer&& other) noexcept;
  RunBuffer& operator=(RunBuffer&&) = delete;
  RunBuffer(const RunBuffer&) = delete;
  RunBuffer& operator=(const RunBuffer&) = delete;

  // kDiskFull, kIo.
  [[nodiscard]] Result<void> append(std::string_view octets);
  [[nodiscard]] std::uint64_t size() const { return written_ + memory_.size(); }

  struct Run {
    std::shared_ptr<const void> owner;  // the octets are good as long as it
    std::string_view octets;
  };
  // Everything, with `front` in the place of its first octets. Once.
  [[nodiscard]] Result<Run> finish(std::string_view front);

 private:
  RunBuffer() = default;
  [[nodiscard]] Result<void> flush();

  std::string folder_;
  int fd_ = -1;
  std::uint64_t written_ = 0;  // to the file
  std::string memory_;         // all, or what is not yet in the file
};

}  // namespace twinpost::store
