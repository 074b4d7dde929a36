#include "tools/twinpost/commands.h"

#include <fmt/format.h>

namespace twinpost::tools {

void Context::fail(std::string_view message) {
  fmt::print(stderr, "twinpost: {}\n", message);
  exit_code = 1;
}

Result<config::ServerConfigPtr> Context::server_config() const {
  return config::load_server_config(config_file);
}

}  // namespace twinpost::tools
