#include "tools/twinpost/transfer/maildir_octets.h"

namespace twinpost::tools {

void append_crlf(std::string& out, std::string_view piece, char& last) {
  std::size_t begin = 0;
  while (begin < piece.size()) {
    const std::size_t end = piece.find('\n', begin);
    if (end == std::string_view::npos) {
      out += piece.substr(begin);
      break;
    }
    out += piece.substr(begin, end - begin);
    const char before = end > 0 ? piece[end - 1] : last;
    out += before == '\r' ? "\n" : "\r\n";
    begin = end + 1;
  }
  if (!piece.empty()) last = piece.back();
}

void end_crlf(std::string& out, char last) {
  if (last != 0 && last != '\n') out += "\r\n";
}

std::string to_crlf(std::string_view octets) {
  std::string out;
  out.reserve(octets.size() + octets.size() / 32 + 2);
  char last = 0;
  append_crlf(out, octets, last);
  if (!octets.empty() && last != '\n') out += "\r\n";
  return out;
}

std::string to_lf(std::string_view octets) {
  if (octets.find("\r\r\n") != std::string_view::npos) return std::string(octets);
  std::string out;
  out.reserve(octets.size());
  std::size_t begin = 0;
  while (begin < octets.size()) {
    const std::size_t end = octets.find("\r\n", begin);
    out += octets.substr(begin, end == std::string_view::npos ? end : end - begin);
    if (end == std::string_view::npos) break;
    out += '\n';
    begin = end + 2;
  }
  return out;
}

}  // namespace twinpost::tools
