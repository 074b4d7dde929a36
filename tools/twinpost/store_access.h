// The store as the admin tool reaches it: changes by way of the running server, or, where no server
// has the store open, by the tool itself; reading beside either.
//
// Blocking; one thread.
#pragma once

#include <memory>
#include <string_view>

#include "core/config/config.h"
#include "core/server/admin.h"
#include "store/store.h"

namespace twinpost::tools {

using Json = nlohmann::json;

// What becomes of a data folder in which there is no store.
enum class NoStore { kRefuse, kMake };

class StoreAccess {
 public:
  virtual ~StoreAccess() = default;

  // Connects to the first of listen.admin; where nobody listens there, opens the store for writing.
  // Where a server has the store but can't be reached, kInUse says so and names the socket.
  // kNotFound where there is no store and none is to be made.
  [[nodiscard]] static Result<std::unique_ptr<StoreAccess>> open(
      const config::ServerConfigPtr& config, NoStore no_store = NoStore::kRefuse);

  // Runs one operation (core/server/commands/commands.h): `request` without "octets", which is
  // `payload`'s size. Gives the answer without "ok", or the operation's error. `progress` may be
  // empty. kClosed where the server went away.
  [[nodiscard]] virtual Result<Json> call(Json request, std::string_view payload = {},
                                          const store::Progress& progress = {}) = 0;
  [[nodiscard]] virtual bool is_online() const = 0;  // a server does it
};

// By the process that has `store` open, which outlives this: `salvage` into a new store, and tests.
// The configuration says the limits of deposits.
[[nodiscard]] std::unique_ptr<StoreAccess> make_local_access(store::Store& store,
                                                             config::ServerConfigPtr config,
                                                             config::AccountsConfigPtr accounts);

// kNotFound, in words for the admin, where the data folder has no store.
[[nodiscard]] Result<void> check_store_is_there(const config::ServerConfig& config);

// For reading, whether a server has it open or not; with the configured keys.
[[nodiscard]] Result<std::unique_ptr<store::Store>> open_for_reading(
    const config::ServerConfig& config);

}  // namespace twinpost::tools
