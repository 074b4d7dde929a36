// The fields of a header block (RFC 5322 section 2.2 and 4.5), found in place.
//
// Takes headers as they come: lines ended by CRLF or a bare LF, folded values, blanks before the
// colon (RFC 5322 4.5.8), 8-bit octets, lines that are no field at all. Nothing is copied but by
// unfold(). Linear in the block. Pure; any thread; views live as long as the block.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace twinpost::mail {

struct HeaderField {
  std::string_view
      name;  // as written, without blanks before the colon; empty where the line is no field
  std::string_view value;  // what follows the colon, still folded, without the last line end
  std::size_t begin = 0;   // offsets into the block: the whole field, name to its last line end
  std::size_t end = 0;
  [[nodiscard]] bool malformed() const { return name.empty(); }
};

// Walks a header block from its first octet. A line that is neither a field nor a continuation
// comes out as a malformed field (with the continuation lines after it), so that nothing is lost.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view block) : block_(block) {}

  // The next field; nullopt at the blank line, which is then used up, and at the end of the block.
  [[nodiscard]] std::optional<HeaderField> next();

  // Octets used so far: the blank line counts once next() has met it.
  [[nodiscard]] std::size_t offset() const { return offset_; }
  [[nodiscard]] bool met_blank_line() const { return met_blank_line_; }

 private:
  std::string_view block_;
  std::size_t offset_ = 0;
  bool met_blank_line_ = false;
};

// Where the line that begins at `begin` ends: behind its LF, or at the end of `text`.
[[nodiscard]] std::size_t line_end(std::string_view text, std::size_t begin);
// True for the line [begin, end) that is only a line end.
[[nodiscard]] bool is_blank_line(std::string_view text, std::size_t begin, std::size_t end);

// Octets of a message's header, with the blank line; the whole message where there is none.
[[nodiscard]] std::size_t header_size(std::string_view message);

// The first field of that name (any case), looked for in the header at the front of `block`.
[[nodiscard]] std::optional<HeaderField> find_field(std::string_view block, std::string_view name);

// A value on one line (RFC 5322 2.2.3): the line ends go, the blanks after them stay, but blanks at
// both ends of the whole go.
[[nodiscard]] std::string unfold(std::string_view value);

}  // namespace twinpost::mail
