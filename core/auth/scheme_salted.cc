#include <array>
#include <openssl/sha.h>

#include "core/auth/schemes.h"
#include "core/base/encoding.h"

namespace twinpost::auth {

namespace {

constexpr std::size_t kNewSalt = 16;
constexpr std::size_t kMinSalt = 4;  // Dovecot's
constexpr std::size_t kMaxSalt = 64;

std::size_t digest_size(SaltedKind kind) {
  return kind == SaltedKind::kSha512 ? SHA512_DIGEST_LENGTH : SHA256_DIGEST_LENGTH;
}

std::string salted_digest(SaltedKind kind, std::string_view password, std::string_view salt) {
  std::array<std::uint8_t, SHA512_DIGEST_LENGTH> digest{};
  if (kind == SaltedKind::kSha512) {
    SHA512_CTX context;
    SHA512_Init(&context);
    SHA512_Update(&context, password.data(), password.size());
    SHA512_Update(&context, salt.data(), salt.size());
    SHA512_Final(digest.data(), &context);
  } else {
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, password.data(), password.size());
    SHA256_Update(&context, salt.data(), salt.size());
    SHA256_Final(digest.data(), &context);
  }
  return {reinterpret_cast<const char*>(digest.data()), digest_size(kind)};
}

}  // namespace

Result<void> check_salted(SaltedKind kind, std::string_view octets) {
  const std::size_t size = digest_size(kind);
  if (octets.size() < size + kMinSalt || octets.size() > size + kMaxSalt) {
    return broken_hash("its salt or its hash is too short or too long");
  }
  return {};
}

bool verify_salted(SaltedKind kind, std::string_view octets, std::string_view password) {
  const std::size_t size = digest_size(kind);
  return constant_time_equal(octets.substr(0, size),
                             salted_digest(kind, password, octets.substr(size)));
}

std::string hash_salted(SaltedKind kind, std::string_view password) {
  std::array<std::byte, kNewSalt> random{};
  random_octets(random);
  const std::string salt(reinterpret_cast<const char*>(random.data()), random.size());
  return salted_digest(kind, password, salt) + salt;
}

}  // namespace twinpost::auth
