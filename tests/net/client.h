// The other end in these tests: plain blocking sockets, used from a thread of their own. Reads give
// up after ten seconds, so that a broken server fails a test and does not hang it.
#pragma once

#include <arpa/inet.h>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <netinet/in.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace twinpost::net::testing {

class Client {
 public:
  // Connections made by all of them: a client may be gone before the server has accepted it.
  static inline std::atomic<int> made{0};

  explicit Client(std::uint16_t port, int receive_buffer = 0) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    finish(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address));
  }
  explicit Client(const std::string& path) {
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    finish(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address));
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  Client(Client&& other) noexcept : fd_(other.fd_), buffer_(std::move(other.buffer_)) {
    other.fd_ = -1;
  }

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] int fd() const { return fd_; }

  // False where the server would not take it.
  bool send(std::string_view octets) const {
    while (!octets.empty()) {
      const ssize_t count = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      octets.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  // One read: what is there, or "" at the end.
  std::string receive(std::size_t max = 65536) {
    if (!buffer_.empty()) return std::exchange(buffer_, {});
    std::string octets(max, '\0');
    const ssize_t count = recv(fd_, octets.data(), octets.size(), 0);
    octets.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    last_error_ = count < 0 ? errno : 0;
    return octets;
  }
  [[nodiscard]] int last_error() const { return last_error_; }

  // Without its CRLF; "" at the end.
  std::string line() {
    for (;;) {
      const std::size_t end = buffer_.find("\r\n");
      if (end != std::string::npos) {
        std::string found = buffer_.substr(0, end);
        buffer_.erase(0, end + 2);
        return found;
      }
      std::string before = std::exchange(buffer_, {});
      const std::string more = receive();
      if (more.empty()) return {};
      buffer_ = before + more;
    }
  }

  // All until the server closes.
  std::string rest() {
    std::string all = std::exchange(buffer_, {});
    for (;;) {
      const std::string more = receive();
      if (more.empty()) return all;
      all += more;
    }
  }

  void half_close() const { shutdown(fd_, SHUT_WR); }
  // As a crash does: the server gets a reset.
  void reset() {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  void finish(int result) {
    connected_ = result == 0;
    if (connected_) ++made;
    const timeval patience{10, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  }

  int fd_ = -1;
  bool connected_ = false;
  int last_error_ = 0;
  std::string buffer_;
};

}  // namespace twinpost::net::testing
