#include "core/mail/structured.h"

#include "core/base/ascii.h"

namespace twinpost::mail {

std::size_t skip_comment(std::string_view text, std::size_t at, std::string* content) {
  std::size_t depth = 0;
  for (; at < text.size(); ++at) {
    char c = text[at];
    if (c == '(' && depth++ == 0) continue;
    if (c == ')' && --depth == 0) return at + 1;
    if (c == '\\' && at + 1 < text.size()) c = text[++at];
    if (content != nullptr && c != '\r' && c != '\n') *content += c;
  }
  return at;
}

std::size_t read_quoted_string(std::string_view text, std::size_t at, std::string& out,
                               bool* closed) {
  if (closed != nullptr) *closed = false;
  for (++at; at < text.size(); ++at) {
    char c = text[at];
    if (c == '"') {
      if (closed != nullptr) *closed = true;
      return at + 1;
    }
    if (c == '\\' && at + 1 < text.size()) c = text[++at];
    if (c != '\r' && c != '\n') out += c;
  }
  return at;
}

std::size_t skip_cfws(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    if (is_wsp(text[at])) {
      ++at;
    } else if (text[at] == '(') {
      at = skip_comment(text, at);
    } else {
      break;
    }
  }
  return at;
}

std::string strip_comments(std::string_view text) {
  std::string out;
  std::string ignored;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '(') {
      at = skip_comment(text, at);
    } else if (text[at] == '"') {
      const std::size_t end = read_quoted_string(text, at, ignored);
      out += text.substr(at, end - at);
      at = end;
      ignored.clear();
    } else {
      out += text[at++];
    }
  }
  return std::string(ascii::trim(out));
}

}  // namespace twinpost::mail
