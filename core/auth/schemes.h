// The families of password schemes, one file each. Internal to core/auth; any thread.
//
// `rest` is what follows "{SCHEME}". check() finds everything wrong with it that can be found
// without a password, bounds included; verify() is called only with what check() passed.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"

namespace twinpost::auth {

[[nodiscard]] inline tl::unexpected<Error> broken_hash(std::string_view why) {
  return fail(ErrorCode::kInvalid, std::string(why));
}

// PHC strings of Argon2i and Argon2id (RFC 9106).
[[nodiscard]] Result<void> check_argon2(std::string_view rest);
[[nodiscard]] Result<bool> verify_argon2(std::string_view rest, std::string_view password);
[[nodiscard]] Result<std::string> hash_argon2id(std::string_view password);

// What libxcrypt's crypt_r(3) makes.
enum class CryptKind : unsigned char { kBlowfish, kSha512, kSha256, kYescrypt, kAny };
[[nodiscard]] Result<void> check_crypt(CryptKind kind, std::string_view rest);
[[nodiscard]] Result<bool> verify_crypt(std::string_view rest, std::string_view password);
[[nodiscard]] Result<std::string> hash_crypt(CryptKind kind, std::string_view password);

// Digest of password and salt, then the salt. `octets` are decoded already.
enum class SaltedKind : unsigned char { kSha512, kSha256 };
[[nodiscard]] Result<void> check_salted(SaltedKind kind, std::string_view octets);
[[nodiscard]] bool verify_salted(SaltedKind kind, std::string_view octets,
                                 std::string_view password);
[[nodiscard]] std::string hash_salted(SaltedKind kind, std::string_view password);  // octets

// PBKDF2 (RFC 8018), as Dovecot and as passlib write it.
[[nodiscard]] Result<void> check_pbkdf2(std::string_view rest);
[[nodiscard]] Result<bool> verify_pbkdf2(std::string_view rest, std::string_view password);
[[nodiscard]] Result<std::string> hash_pbkdf2(std::string_view password);

}  // namespace twinpost::auth
