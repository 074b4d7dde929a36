// A client for tests: blocking, line by line, over TCP or TLS, with a timeout on everything.
//
// Not the server's own net code on purpose: what the server sends is judged by something else.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace twinpost::testing {

// The connection ended inside a line.
struct ConnectionBroken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Client {
 public:
  // Connects to 127.0.0.1. Everything here throws std::runtime_error where it fails or takes ten
  // seconds.
  explicit Client(std::uint16_t port);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void start_tls();  // takes any certificate
  void send(std::string_view octets);
  // Without its CRLF; a bare LF does not end a line. nullopt: the server closed the connection.
  std::optional<std::string> read_line();
  std::string read_exactly(std::size_t octets);
  // Whether something can be read, or the end seen, within `patience`.
  bool has_input(std::chrono::milliseconds patience);
  void shutdown_sending();  // half-close
  void close();             // at once; what the server still sends is answered with a reset

 private:
  struct Tls;
  bool read_more();  // false at the end

  int fd_ = -1;
  std::unique_ptr<Tls> tls_;
  std::string buffer_;
};

}  // namespace twinpost::testing
