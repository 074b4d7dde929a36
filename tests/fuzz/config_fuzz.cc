// Both configuration files, the account names and addresses in them, and the way back from
// show_server_config().
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/config/config.h"

using namespace twinpost;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void require_one_line(const Error& error) {
  require(!error.message.empty() && error.message.find('\n') == std::string::npos);
}

void server_file(std::string_view text) {
  const auto config = config::parse_server_config(text, "fuzz.json");
  if (!config) return require_one_line(config.error());
  const std::string shown = config::show_server_config(**config);
  const auto again = config::parse_server_config(shown, "/fuzz.json");
  require(again.has_value());
}

void accounts_file(std::string_view text) {
  const auto config = config::parse_accounts_config(text, "fuzz.json");
  if (!config) return require_one_line(config.error());
  for (const auto& [name, account] : (*config)->accounts) {
    require(name == account.name && !account.password.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    server_file(text);
  } else {
    accounts_file(text);
  }
  return 0;
}
