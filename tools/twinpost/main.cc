// twinpost: the admin tool. See twinpost(1).
#include <CLI/CLI.hpp>
#include <exception>
#include <fmt/format.h>
#include <iostream>
#include <memory>
#include <unistd.h>

#include "core/base/log.h"
#include "tools/twinpost/commands.h"
#include "tools/twinpost/deliver.h"

namespace twinpost::tools {

void add_deliver_command(CLI::App& app, Context& context) {
  auto options = std::make_shared<DeliverOptions>();
  CLI::App* command = app.add_subcommand(
      "deliver", "give the message on standard input to the running server (for an MTA's pipe)");
  command->add_option("-f,--from", options->sender, "the envelope sender; empty for none");
  command->add_option("-s,--socket", options->socket,
                      "the server's LMTP address, in place of the configuration's first");
  command->add_option("-r,--recipient,RECIPIENT", options->recipients, "who it is for");
  command->callback([options, &context] {
    options->config = context.config_file;
    context.exit_code = deliver(*options, STDIN_FILENO, std::cerr);
  });
}

}  // namespace twinpost::tools

int main(int argc, char** argv) {
  CLI::App app{"Twinpost's admin tool"};
  twinpost::tools::Context context;
  app.add_option("-c,--config", context.config_file, "the server's configuration file")
      ->capture_default_str();
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("-V,--version", "twinpost " TWINPOST_VERSION);
  app.add_subcommand("version", "the version of this program")->callback([] {
    fmt::print("twinpost {}\n", TWINPOST_VERSION);
  });
  twinpost::tools::add_account_commands(app, context);
  twinpost::tools::add_config_commands(app, context);
  twinpost::tools::add_mailbox_commands(app, context);
  twinpost::tools::add_quota_commands(app, context);
  twinpost::tools::add_session_commands(app, context);
  twinpost::tools::add_import_commands(app, context);
  twinpost::tools::add_export_commands(app, context);
  twinpost::tools::add_key_commands(app, context);
  twinpost::tools::add_removed_commands(app, context);
  twinpost::tools::add_store_commands(app, context);
  twinpost::tools::add_backup_commands(app, context);
  twinpost::tools::add_check_commands(app, context);
  twinpost::tools::add_salvage_commands(app, context);
  twinpost::tools::add_deliver_command(app, context);
  try {
    CLI11_PARSE(app, argc, argv);
  } catch (const std::exception& e) {
    context.fail(fmt::format("internal error: {}", e.what()));
  }
  return context.exit_code;
}
