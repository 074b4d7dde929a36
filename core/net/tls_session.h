// One TLS session of a connection, server side: turns octets of the wire into plain ones and back.
//
// Does no I/O: wire octets are given to it while they stand in the loop's read buffer, and what it
// has to send is appended to a string. Between calls it keeps nothing but the session's keys and,
// at most, the part of a record that has come so far (16 KiB). Loop thread only.
#pragma once

#include <openssl/ssl.h>
#include <string>
#include <string_view>

#include "core/net/connection.h"
#include "core/net/tls_context.h"

namespace twinpost::net {

class TlsSession {
 public:
  TlsSession(TlsContextPtr context, Alpn alpn);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  enum class Progress : std::uint8_t { kGoesOn, kEnded, kFailed };

  // Takes all of `wire`. Appends to `plain` what was decrypted and to `out` what must be sent
  // (handshake messages, alerts). kEnded: the peer has sent close_notify. kFailed: error() says
  // why; `out` may hold an alert.
  [[nodiscard]] Progress receive(std::string_view wire, std::string& plain, std::string& out);

  // Appends records of `plain` to `out`. Only when established().
  [[nodiscard]] bool seal(std::string_view plain, std::string& out);
  void close_notify(std::string& out);

  [[nodiscard]] bool established() const { return established_; }
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] TlsInfo info() const;

 private:
  friend struct WireBio;

  Progress failed();
  Progress handshake();
  Progress open(std::string& plain);

  TlsContextPtr context_;
  std::string_view in_;         // wire octets that are not taken yet; set only during a call
  std::string* out_ = nullptr;  // set only during a call
  std::string error_;
  bool established_ = false;
  bssl::UniquePtr<SSL> ssl_;
};

}  // namespace twinpost::net
