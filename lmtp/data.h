// The transparency of DATA (RFC 5321 section 4.5.2), both ways, piece by piece.
//
// Only CRLF "." CRLF ends the data, and only a "." after CRLF (or at the very start) is one that
// the sender added. "." lines between bare LFs or bare CRs are content. Whoever takes those for an
// end can be made to see a second message in the first ("SMTP smuggling"). Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace twinpost::lmtp {

// Takes what comes after "354": finds the end and takes the added dots off.
class DotDecoder {
 public:
  // Appends the content in `octets` to `out` and says how many octets were used: all, or those up
  // to the end of the data, after which has_ended() is true and nothing more is taken. `out` grows
  // by at most octets.size() + 1.
  std::size_t decode(std::string_view octets, std::string& out);
  [[nodiscard]] bool has_ended() const { return state_ == State::kEnded; }

 private:
  enum class State : std::uint8_t { kLineStart, kDot, kDotCr, kText, kCr, kEnded };
  State state_ = State::kLineStart;
};

// The sender's side: makes every line end CRLF (a bare LF becomes CRLF, a bare CR stays), adds the
// dots.
class DotEncoder {
 public:
  void encode(std::string_view octets, std::string& out);
  // Ends an unended last line, then the line with the final dot.
  void finish(std::string& out);

 private:
  bool at_line_start_ = true;
  bool after_cr_ = false;
};

}  // namespace twinpost::lmtp
