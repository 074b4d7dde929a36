// The keys that session tickets are sealed with (RFC 5077, RFC 8446 section 4.6.1).
//
// Shared by all TLS contexts that one server had since its start, so that a ticket given out before
// a reload is good after it. A key seals for a day and opens for one more day; then it is gone, and
// with it what an attacker could learn from having it (forward secrecy). Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <openssl/ssl.h>

#include "core/base/clock.h"

namespace twinpost::net {

class TicketKeys {
 public:
  TicketKeys();
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  // What SSL_CTX_set_tlsext_ticket_key_cb() asks: sets up the contexts to seal or to open a ticket.
  int prepare(std::uint8_t* key_name, std::uint8_t* iv, EVP_CIPHER_CTX* cipher, HMAC_CTX* hmac,
              bool sealing, SteadyTime now);

 private:
  struct Key {
    std::array<std::uint8_t, SSL_TICKET_KEY_NAME_LEN> name;
    std::array<std::uint8_t, 32> cipher;
    std::array<std::uint8_t, 32> hmac;
  };
  static Key make();
  void rotate(SteadyTime now);

  std::mutex mutex_;
  Key current_;
  Key previous_;
  SteadyTime made_;
};

}  // namespace twinpost::net
