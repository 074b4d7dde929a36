#include <algorithm>
#include <array>
#include <cstdint>
#include <openssl/evp.h>
#include <optional>

#include "core/auth/schemes.h"
#include "core/base/ascii.h"
#include "core/base/encoding.h"

namespace twinpost::auth {

namespace {

// OWASP's number for HMAC-SHA512.
constexpr std::uint32_t kNewRounds = 210'000;
constexpr std::size_t kNewSalt = 16;
constexpr std::uint32_t kMaxRounds = 5'000'000;
constexpr std::size_t kMaxSalt = 128;

struct Parsed {
  const EVP_MD* digest = nullptr;
  std::uint32_t rounds = 0;
  std::string salt;
  std::string key;
};

// passlib's base64: '.' for '+', no padding.
std::optional<std::string> decode_ab64(std::string_view text) {
  std::string standard(text);
  if (standard.find_first_of("+=") != std::string::npos) return std::nullopt;
  std::replace(standard.begin(), standard.end(), '.', '+');
  while (standard.size() % 4 != 0) standard += '=';
  return base64_decode(standard);
}

std::string encode_ab64(std::string_view octets) {
  std::string text = base64_encode(octets);
  text.resize(text.find_last_not_of('=') + 1);
  std::replace(text.begin(), text.end(), '+', '.');
  return text;
}

// The three parts between dollars that follow the prefix.
std::optional<std::array<std::string_view, 3>> split(std::string_view rest) {
  const std::size_t first = rest.find('$');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = rest.find('$', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  return std::array{rest.substr(0, first), rest.substr(first + 1, second - first - 1),
                    rest.substr(second + 1)};
}

Result<Parsed> checked(const EVP_MD* digest, std::string_view rounds,
                       std::optional<std::string> salt, std::optional<std::string> key) {
  const auto number = ascii::parse_number<std::uint32_t>(rounds);
  if (!number || *number == 0) return broken_hash("its rounds can't be read");
  if (*number > kMaxRounds) return broken_hash("it asks for more work than a login may cost");
  if (!salt || salt->empty() || salt->size() > kMaxSalt) return broken_hash("its salt is broken");
  if (!key || key->size() != EVP_MD_size(digest)) return broken_hash("its hash is broken");
  return Parsed{digest, *number, std::move(*salt), std::move(*key)};
}

// $1$salt$rounds$hex           Dovecot: HMAC-SHA1, the salt's characters as they are
// $pbkdf2-sha256$rounds$salt$hash   passlib; -sha512, and HMAC-SHA1 without a name
Result<Parsed> parse(std::string_view rest) {
  struct Form {
    std::string_view prefix;
    const EVP_MD* digest;
  };
  for (const Form& form : {Form{"$pbkdf2-sha512$", EVP_sha512()},
                           Form{"$pbkdf2-sha256$", EVP_sha256()}, Form{"$pbkdf2$", EVP_sha1()}}) {
    if (!rest.starts_with(form.prefix)) continue;
    const auto parts = split(rest.substr(form.prefix.size()));
    if (!parts) return broken_hash("it is incomplete");
    const auto& [rounds, salt, key] = *parts;
    return checked(form.digest, rounds, decode_ab64(salt), decode_ab64(key));
  }
  if (!rest.starts_with("$1$")) return broken_hash("it does not begin with $1$ or $pbkdf2");
  const auto parts = split(rest.substr(3));
  if (!parts) return broken_hash("it is incomplete");
  const auto& [salt, rounds, key] = *parts;
  return checked(EVP_sha1(), rounds, std::string(salt), hex_decode(key));
}

Result<std::string> derive(const Parsed& parameters, std::string_view password) {
  std::string key(EVP_MD_size(parameters.digest), '\0');
  if (PKCS5_PBKDF2_HMAC(password.data(), password.size(),
                        reinterpret_cast<const std::uint8_t*>(parameters.salt.data()),
                        parameters.salt.size(), parameters.rounds, parameters.digest, key.size(),
                        reinterpret_cast<std::uint8_t*>(key.data())) != 1) {
    return fail(ErrorCode::kInternal, "PBKDF2 failed");
  }
  return key;
}

}  // namespace

Result<void> check_pbkdf2(std::string_view rest) {
  const auto parsed = parse(rest);
  if (!parsed) return tl::unexpected(parsed.error());
  return {};
}

Result<bool> verify_pbkdf2(std::string_view rest, std::string_view password) {
  const auto parsed = parse(rest);
  if (!parsed) return tl::unexpected(parsed.error());
  const auto key = derive(*parsed, password);
  if (!key) return tl::unexpected(key.error());
  return constant_time_equal(*key, parsed->key);
}

Result<std::string> hash_pbkdf2(std::string_view password) {
  std::array<std::byte, kNewSalt> random{};
  random_octets(random);
  const Parsed parameters{EVP_sha512(),
                          kNewRounds,
                          std::string(reinterpret_cast<const char*>(random.data()), random.size()),
                          {}};
  const auto key = derive(parameters, password);
  if (!key) return tl::unexpected(key.error());
  return "$pbkdf2-sha512$" + std::to_string(kNewRounds) + '$' + encode_ab64(parameters.salt) + '$' +
         encode_ab64(*key);
}

}  // namespace twinpost::auth
