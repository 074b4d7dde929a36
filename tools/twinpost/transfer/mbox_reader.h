// Walks an mbox file message by message, in bounded memory. See mbox.h. Blocking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/encoding.h"
#include "core/base/error.h"
#include "tools/twinpost/transfer/mbox_fields.h"

namespace twinpost::tools {

struct MboxMessage {
  std::uint64_t begin = 0;  // of its From_ line
  store::InternalDate date;
  MboxFields fields;
  std::uint64_t size = 0;  // canonical octets (CRLF line ends), without the fields
  Sha256Digest digest{};   // of those
  bool is_pseudo = false;  // a server's own data
};

class MboxReader {
 public:
  // `fd` outlives this.
  MboxReader(int fd, bool unescape);

  // Goes on at a From_ line.
  void seek(std::uint64_t offset);
  [[nodiscard]] std::uint64_t offset() const { return offset_; }
  // The next message; nullopt at the end. `octets` takes its first `limit` octets, where it is given. kInvalid where
  // there is no From_ line.
  [[nodiscard]] Result<std::optional<MboxMessage>> next(std::string* octets, std::uint64_t limit);

 private:
  // A line, or a piece of one that is very long; good until the next call.
  struct Piece {
    std::string_view text;  // with its LF
    bool begins_line = false;
  };
  [[nodiscard]] Result<std::optional<Piece>> next_piece();
  void put_back(const Piece& piece);
  [[nodiscard]] Result<bool> fill();
  [[nodiscard]] bool is_message_end(std::uint64_t offset) const;
  class Output;
  [[nodiscard]] Result<std::string> read_header();
  [[nodiscard]] Result<void> read_body(Output& output);
  [[nodiscard]] Result<void> read_counted_body(Output& output, std::uint64_t end);

  int fd_;
  bool unescape_;
  std::string buffer_;
  std::size_t at_ = 0;        // in the buffer
  std::uint64_t offset_ = 0;  // of at_, in the file
  bool begins_line_ = true;
};

}  // namespace twinpost::tools
