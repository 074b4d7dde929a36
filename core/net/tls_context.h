// What is behind a TlsContextPtr: one SSL_CTX per certificate, and which server name gets which.
//
// Immutable once made; any thread may read it and make SSL objects of it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <openssl/ssl.h>
#include <string>
#include <string_view>
#include <vector>

#include "core/net/certificate.h"
#include "core/net/connection.h"
#include "core/net/ticket_keys.h"
#include "core/net/tls.h"

namespace twinpost::net {

class TlsContext {
 public:
  explicit TlsContext(std::shared_ptr<TicketKeys> tickets) : tickets_(std::move(tickets)) {}
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // Adds a certificate; the first is the one for clients that name none or an unknown one.
  Result<void> add(const CertificateFiles& files);

  // A server-side SSL in which nothing has happened yet; null when out of memory.
  [[nodiscard]] bssl::UniquePtr<SSL> make_ssl(Alpn alpn) const;

  // The SSL_CTX whose certificate covers the name (RFC 6066 section 3), or null.
  [[nodiscard]] SSL_CTX* find(std::string_view server_name) const;

  [[nodiscard]] const std::shared_ptr<TicketKeys>& tickets() const { return tickets_; }
  [[nodiscard]] std::int64_t first_expiry() const { return first_expiry_; }  // Unix time

 private:
  void add_name(const std::string& name, SSL_CTX* context);

  std::shared_ptr<TicketKeys> tickets_;
  std::vector<bssl::UniquePtr<SSL_CTX>> contexts_;
  std::map<std::string, SSL_CTX*, std::less<>> names_;
  std::map<std::string, SSL_CTX*, std::less<>>
      wildcards_;  // by what follows the "*", ".example.org"
  std::int64_t first_expiry_ = INT64_MAX;
};

}  // namespace twinpost::net
