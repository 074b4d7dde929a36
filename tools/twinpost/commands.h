// The admin tool's commands, one function a family that adds them to the command line.
//
// A command that ran sets `exit_code`; failures are one line on standard error, "twinpost: ...". Exit codes: 0 done,
// 1 failed, 2 and above 100 wrong usage (CLI11), sysexits for `deliver`.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/config/config.h"

namespace twinpost::tools {

struct Context {
  std::string config_file = "/etc/twinpost/twinpost.json";
  int exit_code = 0;

  void fail(std::string_view message);
  [[nodiscard]] Result<config::ServerConfigPtr> server_config() const;
};

void add_account_commands(CLI::App& app, Context& context);
void add_config_commands(CLI::App& app, Context& context);
void add_mailbox_commands(CLI::App& app, Context& context);
void add_quota_commands(CLI::App& app, Context& context);
void add_import_commands(CLI::App& app, Context& context);
void add_export_commands(CLI::App& app, Context& context);
void add_key_commands(CLI::App& app, Context& context);
void add_removed_commands(CLI::App& app, Context& context);
void add_session_commands(CLI::App& app, Context& context);
void add_store_commands(CLI::App& app, Context& context);
void add_backup_commands(CLI::App& app, Context& context);
void add_check_commands(CLI::App& app, Context& context);
void add_salvage_commands(CLI::App& app, Context& context);
void add_deliver_command(CLI::App& app, Context& context);

}  // namespace twinpost::tools
