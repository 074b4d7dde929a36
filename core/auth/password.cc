#include "core/auth/password.h"

#include <algorithm>
#include <array>
#include <openssl/md5.h>
#include <openssl/mem.h>
#include <optional>
#include <utility>

#include "core/auth/schemes.h"
#include "core/base/ascii.h"
#include "core/base/encoding.h"

namespace twinpost::auth {

namespace {

// How the part after the braces is written; Dovecot's suffixes .HEX, .B64 and .BASE64.
enum class Encoding : unsigned char { kNone, kBase64, kHex };

struct Scheme {
  std::string_view name;
  bool is_offered;    // among those that new passwords may be stored in
  Encoding encoding;  // without a suffix
  bool takes_suffix;
  Result<void> (*check)(std::string_view rest);
  Result<bool> (*verify)(std::string_view rest, std::string_view password);
  Result<std::string> (*hash)(std::string_view password);
};

template <CryptKind kind>
Result<void> check_crypt_kind(std::string_view rest) {
  return check_crypt(kind, rest);
}

template <CryptKind kind>
Result<std::string> hash_crypt_kind(std::string_view password) {
  return hash_crypt(kind, password);
}

template <SaltedKind kind>
Result<void> check_salted_kind(std::string_view octets) {
  return check_salted(kind, octets);
}

template <SaltedKind kind>
Result<bool> verify_salted_kind(std::string_view octets, std::string_view password) {
  return verify_salted(kind, octets, password);
}

template <SaltedKind kind>
Result<std::string> hash_salted_kind(std::string_view password) {
  return base64_encode(hash_salted(kind, password));
}

Result<void> check_plain(std::string_view rest) {
  if (rest.empty()) return broken_hash("it is empty");
  if (rest.size() > kMaxPassword) return broken_hash("it is too long");
  return {};
}

Result<bool> verify_plain(std::string_view rest, std::string_view password) {
  return constant_time_equal(rest, password);
}

Result<std::string> hash_plain(std::string_view password) { return std::string(password); }

constexpr std::array<Scheme, 12> kSchemes{{
    {"ARGON2ID", true, Encoding::kNone, false, check_argon2, verify_argon2, hash_argon2id},
    {"BLF-CRYPT", true, Encoding::kNone, false, check_crypt_kind<CryptKind::kBlowfish>,
     verify_crypt, hash_crypt_kind<CryptKind::kBlowfish>},
    {"SHA512-CRYPT", true, Encoding::kNone, false, check_crypt_kind<CryptKind::kSha512>,
     verify_crypt, hash_crypt_kind<CryptKind::kSha512>},
    {"SHA256-CRYPT", true, Encoding::kNone, false, check_crypt_kind<CryptKind::kSha256>,
     verify_crypt, hash_crypt_kind<CryptKind::kSha256>},
    {"YESCRYPT", true, Encoding::kNone, false, check_crypt_kind<CryptKind::kYescrypt>, verify_crypt,
     hash_crypt_kind<CryptKind::kYescrypt>},
    {"SSHA512", true, Encoding::kBase64, true, check_salted_kind<SaltedKind::kSha512>,
     verify_salted_kind<SaltedKind::kSha512>, hash_salted_kind<SaltedKind::kSha512>},
    {"SSHA256", true, Encoding::kBase64, true, check_salted_kind<SaltedKind::kSha256>,
     verify_salted_kind<SaltedKind::kSha256>, hash_salted_kind<SaltedKind::kSha256>},
    {"PBKDF2", true, Encoding::kNone, false, check_pbkdf2, verify_pbkdf2, hash_pbkdf2},
    {"PLAIN", true, Encoding::kNone, true, check_plain, verify_plain, hash_plain},
    {"CLEARTEXT", false, Encoding::kNone, true, check_plain, verify_plain, hash_plain},
    {"ARGON2I", false, Encoding::kNone, false, check_argon2, verify_argon2, nullptr},
    {"CRYPT", false, Encoding::kNone, false, check_crypt_kind<CryptKind::kAny>, verify_crypt,
     nullptr},
}};

const Scheme* find_scheme(std::string_view name) {
  const auto* const found = std::find_if(
      kSchemes.begin(), kSchemes.end(),
      [&](const Scheme& scheme) { return ascii::equals_ignore_case(scheme.name, name); });
  return found == kSchemes.end() ? nullptr : found;
}

struct Stored {
  const Scheme* scheme = nullptr;
  std::string rest;  // decoded; wiped, because of PLAIN

  Stored() = default;
  Stored(Stored&&) = default;
  Stored& operator=(Stored&&) = delete;
  Stored(const Stored&) = delete;
  Stored& operator=(const Stored&) = delete;
  ~Stored() { wipe(rest); }
};

tl::unexpected<Error> unknown_scheme(std::string_view name) {
  std::string known;
  for (const std::string_view one : password_schemes()) {
    known += (known.empty() ? "" : ", ") + std::string(one);
  }
  return fail(ErrorCode::kUnsupported,
              "unknown password scheme " + ascii::printable(name, 40) + " (known: " + known + ')');
}

std::optional<std::string> decode(Encoding encoding, std::string_view text) {
  switch (encoding) {
    case Encoding::kBase64: return base64_decode(text);
    case Encoding::kHex: return hex_decode(text);
    default: return std::string(text);
  }
}

std::optional<Encoding> suffix_encoding(std::string_view suffix) {
  if (ascii::equals_ignore_case(suffix, "HEX")) return Encoding::kHex;
  if (ascii::equals_ignore_case(suffix, "B64")) return Encoding::kBase64;
  if (ascii::equals_ignore_case(suffix, "BASE64")) return Encoding::kBase64;
  return std::nullopt;
}

// Splits "{SCHEME.SUFFIX}rest". What comes after is not checked yet.
Result<Stored> split(std::string_view text) {
  const std::size_t end = text.find('}');
  if (!text.starts_with('{') || end == std::string_view::npos) {
    return fail(ErrorCode::kInvalid, "a stored password must begin with its {SCHEME}");
  }
  const std::string_view full_name = text.substr(1, end - 1);
  const std::size_t dot = full_name.find('.');
  Stored stored;
  stored.scheme = find_scheme(full_name.substr(0, dot));
  if (stored.scheme == nullptr) return unknown_scheme(full_name);
  Encoding encoding = stored.scheme->encoding;
  if (dot != std::string_view::npos) {
    const auto named = suffix_encoding(full_name.substr(dot + 1));
    if (!named || !stored.scheme->takes_suffix) return unknown_scheme(full_name);
    encoding = *named;
  }
  // NUL would cut short what the C libraries see.
  if (text.find('\0') != std::string_view::npos) return broken_hash("it contains NUL");
  auto rest = decode(encoding, text.substr(end + 1));
  if (!rest) {
    return fail(ErrorCode::kInvalid, std::string(stored.scheme->name) +
                                         (encoding == Encoding::kHex ? ": its hexadecimal is broken"
                                                                     : ": its base64 is broken"));
  }
  stored.rest = std::move(*rest);
  return stored;
}

Result<Stored> split_and_check(std::string_view text) {
  auto stored = split(text);
  if (!stored) return stored;
  if (auto checked = stored->scheme->check(stored->rest); !checked) {
    return fail(checked.error().code,
                std::string(stored->scheme->name) + ": " + checked.error().message);
  }
  return stored;
}

bool can_be_password(std::string_view password) {
  return !password.empty() && password.size() <= kMaxPassword &&
         password.find('\0') == std::string_view::npos;
}

}  // namespace

Result<bool> verify_password(std::string_view stored_text, std::string_view password) {
  const auto stored = split_and_check(stored_text);
  if (!stored) return tl::unexpected(stored.error());
  if (!can_be_password(password)) return false;
  return stored->scheme->verify(stored->rest, password);
}

Result<std::string> hash_password(std::string_view scheme_name, std::string_view password) {
  const Scheme* scheme = find_scheme(scheme_name);
  if (scheme == nullptr || !scheme->is_offered) return unknown_scheme(scheme_name);
  if (password.empty()) return fail(ErrorCode::kInvalid, "the password is empty");
  if (password.size() > kMaxPassword) {
    return fail(ErrorCode::kInvalid,
                "the password is longer than " + std::to_string(kMaxPassword) + " octets");
  }
  if (std::any_of(password.begin(), password.end(), ascii::is_control)) {
    return fail(ErrorCode::kInvalid, "the password contains control characters");
  }
  auto hash = scheme->hash(password);
  if (!hash) return hash;
  return '{' + std::string(scheme->name) + '}' + *hash;
}

Result<void> check_stored_password(std::string_view stored_text) {
  const auto stored = split_and_check(stored_text);
  if (!stored) return tl::unexpected(stored.error());
  return {};
}

bool is_stored_plainly(std::string_view stored) {
  const auto parts = split(stored);
  return parts && parts->scheme->verify == verify_plain;
}

bool verify_apop(std::string_view stored, std::string_view challenge, std::string_view digest) {
  const auto parts = split(stored);
  if (!parts || parts->scheme->verify != verify_plain) return false;
  std::string text = std::string(challenge) + parts->rest;
  std::array<std::uint8_t, MD5_DIGEST_LENGTH> sum{};
  MD5(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), sum.data());
  wipe(text);
  const auto given = hex_decode(ascii::lower(digest));
  return given && given->size() == sum.size() &&
         CRYPTO_memcmp(given->data(), sum.data(), sum.size()) == 0;
}

const std::vector<std::string_view>& password_schemes() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> offered;
    for (const Scheme& scheme : kSchemes) {
      if (scheme.is_offered) offered.push_back(scheme.name);
    }
    return offered;
  }();
  return names;
}

}  // namespace twinpost::auth
