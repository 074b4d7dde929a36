#include "lmtp/data.h"

#include <algorithm>

namespace twinpost::lmtp {

std::size_t DotDecoder::decode(std::string_view octets, std::string& out) {
  std::size_t at = 0;
  while (at < octets.size() && state_ != State::kEnded) {
    const char c = octets[at];
    switch (state_) {
      case State::kLineStart:
        if (c == '.') {
          state_ = State::kDot;
          ++at;
        } else {
          state_ = State::kText;
        }
        break;
      case State::kDot:
        // Whatever follows, this dot was added; only CRLF makes it the end.
        if (c == '\r') {
          state_ = State::kDotCr;
          ++at;
        } else {
          state_ = State::kText;
        }
        break;
      case State::kDotCr:
        if (c == '\n') {
          state_ = State::kEnded;
          ++at;
        } else {
          out += '\r';  // it was a bare CR after all
          state_ = State::kCr;
        }
        break;
      case State::kText: {
        const std::size_t cr = std::min(octets.find('\r', at), octets.size());
        out.append(octets.substr(at, cr - at));
        at = cr;
        if (at == octets.size()) break;
        out += '\r';
        ++at;
        state_ = State::kCr;
        break;
      }
      case State::kCr:
        if (c == '\n') {
          out += '\n';
          ++at;
          state_ = State::kLineStart;
        } else {
          state_ = State::kText;
        }
        break;
      case State::kEnded: break;
    }
  }
  return at;
}

void DotEncoder::encode(std::string_view octets, std::string& out) {
  for (const char c : octets) {
    if (at_line_start_ && c == '.') out += '.';
    if (c == '\n' && !after_cr_) out += '\r';
    out += c;
    at_line_start_ = c == '\n';
    after_cr_ = c == '\r';
  }
}

void DotEncoder::finish(std::string& out) {
  if (!at_line_start_) out += "\r\n";
  out += ".\r\n";
}

}  // namespace twinpost::lmtp
