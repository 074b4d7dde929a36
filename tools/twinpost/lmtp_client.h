// A blocking LMTP client for one-shot tools. Every wait has a timeout. One thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/net/address.h"

namespace twinpost::tools {

struct LmtpReply {
  int code = 0;
  std::string text;  // of all lines, joined by newlines, without the code

  [[nodiscard]] bool is_success() const { return code >= 200 && code < 300; }
  [[nodiscard]] bool is_permanent() const { return code >= 500; }
  // "5.1.1" where the text begins with an enhanced status code (RFC 2034), else empty.
  [[nodiscard]] std::string_view status() const;
  // True where a line of this answer to LHLO begins with the keyword.
  [[nodiscard]] bool offers(std::string_view keyword) const;
};

class LmtpClient {
 public:
  ~LmtpClient();
  LmtpClient(const LmtpClient&) = delete;
  LmtpClient& operator=(const LmtpClient&) = delete;

  // To a server that listens at `address`; a wildcard there means this machine.
  [[nodiscard]] static Result<std::unique_ptr<LmtpClient>> connect(
      const net::ListenAddress& address, std::chrono::milliseconds timeout);

  [[nodiscard]] Result<void> send(std::string_view octets);
  [[nodiscard]] Result<LmtpReply> read_reply();
  // Sends the line and reads its one reply.
  [[nodiscard]] Result<LmtpReply> command(const std::string& line);
  // Says QUIT and waits for the answer, whatever it is.
  void quit();

 private:
  LmtpClient(int fd, std::chrono::milliseconds timeout) : fd_(fd), timeout_(timeout) {}
  [[nodiscard]] Result<void> wait_for(short events);
  [[nodiscard]] Result<std::string> read_line();

  int fd_;
  std::chrono::milliseconds timeout_;
  std::string input_;
};

}  // namespace twinpost::tools
