#include "core/auth/recipient.h"

#include "core/base/ascii.h"

namespace twinpost::auth {

namespace {

// RFC 5321 4.5.3.1.3: a path has 256 octets at most; quoting may double what is inside.
constexpr std::size_t kMaxAddress = 512;

// Where the quoted string at the start of `text` ends (past its closing quote), with what it says
// in `out`.
std::optional<std::size_t> unquote(std::string_view text, std::string& out) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1;
    if (text[i] == '\\' && ++i == text.size()) return std::nullopt;
    out += text[i];
  }
  return std::nullopt;
}

}  // namespace

std::optional<Address> split_address(std::string_view text) {
  if (text.empty() || text.size() > kMaxAddress) return std::nullopt;
  for (const char c : text) {
    if (ascii::is_control(c)) return std::nullopt;
  }
  Address address;
  std::string_view rest;
  if (text.front() == '"') {
    const auto end = unquote(text, address.local);
    if (!end) return std::nullopt;
    rest = text.substr(*end);
    if (!rest.empty() && rest.front() != '@') return std::nullopt;
  } else {
    const std::size_t at = text.rfind('@');
    address.local = text.substr(0, at);
    rest = at == std::string_view::npos ? std::string_view() : text.substr(at);
  }
  if (address.local.empty() || rest == "@") return std::nullopt;
  if (!rest.empty()) address.domain = ascii::lower(rest.substr(1));
  return address;
}

std::string lookup_name(std::string_view local, std::string_view domain) {
  std::string name = ascii::lower(local);
  if (!domain.empty()) {
    name += '@';
    name += domain;
  }
  return name;
}

}  // namespace twinpost::auth
