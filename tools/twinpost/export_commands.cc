// twinpost export: an account's mail as a Maildir or as mboxes, read beside a running server.
#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/ascii.h"
#include "store/names.h"
#include "tools/twinpost/command_line.h"
#include "tools/twinpost/commands.h"
#include "tools/twinpost/progress_bar.h"
#include "tools/twinpost/store_access.h"
#include "tools/twinpost/transfer/maildir.h"
#include "tools/twinpost/transfer/mbox.h"
#include "tools/twinpost/transfer/store_ends.h"
#include "tools/twinpost/transfer/transfer.h"

namespace twinpost::tools {

namespace {

struct ExportArguments {
  std::string account;
  std::string maildir;
  std::string mbox;
  std::vector<std::string> mailboxes;
  bool quiet = false;
};

// The mailboxes that were named, all of which must be there.
Result<std::set<std::string>> chosen_mailboxes(MailSource& source,
                                               const std::vector<std::string>& names) {
  auto folders = source.folders();
  if (!folders) return tl::unexpected(folders.error());
  std::set<std::string> chosen;
  for (const std::string& name : names) {
    const std::string wanted = store::canonical_name(name);
    const bool is_there =
        std::any_of(folders->begin(), folders->end(),
                    [&](const MailFolder& folder) { return folder.name == wanted; });
    if (!is_there) return fail(ErrorCode::kNotFound, fmt::format("no mailbox {}", name));
    chosen.insert(wanted);
  }
  return chosen;
}

Result<int> run_export(const Context& context, const ExportArguments& arguments) {
  auto config = context.server_config();
  if (!config) return tl::unexpected(config.error());
  auto store = open_for_reading(**config);
  if (!store) return tl::unexpected(store.error());
  auto source = make_store_source(**store, arguments.account);
  if (!source) return tl::unexpected(source.error());
  auto chosen = chosen_mailboxes(**source, arguments.mailboxes);
  if (!chosen) return tl::unexpected(chosen.error());
  auto sink = arguments.maildir.empty() ? make_mbox(arguments.mbox)
                                        : make_maildir(arguments.maildir, MaildirOptions());
  if (!sink) return tl::unexpected(sink.error());
  TransferOptions options;
  if (!chosen->empty()) {
    options.wants_folder = [&chosen](const MailFolder& folder) {
      return chosen->contains(folder.name);
    };
  }
  std::optional<ProgressBar> bar(std::in_place, arguments.quiet);
  auto report = transfer(**source, **sink, options, *bar);
  bar.reset();
  if (!report) return tl::unexpected(report.error());
  return print_report(*report, (*sink)->description());
}

}  // namespace

void add_export_commands(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<ExportArguments>();
  CLI::App* command = app.add_subcommand(
      "export", "write an account's mail to a Maildir or to mboxes; the server may be running");
  command->add_option("ACCOUNT", arguments->account, "the account")->required();
  auto* maildir = command->add_option("--maildir", arguments->maildir,
                                      "the Maildir to make, or to bring up to date");
  auto* mbox = command->add_option("--mbox", arguments->mbox, "the folder for a file a mailbox");
  maildir->excludes(mbox);
  repeatable(
      command->add_option("--mailbox", arguments->mailboxes, "only this one; as often as needed"));
  command->add_flag("--quiet,-q", arguments->quiet, "no progress");
  command->callback([&context, arguments] {
    if (arguments->maildir.empty() && arguments->mbox.empty()) {
      context.fail("export: give --maildir DIR or --mbox DIR");
      context.exit_code = 2;
      return;
    }
    auto done = run_export(context, *arguments);
    if (!done) return context.fail(done.error().message);
    context.exit_code = *done;
  });
}

}  // namespace twinpost::tools
