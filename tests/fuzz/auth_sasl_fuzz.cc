// What a client sends to log in, the addresses that mail comes for, and stored passwords' forms. The
// first octet says which.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/auth/password.h"
#include "core/auth/recipient.h"
#include "core/auth/sasl.h"

using namespace twinpost;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      if (const auto message = auth::parse_sasl_plain(text)) {
        require(!message->user.empty() && !message->password.empty());
        require(message->authorize_as + std::string(1, '\0') + message->user +
                    std::string(1, '\0') + message->password ==
                text);
      }
      break;
    case 1:
      if (const auto address = auth::split_address(text)) require(!address->local.empty());
      break;
    default:
      // The form only: the hash itself would take all the time.
      if (const auto checked = auth::check_stored_password(text); !checked) {
        require(!checked.error().message.empty());
      }
      break;
  }
  return 0;
}
