// What POP3 sends: status lines with their response codes, and the pieces of a multi-line response.
//
// Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace twinpost::pop3 {

// RFC 2449 section 8, RFC 3206.
//
//   [AUTH]      wrong user or password: the client should ask the user again
//   [IN-USE]    the password was right, but another POP3 session has the maildrop
//   [LOGIN-DELAY]  the password was right, but the account has logged in a moment ago
//   [SYS/TEMP]  trouble that may go away by itself: try again later
//   [SYS/PERM]  trouble that stays until somebody does something: tell the user, don't ask for the
//   password.
//               A password in the clear that policy forbids is one of these: [AUTH] would make
//               clients ask for the password anew and send it in the clear once more.
enum class ResponseCode : std::uint8_t { kNone, kAuth, kInUse, kLoginDelay, kSysTemp, kSysPerm };

[[nodiscard]] std::string ok_line(std::string_view text);
[[nodiscard]] std::string error_line(ResponseCode code, std::string_view text);

// What a failure of the store is to a client: [SYS/PERM] where only an administrator can help.
[[nodiscard]] ResponseCode response_code_for(const Error& error);

// "1 message", "2 messages"
[[nodiscard]] std::string messages(std::uint64_t count);

// Dot-stuffing (RFC 1939 section 3) of a message that comes piece by piece.
class DotStuffer {
 public:
  // Appends `piece` to `out`, with a dot before each line that begins with one.
  void append(std::string_view piece, std::string& out);
  // Appends the terminating line, after a CRLF where the last line lacks its own.
  void finish(std::string& out);

 private:
  bool at_line_start_ = true;
  bool ended_by_crlf_ = true;  // an empty message needs no line end of its own
  bool last_was_cr_ = false;
};

// Finds the end of TOP's answer (RFC 1939 section 7) in a message that comes piece by piece: the
// header, the blank line, and `lines` lines of the body. A message without a blank line is all
// header.
class TopCutter {
 public:
  explicit TopCutter(std::uint64_t lines) : lines_left_(lines) {}
  // How many octets of `piece` belong to the answer; once that is less than all, or done(), the
  // rest does not.
  std::size_t take(std::string_view piece);
  [[nodiscard]] bool done() const { return done_; }

 private:
  std::uint64_t lines_left_;
  bool in_header_ = true;
  bool line_is_empty_ = true;  // nothing, or nothing but one CR, since the last line end
  bool line_has_octets_ = false;
  bool done_ = false;
};

}  // namespace twinpost::pop3
