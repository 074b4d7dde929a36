#include "core/net/ticket_keys.h"

#include <algorithm>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <openssl/rand.h>

namespace twinpost::net {

namespace {
constexpr auto kRotation = std::chrono::hours(24);
constexpr std::size_t kIvSize = 16;
}  // namespace

TicketKeys::TicketKeys() : current_(make()), previous_(make()), made_(steady_now()) {}

TicketKeys::~TicketKeys() {
  OPENSSL_cleanse(&current_, sizeof current_);
  OPENSSL_cleanse(&previous_, sizeof previous_);
}

TicketKeys::Key TicketKeys::make() {
  Key key{};
  RAND_bytes(key.name.data(), key.name.size());
  RAND_bytes(key.cipher.data(), key.cipher.size());
  RAND_bytes(key.hmac.data(), key.hmac.size());
  return key;
}

void TicketKeys::rotate(SteadyTime now) {
  if (now - made_ < kRotation) return;
  previous_ = now - made_ < 2 * kRotation ? current_ : make();
  current_ = make();
  made_ = now;
}

int TicketKeys::prepare(std::uint8_t* key_name, std::uint8_t* iv, EVP_CIPHER_CTX* cipher,
                        HMAC_CTX* hmac, bool sealing, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  rotate(now);
  const Key* key = &current_;
  if (sealing) {
    std::copy(key->name.begin(), key->name.end(), key_name);
    RAND_bytes(iv, kIvSize);
  } else if (!std::equal(current_.name.begin(), current_.name.end(), key_name)) {
    if (!std::equal(previous_.name.begin(), previous_.name.end(), key_name)) return 0;
    key = &previous_;
  }
  if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), iv,
                        sealing ? 1 : 0) != 1) {
    return -1;
  }
  if (HMAC_Init_ex(hmac, key->hmac.data(), key->hmac.size(), EVP_sha256(), nullptr) != 1) return -1;
  return key == &current_ ? 1 : 2;  // 2: good, but to be replaced by one of the current key
}

}  // namespace twinpost::net
