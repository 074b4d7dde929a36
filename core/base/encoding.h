// Base64, hexadecimal, digests and checksums. Pure; any thread. Digests come from BoringSSL.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace twinpost {

[[nodiscard]] std::string base64_encode(std::string_view octets);
// Strict (RFC 4648 section 4): the alphabet, right padding, nothing else. nullopt otherwise.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

[[nodiscard]] std::string hex_encode(std::string_view octets);  // lower case
[[nodiscard]] std::optional<std::string> hex_decode(std::string_view text);

using Sha256Digest = std::array<std::uint8_t, 32>;

// SHA-256 of octets that come piece by piece.
class Sha256 {
 public:
  Sha256();
  void update(std::string_view octets);
  [[nodiscard]] Sha256Digest finish();  // once

 private:
  alignas(8) std::array<std::byte, 128> state_;  // BoringSSL's SHA256_CTX, kept out of this header
};

// CRC-32C (Castagnoli), as iSCSI and ext4 have it (RFC 3720 appendix B.4). Continue with the last result:
// crc32c(crc32c(0, "ab"), "c") == crc32c(0, "abc"). Uses the processor's instruction where it has one.
[[nodiscard]] std::uint32_t crc32c(std::uint32_t crc, std::string_view octets);

// Octets fit for keys and names, from the operating system by way of BoringSSL.
void random_octets(std::span<std::byte> out);
[[nodiscard]] std::uint64_t random_u64();

// Equal, in a time that does not tell where they differ.
[[nodiscard]] bool constant_time_equal(std::string_view left, std::string_view right);

// Overwrites a secret in a way that the compiler does not drop.
void wipe(std::string& secret);

}  // namespace twinpost
