// The `config` and `option` lines of transcripts: settings by the names that the configuration
// files use.
#pragma once

#include <string>
#include <string_view>

#include "core/config/config.h"

namespace twinpost::testing {

// "plaintext_login never", "idle_time_pop3 300ms", "command_line 255". False where there is no such
// key or value.
bool set_config(config::ServerConfig& server, std::string_view key, std::string_view value);

// "on_delete hide", "sessions many", "pop3 off", "enabled no", "password x", "alias a@b", "show from_now_on". The same.
bool set_option(config::Account& account, std::string_view key, std::string_view value);

}  // namespace twinpost::testing
