#include "tools/twinpost/transfer/imap_response.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/base/ascii.h"

namespace twinpost::tools {

namespace {

constexpr unsigned kMostDepth = 50;
constexpr std::size_t kMostChallenge = 2000;  // octets of what a continuation says

// True for the names that are followed by text for people, in which a "{5}" means nothing (RFC 9051
// section 9, resp-text).
bool is_status_name(std::string_view word) {
  return ascii::equals_ignore_case(word, "OK") || ascii::equals_ignore_case(word, "NO") ||
         ascii::equals_ignore_case(word, "BAD") || ascii::equals_ignore_case(word, "BYE") ||
         ascii::equals_ignore_case(word, "PREAUTH");
}

std::string_view take_word(std::string_view& rest) {
  const auto end = std::min(rest.find(' '), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(end);
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  return word;
}

bool is_text_line(std::string_view line) {
  if (line.starts_with('+')) return true;
  static_cast<void>(take_word(line));
  return is_status_name(take_word(line));
}

// Walks the values of a response, from line to literal to line.
class ValueReader {
 public:
  ValueReader(ImapWire& wire, std::size_t begin) : wire_(wire), at_(begin) {}

  // All values up to the end; empty with fault() where they can't be read.
  std::vector<ImapValue> read_all() {
    std::vector<ImapValue> values;
    skip_blanks();
    while (!at_end() && fault_.empty()) {
      values.push_back(value(0));
      skip_blanks();
    }
    if (!fault_.empty()) values.clear();
    return values;
  }
  [[nodiscard]] const std::string& fault() const { return fault_; }

 private:
  [[nodiscard]] const std::string& line() const { return wire_.lines[index_]; }
  [[nodiscard]] bool at_line_end() const { return at_ >= line().size(); }
  [[nodiscard]] bool at_literal() const { return at_line_end() && index_ < wire_.literals.size(); }
  [[nodiscard]] bool at_end() const { return at_line_end() && index_ >= wire_.literals.size(); }
  [[nodiscard]] char peek() const { return at_line_end() ? '\0' : line()[at_]; }
  void skip_blanks() {
    while (ascii::is_blank(peek())) ++at_;
  }
  ImapValue stop(std::string_view why) {
    if (fault_.empty()) {
      fault_ = fmt::format("{} at \"{}\"", why,
                           ascii::printable(std::string_view(line()).substr(at_), 60));
    }
    return {};
  }

  ImapValue value(unsigned depth) {
    if (at_literal()) {
      ImapValue result{ImapValue::Kind::kString, std::move(wire_.literals[index_]), {}};
      ++index_;
      at_ = 0;
      return result;
    }
    if (peek() == '(') return list(depth);
    if (peek() == '"') return quoted();
    return atom();
  }

  ImapValue list(unsigned depth) {
    if (depth >= kMostDepth) return stop("lists nested too deep");
    ImapValue result{ImapValue::Kind::kList, {}, {}};
    ++at_;
    for (;;) {
      skip_blanks();
      if (at_end()) return stop("a list does not end");
      if (peek() == ')') break;
      result.list.push_back(value(depth + 1));
      if (!fault_.empty()) return {};
    }
    ++at_;
    return result;
  }

  ImapValue quoted() {
    ImapValue result{ImapValue::Kind::kString, {}, {}};
    for (++at_; !at_line_end() && peek() != '"'; ++at_) {
      // Servers are known that quote by backslash what need not be.
      if (peek() == '\\' && at_ + 1 < line().size()) ++at_;
      result.text += peek();
    }
    if (at_line_end()) return stop("a quoted string does not end");
    ++at_;
    return result;
  }

  // "BODY[HEADER.FIELDS (DATE)]<0>" is one atom; so is "\Seen".
  ImapValue atom() {
    const std::size_t begin = at_;
    bool in_brackets = false;
    for (; !at_line_end(); ++at_) {
      const char c = peek();
      if (c == '[') in_brackets = true;
      if (c == ']') in_brackets = false;
      if (!in_brackets && (c == ' ' || c == '(' || c == ')' || c == '"')) break;
    }
    if (at_ == begin) return stop("something unexpected");
    ImapValue result{ImapValue::Kind::kAtom, line().substr(begin, at_ - begin), {}};
    if (ascii::equals_ignore_case(result.text, "NIL")) result = {};
    return result;
  }

  ImapWire& wire_;
  std::size_t index_ = 0;
  std::size_t at_;
  std::string fault_;
};

// RFC 9051 section 9, resp-text: [code arguments] text
void read_status_text(std::string_view rest, ImapResponse& response) {
  if (rest.starts_with('[')) {
    const auto end = rest.find(']');
    if (end != std::string_view::npos) {
      std::string_view inside = rest.substr(1, end - 1);
      response.code = ascii::upper(take_word(inside));
      response.code_text = ascii::trim(inside);
      rest.remove_prefix(end + 1);
    }
  }
  response.text = ascii::printable(ascii::trim(rest), 300);
}

tl::unexpected<Error> no_response(std::string_view line) {
  return fail(ErrorCode::kInvalid, fmt::format("the server sent something that is no IMAP: \"{}\"",
                                               ascii::printable(line, 100)));
}

}  // namespace

Result<std::optional<LiteralMark>> literal_mark(std::string_view line, bool first) {
  if (!line.ends_with('}') || (first && is_text_line(line))) return std::nullopt;
  const auto brace = line.rfind('{');
  if (brace == std::string_view::npos) return std::nullopt;
  std::string_view digits = line.substr(brace + 1, line.size() - brace - 2);
  if (digits.ends_with('+') || digits.ends_with('-')) digits.remove_suffix(1);
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), ascii::is_digit))
    return std::nullopt;
  bool in_quotes = false;
  for (std::size_t i = 0; i < brace; ++i) {
    if (in_quotes && line[i] == '\\') {
      ++i;
    } else if (line[i] == '"') {
      in_quotes = !in_quotes;
    }
  }
  if (in_quotes) return std::nullopt;
  const auto octets = ascii::parse_number<std::uint64_t>(digits);
  if (!octets || *octets > INT64_MAX) {
    return fail(ErrorCode::kTooLarge, fmt::format("the server announced a literal of {} octets",
                                                  ascii::printable(digits, 40)));
  }
  const bool is_literal8 = brace > 0 && line[brace - 1] == '~';
  return LiteralMark{*octets, is_literal8 ? brace - 1 : brace};
}

std::optional<std::uint64_t> ImapValue::number() const {
  return is_text() ? ascii::parse_number<std::uint64_t>(text) : std::nullopt;
}

Result<ImapResponse> parse_imap_response(ImapWire wire) {
  if (wire.lines.empty() || wire.lines.size() != wire.literals.size() + 1) return no_response("");
  const std::string first = wire.lines.front();
  std::string_view rest = first;
  ImapResponse response;
  if (rest.starts_with('+')) {
    response.kind = ImapResponse::Kind::kContinuation;
    response.text = ascii::printable(ascii::trim(rest.substr(1)), kMostChallenge);
    return response;
  }
  const std::string_view tag = take_word(rest);
  if (tag.empty()) return no_response(first);
  if (tag != "*") response.tag = tag;
  std::string_view name = take_word(rest);
  if (const auto number = ascii::parse_number<std::uint32_t>(name);
      number && response.tag.empty()) {
    response.number = *number;
    name = take_word(rest);
  }
  if (name.empty()) return no_response(first);
  response.name = ascii::upper(name);
  if (is_status_name(name)) {
    response.kind = ImapResponse::Kind::kStatus;
    read_status_text(rest, response);
    return response;
  }
  if (!response.tag.empty()) return no_response(first);
  ValueReader reader(wire, static_cast<std::size_t>(rest.data() - first.data()));
  response.values = reader.read_all();
  response.fault = reader.fault();
  return response;
}

}  // namespace twinpost::tools
