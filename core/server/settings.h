// Everything that comes from files, read and checked together, so that it is put in force together or not at all.
//
// load_settings() does file I/O and reads certificates: at start, or on a worker.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "core/base/error.h"
#include "core/config/config.h"
#include "core/net/tls.h"

namespace twinpost::server {

struct Settings {
  config::ServerConfigPtr config;
  config::AccountsConfigPtr accounts;
  net::TlsContextPtr tls;  // null where no certificate is configured
};

// `previous_tls` lends its ticket keys, so that clients can resume over a reload.
[[nodiscard]] Result<Settings> load_settings(const std::string& config_file,
                                             net::TlsContextPtr previous_tls);

// When the files were last changed, to see when they have been changed again. Stamps that differ mean: read anew.
struct FileStamps {
  std::string text;
  friend bool operator==(const FileStamps&, const FileStamps&) = default;
};
[[nodiscard]] FileStamps stamp_files(const config::ServerConfig& config);

}  // namespace twinpost::server
