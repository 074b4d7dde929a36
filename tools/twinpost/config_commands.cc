// twinpost config check|show: what the server would make of its files.
#include <fmt/format.h>

#include "core/server/endpoints.h"
#include "core/server/settings.h"
#include "core/server/store_options.h"
#include "tools/twinpost/as_owner.h"
#include "tools/twinpost/commands.h"

namespace twinpost::tools {

void add_config_commands(CLI::App& app, Context& context) {
  CLI::App* config = app.add_subcommand("config", "the server's configuration");
  config->require_subcommand(1);

  config->add_subcommand("check", "read every file as the server would and say what is wrong")
      ->callback([&context] {
        auto settings = server::load_settings(context.config_file, nullptr);
        if (!settings) return context.fail(settings.error().message);
        auto endpoints = server::configured_endpoints(*settings->config);
        if (!endpoints) return context.fail(endpoints.error().message);
        {
          // The server reads the keys as the user it has become by then.
          const AsOwner as_owner(settings->config->data);
          auto storage = server::store_options(*settings->config);
          if (!storage) return context.fail(storage.error().message);
        }
        fmt::print("{}: good ({} accounts, {} listeners, {})\n", context.config_file,
                   settings->accounts->accounts.size(), endpoints->size(),
                   settings->tls ? "TLS" : "no TLS");
      });

  config->add_subcommand("show", "the effective configuration, with every default")
      ->callback([&context] {
        auto server_config = context.server_config();
        if (!server_config) return context.fail(server_config.error().message);
        fmt::print("{}\n", config::show_server_config(**server_config));
      });
}

}  // namespace twinpost::tools
