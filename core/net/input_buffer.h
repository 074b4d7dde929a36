// What came from the peer and was not read yet, and the cutting of lines out of it.
//
// Holds no memory when it is empty. Pure; no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace twinpost::net {

class InputBuffer {
 public:
  [[nodiscard]] bool empty() const { return begin_ == octets_.size(); }
  [[nodiscard]] std::size_t size() const { return octets_.size() - begin_; }

  // Where new octets are appended. What was taken is given up first, so that the buffer does not
  // creep upwards.
  [[nodiscard]] std::string& tail();
  void clear();

  enum class Line : std::uint8_t { kNone, kWhole, kTooLong };
  // Moves the next line into `line`, without its end (CRLF or LF). Of a line longer than `limit`
  // nothing is kept: it is thrown away as it comes, and once its end has come, the answer is
  // kTooLong.
  [[nodiscard]] Line take_line(std::size_t limit, std::string& line);

  // Moves up to `max` octets into `out`.
  void take_some(std::size_t max, std::string& out);

 private:
  void advance(std::size_t count);

  std::string octets_;
  std::size_t begin_ = 0;
  std::size_t scanned_ = 0;  // up to here, from begin_, there is no LF
  bool overlong_ = false;    // the line that is coming has been too long already
};

}  // namespace twinpost::net
