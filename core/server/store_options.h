// How the configuration's store is opened: by the server, and by the admin tool beside it.
#pragma once

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/config/config.h"
#include "store/store.h"

namespace twinpost::server {

// Reads the key file where one is configured. Blocking.
[[nodiscard]] Result<store::StoreOptions> store_options(const config::ServerConfig& config);

// Removals from before this can't come back, though sessions may still read them: their retention is
// over.
[[nodiscard]] UnixTime removals_kept_since(const config::Limits& limits);

}  // namespace twinpost::server
