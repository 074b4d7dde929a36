// A blocking client of the admin socket (core/server/admin.h). Every wait is bounded. One thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tools/twinpost/store_access.h"

namespace twinpost::tools {

// nullptr where nobody listens at `path`: no such file, or one that a dead server left.
[[nodiscard]] Result<std::unique_ptr<StoreAccess>> connect_to_server(const std::string& path);

}  // namespace twinpost::tools
