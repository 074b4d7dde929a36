#include "core/server/settings.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <utility>
#include <vector>

#include "core/auth/auth.h"

namespace twinpost::server {

namespace {

net::TlsSettings tls_settings(const config::Tls& tls) {
  net::TlsSettings settings;
  settings.main = {tls.certificate, tls.key};
  for (const config::Certificate& extra : tls.sni) {
    settings.sni.push_back({extra.certificate, extra.key});
  }
  return settings;
}

}  // namespace

Result<Settings> load_settings(const std::string& config_file, net::TlsContextPtr previous_tls) {
  Settings settings;
  auto config = config::load_server_config(config_file);
  if (!config) return tl::unexpected(config.error());
  settings.config = *config;
  auto accounts = config::load_accounts_config(settings.config->accounts);
  if (!accounts) return tl::unexpected(accounts.error());
  settings.accounts = *accounts;
  if (auto checked = auth::check_accounts(*settings.accounts); !checked) {
    return tl::unexpected(checked.error());
  }
  if (!settings.config->tls.certificate.empty()) {
    auto tls = net::load_tls_context(tls_settings(settings.config->tls), std::move(previous_tls));
    if (!tls) return tl::unexpected(tls.error());
    settings.tls = *tls;
  }
  return settings;
}

FileStamps stamp_files(const config::ServerConfig& config) {
  std::vector<std::string> files = {config.source, config.accounts, config.tls.certificate,
                                    config.tls.key};
  for (const config::Certificate& extra : config.tls.sni) {
    files.push_back(extra.certificate);
    files.push_back(extra.key);
  }
  FileStamps stamps;
  for (const std::string& file : files) {
    struct stat info {};
    if (file.empty() || ::stat(file.c_str(), &info) != 0) {
      stamps.text += "-;";
    } else {
      stamps.text += fmt::format("{}:{}:{}.{};", info.st_ino, info.st_size, info.st_mtim.tv_sec,
                                 info.st_mtim.tv_nsec);
    }
  }
  return stamps;
}

}  // namespace twinpost::server
