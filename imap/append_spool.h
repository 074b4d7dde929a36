// The messages of one command in one spool, one after the other: a MULTIAPPEND of a thousand
// messages takes one temporary file and the memory of one spool, not a thousand of each.
//
// Each message is canonical by itself, as store/prepare.h has it. One owner; any one thread at a
// time. append() and end_message() may write to the disk (needs_worker()); prepare() belongs on a
// worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "store/prepare.h"

namespace twinpost::imap {

class AppendSpool {
 public:
  // `coder` is the store's.
  AppendSpool(std::string folder, const store::BodyCoder& coder);

  // `binary`: it comes in a literal8, the only literal that can hold NUL (RFC 9051 section 9,
  // CHAR8; RFC 3516).
  void begin_message(bool binary);
  // kInvalid with words for the client where there is a NUL; kDiskFull, kIo. Nothing more is taken
  // after a failure.
  [[nodiscard]] Result<void> append(std::string_view octets);
  [[nodiscard]] Result<void> end_message();
  [[nodiscard]] bool needs_worker(std::size_t octets) const { return spool_->needs_worker(octets); }

  [[nodiscard]] std::uint64_t octets() const { return spool_->size(); }
  [[nodiscard]] std::size_t messages() const { return messages_.size(); }

  // After the last message: prepares one after the other until `deadline`. True where all are.
  [[nodiscard]] Result<bool> prepare(SteadyTime deadline);
  // All of them, in their order.
  [[nodiscard]] std::vector<store::PreparedMessagePtr> take_prepared() {
    return std::move(prepared_);
  }

 private:
  struct Extent {
    std::uint64_t begin = 0;  // in the spool, canonical
    std::uint64_t end = 0;
  };

  const store::BodyCoder& coder_;
  std::shared_ptr<store::Spool> spool_;
  std::vector<Extent> messages_;
  std::uint64_t begin_ = 0;
  char last_ = '\0';  // octet of the message at work
  bool binary_ = false;
  std::vector<store::PreparedMessagePtr> prepared_;
  std::size_t summary_octets_ = 0;
};

}  // namespace twinpost::imap
