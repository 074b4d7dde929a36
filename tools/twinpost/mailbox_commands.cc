// twinpost mailbox list: reads the store beside the running server, or without one.
#include <fmt/format.h>
#include <memory>
#include <string>
#include <vector>

#include "core/base/ascii.h"
#include "store/store.h"
#include "tools/twinpost/commands.h"
#include "tools/twinpost/store_access.h"

namespace twinpost::tools {

namespace {

Result<void> list_mailboxes(const Context& context, const std::string& account_name) {
  auto server_config = context.server_config();
  if (!server_config) return tl::unexpected(server_config.error());
  auto opened = open_for_reading(**server_config);
  if (!opened) return tl::unexpected(opened.error());
  auto mailboxes = (*opened)->read_now(
      [&](const store::ReadView& view) -> Result<std::vector<store::MailboxInfo>> {
        auto account = view.account(ascii::lower(account_name));
        if (!account) return tl::unexpected(account.error());
        return view.mailboxes(account->id);
      });
  if (!mailboxes) {
    if (mailboxes.error().code != ErrorCode::kNotFound) return tl::unexpected(mailboxes.error());
    return fail(ErrorCode::kNotFound,
                fmt::format("{} has no mailboxes: no mail has come for it and nobody has logged in",
                            account_name));
  }
  fmt::print("{:<40} {:>10} {:>10} {:>14} {:>12} {:>10}\n", "MAILBOX", "MESSAGES", "UNSEEN",
             "OCTETS", "UIDVALIDITY", "UIDNEXT");
  for (const store::MailboxInfo& mailbox : *mailboxes) {
    fmt::print("{:<40} {:>10} {:>10} {:>14} {:>12} {:>10}\n", mailbox.name, mailbox.messages,
               mailbox.unseen, mailbox.bytes, mailbox.uid_validity.value(),
               mailbox.uid_next.value());
  }
  return {};
}

}  // namespace

void add_mailbox_commands(CLI::App& app, Context& context) {
  CLI::App* mailbox = app.add_subcommand("mailbox", "the mailboxes in the store");
  mailbox->require_subcommand(1);
  auto account = std::make_shared<std::string>();
  CLI::App* list = mailbox->add_subcommand("list", "an account's mailboxes");
  list->add_option("ACCOUNT", *account, "the account")->required();
  list->callback([&context, account] {
    if (auto listed = list_mailboxes(context, *account); !listed) {
      context.fail(listed.error().message);
    }
  });
}

}  // namespace twinpost::tools
