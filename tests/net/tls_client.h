// A TLS client on a blocking socket, of BoringSSL alone.
#pragma once

#include <openssl/ssl.h>
#include <optional>
#include <string>
#include <string_view>

#include "tests/net/client.h"

namespace twinpost::net::testing {

struct TlsClientOptions {
  std::string server_name;
  std::string alpn;           // wire format
  std::uint16_t version = 0;  // 0: any
  SSL_SESSION* session = nullptr;
};

class TlsClient {
 public:
  // Handshakes at once; ok() says how it went.
  TlsClient(Client& client, const TlsClientOptions& options) : client_(client) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(context_.get(), keep_session);
    SSL_CTX_set_custom_verify(context_.get(), SSL_VERIFY_PEER,
                              [](SSL*, std::uint8_t*) { return ssl_verify_ok; });
    if (options.version != 0) {
      SSL_CTX_set_min_proto_version(context_.get(), options.version);
      SSL_CTX_set_max_proto_version(context_.get(), options.version);
    }
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_app_data(ssl_.get(), this);
    if (!options.server_name.empty()) {
      SSL_set_tlsext_host_name(ssl_.get(), options.server_name.c_str());
    }
    if (!options.alpn.empty()) {
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const std::uint8_t*>(options.alpn.data()),
                          static_cast<unsigned>(options.alpn.size()));
    }
    if (options.session != nullptr) SSL_set_session(ssl_.get(), options.session);
    SSL_set_fd(ssl_.get(), client.fd());
    ok_ = SSL_connect(ssl_.get()) == 1;
  }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }
  [[nodiscard]] bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  [[nodiscard]] std::string version() const { return SSL_get_version(ssl_.get()); }

  [[nodiscard]] std::string alpn() const {
    const std::uint8_t* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }

  // The common name in the server's certificate.
  [[nodiscard]] std::string server_certificate_name() const {
    const bssl::UniquePtr<X509> certificate(SSL_get_peer_certificate(ssl_.get()));
    if (!certificate) return {};
    char name[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name,
                              sizeof name);
    return name;
  }

  bool send(std::string_view octets) {
    return SSL_write(ssl_.get(), octets.data(), static_cast<int>(octets.size())) ==
           static_cast<int>(octets.size());
  }

  // One read; "" at the end, and then clean_end() tells whether close_notify came.
  std::string receive() {
    std::string octets(16384, '\0');
    const int count = SSL_read(ssl_.get(), octets.data(), static_cast<int>(octets.size()));
    clean_end_ = count <= 0 && SSL_get_error(ssl_.get(), count) == SSL_ERROR_ZERO_RETURN;
    octets.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return octets;
  }
  std::string line() {
    std::string all;
    while (!all.ends_with("\r\n")) {
      const std::string more = receive();
      if (more.empty()) return {};
      all += more;
    }
    return all.substr(0, all.size() - 2);
  }
  std::string rest() {
    std::string all;
    for (;;) {
      const std::string more = receive();
      if (more.empty()) return all;
      all += more;
    }
  }
  [[nodiscard]] bool clean_end() const { return clean_end_; }
  void close_notify() { SSL_shutdown(ssl_.get()); }

  // The newest ticket that came.
  [[nodiscard]] SSL_SESSION* session() const { return session_.get(); }

 private:
  static int keep_session(SSL* ssl, SSL_SESSION* session) {
    static_cast<TlsClient*>(SSL_get_app_data(ssl))->session_.reset(session);
    return 1;
  }

  Client& client_;
  bssl::UniquePtr<SSL_CTX> context_;
  bssl::UniquePtr<SSL_SESSION> session_;
  bssl::UniquePtr<SSL> ssl_;
  bool ok_ = false;
  bool clean_end_ = false;
};

}  // namespace twinpost::net::testing
