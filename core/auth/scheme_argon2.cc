#include <argon2.h>
#include <array>
#include <cstdint>
#include <optional>

#include "core/auth/schemes.h"
#include "core/base/ascii.h"
#include "core/base/encoding.h"

namespace twinpost::auth {

namespace {

// OWASP's first recommendation for Argon2id: 19 MiB, two passes, one lane. RFC 9106's 64 MiB and
// more suit machines that do nothing else; with several checks at once on a small server they would
// push mail out of memory.
constexpr std::uint32_t kMemoryKib = 19 * 1024;
constexpr std::uint32_t kPasses = 2;
constexpr std::uint32_t kLanes = 1;
constexpr std::size_t kSaltOctets = 16;
constexpr std::size_t kTagOctets = 32;

// What a stored hash may ask for.
constexpr std::uint32_t kMaxMemoryKib = 1024 * 1024;
constexpr std::uint64_t kMaxMemoryTimesPasses = 4ULL * kMaxMemoryKib;
constexpr std::uint32_t kMaxLanes = 16;  // libargon2 starts a thread for each
constexpr std::size_t kMinSaltOctets = 8;
constexpr std::size_t kMinTagOctets = 16;
constexpr std::size_t kMaxPartOctets = 128;

std::optional<std::string_view> take_until(std::string_view& text, char end) {
  const std::size_t at = text.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at + 1);
  return taken;
}

// "m=19456" for the name 'm'.
std::optional<std::uint32_t> parameter(std::string_view text, char name) {
  if (text.size() < 3 || text[0] != name || text[1] != '=') return std::nullopt;
  return ascii::parse_number<std::uint32_t>(text.substr(2));
}

// PHC strings have base64 without padding.
std::optional<std::size_t> decoded_size(std::string_view text) {
  std::string padded(text);
  while (padded.size() % 4 != 0) padded += '=';
  const auto octets = base64_decode(padded);
  if (!octets || text.ends_with('=')) return std::nullopt;
  return octets->size();
}

Result<void> check_cost(std::string_view memory, std::string_view passes, std::string_view lanes) {
  const auto m = parameter(memory, 'm');
  const auto t = parameter(passes, 't');
  const auto p = parameter(lanes, 'p');
  if (!m || !t || !p || *t == 0 || *p == 0 || *m < ARGON2_MIN_MEMORY) {
    return broken_hash("its Argon2 parameters can't be read");
  }
  if (*m > kMaxMemoryKib) return broken_hash("it asks for more than 1 GiB of memory");
  if (std::uint64_t{*m} * *t > kMaxMemoryTimesPasses || *p > kMaxLanes) {
    return broken_hash("it asks for more work than a login may cost");
  }
  if (*m < ARGON2_SYNC_POINTS * 2 * *p) return broken_hash("its Argon2 parameters can't be read");
  return {};
}

argon2_type type_of(std::string_view rest) {
  return rest.starts_with("$argon2id$") ? Argon2_id : Argon2_i;
}

}  // namespace

// $argon2id$v=19$m=19456,t=2,p=1$SALT$TAG; "v=16" is the version before RFC 9106's.
Result<void> check_argon2(std::string_view rest) {
  if (rest.starts_with("$argon2id$")) {
    rest.remove_prefix(10);
  } else if (rest.starts_with("$argon2i$")) {
    rest.remove_prefix(9);
  } else {
    return broken_hash("it does not begin with $argon2id$ or $argon2i$");
  }
  const auto version = take_until(rest, '$');
  if (version != "v=19" && version != "v=16") return broken_hash("its Argon2 version is unknown");
  const auto memory = take_until(rest, ',');
  const auto passes = take_until(rest, ',');
  const auto lanes = take_until(rest, '$');
  const auto salt = take_until(rest, '$');
  if (!memory || !passes || !lanes || !salt) return broken_hash("it is incomplete");
  if (auto cost = check_cost(*memory, *passes, *lanes); !cost) return cost;
  const auto salt_size = decoded_size(*salt);
  const auto tag_size = decoded_size(rest);
  if (!salt_size || !tag_size) return broken_hash("its base64 is broken");
  if (*salt_size < kMinSaltOctets || *salt_size > kMaxPartOctets || *tag_size < kMinTagOctets ||
      *tag_size > kMaxPartOctets) {
    return broken_hash("its salt or its hash is too short or too long");
  }
  return {};
}

Result<bool> verify_argon2(std::string_view rest, std::string_view password) {
  const int outcome =
      argon2_verify(std::string(rest).c_str(), password.data(), password.size(), type_of(rest));
  if (outcome == ARGON2_OK) return true;
  if (outcome == ARGON2_VERIFY_MISMATCH) return false;
  return fail(ErrorCode::kInternal, std::string("Argon2: ") + argon2_error_message(outcome));
}

Result<std::string> hash_argon2id(std::string_view password) {
  std::array<std::byte, kSaltOctets> salt{};
  random_octets(salt);
  std::string encoded(
      argon2_encodedlen(kPasses, kMemoryKib, kLanes, kSaltOctets, kTagOctets, Argon2_id), '\0');
  const int outcome =
      argon2id_hash_encoded(kPasses, kMemoryKib, kLanes, password.data(), password.size(),
                            salt.data(), salt.size(), kTagOctets, encoded.data(), encoded.size());
  if (outcome != ARGON2_OK) {
    return fail(ErrorCode::kInternal, std::string("Argon2: ") + argon2_error_message(outcome));
  }
  encoded.resize(encoded.find('\0'));
  return encoded;
}

}  // namespace twinpost::auth
