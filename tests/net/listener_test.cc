#include "core/net/listener.h"

#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/base/log.h"
#include "tests/net/rig.h"

using namespace twinpost;
using namespace twinpost::net;
using namespace twinpost::net::testing;
using twinpost::testing::TemporaryFolder;

namespace {

ListenAddress unix_address(const std::string& path) {
  ListenAddress address;
  address.kind = ListenAddress::Kind::kUnix;
  address.path = path;
  return address;
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

bool exists(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0;
}

// A socket file as a server that was killed leaves it behind.
void leave_stale_socket(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd, 1) == 0);
  close(fd);
}

void ignore(ConnectionPtr) {}

bool reaches_ipv6(std::uint16_t port) {
  const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_addr = in6addr_loopback;
  const bool reached = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return reached;
}

bool has_ipv6() {
  EventLoop loop;
  ListenAddress address;
  address.host = "::1";
  return listen(loop, address, ignore).has_value();
}

Task<void> greet(ConnectionPtr c, std::string text) {
  c->queue(text);
  co_await c->close(5s);
}

Task<void> connect_and_talk(EventLoop& loop, ListenAddress address, Log& log) {
  auto connection = co_await connect(loop, address, 2s);
  if (connection) {
    const auto line = co_await (*connection)->read_line(100, 2s);
    log.push_back(describe(line));
    log.push_back((*connection)->peer().address);
    co_await (*connection)->close(1s);
  } else {
    log.push_back(describe(connection.error().code) + " " + connection.error().message);
  }
  loop.stop();
}

Log talk_to(const ListenAddress& asked) {
  Log log;
  EventLoop loop;
  auto listener = listen(loop, asked,
                         [](ConnectionPtr c) { spawn(greet(std::move(c), "hello\r\n"), nullptr); });
  REQUIRE(listener);
  const ListenAddress address = (*listener)->address();
  loop.post([&] { spawn(connect_and_talk(loop, address, log), nullptr); });
  loop.run();
  return log;
}

}  // namespace

TEST_CASE("a TCP listener tells its real port and its clients' addresses") {
  Rig rig;
  Log log;
  rig.run(
      [&](Connection& c) {
        log.push_back(c.peer().address);
        CHECK(c.peer().is_loopback);
        CHECK(c.peer().port != 0);
        return c.close(1s);
      },
      [](std::uint16_t port) {
        CHECK(port != 0);
        Client(port).rest();
      });
  CHECK(log == Log{"127.0.0.1"});
}

TEST_CASE("an address in use gives kInUse and names the address") {
  EventLoop loop;
  const auto first = listen(loop, Rig::loopback(), ignore);
  REQUIRE(first);
  const ListenAddress taken = (*first)->address();
  const auto second = listen(loop, taken, ignore);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ErrorCode::kInUse);
  CHECK(second.error().message.find(to_string(taken)) != std::string::npos);
}

TEST_CASE("an address that is not here, or is none, names itself in the error") {
  EventLoop loop;
  ListenAddress address;
  address.host = "192.0.2.1";
  auto listener = listen(loop, address, ignore);
  REQUIRE_FALSE(listener);
  CHECK(listener.error().message.find("192.0.2.1:0") != std::string::npos);
  address.host = "nonsense";
  listener = listen(loop, address, ignore);
  REQUIRE_FALSE(listener);
  CHECK(listener.error().code == ErrorCode::kInvalid);
}

TEST_CASE("\"::\" takes both families, \"::1\" only its own") {
  if (!has_ipv6()) {
    MESSAGE("skipped: no IPv6 here");
    return;
  }
  EventLoop loop;
  ListenAddress address;
  address.host = "::";
  const auto both = listen(loop, address, ignore);
  REQUIRE(both);
  CHECK(Client((*both)->address().port).connected());
  CHECK(reaches_ipv6((*both)->address().port));
  address.host = "::1";
  const auto only = listen(loop, address, ignore);
  REQUIRE(only);
  CHECK_FALSE(Client((*only)->address().port).connected());
  CHECK(reaches_ipv6((*only)->address().port));
}

TEST_CASE("a port is free again at once after its listener") {
  EventLoop loop;
  auto listener = listen(loop, Rig::loopback(), ignore);
  REQUIRE(listener);
  const ListenAddress address = (*listener)->address();
  CHECK(Client(address.port).connected());
  listener->reset();
  CHECK_FALSE(Client(address.port).connected());
  CHECK(listen(loop, address, ignore));
}

TEST_CASE("a listener may be ended from its own on_accept, and the connection lives on") {
  EventLoop loop;
  std::unique_ptr<Listener> listener;
  auto made = listen(loop, Rig::loopback(), [&](ConnectionPtr c) {
    listener.reset();
    spawn(greet(std::move(c), "last\r\n"), [&](std::exception_ptr) { loop.stop(); });
  });
  REQUIRE(made);
  listener = std::move(*made);
  const std::uint16_t port = listener->address().port;
  std::string got;
  std::thread thread([&] { got = Client(port).rest(); });
  loop.run();
  thread.join();
  CHECK(got == "last\r\n");
}

TEST_CASE("connect() reaches TCP and Unix sockets, and says why it can't") {
  const TemporaryFolder folder;
  CHECK(talk_to(Rig::loopback()) == Log{"hello", "127.0.0.1"});
  CHECK(talk_to(unix_address(folder.file("s"))) == Log{"hello", "unix"});

  EventLoop loop;
  Log log;
  ListenAddress closed = Rig::loopback();
  {
    const auto listener = listen(loop, closed, ignore);
    REQUIRE(listener);
    closed = (*listener)->address();
  }
  loop.post([&] { spawn(connect_and_talk(loop, closed, log), nullptr); });
  loop.run();
  loop.post(
      [&] { spawn(connect_and_talk(loop, unix_address(folder.file("none")), log), nullptr); });
  loop.run();
  REQUIRE(log.size() == 2);
  CHECK(log[0].find(to_string(closed)) != std::string::npos);
  CHECK(log[0].find("refused") != std::string::npos);
  CHECK(log[1].find("No such file") != std::string::npos);
}

TEST_CASE("connect() gives up in time where nobody accepts") {
  const TemporaryFolder folder;
  const std::string path = folder.file("full");
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd, 0) == 0);
  EventLoop loop;
  Log log;
  const Client filler(path);
  struct Attempt {
    static Task<void> run(EventLoop& loop, ListenAddress where, Log& log) {
      const SteadyTime start = steady_now();
      const auto connection = co_await connect(loop, where, 100ms);
      log.push_back(connection ? "connected" : describe(connection.error().code));
      CHECK(steady_now() - start < 5s);
      loop.stop();
    }
  };
  loop.post([&] { spawn(Attempt::run(loop, unix_address(path), log), nullptr); });
  loop.run();
  CHECK(log == Log{"!timeout"});
  close(fd);
}

TEST_CASE(
    "a Unix socket has the mode that is asked for, else what the umask leaves, and goes at the "
    "end") {
  const TemporaryFolder folder;
  const std::string path = folder.file("s");
  EventLoop loop;
  const mode_t before = umask(027);
  {
    const auto listener = listen(loop, unix_address(path), ignore);
    REQUIRE(listener);
    CHECK(mode_of(path) == 0640);
    CHECK((*listener)->address() == unix_address(path));
  }
  CHECK_FALSE(exists(path));
  {
    const auto listener = listen(loop, unix_address(path), ignore, 0662);
    REQUIRE(listener);
    CHECK(mode_of(path) == 0662);
  }
  umask(before);
  CHECK_FALSE(exists(path));
}

TEST_CASE("a stale Unix socket is replaced, a live one is kInUse, anything else is not touched") {
  const TemporaryFolder folder;
  EventLoop loop;
  const std::string stale = folder.file("stale");
  leave_stale_socket(stale);
  REQUIRE(exists(stale));
  auto listener = listen(loop, unix_address(stale), ignore);
  REQUIRE(listener);
  CHECK(Client(stale).connected());

  const auto second = listen(loop, unix_address(stale), ignore);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ErrorCode::kInUse);
  CHECK(second.error().message.find(stale) != std::string::npos);
  CHECK(Client(stale).connected());  // still alive

  const std::string file = folder.write("file", "precious");
  const auto third = listen(loop, unix_address(file), ignore);
  REQUIRE_FALSE(third);
  CHECK(third.error().code == ErrorCode::kExists);
  CHECK(third.error().message.find(file) != std::string::npos);
  std::string text;
  std::ifstream(file) >> text;
  CHECK(text == "precious");

  CHECK_FALSE(listen(loop, unix_address(folder.file("no/such/folder")), ignore));
}

TEST_CASE("at its end a listener leaves alone a socket that another has put in its place") {
  const TemporaryFolder folder;
  EventLoop loop;
  const std::string path = folder.file("s");
  auto first = listen(loop, unix_address(path), ignore);
  REQUIRE(first);
  REQUIRE(rename(path.c_str(), folder.file("moved").c_str()) == 0);
  auto second = listen(loop, unix_address(path), ignore);
  REQUIRE(second);
  first->reset();
  CHECK(exists(path));
  CHECK(Client(path).connected());
}

TEST_CASE("clients that come while file descriptors are used up are served later") {
  EventLoop loop;
  int accepted = 0;
  std::vector<ConnectionPtr> kept;
  auto listener = listen(loop, Rig::loopback(), [&](ConnectionPtr c) {
    c->queue("hi\r\n");
    c->flush();
    kept.push_back(std::move(c));
    if (++accepted == 20) loop.stop();
  });
  REQUIRE(listener);
  std::vector<Client> clients;
  for (int i = 0; i < 20; ++i) clients.emplace_back((*listener)->address().port);

  // The first line of a log makes UBSan look at types, for which it needs descriptors itself.
  log::error("file_descriptors_run_out_soon", {{"test", "a warning about accept follows"}});
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int next_fd = dup(0);
  close(next_fd);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(next_fd) + 5;  // five of the twenty fit
  REQUIRE(setrlimit(RLIMIT_NOFILE, &tight) == 0);
  int while_tight = 0;
  loop.start_timer(500ms, [&] {
    while_tight = accepted;
    setrlimit(RLIMIT_NOFILE, &before);
  });
  const auto watchdog = loop.start_timer(10s, [&] { loop.stop(); });
  loop.run();
  loop.cancel_timer(watchdog);
  CHECK(while_tight <= 6);
  CHECK(accepted == 20);
  for (Client& client : clients) CHECK(client.line() == "hi");
}

namespace {

// What the child of the next tests does; its exit status says how far it came.
int serve_passed_sockets() {
  setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
  const auto sockets = take_passed_sockets();
  if (!sockets || sockets->size() != 2) return 1;
  if (std::getenv("LISTEN_PID") != nullptr || std::getenv("LISTEN_FDS") != nullptr ||
      std::getenv("LISTEN_FDNAMES") != nullptr) {
    return 2;
  }
  if ((*sockets)[0].name != "pop3s" || (*sockets)[1].name != "lmtp") return 3;
  if ((*sockets)[0].address.host != "127.0.0.1" || (*sockets)[0].address.port == 0) return 4;
  if ((*sockets)[1].address.kind != ListenAddress::Kind::kUnix) return 5;
  if ((fcntl((*sockets)[0].fd, F_GETFD) & FD_CLOEXEC) == 0) return 6;
  const auto again = take_passed_sockets();
  if (!again || !again->empty()) return 7;
  EventLoop loop;
  int ended = 0;
  std::vector<std::unique_ptr<Listener>> listeners;
  for (const PassedSocket& passed : *sockets) {
    auto listener = listen_on_fd(loop, passed, [&, name = passed.name](ConnectionPtr c) {
      spawn(greet(std::move(c), name + "\r\n"), [&](std::exception_ptr) {
        if (++ended == 2) loop.stop();
      });
    });
    if (!listener) return 8;
    listeners.push_back(std::move(*listener));
  }
  loop.start_timer(10s, [&] { loop.stop(); });
  loop.run();
  return ended == 2 ? 0 : 9;
}

int listening_tcp(std::uint16_t& port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(fd, 5) == 0);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  return fd;
}

int listening_unix(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd, 5) == 0);
  return fd;
}

// Moves the sockets to where the service manager puts them, in a child, and runs `child` there.
int run_activated(const std::vector<int>& fds, int (*child)()) {
  const pid_t pid = fork();
  if (pid == 0) {
    std::vector<int> high;
    for (const int fd : fds) high.push_back(fcntl(fd, F_DUPFD, 100));
    for (std::size_t i = 0; i < high.size(); ++i) dup2(high[i], 3 + static_cast<int>(i));
    _exit(child());
  }
  return pid;
}

int exit_status(int pid) {
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("sockets that the service manager passes are served under their names") {
  const TemporaryFolder folder;
  std::uint16_t port = 0;
  const int tcp = listening_tcp(port);
  const int local = listening_unix(folder.file("lmtp"));
  setenv("LISTEN_FDS", "2", 1);
  setenv("LISTEN_FDNAMES", "pop3s:lmtp", 1);
  const int pid = run_activated({tcp, local}, serve_passed_sockets);
  unsetenv("LISTEN_FDS");
  unsetenv("LISTEN_FDNAMES");
  CHECK(Client(port).rest() == "pop3s\r\n");
  CHECK(Client(folder.file("lmtp")).rest() == "lmtp\r\n");
  CHECK(exit_status(pid) == 0);
  CHECK(exists(folder.file("lmtp")));  // it is the service manager's
  close(tcp);
  close(local);
}

TEST_CASE("a passed socket that does not listen is an error that names it") {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  setenv("LISTEN_FDS", "1", 1);
  setenv("LISTEN_FDNAMES", "pop3", 1);
  const int pid = run_activated({fd}, [] {
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    const auto sockets = take_passed_sockets();
    if (sockets) return 1;
    return sockets.error().message.find("pop3") != std::string::npos ? 0 : 2;
  });
  CHECK(exit_status(pid) == 0);
  unsetenv("LISTEN_FDS");
  unsetenv("LISTEN_FDNAMES");
  close(fd);
}

TEST_CASE(
    "without activation, or with one meant for another process, there are no passed sockets") {
  auto sockets = take_passed_sockets();
  REQUIRE(sockets);
  CHECK(sockets->empty());
  setenv("LISTEN_PID", "1", 1);
  setenv("LISTEN_FDS", "3", 1);
  sockets = take_passed_sockets();
  REQUIRE(sockets);
  CHECK(sockets->empty());
  CHECK(std::getenv("LISTEN_FDS") == nullptr);
  setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
  setenv("LISTEN_FDS", "many", 1);
  CHECK_FALSE(take_passed_sockets());
}
