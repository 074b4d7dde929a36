#include "lmtp/address.h"

#include <algorithm>

#include "core/base/ascii.h"

namespace twinpost::lmtp {

namespace {

// atext of RFC 5322 with RFC 6531's extension, by what it leaves out.
bool is_atom_character(char c) {
  constexpr std::string_view kSpecials = "()<>[]:;@\\,\"";
  return !ascii::is_control(c) && c != ' ' && c != '.' &&
         kSpecials.find(c) == std::string_view::npos;
}

bool is_dot_string(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return is_atom_character(c) || c == '.'; });
}

bool is_domain(std::string_view text) {
  bool label_begins = true;
  for (const char c : text) {
    if (c == '.' && label_begins) return false;
    if (c != '.' && c != '-' && c != '_' && !ascii::is_alnum(c) && !ascii::is_8bit(c)) return false;
    label_begins = c == '.';
  }
  return !label_begins;  // neither empty nor ending in a dot
}

// RFC 5321 section 4.1.3, by its outer form: dtext in brackets.
bool is_address_literal(std::string_view text) {
  if (text.size() < 3 || text.front() != '[' || text.back() != ']') return false;
  const std::string_view inner = text.substr(1, text.size() - 2);
  return std::all_of(inner.begin(), inner.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '[' && c != ']' && c != '\\';
  });
}

// The octets of the quoted string at the front of `text`, both quotes included; 0 where it does not
// end or has an octet that may not be there.
std::size_t quoted_length(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1;
    if (text[i] == '\\' && ++i == text.size()) return 0;
    if (ascii::is_control(text[i])) return 0;
  }
  return 0;
}

// Where the path that begins with '<' ends: the index of its '>', which may not be inside a quoted
// string.
std::size_t closing_bracket(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '>') return i;
    if (text[i] != '"') continue;
    const std::size_t length = quoted_length(text.substr(i));
    if (length == 0) return std::string_view::npos;
    i += length - 1;
  }
  return std::string_view::npos;
}

// RFC 5321 section 4.1.2 and appendix C: "@a,@b:" in front must be accepted and is ignored.
Result<std::string_view> without_source_route(std::string_view text) {
  if (text.empty() || text.front() != '@') return text;
  const auto colon = text.find(':');
  if (colon == std::string_view::npos)
    return fail(ErrorCode::kInvalid, "source route without an address");
  std::string_view route = text.substr(0, colon);
  while (!route.empty()) {
    const auto comma = std::min(route.find(','), route.size());
    const std::string_view hop = route.substr(0, comma);
    if (hop.empty() || hop.front() != '@' ||
        !(is_domain(hop.substr(1)) || is_address_literal(hop.substr(1)))) {
      return fail(ErrorCode::kInvalid, "malformed source route");
    }
    route.remove_prefix(std::min(comma + 1, route.size()));
  }
  if (colon + 1 == text.size()) return fail(ErrorCode::kInvalid, "source route without an address");
  return text.substr(colon + 1);
}

Result<Path> read_mailbox(std::string_view text) {
  const bool is_quoted = text.front() == '"';
  const std::size_t local_length =
      is_quoted ? quoted_length(text) : std::min(text.find('@'), text.size());
  const std::string_view local = text.substr(0, local_length);
  if (local.empty() || (!is_quoted && !is_dot_string(local))) {
    return fail(ErrorCode::kInvalid, "malformed local part");
  }
  const std::string_view domain = text.substr(local_length);
  if (!domain.empty() && (domain.front() != '@' ||
                          !(is_domain(domain.substr(1)) || is_address_literal(domain.substr(1))))) {
    return fail(ErrorCode::kInvalid, "malformed domain");
  }
  if (!ascii::is_utf8(text)) return fail(ErrorCode::kInvalid, "not UTF-8");

  Path path;
  path.text = text;
  path.is_international = std::any_of(text.begin(), text.end(), ascii::is_8bit);
  return path;
}

}  // namespace

Result<Path> take_path(std::string_view& rest) {
  while (!rest.empty() && ascii::is_blank(rest.front())) rest.remove_prefix(1);
  if (rest.empty()) return fail(ErrorCode::kInvalid, "no address");
  std::string_view inner;
  if (rest.front() == '<') {
    const std::size_t end = closing_bracket(rest);
    if (end == std::string_view::npos) return fail(ErrorCode::kInvalid, "no closing bracket");
    inner = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
    if (!rest.empty() && !ascii::is_blank(rest.front())) {
      return fail(ErrorCode::kInvalid, "no blank after the closing bracket");
    }
    if (inner.empty()) return Path{};
  } else {
    // Old scripts leave the brackets out; without them a blank ends the address.
    const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
    inner = rest.substr(0, end);
    rest.remove_prefix(end);
  }
  if (inner.size() > kMaxPath) return fail(ErrorCode::kTooLarge, "address too long");
  const auto mailbox = without_source_route(inner);
  if (!mailbox) return tl::unexpected(mailbox.error());
  return read_mailbox(*mailbox);
}

}  // namespace twinpost::lmtp
