#include "tools/twinpost/store_access.h"

#include <cerrno>
#include <fmt/format.h>
#include <string>
#include <sys/stat.h>
#include <utility>

#include "core/base/inline_executor.h"
#include "core/net/address.h"
#include "core/server/store_options.h"
#include "tools/twinpost/admin_client.h"
#include "tools/twinpost/as_owner.h"

namespace twinpost::tools {

namespace {

// A store for writing with the executor that it needs.
class OpenedStore {
 public:
  [[nodiscard]] Result<void> open(const config::ServerConfig& config) {
    auto options = server::store_options(config);
    if (!options) return tl::unexpected(options.error());
    const AsOwner as_owner(config.data);
    auto opened = store::Store::open(*std::move(options), executor_);
    if (!opened) return fail(opened.error().code, "data: " + opened.error().message);
    store_ = *std::move(opened);
    return {};
  }
  // What the store posted to its loop, of which there is none here.
  void run_posted() { executor_.run_until_idle(); }
  [[nodiscard]] store::Store& store() { return *store_; }
  void close() { store_.reset(); }

 private:
  InlineExecutor executor_;
  std::unique_ptr<store::Store> store_;
};

// Runs operations on a store that this process has open.
Result<Json> run_here(store::Store& store, const config::ServerConfigPtr& config,
                      const config::AccountsConfigPtr& accounts, Json request,
                      std::string_view payload, const store::Progress& progress) {
  std::shared_ptr<store::Spool> spool;
  if (!payload.empty()) {
    if (payload.size() > server::kAdminPayload) {
      return fail(ErrorCode::kTooLarge,
                  fmt::format("a payload of {} octets is too large", payload.size()));
    }
    request["octets"] = payload.size();
    spool = std::make_shared<store::Spool>(store.spool_folder(), 0);
    if (auto kept = spool->append(payload); !kept) return tl::unexpected(kept.error());
    if (auto kept = spool->finish(); !kept) return tl::unexpected(kept.error());
  }
  const auto find = [](const Json& answer, const char* name) {
    return answer.value(name, std::string());
  };
  const std::string name = find(request, "do");
  const server::AdminOperation operation = server::find_admin_operation(name);
  if (operation == nullptr) {
    return fail(ErrorCode::kUnsupported, fmt::format("no operation \"{}\"", name));
  }
  server::AdminJob job{store, config, accounts, std::move(request), std::move(spool), progress};
  Json answer = server::run_admin_operation(job);
  if (answer.value("ok", false)) {
    answer.erase("ok");
    return answer;
  }
  return fail(server::error_code_of(find(answer, "code")), find(answer, "error"));
}

class LocalAccess final : public StoreAccess {
 public:
  LocalAccess(store::Store& store, config::ServerConfigPtr config,
              config::AccountsConfigPtr accounts)
      : store_(store), config_(std::move(config)), accounts_(std::move(accounts)) {}

  Result<Json> call(Json request, std::string_view payload,
                    const store::Progress& progress) override {
    return run_here(store_, config_, accounts_, std::move(request), payload, progress);
  }
  bool is_online() const override { return false; }

 private:
  store::Store& store_;
  config::ServerConfigPtr config_;
  config::AccountsConfigPtr accounts_;
};

class OfflineAccess final : public StoreAccess {
 public:
  [[nodiscard]] Result<void> open(const config::ServerConfigPtr& config) {
    config_ = config;
    auto accounts = config::load_accounts_config(config->accounts);
    if (!accounts) return tl::unexpected(accounts.error());
    accounts_ = *accounts;
    return opened_.open(*config);
  }
  ~OfflineAccess() override {
    const AsOwner as_owner(config_->data);
    opened_.close();
  }

  Result<Json> call(Json request, std::string_view payload,
                    const store::Progress& progress) override {
    const AsOwner as_owner(config_->data);
    auto answer =
        run_here(opened_.store(), config_, accounts_, std::move(request), payload, progress);
    opened_.run_posted();
    return answer;
  }
  bool is_online() const override { return false; }

 private:
  config::ServerConfigPtr config_;
  config::AccountsConfigPtr accounts_;
  OpenedStore opened_;
};

// Says what to do about a server that has the store and can't be asked.
Error unreachable(const config::ServerConfig& config, const std::string& socket) {
  if (socket.empty()) {
    return {
        ErrorCode::kInUse,
        fmt::format("a running server has {} open and listens on no admin socket: add "
                    "\"admin\": [\"unix:/run/twinpost/admin.sock\"] to listen in {} (it is read "
                    "again by itself), or stop the server",
                    config.data, config.source)};
  }
  return {ErrorCode::kInUse,
          fmt::format("another process has {} open, and no server answers at {}: wait for it to "
                      "end, or stop the server",
                      config.data, socket)};
}

}  // namespace

Result<void> check_store_is_there(const config::ServerConfig& config) {
  const std::string file = config.data + "/data.mdb";
  struct stat status {};
  const bool missing = ::stat(file.c_str(), &status) != 0 && (errno == ENOENT || errno == ENOTDIR);
  if (!missing) return {};  // what else may be wrong with it is told by who opens it
  return fail(ErrorCode::kNotFound,
              fmt::format("there is no store in {} (data, in {}): the server makes one when it "
                          "starts, and so does an import or a restore",
                          config.data, config.source));
}

Result<std::unique_ptr<StoreAccess>> StoreAccess::open(const config::ServerConfigPtr& config,
                                                       NoStore no_store) {
  std::string socket;
  if (!config->listen.admin.empty()) {
    const auto address = net::parse_listen_address(config->listen.admin.front());
    if (!address) return fail(ErrorCode::kInvalid, "listen.admin: " + address.error().message);
    if (address->kind != net::ListenAddress::Kind::kUnix) {
      return fail(ErrorCode::kInvalid, "listen.admin: must be a Unix socket");
    }
    socket = address->path;
    auto server = connect_to_server(socket);
    if (!server || *server != nullptr) return server;
  }
  if (no_store == NoStore::kRefuse) {
    if (auto there = check_store_is_there(*config); !there) return tl::unexpected(there.error());
  }
  auto offline = std::make_unique<OfflineAccess>();
  if (auto opened = offline->open(config); !opened) {
    if (opened.error().code != ErrorCode::kInUse) return tl::unexpected(opened.error());
    return tl::unexpected(unreachable(*config, socket));
  }
  return std::unique_ptr<StoreAccess>(std::move(offline));
}

std::unique_ptr<StoreAccess> make_local_access(store::Store& store, config::ServerConfigPtr config,
                                               config::AccountsConfigPtr accounts) {
  return std::make_unique<LocalAccess>(store, std::move(config), std::move(accounts));
}

Result<std::unique_ptr<store::Store>> open_for_reading(const config::ServerConfig& config) {
  // A store refers to its executor; all that one for reading does with it is to run what it is
  // given.
  static InlineExecutor executor;
  if (auto there = check_store_is_there(config); !there) return tl::unexpected(there.error());
  auto options = server::store_options(config);
  if (!options) return tl::unexpected(options.error());
  options->read_only = true;
  const AsOwner as_owner(config.data);
  auto opened = store::Store::open(*std::move(options), executor);
  if (!opened) return fail(opened.error().code, "data: " + opened.error().message);
  return opened;
}

}  // namespace twinpost::tools
