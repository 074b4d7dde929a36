#include "store/frame_cipher.h"

#include <cstring>
#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/hkdf.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <stdexcept>

#include "store/codec.h"

namespace twinpost::store {

namespace {

const std::uint8_t* octets_of(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

// This thread's TLS sessions read the same queue of errors.
[[noreturn]] void give_up(const char* what) {
  ERR_clear_error();
  throw std::runtime_error(std::string(what) + " failed in BoringSSL");
}

constexpr std::size_t kNonceOctets = 12;  // SP 800-38D 5.2.1.1: 96 bits are used as they are

std::array<std::uint8_t, kNonceOctets> nonce_of(std::uint64_t frame) {
  std::array<std::uint8_t, kNonceOctets> nonce{};
  const std::uint64_t number = little_endian(frame);
  std::memcpy(nonce.data(), &number, sizeof number);
  return nonce;
}

}  // namespace

void derive_key(const Keyring::Secret& secret, std::string_view salt, std::string_view purpose,
                std::uint8_t* out, std::size_t out_octets) {
  if (HKDF(out, out_octets, EVP_sha256(), secret.data(), secret.size(), octets_of(salt),
           salt.size(), octets_of(purpose), purpose.size()) != 1) {
    give_up("HKDF");
  }
}

Sha256Digest hmac_sha256(std::string_view key, std::string_view octets) {
  Sha256Digest digest{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), key.data(), key.size(), octets_of(octets), octets.size(), digest.data(),
           &size) == nullptr) {
    give_up("HMAC");
  }
  return digest;
}

FrameCipher::FrameCipher(const Keyring::Secret& secret, std::string_view salt) {
  std::array<std::uint8_t, Keyring::kKeyOctets> key{};
  derive_key(secret, salt, kPurposeRun, key.data(), key.size());
  const int made = EVP_AEAD_CTX_init(context_.get(), EVP_aead_aes_256_gcm(), key.data(), key.size(),
                                     kTagOctets, nullptr);
  OPENSSL_cleanse(key.data(), key.size());
  if (made != 1) give_up("AES-256-GCM");
}

Result<void> FrameCipher::seal(std::uint64_t frame, std::string_view plain,
                               std::string_view associated, std::string& out) const {
  const auto nonce = nonce_of(frame);
  const std::size_t before = out.size();
  out.resize(before + plain.size() + kTagOctets);
  std::size_t written = 0;
  const int sealed =
      EVP_AEAD_CTX_seal(context_.get(), reinterpret_cast<std::uint8_t*>(out.data() + before),
                        &written, out.size() - before, nonce.data(), nonce.size(), octets_of(plain),
                        plain.size(), octets_of(associated), associated.size());
  if (sealed == 1 && written == plain.size() + kTagOctets) return {};
  ERR_clear_error();
  out.resize(before);
  return fail(ErrorCode::kInternal, "encrypting a message failed");
}

bool FrameCipher::open(std::uint64_t frame, std::string_view sealed, std::string_view associated,
                       char* out) const {
  if (sealed.size() < kTagOctets) return false;
  const auto nonce = nonce_of(frame);
  const std::size_t plain_octets = sealed.size() - kTagOctets;
  std::size_t written = 0;
  const int opened = EVP_AEAD_CTX_open(
      context_.get(), reinterpret_cast<std::uint8_t*>(out), &written, plain_octets, nonce.data(),
      nonce.size(), octets_of(sealed), sealed.size(), octets_of(associated), associated.size());
  if (opened == 1 && written == plain_octets) return true;
  ERR_clear_error();
  return false;
}

}  // namespace twinpost::store
