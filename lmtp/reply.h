// One reply: the three-digit code, the enhanced status code (RFC 2034) and a line for people. Pure;
// any thread.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"

namespace twinpost::lmtp {

// `status` is empty only where RFC 2034 section 4 has none: the greeting, the answer to LHLO, and
// 3xx.
struct Reply {
  int code = 250;
  std::string_view status;  // "2.1.5", of static storage
  std::string text;         // one line, ASCII (RFC 6531 section 3.7.4.2), no line end

  [[nodiscard]] bool is_success() const { return code < 400; }
  [[nodiscard]] bool is_temporary() const { return code >= 400 && code < 500; }
};

// "250 2.1.0 Sender ok\r\n"
[[nodiscard]] std::string to_wire(const Reply& reply);

// An address as replies may show it: "<ann@example.org>"; control and 8-bit octets become '?', a
// long one is cut.
[[nodiscard]] std::string shown(std::string_view address);

// What a failure of the store, the spool or a worker means to the client: disk full 452 4.3.1,
// everything else 451 4.3.0. Both are temporary: nothing that goes wrong in this server makes a
// sender's mail bounce.
[[nodiscard]] Reply trouble_reply(const Error& error);

// The message is over the configured size.
[[nodiscard]] Reply too_large_reply();

}  // namespace twinpost::lmtp
