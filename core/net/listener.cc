#include "core/net/listener.h"

#include <array>
#include <cerrno>
#include <fmt/format.h>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/net/socket_address.h"
#include "core/net/stream_connection.h"
#include "core/net/unix_path.h"

namespace twinpost::net {

namespace {

constexpr int kAcceptsPerTurn = 64;  // then other sockets have their turn
constexpr Duration kPause = std::chrono::milliseconds(200);
constexpr auto kLogAgainAfter = std::chrono::minutes(1);

// Accepts by itself, watching the socket with uv_poll: where file descriptors run out, libuv's own
// listening accepts the waiting clients to drop them, and we want to keep them.
class SocketListener final : public Listener {
 public:
  static Result<std::unique_ptr<Listener>> make(EventLoop& loop, int fd, ListenAddress address,
                                                OnAccept on_accept, UnixPathGuard path);
  ~SocketListener() override;
  ListenAddress address() const override { return address_; }

 private:
  // What the loop's callbacks use. Lives until libuv lets go of the handle; `listener` is null from
  // the end of the listener on.
  struct Watch {
    uv_poll_t poll{};
    int fd = -1;
    SocketListener* listener = nullptr;
    OnAccept on_accept;  // here, because it may end the listener
  };

  SocketListener(EventLoop& loop, ListenAddress address, UnixPathGuard path)
      : loop_(loop), address_(std::move(address)), path_(std::move(path)) {}

  void watch();
  void pause(int error);
  static void accept_some(Watch& watch);
  static bool accept_one(Watch& watch);

  EventLoop& loop_;
  ListenAddress address_;
  UnixPathGuard path_;
  Watch* watch_ = nullptr;
  Executor::TimerId resume_timer_ = 0;
  std::optional<SteadyTime> logged_at_;
};

Result<std::unique_ptr<Listener>> SocketListener::make(EventLoop& loop, int fd,
                                                       ListenAddress address, OnAccept on_accept,
                                                       UnixPathGuard path) {
  auto watch = std::make_unique<Watch>();
  const int status = uv_poll_init(loop.native(), &watch->poll, fd);
  if (status != 0) {
    ::close(fd);
    return tl::unexpected(system_error(to_string(address), -status));
  }
  std::unique_ptr<SocketListener> listener(
      new SocketListener(loop, std::move(address), std::move(path)));
  watch->on_accept = std::move(on_accept);
  watch->fd = fd;
  watch->listener = listener.get();
  watch->poll.data = watch.get();
  listener->watch_ = watch.release();
  listener->watch();
  return listener;
}

SocketListener::~SocketListener() {
  if (resume_timer_ != 0) loop_.cancel_timer(resume_timer_);
  watch_->listener = nullptr;
  uv_poll_stop(&watch_->poll);
  ::close(watch_->fd);  // allowed once the poll is stopped; clients are refused from now on
  watch_->fd = -1;
  if (uv_is_closing(reinterpret_cast<uv_handle_t*>(&watch_->poll)) != 0) return;
  uv_close(reinterpret_cast<uv_handle_t*>(&watch_->poll),
           [](uv_handle_t* handle) { delete static_cast<Watch*>(handle->data); });
}

void SocketListener::watch() {
  uv_poll_start(&watch_->poll, UV_READABLE,
                [](uv_poll_t* poll, int, int) { accept_some(*static_cast<Watch*>(poll->data)); });
}

void SocketListener::accept_some(Watch& watch) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (!accept_one(watch)) return;
  }
}

std::optional<std::uint32_t> peer_user(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return std::nullopt;
  return credentials.uid;
}

// False where there is nothing more to accept now. The listener may be gone after it.
bool SocketListener::accept_one(Watch& watch) {
  SocketListener& self = *watch.listener;
  SocketAddress from;
  const int fd = accept4(watch.fd, from.data(), &from.size, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    switch (errno) {
      case EAGAIN: return false;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM: self.pause(errno); return false;
      default: return true;  // this one client's trouble (accept(2), "Error handling")
    }
  }
  if (from.size < sizeof(sa_family_t)) from.storage.ss_family = AF_UNIX;  // an unnamed peer
  Peer peer = peer_from_sockaddr(from.data());
  if (peer.is_unix) peer.user = peer_user(fd);
  auto connection = make_connection(self.loop_, fd, std::move(peer));
  if (!connection) {
    log::warning("accept_failed",
                 {{"listener", to_string(self.address_)}, {"reason", connection.error().message}});
    return true;
  }
  watch.on_accept(std::move(*connection));
  return watch.listener != nullptr;
}

void SocketListener::pause(int error) {
  uv_poll_stop(&watch_->poll);
  const SteadyTime now = steady_now();
  if (!logged_at_ || now - *logged_at_ >= kLogAgainAfter) {
    log::error("accept_paused", {{"listener", to_string(address_)},
                                 {"reason", system_error("accept", error).message}});
    logged_at_ = now;
  }
  resume_timer_ = loop_.start_timer(kPause, [this] {
    resume_timer_ = 0;
    watch();
  });
}

int open_socket(const ListenAddress& address, const SocketAddress& target) {
  const int fd = socket(target.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const int on = 1;
  if (target.family() != AF_UNIX) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (target.family() == AF_INET6) {
    const int only = address.host == "::" ? 0 : 1;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  }
  return fd;
}

tl::unexpected<Error> bind_error(const ListenAddress& address, int error) {
  if (error == EADDRINUSE) {
    return fail(ErrorCode::kInUse, to_string(address) + ": in use, another program listens there");
  }
  return tl::unexpected(system_error(to_string(address), error));
}

bool lacks_ipv6(const ListenAddress& address, int error) {
  return address.host == "::" && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL);
}

// A socket that is bound and listens.
struct Bound {
  int fd = -1;
  UnixPathGuard path;
};

// `error` becomes the errno where the socket itself was refused.
Result<Bound> bind_and_listen(const ListenAddress& address, int unix_mode, int& error) {
  error = 0;
  const auto target = to_socket_address(address);
  if (!target) return tl::unexpected(target.error());
  const bool is_unix = address.kind == ListenAddress::Kind::kUnix;
  if (is_unix) {
    if (auto cleared = remove_stale_socket(address); !cleared) {
      return tl::unexpected(cleared.error());
    }
  }
  Bound bound;
  bound.fd = open_socket(address, *target);
  if (bound.fd < 0) {
    error = errno;
    return bind_error(address, error);
  }
  if (bind(bound.fd, target->data(), target->size) != 0) {
    error = errno;
    ::close(bound.fd);
    return bind_error(address, error);
  }
  if (is_unix) {
    bound.path = UnixPathGuard(address.path);
    if (auto mode = set_socket_mode(address, unix_mode); !mode) {
      ::close(bound.fd);
      return tl::unexpected(mode.error());
    }
  }
  if (::listen(bound.fd, SOMAXCONN) != 0) {
    error = errno;
    ::close(bound.fd);
    return bind_error(address, error);
  }
  return bound;
}

}  // namespace

Result<std::unique_ptr<Listener>> listen(EventLoop& loop, const ListenAddress& address,
                                         Listener::OnAccept on_accept, int unix_mode) {
  ListenAddress wanted = address;
  int error = 0;
  auto bound = bind_and_listen(wanted, unix_mode, error);
  if (!bound && lacks_ipv6(wanted, error)) {
    wanted.host = "0.0.0.0";  // a system without IPv6
    bound = bind_and_listen(wanted, unix_mode, error);
  }
  if (!bound) return tl::unexpected(bound.error());
  auto real = bound_address(bound->fd);
  if (!real) {
    ::close(bound->fd);
    return tl::unexpected(real.error());
  }
  return SocketListener::make(loop, bound->fd, std::move(*real), std::move(on_accept),
                              std::move(bound->path));
}

Result<std::unique_ptr<Listener>> listen_on_fd(EventLoop& loop, PassedSocket socket,
                                               Listener::OnAccept on_accept) {
  return SocketListener::make(loop, socket.fd, std::move(socket.address), std::move(on_accept),
                              UnixPathGuard());
}

}  // namespace twinpost::net
