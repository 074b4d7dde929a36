// Servers for tests of clients: a loopback port whose connections are served, one after the other,
// by functions of the test.
#pragma once

#include <arpa/inet.h>
#include <atomic>
#include <cstdint>
#include <doctest/doctest.h>
#include <functional>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace twinpost::tools::test {

// The server's end of one connection. Whatever fails ends in is_open() == false.
class Peer {
 public:
  Peer(int fd, const std::atomic<bool>& stop) : fd_(fd), stop_(stop) {}
  ~Peer() { close(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  bool send(std::string_view octets) {
    while (fd_ >= 0 && !octets.empty()) {
      if (!wait(POLLOUT)) return false;
      const ssize_t count = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0) {
        close();
      } else {
        octets.remove_prefix(static_cast<std::size_t>(count));
      }
    }
    return fd_ >= 0;
  }
  // Without its line end; empty at the end.
  std::string line() {
    for (;;) {
      if (const auto end = input_.find('\n'); end != std::string::npos) {
        std::string text = input_.substr(0, end);
        input_.erase(0, end + 1);
        if (text.ends_with('\r')) text.pop_back();
        return text;
      }
      char buffer[4096];
      if (fd_ < 0 || !wait(POLLIN)) return {};
      const ssize_t count = ::recv(fd_, buffer, sizeof buffer, 0);
      if (count <= 0) {
        close();
        return {};
      }
      input_.append(buffer, static_cast<std::size_t>(count));
    }
  }
  // Answers nothing until the other side goes away.
  void hang() {
    while (is_open()) {
      input_.clear();
      static_cast<void>(line());
    }
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

 private:
  bool wait(short events) {
    while (!stop_) {
      pollfd waiting{fd_, events, 0};
      if (::poll(&waiting, 1, 20) > 0) return true;
    }
    close();
    return false;
  }

  int fd_;
  const std::atomic<bool>& stop_;
  std::string input_;
};

class ScriptedServer {
 public:
  using Serve = std::function<void(Peer&, unsigned connection)>;  // counted from 0

  explicit ScriptedServer(Serve serve) : serve_(std::move(serve)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) == 0);
    REQUIRE(::listen(listener_, 16) == 0);
    REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~ScriptedServer() {
    stop_ = true;
    thread_.join();
    ::close(listener_);
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] unsigned connections() const { return connections_; }

 private:
  void run() {
    while (!stop_) {
      pollfd waiting{listener_, POLLIN, 0};
      if (::poll(&waiting, 1, 20) <= 0) continue;
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      Peer peer(fd, stop_);
      serve_(peer, connections_++);
    }
  }

  Serve serve_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<unsigned> connections_{0};
  std::thread thread_;
};

// An IMAP server with one INBOX. `answers` may answer a command in its place: (peer, tag, command),
// true where it did.
struct FakeImap {
  struct Mail {
    std::uint32_t uid = 0;
    std::string flags;
    std::string octets;
  };
  std::string capabilities = "IMAP4rev1";
  std::uint32_t uid_validity = 77;
  std::vector<Mail> inbox;
  std::vector<std::string> list{R"(* LIST () "/" INBOX)"};
  std::function<bool(Peer&, const std::string& tag, const std::string& command)> answers;
  std::vector<std::string> seen;  // commands, without tags

  void serve(Peer& peer) {
    peer.send("* OK [CAPABILITY " + capabilities + "] ready\r\n");
    while (peer.is_open()) {
      const std::string line = peer.line();
      const auto blank = line.find(' ');
      if (blank == std::string::npos) continue;
      const std::string tag = line.substr(0, blank);
      const std::string command = line.substr(blank + 1);
      seen.push_back(command);
      if (answers && answers(peer, tag, command)) continue;
      data(peer, command);
      peer.send(tag + " OK done\r\n");
      if (command == "LOGOUT") return;
    }
  }

 private:
  void data(Peer& peer, const std::string& command) {
    if (command == "CAPABILITY") peer.send("* CAPABILITY " + capabilities + "\r\n");
    if (command.starts_with("LIST")) {
      for (const std::string& text : list) peer.send(text + "\r\n");
    }
    const std::string validity = std::to_string(uid_validity);
    if (command.starts_with("STATUS")) {
      const std::string name = command.substr(7, command.rfind(" (") - 7);
      peer.send("* STATUS " + name + " (UIDVALIDITY " + validity + " UIDNEXT 100)\r\n");
    }
    if (command.starts_with("EXAMINE")) {
      peer.send("* " + std::to_string(inbox.size()) + " EXISTS\r\n* OK [UIDVALIDITY " + validity +
                "] valid\r\n* OK [UIDNEXT 100] next\r\n");
    }
    if (command.find("FETCH") == std::string::npos) return;
    for (std::size_t i = 0; i < inbox.size(); ++i) {
      const Mail& mail = inbox[i];
      std::string text = "* " + std::to_string(i + 1) + " FETCH (UID " + std::to_string(mail.uid);
      if (command.find("BODY.PEEK[]") != std::string::npos) {
        if (!asks_for(command, mail.uid)) continue;
        text += " BODY[] {" + std::to_string(mail.octets.size()) + "}\r\n" + mail.octets;
      } else if (command.find("BODY.PEEK[HEADER]") != std::string::npos) {
        const std::string header = mail.octets.substr(0, mail.octets.find("\r\n\r\n") + 4);
        text += " BODY[HEADER] {" + std::to_string(header.size()) + "}\r\n" + header;
      } else {
        text += " FLAGS (" + mail.flags +
                ") INTERNALDATE \"05-Jan-2026 10:00:00 +0100\" RFC822.SIZE " +
                std::to_string(mail.octets.size());
      }
      peer.send(text + ")\r\n");
    }
  }

  static bool asks_for(const std::string& command, std::uint32_t uid) {
    std::string set = command.substr(10, command.find(' ', 10) - 10);
    while (!set.empty()) {
      const auto end = std::min(set.find(','), set.size());
      const std::string range = set.substr(0, end);
      const auto first = std::stoul(range);
      const auto colon = range.find(':');
      const auto last = colon == std::string::npos ? first : std::stoul(range.substr(colon + 1));
      if (uid >= first && uid <= last) return true;
      set.erase(0, end + 1);
    }
    return false;
  }
};

// A POP3 maildrop of the same messages: (UIDL, octets).
struct FakePop3 {
  std::vector<std::pair<std::string, std::string>> messages;
  bool has_top = true;
  std::vector<std::string> seen;

  void serve(Peer& peer) {
    peer.send("+OK ready\r\n");
    while (peer.is_open()) {
      const std::string line = peer.line();
      if (!peer.is_open()) return;
      seen.push_back(line);
      if (line == "CAPA") {
        peer.send("+OK\r\nUSER\r\nUIDL\r\nPIPELINING\r\n.\r\n");
      } else if (line == "STAT") {
        peer.send("+OK " + std::to_string(messages.size()) + " 100\r\n");
      } else if (line == "LIST" || line == "UIDL") {
        peer.send("+OK\r\n");
        for (std::size_t i = 0; i < messages.size(); ++i) {
          peer.send(
              std::to_string(i + 1) + " " +
              (line == "LIST" ? std::to_string(messages[i].second.size()) : messages[i].first) +
              "\r\n");
        }
        peer.send(".\r\n");
      } else if (line.starts_with("TOP ")) {
        if (!has_top) {
          peer.send("-ERR what?\r\n");
          continue;
        }
        const std::string& octets = messages.at(std::stoul(line.substr(4)) - 1).second;
        peer.send("+OK\r\n" + octets.substr(0, octets.find("\r\n\r\n") + 4) + ".\r\n");
      } else {
        peer.send("+OK\r\n");
        if (line == "QUIT") return;
      }
    }
  }
};

}  // namespace twinpost::tools::test
