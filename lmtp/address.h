// Envelope paths (RFC 5321 section 4.1.2, RFC 6531 section 3.3): what stands behind MAIL FROM: and
// RCPT TO:.
//
// Strict where a path could hide something (control characters, quotes that don't end, '@' in the
// wrong place), lenient where real senders are sloppy and nothing can be misread: a missing pair of
// brackets, dots at odd places in a local part, underscores in a domain, a local part of any
// length. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace twinpost::lmtp {

// RFC 5321 section 4.5.3.1.3 asks for 256. More is taken, but a Return-Path or Delivered-To field
// stays one line of at most 998 octets (RFC 5322 section 2.1.1).
inline constexpr std::size_t kMaxPath = 900;

struct Path {
  std::string text;  // as given, without brackets and source route; empty: the null sender <>
  bool is_international = false;  // has octets outside ASCII (they are well-formed UTF-8)

  [[nodiscard]] bool is_null() const { return text.empty(); }
};

// Reads a path off the front of `rest`, which is then at the parameters, or empty. Blanks before
// the path are skipped. kInvalid (not a path) or kTooLarge (over kMaxPath); the message says what
// is wrong with it.
[[nodiscard]] Result<Path> take_path(std::string_view& rest);

}  // namespace twinpost::lmtp
