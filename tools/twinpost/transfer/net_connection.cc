#include "tools/twinpost/transfer/net_connection.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/net/certificate.h"
#include "tools/twinpost/transfer/net_tls.h"

namespace twinpost::tools {

namespace {

constexpr std::size_t kPiece = 64 * 1024;
constexpr unsigned kMostAddresses = 8;

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Result<AddressList> resolve(const std::string& host, std::uint16_t port) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found);
  if (error != 0) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{}: the host has no address: {}", host,
                            error == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(error)));
  }
  return AddressList(found, &::freeaddrinfo);
}

int poll_within(int fd, short events, std::chrono::milliseconds timeout) {
  pollfd waiting{fd, events, 0};
  const auto until = steady_now() + timeout;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - steady_now()).count();
    const int ready =
        ::poll(&waiting, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000'000)));
    if (ready >= 0 || errno != EINTR) return ready;
  }
}

// The socket, or a negative errno.
int connect_to(const addrinfo& address, std::chrono::milliseconds timeout) {
  const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  int error = 0;
  if (::connect(fd, address.ai_addr, address.ai_addrlen) != 0) error = errno;
  if (error == EINPROGRESS) {
    const int ready = poll_within(fd, POLLOUT, timeout);
    socklen_t length = sizeof error;
    if (ready < 0) error = errno;
    if (ready == 0) error = ETIMEDOUT;
    if (ready > 0 && ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  }
  if (error == 0) return fd;
  ::close(fd);
  return -error;
}

bool is_loopback_address(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof v4);
    return (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
  }
  if (address->sa_family != AF_INET6) return false;
  sockaddr_in6 v6{};
  std::memcpy(&v6, address, sizeof v6);
  return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

}  // namespace

struct NetConnection::Tls {
  CertificateProblem problem;
  bssl::UniquePtr<SSL> ssl;
};

NetConnection::NetConnection(int fd, std::string host, std::uint16_t port,
                             const NetTimeouts& timeouts)
    : fd_(fd),
      host_(std::move(host)),
      place_(fmt::format("{}:{}", host_, port)),
      timeouts_(timeouts),
      deadline_(steady_now() + timeouts.command) {}

NetConnection::~NetConnection() { ::close(fd_); }

Result<std::unique_ptr<NetConnection>> NetConnection::connect(const std::string& host,
                                                              std::uint16_t port,
                                                              const NetTimeouts& timeouts) {
  const auto addresses = resolve(host, port);
  if (!addresses) return tl::unexpected(addresses.error());
  int error = ENETUNREACH;
  unsigned tried = 0;
  for (const addrinfo* at = addresses->get(); at != nullptr && tried < kMostAddresses;
       at = at->ai_next, ++tried) {
    const int fd = connect_to(*at, timeouts.connect);
    if (fd < 0) {
      error = -fd;
      continue;
    }
    const int on = 1;
    static_cast<void>(::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
    std::unique_ptr<NetConnection> made(new NetConnection(fd, host, port, timeouts));
    made->loopback_ = is_loopback_address(at->ai_addr);
    return made;
  }
  const ErrorCode code = error == ETIMEDOUT ? ErrorCode::kTimeout : ErrorCode::kClosed;
  return fail(code, fmt::format("{}:{}: {}", host, port,
                                error == ECONNREFUSED ? "nobody listens there (connection refused)"
                                                      : std::strerror(error)));
}

bool NetConnection::is_encrypted() const { return tls_ != nullptr; }

void NetConnection::set_deadline() { deadline_ = steady_now() + timeouts_.command; }

tl::unexpected<Error> NetConnection::broken(ErrorCode code, std::string_view what) const {
  return fail(code, fmt::format("{}: {}", place_, what));
}

Result<void> NetConnection::wait_for(short events) {
  const auto now = steady_now();
  if (now >= deadline_) {
    return broken(ErrorCode::kTimeout,
                  fmt::format("the server has not finished its answer within {} s",
                              timeouts_.command.count() / 1000));
  }
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - now) +
                    std::chrono::milliseconds(1);
  const int ready = poll_within(fd_, events, std::min(left, timeouts_.idle));
  if (ready < 0) return broken(ErrorCode::kIo, system_error("poll", errno).message);
  if (ready == 0) {
    return broken(ErrorCode::kTimeout, fmt::format("the server does not answer (waited {} s)",
                                                   timeouts_.idle.count() / 1000));
  }
  return {};
}

Result<void> NetConnection::handshake() {
  for (;;) {
    ERR_clear_error();
    const int done = SSL_do_handshake(tls_->ssl.get());
    if (done == 1) return {};
    const int reason = SSL_get_error(tls_->ssl.get(), done);
    if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) {
      if (auto ready = wait_for(reason == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT); !ready)
        return ready;
      continue;
    }
    if (!tls_->problem.text.empty()) return broken(ErrorCode::kTls, tls_->problem.text);
    if (ERR_peek_error() == 0)
      return broken(ErrorCode::kClosed,
                    "the server closed the connection during the TLS handshake");
    const std::string why = net::take_tls_error();
    return broken(ErrorCode::kTls, fmt::format("TLS failed: {}{}", why,
                                               why.find("wrong version") == std::string::npos
                                                   ? ""
                                                   : " (no TLS on this port? try --tls starttls)"));
  }
}

Result<void> NetConnection::start_tls(const TlsTrust& trust) {
  input_.clear();
  begin_ = 0;
  auto tls = std::make_unique<Tls>();
  auto ssl = make_client_ssl(fd_, host_, trust, tls->problem);
  if (!ssl) return broken(ssl.error().code, ssl.error().message);
  tls->ssl = std::move(*ssl);
  tls_ = std::move(tls);
  if (auto shaken = handshake(); !shaken) return shaken;
  if (auto checked = check_fingerprint(tls_->ssl.get(), trust); !checked)
    return broken(checked.error().code, checked.error().message);
  return {};
}

Result<void> NetConnection::send(std::string_view octets) {
  while (!octets.empty()) {
    const std::size_t count = std::min(octets.size(), kPiece);
    short wait_events = POLLOUT;
    if (tls_) {
      ERR_clear_error();
      const int sent = SSL_write(tls_->ssl.get(), octets.data(), static_cast<int>(count));
      if (sent > 0) {
        octets.remove_prefix(static_cast<std::size_t>(sent));
        continue;
      }
      const int reason = SSL_get_error(tls_->ssl.get(), sent);
      if (reason == SSL_ERROR_WANT_READ) wait_events = POLLIN;
      if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE)
        return broken(ErrorCode::kClosed, "the connection broke");
    } else {
      const ssize_t sent = ::send(fd_, octets.data(), count, MSG_NOSIGNAL);
      if (sent >= 0) {
        octets.remove_prefix(static_cast<std::size_t>(sent));
        continue;
      }
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK)
        return broken(ErrorCode::kClosed, "the connection broke");
    }
    if (auto ready = wait_for(wait_events); !ready) return ready;
  }
  return {};
}

Result<std::size_t> NetConnection::receive(char* to, std::size_t room) {
  for (;;) {
    // Also for a server that never stops sending.
    if (steady_now() >= deadline_) {
      if (auto late = wait_for(POLLIN); !late) return tl::unexpected(std::move(late.error()));
    }
    short wait_events = POLLIN;
    if (tls_) {
      ERR_clear_error();
      const int got = SSL_read(tls_->ssl.get(), to, static_cast<int>(std::min(room, kPiece)));
      if (got > 0) return static_cast<std::size_t>(got);
      const int reason = SSL_get_error(tls_->ssl.get(), got);
      if (reason == SSL_ERROR_ZERO_RETURN)
        return broken(ErrorCode::kClosed, "the server closed the connection");
      if (reason == SSL_ERROR_WANT_WRITE) wait_events = POLLOUT;
      if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE)
        return broken(ErrorCode::kClosed, "the connection broke");
    } else {
      const ssize_t got = ::recv(fd_, to, std::min(room, kPiece), 0);
      if (got > 0) return static_cast<std::size_t>(got);
      if (got == 0) return broken(ErrorCode::kClosed, "the server closed the connection");
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK)
        return broken(ErrorCode::kClosed, "the connection broke");
    }
    if (auto ready = wait_for(wait_events); !ready) return tl::unexpected(std::move(ready.error()));
  }
}

Result<std::string> NetConnection::read_line(std::size_t limit) {
  std::size_t searched = begin_;
  for (;;) {
    const auto end = input_.find('\n', searched);
    const std::size_t length = (end == std::string::npos ? input_.size() : end) - begin_;
    if (length > limit) {
      return broken(ErrorCode::kTooLarge,
                    fmt::format("the server sent a line of more than {} octets", limit));
    }
    if (end != std::string::npos) {
      std::string line = input_.substr(begin_, length);
      begin_ = end + 1;
      if (line.ends_with('\r')) line.pop_back();
      if (line.find('\0') != std::string::npos)
        return broken(ErrorCode::kInvalid, "the server sent a NUL octet in a line");
      return line;
    }
    input_.erase(0, begin_);
    begin_ = 0;
    searched = input_.size();
    char piece[8192];
    const auto got = receive(piece, sizeof piece);
    if (!got) return tl::unexpected(got.error());
    input_.append(piece, *got);
  }
}

Result<void> NetConnection::read_octets(std::uint64_t count, std::string& out) {
  const auto ready = static_cast<std::size_t>(
      std::min<std::uint64_t>(count, std::uint64_t{input_.size() - begin_}));
  out.append(input_, begin_, ready);
  begin_ += ready;
  count -= ready;
  std::string piece;
  while (count > 0) {
    if (piece.empty()) piece.resize(kPiece);
    const auto got = receive(piece.data(), static_cast<std::size_t>(std::min<std::uint64_t>(
                                               count, std::uint64_t{piece.size()})));
    if (!got) return tl::unexpected(got.error());
    out.append(piece, 0, *got);
    count -= *got;
  }
  return {};
}

}  // namespace twinpost::tools
