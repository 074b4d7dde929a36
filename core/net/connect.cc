// The client side: a connection of our own to an address.
#include <algorithm>
#include <cerrno>
#include <coroutine>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "core/base/clock.h"
#include "core/net/listener.h"
#include "core/net/socket_address.h"
#include "core/net/stream_connection.h"

namespace twinpost::net {

namespace {

// Waits until a socket is writable, which is how connect() says that it is done, or for at most
// `timeout`.
class Writable {
 public:
  Writable(EventLoop& loop, int fd, Duration timeout) : loop_(loop), fd_(fd), timeout_(timeout) {}
  Writable(const Writable&) = delete;
  Writable& operator=(const Writable&) = delete;

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> handle) {
    poll_ = new uv_poll_t{};
    if (uv_poll_init(loop_.native(), poll_, fd_) != 0) {
      delete poll_;
      return false;
    }
    handle_ = handle;
    poll_->data = this;
    timer_ = loop_.start_timer(timeout_, [this] { finish(false); });
    uv_poll_start(poll_, UV_WRITABLE, [](uv_poll_t* poll, int, int) {
      static_cast<Writable*>(poll->data)->finish(true);
    });
    return true;
  }
  bool await_resume() const noexcept { return ready_; }  // false: timeout

 private:
  void finish(bool ready) {
    ready_ = ready;
    loop_.cancel_timer(timer_);
    uv_poll_stop(poll_);
    uv_close(reinterpret_cast<uv_handle_t*>(poll_),
             [](uv_handle_t* closed) { delete reinterpret_cast<uv_poll_t*>(closed); });
    handle_.resume();
  }

  EventLoop& loop_;
  int fd_;
  Duration timeout_;
  uv_poll_t* poll_ = nullptr;
  Executor::TimerId timer_ = 0;
  std::coroutine_handle<> handle_;
  bool ready_ = false;
};

// Closes the socket unless it was taken.
class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  ~OwnedFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int take() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

int socket_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

Peer peer_of(const ListenAddress& address, const SocketAddress& target) {
  if (address.kind != ListenAddress::Kind::kUnix) return peer_from_sockaddr(target.data());
  Peer peer;
  peer.address = "unix";
  peer.is_unix = true;
  peer.is_loopback = true;
  return peer;
}

}  // namespace

Task<Result<ConnectionPtr>> connect(EventLoop& loop, ListenAddress address, Duration timeout) {
  const Result<SocketAddress> target = to_socket_address(address);
  if (!target) co_return tl::unexpected(target.error());
  const std::string name = to_string(address);
  const SteadyTime deadline = steady_now() + std::clamp(timeout, Duration(0), Duration(86'400'000));
  OwnedFd fd(::socket(target->family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) co_return tl::unexpected(system_error(name, errno));
  for (;;) {
    const int error = ::connect(fd.get(), target->data(), target->size) == 0 ? 0 : errno;
    if (error == 0 || error == EISCONN) break;
    const Duration left = std::chrono::ceil<Duration>(deadline - steady_now());
    if (left <= Duration(0)) co_return fail(ErrorCode::kTimeout, name + ": no answer in time");
    if (error == EAGAIN) {  // a Unix socket with a full backlog (unix(7)): nothing to wait on
      co_await sleep_for(loop, std::min(left, Duration(20)));
      continue;
    }
    if (error != EINPROGRESS) co_return tl::unexpected(system_error(name, error));
    const bool writable = co_await Writable(loop, fd.get(), left);
    if (!writable) co_return fail(ErrorCode::kTimeout, name + ": no answer in time");
    const int outcome = socket_error(fd.get());
    if (outcome != 0) co_return tl::unexpected(system_error(name, outcome));
    break;
  }
  Result<ConnectionPtr> connection = make_connection(loop, fd.take(), peer_of(address, *target));
  co_return connection;
}

}  // namespace twinpost::net
