// twinpost import: mail from a Maildir, an mbox or a running IMAP server into an account.
#include <fmt/format.h>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "imap/mailbox_name.h"
#include "store/names.h"
#include "tools/twinpost/commands.h"
#include "tools/twinpost/progress_bar.h"
#include "tools/twinpost/store_access.h"
#include "tools/twinpost/transfer/imap_source.h"
#include "tools/twinpost/transfer/maildir.h"
#include "tools/twinpost/transfer/mbox.h"
#include "tools/twinpost/transfer/store_ends.h"
#include "tools/twinpost/transfer/transfer.h"

namespace twinpost::tools {

namespace {

struct ImportArguments {
  std::string account;
  std::string maildir;
  std::string layout = "maildir++";
  std::string mbox;
  ImapCommandLine imap;
  std::string to = std::string(store::kInbox);
  std::string below;
  std::string uidl_format = "auto";
  bool uidl_all = false;
  bool no_unescape = false;
  bool no_identity = false;
  bool ignore_quota = false;
  bool quiet = false;
  bool dry_run = false;
  bool json = false;
};

// What an import would bring: reads everything, changes nothing.
class DrySink final : public MailSink {
 public:
  DrySink(StoreAccess& access, std::string account)
      : access_(access), account_(std::move(account)) {}
  [[nodiscard]] std::string description() const override { return "account " + account_; }
  [[nodiscard]] Result<void> begin(const std::vector<MailFolder>&) override { return {}; }
  [[nodiscard]] Result<std::vector<bool>> wants(const MailFolder&,
                                                std::span<const MailItem> items) override {
    std::vector<bool> wanted(items.size(), true);
    Json keys = Json::array();
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (!items[i].key) continue;
      const std::string_view octets(reinterpret_cast<const char*>(items[i].key->data()),
                                    items[i].key->size());
      keys.push_back(hex_encode(octets));
      places.push_back(i);
    }
    if (places.empty()) return wanted;
    auto answer = access_.call({{"do", "known"}, {"account", account_}, {"keys", std::move(keys)}});
    if (!answer) {
      // Nothing has come for it yet.
      if (answer.error().code == ErrorCode::kNotFound) return wanted;
      return tl::unexpected(answer.error());
    }
    for (std::size_t i = 0; i < places.size(); ++i) {
      wanted[places[i]] = !answer->at("known").at(i).get<bool>();
    }
    return wanted;
  }
  [[nodiscard]] Result<void> put(const MailFolder&, const MailItem&, std::string) override {
    ++stored_;
    return {};
  }
  [[nodiscard]] Result<void> finish_folder(const MailFolder&) override { return {}; }
  [[nodiscard]] Result<void> finish() override { return {}; }
  [[nodiscard]] std::uint64_t stored() const override { return stored_; }

 private:
  StoreAccess& access_;
  std::string account_;
  std::uint64_t stored_ = 0;
};

Result<std::unique_ptr<MailSource>> open_source(const ImportArguments& arguments,
                                                const config::ServerConfig& config) {
  auto uidl_format = UidlFormat::parse(arguments.uidl_format);
  if (!uidl_format) return tl::unexpected(uidl_format.error());
  if (!arguments.maildir.empty()) {
    MaildirOptions options;
    options.layout =
        arguments.layout == "fs" ? MaildirLayout::kFs : MaildirLayout::kMaildirPlusPlus;
    options.uidl_format = *std::move(uidl_format);
    options.uidl_all = arguments.uidl_all;
    options.message_limit = config.limits.message_size;
    return open_maildir(arguments.maildir, std::move(options));
  }
  if (!arguments.mbox.empty()) {
    MboxOptions options;
    options.mailbox = arguments.to;
    options.unescape = !arguments.no_unescape;
    options.uidl_format = *std::move(uidl_format);
    options.uidl_all = arguments.uidl_all;
    options.message_limit = config.limits.message_size;
    return open_mbox(arguments.mbox, std::move(options));
  }
  auto options = finish_imap_options(arguments.imap);
  if (!options) return tl::unexpected(options.error());
  if (config.limits.message_size > 0) {
    options->largest_message = std::min(options->largest_message, config.limits.message_size);
  }
  return open_imap_source(*options);
}

Result<void> check_account(const std::string& name, const config::ServerConfig& config) {
  auto accounts = config::load_accounts_config(config.accounts);
  if (!accounts) return tl::unexpected(accounts.error());
  if ((*accounts)->accounts.contains(name)) return {};
  return fail(ErrorCode::kNotFound,
              fmt::format("{} is not in {}: add it first (twinpost account add {})", name,
                          config.accounts, name));
}

std::function<bool(const MailFolder&)> folder_filter(const std::vector<std::string>& patterns) {
  if (patterns.empty()) return {};
  std::vector<imap::ListPattern> made;
  for (const std::string& pattern : patterns) made.emplace_back(store::canonical_name(pattern));
  return [made = std::move(made)](const MailFolder& folder) {
    for (const imap::ListPattern& pattern : made) {
      if (pattern.matches(folder.name)) return true;
    }
    return false;
  };
}

int print_json(const TransferReport& report) {
  Json failures = Json::array();
  for (const TransferReport::Failure& failure : report.failures) {
    failures.push_back(
        {{"mailbox", failure.folder}, {"message", failure.message}, {"reason", failure.reason}});
  }
  const Json json{{"mailboxes", report.folders}, {"messages", report.messages},
                  {"stored", report.stored},     {"known", report.already_there},
                  {"octets", report.octets},     {"failed", report.failed},
                  {"failures", failures},        {"notes", report.notes}};
  fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
  return report.failed == 0 ? 0 : 1;
}

Result<int> run_import(const Context& context, const ImportArguments& arguments) {
  auto config = context.server_config();
  if (!config) return tl::unexpected(config.error());
  const std::string account = ascii::lower(arguments.account);
  if (auto listed = check_account(account, **config); !listed) {
    return tl::unexpected(listed.error());
  }
  auto source = open_source(arguments, **config);
  if (!source) return tl::unexpected(source.error());
  auto access = StoreAccess::open(*config, arguments.dry_run ? NoStore::kRefuse : NoStore::kMake);
  if (!access) return tl::unexpected(access.error());
  StoreSinkOptions sink_options;
  sink_options.ignore_quota = arguments.ignore_quota;
  sink_options.below = store::canonical_name(arguments.below);
  sink_options.keep_identity = !arguments.no_identity;
  auto sink = make_store_sink(**access, account, std::move(sink_options));
  if (arguments.dry_run) sink = std::make_unique<DrySink>(**access, account);
  TransferOptions options;
  options.wants_folder = folder_filter(arguments.imap.options.folders);
  std::optional<ProgressBar> bar(std::in_place, arguments.quiet || arguments.json);
  auto report = transfer(**source, *sink, options, *bar);
  bar.reset();
  if (!report) return tl::unexpected(report.error());
  if (arguments.json) return print_json(*report);
  const std::string what = fmt::format("{}{}", (*source)->description(),
                                       arguments.dry_run ? " (nothing was changed)" : "");
  return print_report(*report, what);
}

}  // namespace

void add_import_commands(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<ImportArguments>();
  CLI::App* command = app.add_subcommand(
      "import", "bring an account's mail from elsewhere; run again, it brings what is new");
  command->add_option("ACCOUNT", arguments->account, "the account, as in accounts.json")
      ->required();
  command->add_option("--maildir", arguments->maildir, "a Maildir, of Dovecot, Courier or others");
  command->add_option("--mbox", arguments->mbox, "an mbox, or a folder of them");
  // --imap with all that belongs to it, --folder among them.
  CLI::Option* imap = add_imap_options(*command, arguments->imap);
  command->add_option("--layout", arguments->layout, "of the Maildir: maildir++ (.A.B) or fs (A/B)")
      ->check(CLI::IsMember({"maildir++", "fs"}))
      ->capture_default_str();
  command->add_option("--to", arguments->to, "the mailbox that a single mbox becomes")
      ->capture_default_str();
  command->add_option("--below", arguments->below, "put everything below this mailbox");
  command
      ->add_option("--uidl-format", arguments->uidl_format,
                   "the old server's POP3 UIDLs: auto, none, courier, or a Dovecot format")
      ->capture_default_str();
  command->add_flag("--uidl-all", arguments->uidl_all, "UIDLs for other mailboxes than INBOX too");
  command->add_flag("--no-unescape", arguments->no_unescape, "leave \">From \" in an mbox");
  command->add_flag("--no-identity", arguments->no_identity, "new UIDVALIDITY and UIDs");
  command->add_flag("--ignore-quota", arguments->ignore_quota, "take it in over the quota");
  command->add_flag("--quiet,-q", arguments->quiet, "no progress");
  command->add_flag("--dry-run,-n", arguments->dry_run, "read everything, change nothing");
  command->add_flag("--json", arguments->json, "the report as JSON");
  command->callback([&context, arguments, imap] {
    const int sources = (arguments->maildir.empty() ? 0 : 1) + (arguments->mbox.empty() ? 0 : 1) +
                        (imap->count() > 0 ? 1 : 0);
    if (sources != 1) {
      context.fail("import: give one of --maildir DIR, --mbox PATH and --imap HOST");
      context.exit_code = 2;
      return;
    }
    auto done = run_import(context, *arguments);
    if (!done) return context.fail(done.error().message);
    context.exit_code = *done;
  });
}

}  // namespace twinpost::tools
