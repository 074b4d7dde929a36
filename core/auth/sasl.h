// SASL mechanisms' messages. Pure; any thread. Base64 is the protocols' own affair
// (core/base/encoding.h).
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"

namespace twinpost::auth {

struct PlainMessage {
  std::string authorize_as;  // empty: the user
  std::string user;
  std::string password;
};

// RFC 4616 section 2: [authzid] NUL authcid NUL passwd. The parts are UTF-8 without control
// characters, user and password not empty; 255 octets must be taken, kMaxPassword are. Passwords
// may be of any octets but NUL, CR and LF, because old clients send them in their own charset.
[[nodiscard]] Result<PlainMessage> parse_sasl_plain(std::string_view message);

}  // namespace twinpost::auth
