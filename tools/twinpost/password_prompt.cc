#include "tools/twinpost/password_prompt.h"

#include <fmt/format.h>
#include <iostream>
#include <termios.h>
#include <unistd.h>

#include "core/base/encoding.h"

namespace twinpost::tools {

namespace {

// Turns the terminal's echo off as long as it lives.
class EchoOff {
 public:
  EchoOff() {
    changed_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
    if (!changed_) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~EchoOff() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

std::string read_line() {
  std::string line;
  std::getline(std::cin, line);
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return line;
}

std::string ask(std::string_view prompt) {
  fmt::print(stderr, "{}: ", prompt);
  std::string line = read_line();
  fmt::print(stderr, "\n");
  return line;
}

Result<std::string> checked(std::string password) {
  if (password.empty()) return fail(ErrorCode::kInvalid, "an empty password is not taken");
  if (password.find('\0') != std::string::npos) {
    wipe(password);
    return fail(ErrorCode::kInvalid, "a password can't have a NUL in it");
  }
  return password;
}

}  // namespace

Result<std::string> ask_new_password() {
  std::string password;
  if (::isatty(STDIN_FILENO) != 0) {
    const EchoOff silence;
    password = ask("New password");
    std::string again = ask("The same again");
    const bool same = password == again;
    wipe(again);
    if (!same) {
      wipe(password);
      return fail(ErrorCode::kInvalid, "the two passwords differ; nothing was changed");
    }
  } else {
    password = read_line();
  }
  return checked(std::move(password));
}

Result<std::string> ask_password(std::string_view prompt) {
  if (::isatty(STDIN_FILENO) == 0) return checked(read_line());
  const EchoOff silence;
  return checked(ask(prompt));
}

}  // namespace twinpost::tools
