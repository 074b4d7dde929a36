#include "imap/parser_cursor.h"

#include <algorithm>

#include "core/base/ascii.h"

namespace twinpost::imap {

namespace {

bool is_one_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }
bool is_plain(char c) { return !ascii::is_control(c) && !ascii::is_8bit(c); }

// RFC 9051 section 9.
bool is_atom_char(char c) { return is_plain(c) && !is_one_of(c, "(){ %*\"\\]"); }
bool is_astring_char(char c) { return is_atom_char(c) || c == ']'; }
bool is_tag_char(char c) { return is_astring_char(c) && c != '+'; }
bool is_list_char(char c) { return is_astring_char(c) || c == '%' || c == '*'; }
bool is_word_char(char c) { return ascii::is_alnum(c) || is_one_of(c, ".-_"); }
bool is_set_char(char c) { return ascii::is_digit(c) || is_one_of(c, ":,*$"); }
bool is_range_char(char c) { return ascii::is_digit(c) || is_one_of(c, ":-"); }
// Scripts and old clients send passwords bare that an astring must quote.
bool is_credential_char(char c) { return is_plain(c) && !is_one_of(c, "() {\""); }

constexpr std::uint64_t kMost32 = 0xffff'ffffU;
constexpr std::uint64_t kMost63 = ~std::uint64_t{0} >> 1;

}  // namespace

bool Cursor::fail(std::string text) {
  if (status_ == Status::kOk) {
    status_ = Status::kSyntax;
    error_ = std::move(text);
  }
  return false;
}

bool Cursor::unexpected(std::string_view what) {
  if (at_end()) return fail("Missing " + std::string(what));
  return fail("Expected " + std::string(what) + near());
}

std::string Cursor::near() const {
  if (secret_) return {};
  return " near \"" + ascii::printable(text_.substr(position_, 40), 40) + "\"";
}

template <class Allowed>
std::string_view Cursor::run(const Allowed& allowed) {
  const std::size_t begin = position_;
  while (position_ < text_.size() && allowed(text_[position_])) ++position_;
  return text_.substr(begin, position_ - begin);
}

std::string_view Cursor::peek_word() const {
  std::size_t end = position_;
  while (end < text_.size() && is_word_char(text_[end])) ++end;
  return text_.substr(position_, end - position_);
}

bool Cursor::accept_word(std::string_view word) {
  if (!ascii::equals_ignore_case(peek_word(), word)) return false;
  position_ += word.size();
  return true;
}

bool Cursor::accept(char c) {
  if (at_end() || text_[position_] != c) return false;
  ++position_;
  return true;
}

void Cursor::skip_spaces() {
  while (!at_end() && text_[position_] == ' ') ++position_;
}

char Cursor::peek_after_spaces() const {
  const auto found = text_.find_first_not_of(' ', position_);
  return found == std::string_view::npos ? '\0' : text_[found];
}

bool Cursor::space(std::string_view after) {
  if (peek() != ' ') {
    return at_end() ? fail("Missing argument after " + std::string(after))
                    : fail("Missing space after " + std::string(after) + near());
  }
  skip_spaces();
  if (at_end()) return fail("Missing argument after " + std::string(after));
  return true;
}

bool Cursor::end(std::string_view after) {
  skip_spaces();
  if (at_end()) return true;
  return fail("Unexpected text after " + std::string(after) + near());
}

bool Cursor::word(std::string_view& out, std::string_view what) {
  out = run(is_word_char);
  return !out.empty() || unexpected(what);
}

bool Cursor::tag(std::string_view& out) {
  out = run(is_tag_char);
  return !out.empty() && (at_end() || peek() == ' ');
}

bool Cursor::atom(std::string_view& out, std::string_view what) {
  out = run(is_atom_char);
  return !out.empty() || unexpected(what);
}

bool Cursor::astring(std::string_view& out, std::string_view what) {
  if (peek() == '"' || peek() == '{' || peek() == '~') {
    // "~" may begin an atom too ("~/Mail"), but not before a "{".
    if (peek() != '~' || text_.substr(position_).starts_with("~{")) return string(out, what);
  }
  out = run(is_astring_char);
  if (out.empty()) return unexpected(what);
  if (at_end() || is_one_of(peek(), " )]")) return true;
  return fail("The " + std::string(what) + " must be quoted, or sent as a literal" + near());
}

bool Cursor::string(std::string_view& out, std::string_view what) {
  if (peek() == '"') {
    return quoted(out, what, settings_.utf8 ? In8Bit::kUtf8 : In8Bit::kNothing);
  }
  if (peek() == '{') return literal(out, what);
  if (text_.substr(position_).starts_with("~{")) {
    return fail("A literal8 is allowed for messages only (RFC 3516)");
  }
  return unexpected(what);
}

bool Cursor::search_text(std::string_view& out) {
  constexpr std::string_view kWhat = "search text";
  if (peek() != '"') return astring(out, kWhat);
  return quoted(out, kWhat, settings_.utf8 ? In8Bit::kUtf8 : In8Bit::kAnything);
}

bool Cursor::nstring(std::optional<std::string_view>& out, std::string_view what) {
  if (accept_word("NIL")) {
    out.reset();
    return true;
  }
  std::string_view text;
  if (!string(text, what)) return false;
  out = text;
  return true;
}

bool Cursor::list_mailbox(std::string_view& out) {
  constexpr std::string_view kWhat = "mailbox pattern";
  if (peek() == '"' || peek() == '{') return string(out, kWhat);
  out = run(is_list_char);
  return !out.empty() || unexpected(kWhat);
}

bool Cursor::credential(std::string_view& out, std::string_view what) {
  // No client can ENABLE anything before it has logged in, so names and passwords in UTF-8 are taken quoted.
  if (peek() == '"') return quoted(out, what, In8Bit::kUtf8);
  if (peek() == '{') return literal(out, what);
  out = run(is_credential_char);
  return !out.empty() || unexpected(what);
}

bool Cursor::quoted(std::string_view& out, std::string_view what, In8Bit allowed) {
  const std::size_t begin = ++position_;
  bool escaped = false;
  bool has_8bit = false;
  while (!at_end() && text_[position_] != '"') {
    char c = text_[position_];
    if (c == '\\') {
      escaped = true;
      if (++position_ == text_.size()) break;
      c = text_[position_];
      if (c != '"' && c != '\\') return fail("Invalid escape in the quoted " + std::string(what));
    }
    if (c == '\0' || c == '\r' || c == '\n') {
      return fail("NUL, CR and LF are not allowed in the quoted " + std::string(what));
    }
    has_8bit = has_8bit || ascii::is_8bit(c);
    ++position_;
  }
  if (at_end()) return fail("Missing '\"' at the end of the quoted " + std::string(what));
  out = text_.substr(begin, position_++ - begin);
  if (has_8bit && allowed == In8Bit::kNothing) {
    return fail("8-bit octets in the quoted " + std::string(what) +
                ": send a literal, or ENABLE UTF8=ACCEPT");
  }
  if (has_8bit && allowed == In8Bit::kUtf8 && !ascii::is_utf8(out))
    return fail("The quoted " + std::string(what) + " is not UTF-8");
  if (!escaped) return true;
  std::string& plain = unescaped_.emplace_front();
  for (std::size_t i = 0; i < out.size(); ++i) plain += out[i] == '\\' ? out[++i] : out[i];
  out = plain;
  return true;
}

bool Cursor::literal(std::string_view& out, std::string_view what) {
  const auto header = LiteralHeader::parse(text_.substr(position_));
  if (!header) return fail("Malformed literal for the " + std::string(what));
  const std::size_t data = position_ + header->header_octets + 2;
  if (data > text_.size()) {
    if (text_.size() == position_ + header->header_octets) {
      if (status_ == Status::kOk) status_ = Status::kLiteral;
      return false;
    }
    return fail("Unexpected text after the literal's size");
  }
  // A CRLF follows a header only where the reader put it, and then the whole literal is there.
  if (text_.substr(data - 2, 2) != "\r\n" || header->size > text_.size() - data) {
    return fail("Unexpected text after the literal's size");
  }
  out = text_.substr(data, static_cast<std::size_t>(header->size));
  position_ = data + out.size();
  if (out.find('\0') != std::string_view::npos) {
    return fail("NUL is not allowed in the literal for the " + std::string(what));
  }
  return true;
}

bool Cursor::message_literal() {
  message_is_binary_ = accept('~');
  const auto header = LiteralHeader::parse(text_.substr(position_));
  if (!header) return unexpected("message literal");
  if (text_.size() != position_ + header->header_octets) {
    return fail("Unexpected text after the literal's size");
  }
  if (status_ == Status::kOk) status_ = Status::kMessage;
  return false;
}

bool Cursor::digits(std::uint64_t& out, std::uint64_t most, std::string_view what) {
  const std::size_t begin = position_;
  const auto text = run(ascii::is_digit);
  if (text.empty()) return unexpected(what);
  const auto value = ascii::parse_number<std::uint64_t>(text);
  if (!value || *value > most) {
    position_ = begin;
    return fail("The " + std::string(what) + " is too large near \"" + ascii::printable(text, 40) +
                "\"");
  }
  out = *value;
  return true;
}

bool Cursor::number(std::uint32_t& out, std::string_view what) {
  std::uint64_t value = 0;
  if (!digits(value, kMost32, what)) return false;
  out = static_cast<std::uint32_t>(value);
  return true;
}

bool Cursor::nz_number(std::uint32_t& out, std::string_view what) {
  if (!number(out, what)) return false;
  return out != 0 || fail("The " + std::string(what) + " must not be zero");
}

bool Cursor::number64(std::uint64_t& out, std::string_view what) {
  return digits(out, kMost63, what);
}

bool Cursor::sequence_set(SequenceSet& out) {
  const auto text = run(is_set_char);
  if (text.empty()) return unexpected("sequence set");
  auto set = SequenceSet::parse(text);
  if (!set) return fail(std::move(set.error().message));
  out = std::move(*set);
  return true;
}

bool Cursor::flag_name(std::string_view& out) {
  const std::size_t begin = position_;
  const bool is_system = accept('\\');
  std::string_view rest;
  if (!atom(rest, is_system ? "flag name after the backslash" : "flag")) return false;
  out = text_.substr(begin, position_ - begin);
  return true;
}

bool Cursor::partial_range(PartialRange& out) {
  const auto text = run(is_range_char);
  if (text.empty()) return unexpected("PARTIAL range");
  const auto range = PartialRange::parse(text);
  if (!range) return fail(range.error().message);
  out = *range;
  return true;
}

bool Cursor::open(std::string_view what) {
  if (!accept('(')) return unexpected("'(' before the " + std::string(what));
  skip_spaces();
  return true;
}

bool Cursor::close(std::string_view what) {
  skip_spaces();
  return accept(')') || unexpected("')' after the " + std::string(what));
}

}  // namespace twinpost::imap
