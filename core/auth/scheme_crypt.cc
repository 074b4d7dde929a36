#include <algorithm>
#include <array>
#include <cerrno>
#include <crypt.h>
#include <cstdint>
#include <cstring>
#include <memory>
#include <openssl/mem.h>
#include <optional>

#include "core/auth/schemes.h"
#include "core/base/ascii.h"
#include "core/base/encoding.h"

namespace twinpost::auth {

namespace {

// New hashes: about a third of a second on an ordinary machine, but for yescrypt, whose default it
// is.
constexpr unsigned long kBlowfishCost = 12;
constexpr unsigned long kShaRounds = 500'000;
constexpr unsigned long kYescryptCost = 5;

// What a stored hash may ask for: a few seconds of work, 1 GiB of memory.
constexpr unsigned kMinBlowfishCost = 4;
constexpr unsigned kMaxBlowfishCost = 16;
constexpr std::uint32_t kMinShaRounds = 1000;
constexpr std::uint32_t kMaxShaRounds = 5'000'000;
constexpr std::uint64_t kMaxYescryptOctets = 1ULL << 30;

constexpr std::size_t kMaxShaSalt = 16;
constexpr std::size_t kYescryptHash = 43;

bool is_crypt64(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return ascii::is_alnum(c) || c == '.' || c == '/'; });
}

// What libxcrypt takes for a salt.
bool is_salt(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    constexpr std::string_view kRefused = ":;*!\\";
    return c > ' ' && c < 0x7f && kRefused.find(c) == std::string_view::npos;
  });
}

// $2y$12$ and 53 characters: 22 of the salt, 31 of the hash.
Result<void> check_blowfish(std::string_view rest) {
  constexpr std::size_t kPrefix = 7;
  constexpr std::size_t kSaltAndHash = 53;
  if (rest.size() != kPrefix + kSaltAndHash || rest[6] != '$' ||
      !is_crypt64(rest.substr(kPrefix))) {
    return broken_hash("it is not a bcrypt hash");
  }
  const auto cost = ascii::parse_number<unsigned>(rest.substr(4, 2));
  if (!cost || *cost < kMinBlowfishCost) return broken_hash("its bcrypt cost can't be read");
  if (*cost > kMaxBlowfishCost) return broken_hash("it asks for more work than a login may cost");
  return {};
}

// $6$rounds=5000$salt$hash, the rounds being optional.
Result<void> check_sha(std::string_view rest, std::size_t hash_size) {
  constexpr std::string_view kRounds = "rounds=";
  rest.remove_prefix(3);
  if (rest.starts_with(kRounds)) {
    const std::size_t end = std::min(rest.find('$'), rest.size());
    const auto rounds =
        ascii::parse_number<std::uint32_t>(rest.substr(kRounds.size(), end - kRounds.size()));
    if (!rounds || *rounds < kMinShaRounds || end == rest.size()) {
      return broken_hash("its rounds can't be read");
    }
    if (*rounds > kMaxShaRounds) return broken_hash("it asks for more work than a login may cost");
    rest.remove_prefix(end + 1);
  }
  const std::size_t dollar = rest.find('$');
  if (dollar == std::string_view::npos) return broken_hash("it is incomplete");
  const std::string_view hash = rest.substr(dollar + 1);
  if (dollar > kMaxShaSalt || !is_salt(rest.substr(0, dollar)) || hash.size() != hash_size ||
      !is_crypt64(hash)) {
    return broken_hash("its salt or its hash has a wrong length or character");
  }
  return {};
}

// The value of one character of the parameters; those from 48 on begin numbers of several
// characters.
std::optional<std::uint32_t> yescrypt_number(char c) {
  constexpr std::string_view kDigits =
      "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr std::size_t kFirstLong = 48;
  const std::size_t value = kDigits.find(c);
  if (value >= kFirstLong) return std::nullopt;
  return static_cast<std::uint32_t>(value) + 1;
}

// $y$j9T$salt$hash: flavour 'j' (the only one that crypt_gensalt makes), log2 of N, r; the memory
// is 128 * r * N octets.
Result<void> check_yescrypt(std::string_view rest) {
  rest.remove_prefix(3);
  const std::size_t parameters_end = rest.find('$');
  if (parameters_end != 3 || rest[0] != 'j') {
    return broken_hash("its yescrypt parameters are not those of crypt_gensalt(3)");
  }
  const auto log2_n = yescrypt_number(rest[1]);
  const auto r = yescrypt_number(rest[2]);
  if (!log2_n || !r) {
    return broken_hash("its yescrypt parameters are not those of crypt_gensalt(3)");
  }
  constexpr std::uint32_t kLargestShift = 24;
  if (*log2_n > kLargestShift || (128ULL * *r << *log2_n) > kMaxYescryptOctets) {
    return broken_hash("it asks for more than 1 GiB of memory");
  }
  rest.remove_prefix(parameters_end + 1);
  const std::size_t dollar = rest.find('$');
  if (dollar == std::string_view::npos) return broken_hash("it is incomplete");
  const std::string_view hash = rest.substr(dollar + 1);
  if (!is_crypt64(rest.substr(0, dollar)) || hash.size() != kYescryptHash || !is_crypt64(hash)) {
    return broken_hash("its salt or its hash has a wrong length or character");
  }
  return {};
}

std::optional<CryptKind> kind_of(std::string_view rest) {
  for (const std::string_view prefix : {"$2a$", "$2b$", "$2y$"}) {
    if (rest.starts_with(prefix)) return CryptKind::kBlowfish;
  }
  if (rest.starts_with("$6$")) return CryptKind::kSha512;
  if (rest.starts_with("$5$")) return CryptKind::kSha256;
  if (rest.starts_with("$y$")) return CryptKind::kYescrypt;
  return std::nullopt;
}

// crypt_data is 32 KiB and holds the passphrase while it works.
struct CryptData {
  crypt_data data{};
  CryptData() = default;
  CryptData(const CryptData&) = delete;
  CryptData& operator=(const CryptData&) = delete;
  ~CryptData() { OPENSSL_cleanse(&data, sizeof data); }
};

Result<std::string> run_crypt(std::string_view password, const std::string& setting) {
  const auto work = std::make_unique<CryptData>();
  std::string phrase(password);
  const void* output = crypt_rn(phrase.c_str(), setting.c_str(), &work->data, sizeof work->data);
  const int error = errno;
  wipe(phrase);
  if (output == nullptr) return tl::unexpected(system_error("crypt", error));
  return std::string(work->data.output);
}

}  // namespace

Result<void> check_crypt(CryptKind kind, std::string_view rest) {
  constexpr std::size_t kSha512Hash = 86;
  constexpr std::size_t kSha256Hash = 43;
  const auto found = kind_of(rest);
  if (!found || (kind != CryptKind::kAny && kind != *found)) {
    return broken_hash("it does not begin as a hash of that scheme does");
  }
  switch (*found) {
    case CryptKind::kBlowfish: return check_blowfish(rest);
    case CryptKind::kSha512: return check_sha(rest, kSha512Hash);
    case CryptKind::kSha256: return check_sha(rest, kSha256Hash);
    default: return check_yescrypt(rest);
  }
}

Result<bool> verify_crypt(std::string_view rest, std::string_view password) {
  const std::string stored(rest);
  const auto computed = run_crypt(password, stored);
  if (!computed) return tl::unexpected(computed.error());
  return constant_time_equal(*computed, stored);
}

Result<std::string> hash_crypt(CryptKind kind, std::string_view password) {
  constexpr std::size_t kMaxBlowfishPassword = 72;
  if (kind == CryptKind::kBlowfish && password.size() > kMaxBlowfishPassword) {
    return fail(ErrorCode::kInvalid, "BLF-CRYPT takes passwords of 72 octets at most");
  }
  const char* prefix = "$y$";
  unsigned long cost = kYescryptCost;
  if (kind == CryptKind::kBlowfish) {
    prefix = "$2y$";
    cost = kBlowfishCost;
  } else if (kind != CryptKind::kYescrypt) {
    prefix = kind == CryptKind::kSha512 ? "$6$" : "$5$";
    cost = kShaRounds;
  }
  std::array<std::byte, 16> random{};
  random_octets(random);
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting{};
  if (crypt_gensalt_rn(prefix, cost, reinterpret_cast<const char*>(random.data()),
                       static_cast<int>(random.size()), setting.data(),
                       static_cast<int>(setting.size())) == nullptr) {
    return tl::unexpected(system_error("crypt_gensalt", errno));
  }
  return run_crypt(password, setting.data());
}

}  // namespace twinpost::auth
