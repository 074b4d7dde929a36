#include "imap/quote.h"

#include <algorithm>

#include "core/base/ascii.h"

namespace twinpost::imap {

namespace {

bool is_atom_char(char c) {
  if (ascii::is_control(c) || ascii::is_8bit(c)) return false;
  constexpr std::string_view kSpecials = "(){ %*\"\\]";
  return kSpecials.find(c) == std::string_view::npos;
}

constexpr char kInPlaceOfNul = '\x80';

}  // namespace

bool is_atom(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_atom_char);
}

bool is_astring_atom(std::string_view text) {
  return !text.empty() && !ascii::equals_ignore_case(text, "NIL") &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_atom_char(c) || c == ']'; });
}

bool is_quotable(std::string_view text, bool utf8) {
  if (text.size() > kMaxQuoted) return false;
  bool has_8bit = false;
  for (const char c : text) {
    if (c == '\0' || c == '\r' || c == '\n') return false;
    has_8bit = has_8bit || ascii::is_8bit(c);
  }
  return !has_8bit || (utf8 && ascii::is_utf8(text));
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

void append_literal(std::string& out, std::string_view octets) {
  out += '{';
  out += std::to_string(octets.size());
  out += "}\r\n";
  const std::size_t begin = out.size();
  out += octets;
  std::replace(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(), '\0', kInPlaceOfNul);
}

void append_literal8(std::string& out, std::string_view octets) {
  out += "~{";
  out += std::to_string(octets.size());
  out += "}\r\n";
  out += octets;
}

void append_string(std::string& out, std::string_view text, bool utf8) {
  if (is_quotable(text, utf8)) {
    append_quoted(out, text);
  } else {
    append_literal(out, text);
  }
}

void append_nstring(std::string& out, const std::optional<std::string>& text, bool utf8) {
  if (text) {
    append_string(out, *text, utf8);
  } else {
    out += "NIL";
  }
}

void append_astring(std::string& out, std::string_view text, bool utf8) {
  if (is_astring_atom(text)) {
    out += text;
  } else {
    append_string(out, text, utf8);
  }
}

void append_text(std::string& out, std::string_view text, bool utf8) {
  const bool keep_8bit = utf8 && ascii::is_utf8(text);
  for (const char c : text) {
    out += ascii::is_control(c) || (ascii::is_8bit(c) && !keep_8bit) ? '?' : c;
  }
}

}  // namespace twinpost::imap
