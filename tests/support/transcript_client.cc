#include "tests/support/transcript_client.h"

#include <arpa/inet.h>
#include <array>
#include <csignal>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace twinpost::testing {
namespace {

[[noreturn]] void raise_failure(const std::string& what) {
  throw std::runtime_error("test client: " + what);
}

}  // namespace

struct Client::Tls {
  bssl::UniquePtr<SSL_CTX> context;
  bssl::UniquePtr<SSL> ssl;
};

Client::Client(std::uint16_t port) {
  std::signal(SIGPIPE, SIG_IGN);  // SSL_write() has no MSG_NOSIGNAL
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) raise_failure("socket");
  const timeval patience{60, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd_);
    raise_failure(std::string("connect: ") + std::strerror(errno));
  }
}

Client::~Client() { close(); }

void Client::start_tls() {
  if (!buffer_.empty()) raise_failure("octets in the clear before the handshake: " + buffer_);
  auto tls = std::make_unique<Tls>();
  tls->context.reset(SSL_CTX_new(TLS_method()));
  tls->ssl.reset(SSL_new(tls->context.get()));
  if (SSL_set_fd(tls->ssl.get(), fd_) != 1 || SSL_connect(tls->ssl.get()) != 1) {
    raise_failure("the TLS handshake failed");
  }
  tls_ = std::move(tls);
}

void Client::send(std::string_view octets) {
  while (!octets.empty()) {
    const std::size_t piece = std::min<std::size_t>(octets.size(), 64 * 1024);
    const auto sent = tls_ ? static_cast<ssize_t>(
                                 SSL_write(tls_->ssl.get(), octets.data(), static_cast<int>(piece)))
                           : ::send(fd_, octets.data(), piece, MSG_NOSIGNAL);
    if (sent <= 0) raise_failure("sending failed");
    octets.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool Client::read_more() {
  std::array<char, 64 * 1024> piece;
  ssize_t got = 0;
  if (tls_) {
    got = SSL_read(tls_->ssl.get(), piece.data(), static_cast<int>(piece.size()));
    if (got <= 0) {
      const int why = SSL_get_error(tls_->ssl.get(), static_cast<int>(got));
      if (why == SSL_ERROR_WANT_READ) raise_failure("nothing came for a minute");
      return false;
    }
  } else {
    got = ::recv(fd_, piece.data(), piece.size(), 0);
    if (got < 0 && errno != ECONNRESET) raise_failure("nothing came for a minute");
    if (got <= 0) return false;
  }
  buffer_.append(piece.data(), static_cast<std::size_t>(got));
  return true;
}

std::optional<std::string> Client::read_line() {
  std::size_t searched = 0;
  for (;;) {
    const std::size_t end = buffer_.find("\r\n", searched);
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 2);
      return line;
    }
    searched = buffer_.empty() ? 0 : buffer_.size() - 1;
    if (!read_more()) {
      if (!buffer_.empty()) throw ConnectionBroken("the connection ended inside a line");
      return std::nullopt;
    }
  }
}

std::string Client::read_exactly(std::size_t octets) {
  while (buffer_.size() < octets) {
    if (!read_more()) raise_failure("the connection ended early");
  }
  std::string taken = buffer_.substr(0, octets);
  buffer_.erase(0, octets);
  return taken;
}

bool Client::has_input(std::chrono::milliseconds patience) {
  if (!buffer_.empty() || fd_ < 0) return true;
  if (tls_ && SSL_pending(tls_->ssl.get()) > 0) return true;
  pollfd waiting{fd_, POLLIN, 0};
  return ::poll(&waiting, 1, static_cast<int>(patience.count())) > 0;
}

void Client::shutdown_sending() { ::shutdown(fd_, SHUT_WR); }

void Client::close() {
  tls_.reset();
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace twinpost::testing
