#include "lmtp/reply.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/base/ascii.h"

namespace twinpost::lmtp {

std::string to_wire(const Reply& reply) {
  if (reply.status.empty()) return fmt::format("{} {}\r\n", reply.code, reply.text);
  return fmt::format("{} {} {}\r\n", reply.code, reply.status, reply.text);
}

std::string shown(std::string_view address) {
  // A reply line has at most 512 octets (RFC 5321 section 4.5.3.1.5).
  constexpr std::size_t kShown = 256;
  std::string text(address.substr(0, kShown));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return ascii::is_control(c) || ascii::is_8bit(c); },
      '?');
  return fmt::format("<{}{}>", text, address.size() > kShown ? "..." : "");
}

Reply trouble_reply(const Error& error) {
  if (error.code == ErrorCode::kDiskFull)
    return {452, "4.3.1", "Mail system full, try again later"};
  return {451, "4.3.0", "Temporary trouble with the mail store, try again later"};
}

Reply too_large_reply() { return {552, "5.3.4", "Message size exceeds the limit"}; }

}  // namespace twinpost::lmtp
