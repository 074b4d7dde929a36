#include "tools/twinpost/admin_client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/clock.h"

namespace twinpost::tools {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kConnectTime{5};
// A server that works on a request says so every ten seconds; one that says nothing for this long
// is gone.
constexpr seconds kSilence{60};
// All UIDLs of a very large mailbox are some hundred MiB; more is no answer.
constexpr std::size_t kLongestAnswer = std::size_t{1} << 30;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

class AdminClient final : public StoreAccess {
 public:
  AdminClient(Socket socket, std::string path)
      : socket_(std::move(socket)), path_(std::move(path)) {}

  Result<Json> call(Json request, std::string_view payload,
                    const store::Progress& progress) override;
  bool is_online() const override { return true; }

 private:
  [[nodiscard]] Result<void> wait_for(short events);
  [[nodiscard]] Result<void> send(std::string_view octets);
  [[nodiscard]] Result<std::string> read_line();
  [[nodiscard]] Result<Json> read_answer(const store::Progress& progress);
  tl::unexpected<Error> broken(ErrorCode code, std::string_view what);

  Socket socket_;
  std::string path_;
  std::string input_;
  bool broken_ = false;  // an answer may still come that nobody waits for
};

tl::unexpected<Error> AdminClient::broken(ErrorCode code, std::string_view what) {
  broken_ = true;
  return fail(code, fmt::format("the server at {} {}", path_, what));
}

Result<void> AdminClient::wait_for(short events) {
  const SteadyTime deadline = steady_now() + kSilence;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_now());
    pollfd waiting{socket_.fd(), events, 0};
    const int ready = left.count() <= 0 ? 0 : ::poll(&waiting, 1, static_cast<int>(left.count()));
    if (ready > 0) return {};
    if (ready == 0) {
      return broken(ErrorCode::kClosed,
                    fmt::format("has not answered for {} seconds", kSilence.count()));
    }
    if (errno != EINTR) return tl::unexpected(system_error(path_, errno));
  }
}

Result<void> AdminClient::send(std::string_view octets) {
  while (!octets.empty()) {
    const ssize_t count =
        ::send(socket_.fd(), octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      octets.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (auto ready = wait_for(POLLOUT); !ready) return ready;
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return broken(ErrorCode::kClosed, "closed the connection");
    } else if (errno != EINTR) {
      broken_ = true;
      return tl::unexpected(system_error(path_, errno));
    }
  }
  return {};
}

Result<std::string> AdminClient::read_line() {
  std::size_t searched = 0;
  std::array<char, 64 * 1024> buffer{};
  for (;;) {
    if (const auto end = input_.find('\n', searched); end != std::string::npos) {
      std::string line = input_.substr(0, end);
      input_.erase(0, end + 1);
      return line;
    }
    searched = input_.size();
    if (input_.size() > kLongestAnswer) {
      return broken(ErrorCode::kTooLarge, "gives an answer without an end");
    }
    const ssize_t count = ::recv(socket_.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count > 0) {
      input_.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count == 0 || errno == ECONNRESET) {
      return broken(ErrorCode::kClosed, "closed the connection");
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (auto ready = wait_for(POLLIN); !ready) return tl::unexpected(std::move(ready.error()));
    } else if (errno != EINTR) {
      broken_ = true;
      return tl::unexpected(system_error(path_, errno));
    }
  }
}

Result<Json> AdminClient::read_answer(const store::Progress& progress) {
  for (;;) {
    const auto line = read_line();
    if (!line) return tl::unexpected(line.error());
    Json answer = Json::parse(*line, nullptr, false);
    if (!answer.is_object())
      return broken(ErrorCode::kInvalid, "does not speak the admin protocol");
    if (const auto phase = answer.find("progress"); phase != answer.end()) {
      const bool go_on =
          !progress || !phase->is_string() ||
          progress(phase->get_ref<const std::string&>(), answer.value("done", std::uint64_t{0}),
                   answer.value("total", std::uint64_t{0}));
      // The server ends the work when the connection goes.
      if (!go_on) return broken(ErrorCode::kShutdown, "was told to end the work");
      continue;
    }
    const auto ok = answer.find("ok");
    if (ok == answer.end() || !ok->is_boolean()) {
      return broken(ErrorCode::kInvalid, "does not speak the admin protocol");
    }
    if (!ok->get<bool>()) {
      return fail(server::error_code_of(answer.value("code", std::string())),
                  answer.value("error", std::string("failed without a reason")));
    }
    answer.erase("ok");
    return answer;
  }
}

Result<Json> AdminClient::call(Json request, std::string_view payload,
                               const store::Progress& progress) {
  if (broken_) return broken(ErrorCode::kClosed, "is not connected any more");
  if (!payload.empty()) request["octets"] = payload.size();
  std::string line = request.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (line.size() > server::kAdminLine) {
    return fail(ErrorCode::kTooLarge, fmt::format("a request of {} octets, more than the {} that "
                                                  "the server takes",
                                                  line.size(), server::kAdminLine));
  }
  line += '\n';
  auto sent = send(line);
  if (sent) sent = send(payload);
  try {
    auto answer = read_answer(progress);
    // Where the server closed while it was being sent to, its answer says why.
    if (!sent && !answer && answer.error().code == ErrorCode::kClosed) {
      return tl::unexpected(sent.error());
    }
    return answer;
  } catch (const Json::exception&) {  // a member of another type
    return broken(ErrorCode::kInvalid, "does not speak the admin protocol");
  }
}

// 0, or the errno.
int connect_within(int fd, const sockaddr_un& name) {
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) return 0;
  // A Unix socket's queue is full: EAGAIN, and there is nothing to poll for.
  const SteadyTime deadline = steady_now() + kConnectTime;
  while (errno == EAGAIN && steady_now() < deadline) {
    ::poll(nullptr, 0, 20);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) return 0;
  }
  return errno == EAGAIN ? ETIMEDOUT : errno;
}

}  // namespace

Result<std::unique_ptr<StoreAccess>> connect_to_server(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path) {
    return fail(ErrorCode::kInvalid, path + ": the path is too long for a socket");
  }
  std::memcpy(name.sun_path, path.data(), path.size());
  Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.fd() < 0) return tl::unexpected(system_error("socket", errno));
  const int error = connect_within(socket.fd(), name);
  if (error == ENOENT || error == ECONNREFUSED) return std::unique_ptr<StoreAccess>();
  if (error != 0) {
    Error problem = system_error("the server's socket " + path, error);
    if (error == EACCES)
      problem.message += " (run it as root, or as the user that the server runs as)";
    return tl::unexpected(std::move(problem));
  }
  return std::unique_ptr<StoreAccess>(std::make_unique<AdminClient>(std::move(socket), path));
}

}  // namespace twinpost::tools
