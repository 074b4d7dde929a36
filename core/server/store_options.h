// How the configuration's store is opened: by the server, and by the admin tool beside it.
#pragma once

#include "core/base/error.h"
#include "core/config/config.h"
#include "store/store.h"

namespace twinpost::server {

// Reads the key file where one is configured. Blocking.
[[nodiscard]] Result<store::StoreOptions> store_options(const config::ServerConfig& config);

}  // namespace twinpost::server
