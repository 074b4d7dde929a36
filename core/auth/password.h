// Password schemes: "{SCHEME}rest", as in accounts.json and Dovecot's passwd files.
//
//   ARGON2ID (default), BLF-CRYPT, SHA512-CRYPT, SHA256-CRYPT, YESCRYPT   a crypt(3) or PHC string
//   SSHA512, SSHA256    base64 of digest and salt (.HEX suffix: hexadecimal)
//   PBKDF2              $1$salt$rounds$hex (Dovecot), HMAC-SHA1, and $pbkdf2-sha256$/$pbkdf2-sha512$ (passlib)
//   PLAIN               the password itself
//
// Slow on purpose: call verify() and hash() on a worker. Any thread; no global state.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace twinpost::auth {

// True where the password fits; an error where the stored value can't be used (unknown scheme, broken hash).
[[nodiscard]] Result<bool> verify_password(std::string_view stored, std::string_view password);

// What accounts.json stores for a password. `scheme` without braces, any case.
[[nodiscard]] Result<std::string> hash_password(std::string_view scheme, std::string_view password);

// Checks the form of a stored value without a password (the config check's question).
[[nodiscard]] Result<void> check_stored_password(std::string_view stored);

[[nodiscard]] const std::vector<std::string_view>& password_schemes();  // names, the default first

}  // namespace twinpost::auth
