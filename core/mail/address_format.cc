#include <algorithm>

#include "core/base/ascii.h"
#include "core/mail/address.h"

namespace twinpost::mail {

namespace {

bool is_atext(char c) {
  return ascii::is_alnum(c) || ascii::is_8bit(c) ||
         std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

// RFC 2047 section 5 (3): encoded words must not be quoted.
std::string format_phrase(std::string_view text) {
  const bool words =
      std::all_of(text.begin(), text.end(), [](char c) { return is_atext(c) || c == ' '; });
  if ((words && !text.empty()) || text.find("=?") != std::string_view::npos)
    return std::string(text);
  return quoted(text);
}

std::string format_local_part(std::string_view local) {
  const bool dot_atom =
      !local.empty() && local.front() != '.' && local.back() != '.' &&
      local.find("..") == std::string_view::npos &&
      std::all_of(local.begin(), local.end(), [](char c) { return is_atext(c) || c == '.'; });
  return dot_atom ? std::string(local) : quoted(local);
}

}  // namespace

std::string format_address(const Address& address) {
  std::string spec;
  const std::string_view mailbox = address.mailbox ? std::string_view(*address.mailbox) : "";
  const std::string_view host = address.host ? std::string_view(*address.host) : "";
  if (!mailbox.empty() || !host.empty()) spec = format_local_part(mailbox);
  if (!host.empty()) {
    spec += '@';
    spec += host;
  }
  if (!address.name && !address.route) return spec.empty() ? "<>" : spec;
  std::string out = address.name ? format_phrase(*address.name) : std::string();
  if (spec.empty() && !address.route) return out;
  if (!out.empty()) out += ' ';
  out += '<';
  if (address.route) out += *address.route + ":";
  return out + spec + '>';
}

std::string format_addresses(const AddressList& list) {
  std::string out;
  bool comma = false;
  for (const Address& address : list) {
    if (!address.host && !address.mailbox) {
      out += ';';
      comma = true;
      continue;
    }
    if (comma) out += ", ";
    if (!address.host) {
      out += format_phrase(*address.mailbox) + ": ";
      comma = false;
      continue;
    }
    out += format_address(address);
    comma = true;
  }
  return out;
}

}  // namespace twinpost::mail
