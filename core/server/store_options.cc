#include "core/server/store_options.h"

#include <chrono>

namespace twinpost::server {

Result<store::StoreOptions> store_options(const config::ServerConfig& config) {
  store::StoreOptions options;
  options.folder = config.data;
  options.reserve_bytes = config.limits.disk_reserve;
  options.retention = std::chrono::days(config.limits.retention_days);
  options.removed_bytes = config.limits.removed_size;
  options.removed_messages = config.limits.removed_messages;
  options.compression = config.storage.compression;
  if (!config.storage.key_file.empty()) {
    auto keys = store::Keyring::load(config.storage.key_file);
    if (!keys) return fail(keys.error().code, "storage.key_file: " + keys.error().message);
    options.keys = *std::move(keys);
  }
  return options;
}

// The reaper's words (store/reaper.cc); without retention nothing comes back, whatever the clock does.
UnixTime removals_kept_since(const config::Limits& limits) {
  if (limits.retention_days == 0) return UnixTime::max();
  return unix_now() - std::chrono::days(limits.retention_days) + std::chrono::seconds(1);
}

}  // namespace twinpost::server
