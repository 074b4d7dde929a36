// Socket activation: what sd_listen_fds_with_names(3) does, without linking libsystemd.
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "core/base/ascii.h"
#include "core/net/listener.h"
#include "core/net/socket_address.h"

namespace twinpost::net {

namespace {

constexpr int kFirstFd = 3;  // SD_LISTEN_FDS_START
constexpr unsigned kMaxSockets = 1024;

std::string take_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string copy = value == nullptr ? "" : value;
  unsetenv(name);
  return copy;
}

int socket_option(int fd, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

std::string next_name(std::string_view& names) {
  const std::size_t colon = names.find(':');
  const std::string name(names.substr(0, colon));
  names = colon == std::string_view::npos ? std::string_view{} : names.substr(colon + 1);
  return name;
}

Result<PassedSocket> examine(int fd, std::string name) {
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return tl::unexpected(system_error(fmt::format("passed socket {}", fd), errno));
  }
  if (socket_option(fd, SO_TYPE) != SOCK_STREAM || socket_option(fd, SO_ACCEPTCONN) != 1) {
    return fail(ErrorCode::kInvalid,
                fmt::format("passed socket {} ({}): it is no listening stream socket", fd, name));
  }
  auto address = bound_address(fd);
  if (!address) return tl::unexpected(address.error());
  // What accept() meets must not block the loop when the client is gone again.
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    return tl::unexpected(system_error(fmt::format("passed socket {}", fd), errno));
  }
  PassedSocket passed;
  passed.fd = fd;
  passed.name = std::move(name);
  passed.address = std::move(*address);
  return passed;
}

}  // namespace

Result<std::vector<PassedSocket>> take_passed_sockets() {
  const std::string pid = take_variable("LISTEN_PID");
  const std::string count_text = take_variable("LISTEN_FDS");
  const std::string names_text = take_variable("LISTEN_FDNAMES");
  std::vector<PassedSocket> sockets;
  const auto meant_for = ascii::parse_number<unsigned>(pid);
  // Meant for another process where the number is not ours: a parent that did not clear its
  // environment.
  if (!meant_for || *meant_for != static_cast<unsigned>(getpid())) return sockets;
  const auto count = ascii::parse_number<unsigned>(count_text);
  if (!count || *count > kMaxSockets) {
    return fail(ErrorCode::kInvalid, fmt::format("LISTEN_FDS=\"{}\": not a number of sockets",
                                                 ascii::printable(count_text)));
  }
  std::string_view names = names_text;
  for (unsigned i = 0; i < *count; ++i) {
    auto passed = examine(kFirstFd + static_cast<int>(i), next_name(names));
    if (!passed) return tl::unexpected(passed.error());
    sockets.push_back(std::move(*passed));
  }
  return sockets;
}

}  // namespace twinpost::net
