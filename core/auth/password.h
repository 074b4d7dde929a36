// Password schemes: "{SCHEME}rest", as in accounts.json and Dovecot's passwd files.
//
//   ARGON2ID (default), BLF-CRYPT, SHA512-CRYPT, SHA256-CRYPT, YESCRYPT   a crypt(3) or PHC string
//   SSHA512, SSHA256    base64 of digest and salt (.HEX suffix: hexadecimal)
//   PBKDF2              $1$salt$rounds$hex (Dovecot, HMAC-SHA1), or passlib's $pbkdf2-sha256$ and
//                       $pbkdf2-sha512$
//   PLAIN               the password itself
//
// Dovecot's further spellings are read too: {ARGON2I}, {CRYPT} (for the crypt(3) forms above),
// {CLEARTEXT}, and the suffixes .HEX, .B64 and .BASE64 of the SSHA and PLAIN schemes.
//
// A stored value that asks for more work or memory than a login may cost is an error, never a hang.
//
// Slow on purpose: call verify() and hash() on a worker. Any thread; no global state.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace twinpost::auth {

// Longer ones never fit, and are not hashed: crypt(3) takes no more.
inline constexpr std::size_t kMaxPassword = 511;

// True where the password fits; an error where the stored value can't be used (unknown scheme,
// broken hash).
[[nodiscard]] Result<bool> verify_password(std::string_view stored, std::string_view password);

// Whether the password can be had from what is stored, as APOP needs it.
[[nodiscard]] bool is_stored_plainly(std::string_view stored);
// RFC 1939 section 7: `digest` is the MD5, in hexadecimal, of the challenge and the password. False too where
// the password is not stored plainly. Fast: any thread.
[[nodiscard]] bool verify_apop(std::string_view stored, std::string_view challenge,
                               std::string_view digest);

// What accounts.json stores for a password. `scheme` without braces, any case. kInvalid for a
// password that is empty, too long for the scheme (BLF-CRYPT: 72 octets), or has control
// characters, which no protocol can carry.
[[nodiscard]] Result<std::string> hash_password(std::string_view scheme, std::string_view password);

// Checks the form of a stored value without a password (the config check's question).
[[nodiscard]] Result<void> check_stored_password(std::string_view stored);

[[nodiscard]] const std::vector<std::string_view>& password_schemes();  // names, the default first

}  // namespace twinpost::auth
