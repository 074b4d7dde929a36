// twinpost account add|list|show|disable|enable|passwd|protocol: edits accounts.json, which a running server
// reads again by itself.
#include <fmt/format.h>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/auth/password.h"
#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "core/config/accounts_file.h"
#include "tools/twinpost/commands.h"
#include "tools/twinpost/password_prompt.h"

namespace twinpost::tools {

namespace {

struct AccountArguments {
  std::string name;
  std::string scheme{auth::password_schemes().front()};
  std::string protocol;
  std::string on_off;
};

Result<std::string> accounts_file(const Context& context) {
  auto config = context.server_config();
  if (!config) return tl::unexpected(config.error());
  return (*config)->accounts;
}

Result<config::AccountsConfigPtr> load_accounts(const Context& context) {
  auto file = accounts_file(context);
  if (!file) return tl::unexpected(file.error());
  return config::load_accounts_config(*file);
}

Result<std::string> new_stored_password(const AccountArguments& arguments) {
  auto password = ask_new_password();
  if (!password) return tl::unexpected(password.error());
  auto stored = auth::hash_password(arguments.scheme, *password);
  wipe(*password);
  return stored;
}

std::string protocols_of(const config::Account& account) {
  std::string text = account.imap.enabled ? "imap" : "";
  if (account.pop3.enabled) text += text.empty() ? "pop3" : ",pop3";
  return text.empty() ? "-" : text;
}

std::string action_name(config::Pop3Action action) {
  switch (action) {
    case config::Pop3Action::kNothing: return "nothing";
    case config::Pop3Action::kHide: return "hide";
    case config::Pop3Action::kRemove: return "remove";
    case config::Pop3Action::kArchive: return "archive";
    case config::Pop3Action::kTrash: return "trash";
  }
  return "";
}

std::string quota_of(const config::Account& account) {
  return account.quota == 0 ? "-" : fmt::format("{} MiB", account.quota / (1024 * 1024));
}

// The scheme only: a hash on a screen is a hash in a photograph.
std::string scheme_of(const config::Account& account) {
  return account.password.substr(0, account.password.find('}') + 1);
}

Result<void> list(const Context& context) {
  auto accounts = load_accounts(context);
  if (!accounts) return tl::unexpected(accounts.error());
  fmt::print("{:<40} {:<9} {:<10} {:>12} {}\n", "ACCOUNT", "STATE", "PROTOCOLS", "QUOTA",
             "ALIASES");
  for (const auto& [name, account] : (*accounts)->accounts) {
    fmt::print("{:<40} {:<9} {:<10} {:>12} {}\n", name, account.enabled ? "enabled" : "disabled",
               protocols_of(account), quota_of(account), fmt::join(account.aliases, ","));
  }
  return {};
}

Result<void> show(const Context& context, const std::string& name) {
  auto accounts = load_accounts(context);
  if (!accounts) return tl::unexpected(accounts.error());
  const auto found = (*accounts)->accounts.find(ascii::lower(name));
  if (found == (*accounts)->accounts.end()) {
    return fail(ErrorCode::kNotFound, fmt::format("no account {}", name));
  }
  const config::Account& account = found->second;
  fmt::print("account         {}\n", account.name);
  fmt::print("state           {}\n", account.enabled ? "enabled" : "disabled");
  fmt::print("password        {}\n", scheme_of(account));
  fmt::print("aliases         {}\n",
             account.aliases.empty() ? "-" : fmt::format("{}", fmt::join(account.aliases, ", ")));
  fmt::print("quota           {}\n", quota_of(account));
  fmt::print("quota messages  {}\n",
             account.quota_messages == 0 ? "-" : std::to_string(account.quota_messages));
  fmt::print("imap            {}\n", account.imap.enabled ? "on" : "off");
  fmt::print("pop3            {}\n", account.pop3.enabled ? "on" : "off");
  fmt::print("  after retrieve  {}\n", action_name(account.pop3.after_retrieve));
  fmt::print("  on delete       {}\n", action_name(account.pop3.on_delete));
  fmt::print("  sessions        {}\n", account.pop3.many_sessions ? "many" : "one");
  return {};
}

}  // namespace

void add_account_commands(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<AccountArguments>();
  CLI::App* account = app.add_subcommand("account", "the people in accounts.json");
  account->require_subcommand(1);

  // Adds a command that changes or shows something and says `done` when it could.
  const auto add = [&](const std::string& name, const std::string& help, bool takes_name,
                       const std::function<Result<std::string>()>& run) {
    CLI::App* command = account->add_subcommand(name, help);
    if (takes_name) command->add_option("NAME", arguments->name, "the account")->required();
    command->callback([&context, run] {
      auto done = run();
      if (!done) return context.fail(done.error().message);
      if (!done->empty()) fmt::print("{}\n", *done);
    });
    return command;
  };
  // A change of the accounts file, by name.
  using Change = std::function<Result<void>(const std::string& file)>;
  const auto change = [&context](const Change& apply,
                                 const std::string& done) -> Result<std::string> {
    auto file = accounts_file(context);
    if (!file) return tl::unexpected(file.error());
    if (auto changed = apply(*file); !changed) return tl::unexpected(changed.error());
    return done;
  };

  const auto scheme_option = [arguments](CLI::App* command) {
    command->add_option("--scheme", arguments->scheme, "how the password is kept")
        ->capture_default_str();
  };
  scheme_option(add("add", "add an account; the password comes from the terminal or standard input",
                    true, [arguments, change]() -> Result<std::string> {
                      auto stored = new_stored_password(*arguments);
                      if (!stored) return tl::unexpected(stored.error());
                      return change(
                          [&](const std::string& file) {
                            return config::add_account(file, arguments->name, *stored);
                          },
                          fmt::format("{} added", arguments->name));
                    }));
  scheme_option(
      add("passwd", "change a password", true, [arguments, change]() -> Result<std::string> {
        auto stored = new_stored_password(*arguments);
        if (!stored) return tl::unexpected(stored.error());
        return change(
            [&](const std::string& file) {
              return config::set_password(file, arguments->name, *stored);
            },
            fmt::format("password of {} changed", arguments->name));
      }));
  for (const bool enabled : {false, true}) {
    const std::string verb = enabled ? "enable" : "disable";
    add(verb, enabled ? "let it log in again" : "no logins any more; mail is still taken in", true,
        [arguments, change, enabled, verb] {
          return change(
              [&](const std::string& file) {
                return config::set_enabled(file, arguments->name, enabled);
              },
              fmt::format("{} {}d", arguments->name, verb));
        });
  }
  CLI::App* protocol =
      add("protocol", "switch a protocol on or off for an account", true, [arguments, change] {
        const auto which = arguments->protocol == "pop3" ? config::AccountProtocol::kPop3
                                                         : config::AccountProtocol::kImap;
        return change(
            [&](const std::string& file) {
              return config::set_protocol(file, arguments->name, which, arguments->on_off == "on");
            },
            fmt::format("{} is {} for {}", arguments->protocol, arguments->on_off,
                        arguments->name));
      });
  protocol->add_option("PROTOCOL", arguments->protocol)
      ->required()
      ->check(CLI::IsMember({"pop3", "imap"}));
  protocol->add_option("SWITCH", arguments->on_off)
      ->required()
      ->check(CLI::IsMember({"on", "off"}));

  add("list", "every account", false, [&context]() -> Result<std::string> {
    if (auto shown = list(context); !shown) return tl::unexpected(shown.error());
    return std::string();
  });
  add("show", "one account", true, [&context, arguments]() -> Result<std::string> {
    if (auto shown = show(context, arguments->name); !shown) return tl::unexpected(shown.error());
    return std::string();
  });
}

}  // namespace twinpost::tools
