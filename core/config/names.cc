#include "core/config/names.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstdint>
#include <sys/un.h>

#include "core/base/ascii.h"

namespace twinpost::config {

namespace {

// RFC 5321 4.5.3.1: a local part of 64, a domain of 255 octets; a path of 256 with its angle
// brackets.
constexpr std::size_t kMaxName = 254;
constexpr std::size_t kMaxLocalPart = 64;

bool is_atext(char c) {
  constexpr std::string_view kOthers = "!#$%&'*+-/=?^_`{|}~";  // RFC 5322 3.2.3
  return ascii::is_alnum(c) || ascii::is_8bit(c) || kOthers.find(c) != std::string_view::npos;
}

bool is_domain_char(char c) {
  return ascii::is_alnum(c) || ascii::is_8bit(c) || c == '-' || c == '_';
}

template <class Allowed>
bool is_dotted(std::string_view text, Allowed allowed) {
  if (text.empty() || text.front() == '.' || text.back() == '.') return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '.' ? text[i - 1] == '.' : !allowed(text[i])) return false;
  }
  return true;
}

Result<void> check_domain(std::string_view domain) {
  if (is_dotted(domain, is_domain_char)) return {};
  return fail(ErrorCode::kInvalid, '"' + ascii::printable(domain) + "\" is not a domain");
}

Result<void> check_length(std::string_view name) {
  if (name.size() > kMaxName) {
    return fail(ErrorCode::kInvalid, "is longer than " + std::to_string(kMaxName) + " octets");
  }
  if (!ascii::is_utf8(name)) return fail(ErrorCode::kInvalid, "is not UTF-8");
  return {};
}

// Of a mailbox's name, and of one of its levels; less than the store and IMAP's LIST can take.
constexpr std::size_t kMaxMailboxName = 250;

bool is_own_name(std::string_view name) {
  constexpr std::string_view kOwn[] = {"inbox", "sent", "drafts", "trash", "junk", "archive"};
  const std::string lower = ascii::lower(name.substr(0, name.find('/')));
  return lower == kOwn[0] || (lower.size() == name.size() &&
                              std::find(std::begin(kOwn), std::end(kOwn), lower) != std::end(kOwn));
}

tl::unexpected<Error> bad_address(std::string_view address, std::string_view why) {
  return fail(ErrorCode::kInvalid,
              '"' + ascii::printable(address) +
                  "\" is not an address to listen on: " + std::string(why) +
                  " (\"127.0.0.1:143\", \"[::1]:993\", \"*:110\" or \"unix:/run/x.sock\")");
}

bool is_numeric(int family, std::string_view host) {
  in6_addr octets{};  // large enough for both families
  return inet_pton(family, std::string(host).c_str(), &octets) == 1;
}

Result<void> check_unix(std::string_view address, std::string_view path) {
  if (!path.starts_with('/')) return bad_address(address, "the path must begin with \"/\"");
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return bad_address(address, "the path is longer than " +
                                    std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " octets");
  }
  if (path.ends_with('/')) return bad_address(address, "the path must not end in \"/\"");
  return {};
}

}  // namespace

Result<std::string> normalize_account_name(std::string_view name) {
  if (auto length = check_length(name); !length) return tl::unexpected(length.error());
  const std::size_t at = name.rfind('@');
  const std::string_view local = name.substr(0, at);
  if (!is_dotted(local, is_atext) || local.size() > kMaxLocalPart) {
    return fail(ErrorCode::kInvalid,
                "must be a mail address or a user name, without blanks and quotes");
  }
  if (at != std::string_view::npos) {
    if (auto domain = check_domain(name.substr(at + 1)); !domain) {
      return tl::unexpected(domain.error());
    }
  }
  return ascii::lower(name);
}

Result<std::string> normalize_alias(std::string_view alias) {
  if (!alias.starts_with('@')) return normalize_account_name(alias);
  if (auto length = check_length(alias); !length) return tl::unexpected(length.error());
  if (auto domain = check_domain(alias.substr(1)); !domain) return tl::unexpected(domain.error());
  return ascii::lower(alias);
}

Result<std::string> check_new_mailbox_name(std::string_view name) {
  auto checked = check_mailbox_name(name);
  if (!checked || !is_own_name(name)) return checked;
  return fail(ErrorCode::kInvalid,
              '"' + ascii::printable(name) +
                  "\" can't be a mailbox here: it is one that accounts have for "
                  "something else");
}

Result<std::string> check_mailbox_name(std::string_view name) {
  const auto wrong = [name](std::string_view why) {
    return fail(ErrorCode::kInvalid,
                '"' + ascii::printable(name) + "\" can't be a mailbox here: " + std::string(why));
  };
  if (name.size() > kMaxMailboxName) {
    return wrong("it is longer than " + std::to_string(kMaxMailboxName) + " octets");
  }
  if (!ascii::is_utf8(name)) return wrong("it is not UTF-8");
  if (name.starts_with('/') || name.ends_with('/') || name.find("//") != std::string_view::npos) {
    return wrong("it has an empty level");
  }
  const bool printable = std::none_of(name.begin(), name.end(), [](char c) {
    return (static_cast<unsigned char>(c) < ' ') || c == '\x7f' || c == '%' || c == '*';
  });
  if (!printable) return wrong("it has a control character, \"%\" or \"*\" in it");
  return std::string(name);
}

Result<void> check_listen_address(std::string_view address) {
  constexpr std::string_view kUnix = "unix:";
  if (std::any_of(address.begin(), address.end(), ascii::is_control)) {
    return bad_address(address, "it contains control characters");
  }
  if (address.starts_with(kUnix)) return check_unix(address, address.substr(kUnix.size()));
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return bad_address(address, "it has no port");
  if (!ascii::parse_number<std::uint16_t>(address.substr(colon + 1))) {
    return bad_address(address, "the port must be a number from 0 to 65535");
  }
  std::string_view host = address.substr(0, colon);
  if (host == "*") return {};
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (is_numeric(AF_INET6, host)) return {};
    return bad_address(address, "the host must be an IPv6 address in brackets");
  }
  if (is_numeric(AF_INET, host)) return {};
  return bad_address(address, host.find(':') != std::string_view::npos
                                  ? "an IPv6 address needs brackets"
                                  : "the host must be a numeric address");
}

}  // namespace twinpost::config
