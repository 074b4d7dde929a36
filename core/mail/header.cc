#include "core/mail/header.h"

#include <algorithm>
#include <cstring>

#include "core/base/ascii.h"

namespace twinpost::mail {

namespace {

// ftext, RFC 5322 3.6.8: printable ASCII but the colon. 8-bit names do not exist (RFC 6532 3.1
// leaves them ASCII).
bool is_field_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c != 0x7f && !ascii::is_8bit(c);
  });
}

std::string_view without_line_end(std::string_view line) {
  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

}  // namespace

std::size_t line_end(std::string_view text, std::size_t begin) {
  const void* found = std::memchr(text.data() + begin, '\n', text.size() - begin);
  if (found == nullptr) return text.size();
  return static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) + 1;
}

bool is_blank_line(std::string_view text, std::size_t begin, std::size_t end) {
  if (end == begin || text[end - 1] != '\n') return false;
  return end - begin == 1 || (end - begin == 2 && text[begin] == '\r');
}

std::optional<HeaderField> HeaderReader::next() {
  if (met_blank_line_ || offset_ >= block_.size()) return std::nullopt;
  const std::size_t begin = offset_;
  std::size_t end = line_end(block_, begin);
  if (is_blank_line(block_, begin, end)) {
    met_blank_line_ = true;
    offset_ = end;
    return std::nullopt;
  }
  const std::string_view first_line = block_.substr(begin, end - begin);
  while (end < block_.size() && ascii::is_blank(block_[end])) end = line_end(block_, end);
  offset_ = end;

  HeaderField field;
  field.begin = begin;
  field.end = end;
  field.value = without_line_end(block_.substr(begin, end - begin));
  const std::size_t colon = first_line.find(':');
  if (colon == std::string_view::npos || ascii::is_blank(first_line.front())) return field;
  std::string_view name = first_line.substr(0, colon);
  while (!name.empty() && ascii::is_blank(name.back())) name.remove_suffix(1);
  if (!is_field_name(name)) return field;
  field.name = name;
  field.value.remove_prefix(colon + 1);
  return field;
}

std::size_t header_size(std::string_view message) {
  std::size_t at = 0;
  while (at < message.size()) {
    const std::size_t end = line_end(message, at);
    if (is_blank_line(message, at, end)) return end;
    at = end;
  }
  return message.size();
}

std::optional<HeaderField> find_field(std::string_view block, std::string_view name) {
  HeaderReader reader(block);
  while (auto field = reader.next()) {
    if (ascii::equals_ignore_case(field->name, name)) return field;
  }
  return std::nullopt;
}

std::string unfold(std::string_view value) {
  value = ascii::trim(value);
  std::string out;
  out.reserve(value.size());
  std::size_t at = 0;
  while (at < value.size()) {
    const std::size_t end = line_end(value, at);
    std::string_view line = value.substr(at, end - at);
    if (line.back() == '\n') line = without_line_end(line);
    out += line;
    at = end;
  }
  return out;
}

}  // namespace twinpost::mail
