#include "core/auth/sasl.h"

#include <algorithm>

#include "core/auth/password.h"
#include "core/base/ascii.h"

namespace twinpost::auth {

namespace {

bool is_name(std::string_view text) {
  return text.size() <= kMaxPassword && ascii::is_utf8(text) &&
         std::none_of(text.begin(), text.end(), ascii::is_control);
}

}  // namespace

Result<PlainMessage> parse_sasl_plain(std::string_view message) {
  const auto broken = [](const char* why) {
    return fail(ErrorCode::kInvalid, std::string("SASL PLAIN: ") + why);
  };
  const std::size_t first = message.find('\0');
  if (first == std::string_view::npos) return broken("no NUL after the authorization identity");
  const std::size_t second = message.find('\0', first + 1);
  if (second == std::string_view::npos) return broken("no NUL after the user");
  const std::string_view authorize_as = message.substr(0, first);
  const std::string_view user = message.substr(first + 1, second - first - 1);
  const std::string_view password = message.substr(second + 1);
  if (!is_name(authorize_as)) return broken("the authorization identity is not valid");
  if (user.empty() || !is_name(user)) return broken("the user is empty or not valid");
  if (password.empty() || password.size() > kMaxPassword) {
    return broken("the password is empty or too long");
  }
  if (password.find_first_of(std::string_view("\0\r\n", 3)) != std::string_view::npos) {
    return broken("the password contains NUL or a line end");
  }
  return PlainMessage{std::string(authorize_as), std::string(user), std::string(password)};
}

}  // namespace twinpost::auth
