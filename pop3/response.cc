#include "pop3/response.h"

namespace twinpost::pop3 {
namespace {

std::string_view text_of(ResponseCode code) {
  switch (code) {
    case ResponseCode::kNone: return "";
    case ResponseCode::kAuth: return "[AUTH] ";
    case ResponseCode::kInUse: return "[IN-USE] ";
    case ResponseCode::kLoginDelay: return "[LOGIN-DELAY] ";
    case ResponseCode::kSysTemp: return "[SYS/TEMP] ";
    case ResponseCode::kSysPerm: return "[SYS/PERM] ";
  }
  return "";
}

}  // namespace

std::string ok_line(std::string_view text) {
  std::string line = "+OK";
  if (!text.empty()) line.append(" ").append(text);
  return line += "\r\n";
}

std::string error_line(ResponseCode code, std::string_view text) {
  return std::string("-ERR ").append(text_of(code)).append(text).append("\r\n");
}

ResponseCode response_code_for(const Error& error) {
  switch (error.code) {
    case ErrorCode::kCorrupt:
    case ErrorCode::kNewerFormat:
    case ErrorCode::kUnsupported: return ResponseCode::kSysPerm;
    default: return ResponseCode::kSysTemp;
  }
}

std::string messages(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " message" : " messages");
}

void DotStuffer::append(std::string_view piece, std::string& out) {
  if (piece.empty()) return;
  if (at_line_start_ && piece.front() == '.') out += '.';
  std::size_t from = 0;
  for (;;) {
    const std::size_t stuff = piece.find("\n.", from);
    if (stuff == std::string_view::npos) break;
    out.append(piece.substr(from, stuff + 1 - from)).append(".");
    from = stuff + 1;
  }
  out.append(piece.substr(from));
  const bool cr_before = piece.size() > 1 ? piece[piece.size() - 2] == '\r' : last_was_cr_;
  at_line_start_ = piece.back() == '\n';
  ended_by_crlf_ = at_line_start_ && cr_before;
  last_was_cr_ = piece.back() == '\r';
}

void DotStuffer::finish(std::string& out) { out += ended_by_crlf_ ? ".\r\n" : "\r\n.\r\n"; }

std::size_t TopCutter::take(std::string_view piece) {
  if (done_) return 0;
  std::size_t at = 0;
  while (at < piece.size()) {
    const std::size_t end = piece.find('\n', at);
    const std::string_view line =
        piece.substr(at, end - at);  // to the piece's end where there is no '\n'
    if (!line.empty()) {
      line_is_empty_ = !line_has_octets_ && line == "\r";
      line_has_octets_ = true;
    }
    if (end == std::string_view::npos) return piece.size();
    at = end + 1;
    if (!in_header_) {
      --lines_left_;
    } else if (line_is_empty_) {
      in_header_ = false;
    }
    line_is_empty_ = true;
    line_has_octets_ = false;
    if (!in_header_ && lines_left_ == 0) {
      done_ = true;
      return at;
    }
  }
  return at;
}

}  // namespace twinpost::pop3
