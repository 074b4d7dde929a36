// The cryptography of encryption at rest, as BoringSSL has it: derived keys (HKDF-SHA-256, RFC 5869) and frames
// (AES-256-GCM, NIST SP 800-38D).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <openssl/aead.h>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/encoding.h"
#include "core/base/error.h"
#include "store/keyring.h"

namespace twinpost::store {

// What a key is derived for: keys for different purposes have nothing to do with each other.
inline constexpr std::string_view kPurposeRun = "twinpost run 1";
inline constexpr std::string_view kPurposeName = "twinpost body name 1";
inline constexpr std::string_view kPurposeProof = "twinpost key proof 1";

// Any thread. Throws std::runtime_error where BoringSSL has no memory left.
void derive_key(const Keyring::Secret& secret, std::string_view salt, std::string_view purpose,
                std::uint8_t* out, std::size_t out_octets);
[[nodiscard]] Sha256Digest hmac_sha256(std::string_view key, std::string_view octets);

// Seals and opens the frames of one run, with its key. A frame's number is its nonce: no number twice in one run. One
// thread at a time.
class FrameCipher {
 public:
  static constexpr std::size_t kTagOctets = 16;

  FrameCipher(const Keyring::Secret& secret, std::string_view salt);
  FrameCipher(const FrameCipher&) = delete;
  FrameCipher& operator=(const FrameCipher&) = delete;

  // Appends the frame and its tag. kInternal.
  [[nodiscard]] Result<void> seal(std::uint64_t frame, std::string_view plain,
                                  std::string_view associated, std::string& out) const;
  // Puts sealed.size() - kTagOctets octets at `out`, which may be where `sealed` is. False where the frame
  // does not verify: then `out` holds nothing of use.
  [[nodiscard]] bool open(std::uint64_t frame, std::string_view sealed, std::string_view associated,
                          char* out) const;

 private:
  bssl::ScopedEVP_AEAD_CTX context_;
};

}  // namespace twinpost::store
