#include "tools/twinpost/lmtp_client.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

#include "core/base/ascii.h"

namespace twinpost::tools {

namespace {

constexpr std::size_t kLongestLine = 64 * 1024;
constexpr std::size_t kMostLines = 1000;  // of one reply

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

std::optional<SocketAddress> tcp_address(const std::string& host, std::uint16_t port) {
  SocketAddress result;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&result.storage, &v4, sizeof v4);
    result.length = sizeof v4;
  } else if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&result.storage, &v6, sizeof v6);
    result.length = sizeof v6;
  } else {
    return std::nullopt;
  }
  return result;
}

// What to try, in this order: "every address" of a listener is reached by the loopback addresses.
std::vector<SocketAddress> candidates(const net::ListenAddress& address) {
  std::vector<SocketAddress> result;
  if (address.kind == net::ListenAddress::Kind::kUnix) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (address.path.size() >= sizeof name.sun_path) return result;
    std::memcpy(name.sun_path, address.path.data(), address.path.size());
    SocketAddress target;
    std::memcpy(&target.storage, &name, sizeof name);
    target.length = sizeof name;
    result.push_back(target);
    return result;
  }
  std::vector<std::string> hosts{address.host};
  if (address.host == "::" || address.host == "*") hosts = {"::1", "127.0.0.1"};
  if (address.host == "0.0.0.0") hosts = {"127.0.0.1"};
  for (const auto& host : hosts) {
    if (auto target = tcp_address(host, address.port)) result.push_back(*target);
  }
  return result;
}

// 0, or the errno of the failure. `fd` does not block.
int connect_within(int fd, const SocketAddress& target, std::chrono::milliseconds timeout) {
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&target.storage), target.length) == 0)
    return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd waiting{fd, POLLOUT, 0};
  const int ready = ::poll(&waiting, 1, static_cast<int>(timeout.count()));
  if (ready < 0) return errno;
  if (ready == 0) return ETIMEDOUT;
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

}  // namespace

std::string_view LmtpReply::status() const {
  const std::string_view word = std::string_view(text).substr(0, text.find_first_of(" \n"));
  const bool is_status =
      std::count(word.begin(), word.end(), '.') == 2 &&
      std::all_of(word.begin(), word.end(), [](char c) { return c == '.' || ascii::is_digit(c); });
  return is_status ? word : std::string_view{};
}

bool LmtpReply::offers(std::string_view keyword) const {
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    if (ascii::equals_ignore_case(line.substr(0, line.find(' ')), keyword)) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

LmtpClient::~LmtpClient() { ::close(fd_); }

Result<std::unique_ptr<LmtpClient>> LmtpClient::connect(const net::ListenAddress& address,
                                                        std::chrono::milliseconds timeout) {
  int error = EINVAL;
  for (const auto& target : candidates(address)) {
    const int fd =
        ::socket(target.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
      error = errno;
      continue;
    }
    error = connect_within(fd, target, timeout);
    if (error == 0) return std::unique_ptr<LmtpClient>(new LmtpClient(fd, timeout));
    ::close(fd);
  }
  return tl::unexpected(system_error(net::to_string(address), error));
}

Result<void> LmtpClient::wait_for(short events) {
  pollfd waiting{fd_, events, 0};
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, static_cast<int>(timeout_.count()));
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) return tl::unexpected(system_error("poll", errno));
  if (ready == 0) return fail(ErrorCode::kTimeout, "the server does not answer");
  return {};
}

Result<void> LmtpClient::send(std::string_view octets) {
  while (!octets.empty()) {
    const ssize_t count = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      octets.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (auto ready = wait_for(POLLOUT); !ready) return ready;
    } else if (errno != EINTR) {
      return tl::unexpected(system_error("sending to the server", errno));
    }
  }
  return {};
}

Result<std::string> LmtpClient::read_line() {
  for (;;) {
    if (const auto end = input_.find('\n'); end != std::string::npos) {
      std::string line = input_.substr(0, end);
      input_.erase(0, end + 1);
      if (!line.empty() && line.back() == '\r') line.pop_back();
      return line;
    }
    if (input_.size() > kLongestLine)
      return fail(ErrorCode::kTooLarge, "the server's reply is too long");
    char buffer[4096];
    const ssize_t count = ::recv(fd_, buffer, sizeof buffer, 0);
    if (count > 0) {
      input_.append(buffer, static_cast<std::size_t>(count));
    } else if (count == 0) {
      return fail(ErrorCode::kClosed, "the server closed the connection");
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (auto ready = wait_for(POLLIN); !ready) return tl::unexpected(std::move(ready.error()));
    } else if (errno != EINTR) {
      return tl::unexpected(system_error("reading from the server", errno));
    }
  }
}

Result<LmtpReply> LmtpClient::read_reply() {
  LmtpReply reply;
  for (std::size_t lines = 0; lines < kMostLines; ++lines) {
    const auto line = read_line();
    if (!line) return tl::unexpected(line.error());
    const auto code = ascii::parse_number<unsigned>(std::string_view(*line).substr(0, 3));
    const bool is_last = line->size() == 3 || (line->size() > 3 && (*line)[3] == ' ');
    if (line->size() < 3 || !code || *code < 200 || *code > 599 ||
        (!is_last && (*line)[3] != '-')) {
      return fail(ErrorCode::kInvalid, fmt::format("the server's reply is no LMTP: {}", *line));
    }
    reply.code = static_cast<int>(*code);
    if (lines > 0) reply.text += '\n';
    if (line->size() > 4) reply.text += line->substr(4);
    if (is_last) return reply;
  }
  return fail(ErrorCode::kTooLarge, "the server's reply is too long");
}

Result<LmtpReply> LmtpClient::command(const std::string& line) {
  if (auto sent = send(line + "\r\n"); !sent) return tl::unexpected(std::move(sent.error()));
  return read_reply();
}

void LmtpClient::quit() {
  // The mail is delivered or not by now; how the goodbye goes changes nothing.
  static_cast<void>(command("QUIT"));
}

}  // namespace twinpost::tools
