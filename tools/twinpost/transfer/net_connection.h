// A blocking client connection with TLS, for talking to another mail server that may be broken or
// hostile.
//
// Every wait for the other side is bounded by NetTimeouts::idle, and all that is done between two
// set_deadline() calls by that deadline. Memory is taken for octets that have come, never for what
// was only announced. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/error.h"

namespace twinpost::tools {

enum class TlsMode : std::uint8_t { kImplicit, kStartTls, kNone };

// Whom to believe. By default the certificate must come from one of the system's CAs and be for the
// host's name.
struct TlsTrust {
  std::string ca_file;  // PEM; in place of the system's
  // SHA-256 of the certificate, hexadecimal, colons allowed; in place of any CA and name.
  std::string fingerprint;
  bool insecure = false;  // any certificate; a login without TLS
};

struct NetTimeouts {
  std::chrono::milliseconds connect{20'000};     // of each address
  std::chrono::milliseconds idle{60'000};        // until the next octet
  std::chrono::milliseconds command{3'600'000};  // a command with all of its answer
};

class NetConnection {
 public:
  static constexpr std::size_t kLongestLine = 1024 * 1024;

  ~NetConnection();
  NetConnection(const NetConnection&) = delete;
  NetConnection& operator=(const NetConnection&) = delete;

  // Tries each of the host's addresses. Errors name host and port.
  [[nodiscard]] static Result<std::unique_ptr<NetConnection>> connect(const std::string& host,
                                                                      std::uint16_t port,
                                                                      const NetTimeouts& timeouts);

  // The handshake, TLS 1.2 or later, and the check of the certificate. Whatever has come in before
  // in plaintext is thrown away: someone between may have sent it (RFC 3207 section 6's attack).
  [[nodiscard]] Result<void> start_tls(const TlsTrust& trust);
  [[nodiscard]] bool is_encrypted() const;
  [[nodiscard]] bool is_loopback() const { return loopback_; }

  // From now on everything must be done by then.
  void set_deadline();

  [[nodiscard]] Result<void> send(std::string_view octets);
  // Without its line end (CRLF or LF). kTooLarge past `limit`, kInvalid where there is a NUL in it.
  [[nodiscard]] Result<std::string> read_line(std::size_t limit = kLongestLine);
  // Appends that many octets.
  [[nodiscard]] Result<void> read_octets(std::uint64_t count, std::string& out);

  [[nodiscard]] const std::string& place() const { return place_; }  // "host:993"

 private:
  struct Tls;
  NetConnection(int fd, std::string host, std::uint16_t port, const NetTimeouts& timeouts);
  [[nodiscard]] Result<void> wait_for(short events);
  [[nodiscard]] Result<void> handshake();
  // At least one octet, at most `room`.
  [[nodiscard]] Result<std::size_t> receive(char* to, std::size_t room);
  [[nodiscard]] tl::unexpected<Error> broken(ErrorCode code, std::string_view what) const;

  int fd_;
  std::string host_;
  std::string place_;
  NetTimeouts timeouts_;
  SteadyTime deadline_;
  bool loopback_ = false;
  std::unique_ptr<Tls> tls_;
  std::string input_;
  std::size_t begin_ = 0;  // of what was not taken yet
};

}  // namespace twinpost::tools
