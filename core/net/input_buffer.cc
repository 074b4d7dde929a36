#include "core/net/input_buffer.h"

#include <algorithm>
#include <utility>

namespace twinpost::net {

std::string& InputBuffer::tail() {
  if (begin_ > 0) {
    octets_.erase(0, begin_);
    begin_ = 0;
  }
  return octets_;
}

void InputBuffer::clear() {
  octets_ = std::string();
  begin_ = 0;
  scanned_ = 0;
  overlong_ = false;
}

void InputBuffer::advance(std::size_t count) {
  begin_ += count;
  scanned_ = 0;
  if (empty()) {
    octets_ = std::string();
    begin_ = 0;
  }
}

InputBuffer::Line InputBuffer::take_line(std::size_t limit, std::string& line) {
  const std::string_view input = std::string_view(octets_).substr(begin_);
  const std::size_t end = input.find('\n', scanned_);
  if (end == std::string_view::npos) {
    scanned_ = input.size();
    // A CR at the very end may belong to the line's end.
    const bool may_fit =
        input.size() <= limit || (input.size() == limit + 1 && input.back() == '\r');
    if (!may_fit) overlong_ = true;
    if (overlong_) advance(input.size());
    return Line::kNone;
  }
  std::string_view found = input.substr(0, end);
  if (found.ends_with('\r')) found.remove_suffix(1);
  const bool too_long = std::exchange(overlong_, false) || found.size() > limit;
  if (!too_long) line.assign(found);
  advance(end + 1);
  return too_long ? Line::kTooLong : Line::kWhole;
}

void InputBuffer::take_some(std::size_t max, std::string& out) {
  if (begin_ == 0 && size() <= max) {
    out = std::exchange(octets_, std::string());
    scanned_ = 0;
    return;
  }
  const std::size_t count = std::min(max, size());
  out.assign(octets_, begin_, count);
  advance(count);
}

}  // namespace twinpost::net
