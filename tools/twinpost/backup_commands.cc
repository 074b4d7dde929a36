// twinpost backup [list|verify|prune] DIR, and twinpost restore DIR.
//
// Exit codes: 0 done; 1 something could not be backed up, verified or restored (the rest was);
// `restore` gives 2 where nothing could.
#include <cstdio>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "core/base/ascii.h"
#include "core/base/clock.h"
#include "tools/twinpost/backup/backup.h"
#include "tools/twinpost/backup/prune.h"
#include "tools/twinpost/backup/repository.h"
#include "tools/twinpost/backup/restore.h"
#include "tools/twinpost/backup/verify.h"
#include "tools/twinpost/command_line.h"
#include "tools/twinpost/commands.h"
#include "tools/twinpost/progress_bar.h"
#include "tools/twinpost/store_access.h"

namespace twinpost::tools {

namespace {

using backup::Packs;
using backup::Repository;

constexpr std::uint64_t kMostGenerations = 1'000'000;
constexpr std::uint64_t kMostDays = 36'500;

struct Arguments {
  std::string folder;
  std::string key_file;
  bool plain = false;
  bool full = false;
  bool quiet = false;
  double rate = 0;  // MB/s
  std::uint64_t keep = 0;
  std::uint64_t keep_days = 0;
  std::string generation;
  bool all = false;
  backup::RestoreOptions restore;
};
using ArgumentsPtr = std::shared_ptr<Arguments>;

double megabytes(std::uint64_t octets) { return static_cast<double>(octets) / 1e6; }

// The server's own reads and writes go first.
void step_back() {
  constexpr int kProcess = 1;                     // IOPRIO_WHO_PROCESS
  constexpr int kLowestBestEffort = 2 << 13 | 7;  // IOPRIO_CLASS_BE
  if (::setpriority(PRIO_PROCESS, 0, 10) != 0) return;
  (void)::syscall(SYS_ioprio_set, kProcess, 0, kLowestBestEffort);
}

Result<store::KeyringPtr> load_keys(const std::string& path) {
  if (path.empty()) return store::KeyringPtr();
  return store::Keyring::load(path);
}

// What a backup that is there needs: the keys named on the command line, else the server's. The
// configuration is not looked at where it is not needed: a backup can be verified on another
// machine.
Result<store::KeyringPtr> keys_for(const Context& context, const Arguments& arguments) {
  auto info = Repository::peek(arguments.folder);
  if (!info) return tl::unexpected(info.error());
  if (!info->sealed) return store::KeyringPtr();
  if (!arguments.key_file.empty()) return load_keys(arguments.key_file);
  auto config = context.server_config();
  return load_keys(config ? (*config)->storage.key_file : "");
}

// Standard error, where a quiet run says them too.
void print_problems(const std::vector<std::string>& problems) {
  for (const std::string& problem : problems) fmt::print(stderr, "twinpost: {}\n", problem);
}

// --- backup

void print_report(const backup::BackupReport& report) {
  const backup::GenerationInfo& info = report.generation;
  fmt::print("generation {}: {} accounts, {} mailboxes, {} messages, {:.1f} MB\n",
             to_string(info.name), info.accounts, info.mailboxes, info.messages,
             megabytes(info.octets));
  fmt::print(
      "new: {} bodies, {:.1f} MB on the disk; mailboxes unchanged {}, changed {}, in full {}\n",
      info.new_bodies, megabytes(info.new_octets), report.unchanged_mailboxes,
      report.changed_mailboxes, report.full_mailboxes);
  if (info.removed_meanwhile > 0) {
    fmt::print("{} messages were removed while the backup ran and are not in it\n",
               info.removed_meanwhile);
  }
}

Result<void> run_backup(Context& context, const Arguments& arguments) {
  auto config = context.server_config();
  if (!config) return tl::unexpected(config.error());
  std::string key_file = arguments.key_file;
  if (key_file.empty()) key_file = (*config)->storage.key_file;
  auto keys = load_keys(arguments.plain ? "" : key_file);
  if (!keys) return tl::unexpected(keys.error());
  auto store = open_for_reading(**config);
  if (!store) return tl::unexpected(store.error());
  auto repository = Repository::open_or_make(arguments.folder, (*store)->store_id(), *keys);
  if (!repository) return tl::unexpected(repository.error());
  auto packs = Packs::open(repository->packs_folder(), repository->coder(), true);
  if (!packs) return tl::unexpected(packs.error());
  step_back();
  backup::BackupOptions options;
  options.full = arguments.full;
  options.octets_per_second = static_cast<std::uint64_t>(arguments.rate * 1e6);
  Result<backup::BackupReport> report = fail(ErrorCode::kInternal, "");
  {
    ProgressBar bar(arguments.quiet);
    options.progress = bar.as_progress();
    report = backup::run_backup(**store, *repository, *packs, options);
  }
  if (!report) return tl::unexpected(report.error());
  if (report->store_went_back) {
    fmt::print(stderr, "twinpost: the store is older than the backup: everything was read anew\n");
  }
  std::vector<std::string> problems = repository->problems();
  problems.insert(problems.end(), packs->problems().begin(), packs->problems().end());
  problems.insert(problems.end(), report->problems.begin(), report->problems.end());
  print_problems(problems);
  if (!arguments.quiet) print_report(*report);
  if (!problems.empty()) context.exit_code = 1;
  return {};
}

Result<void> run_list(Context& context, const Arguments& arguments) {
  auto repository = Repository::open(arguments.folder, Repository::Use::kLook, nullptr);
  if (!repository) return tl::unexpected(repository.error());
  fmt::print("{:<20} {:>9} {:>10} {:>10} {:>12} {:>11} {:>12}  {}\n", "GENERATION", "ACCOUNTS",
             "MAILBOXES", "MESSAGES", "MB", "NEW BODIES", "NEW MB", "NOTES");
  for (const backup::GenerationInfo& info : repository->generations()) {
    std::string notes = info.sealed ? "encrypted" : "";
    if (info.damaged > 0) notes += fmt::format(" {} could not be read in the store", info.damaged);
    if (info.removed_meanwhile > 0) notes += fmt::format(" {} removed", info.removed_meanwhile);
    fmt::print("{:<20} {:>9} {:>10} {:>10} {:>12.1f} {:>11} {:>12.1f}  {}\n", to_string(info.name),
               info.accounts, info.mailboxes, info.messages, megabytes(info.octets),
               info.new_bodies, megabytes(info.new_octets), notes);
  }
  print_problems(repository->problems());
  if (!repository->problems().empty()) context.exit_code = 1;
  return {};
}

Result<void> run_verify(Context& context, const Arguments& arguments) {
  auto keys = keys_for(context, arguments);
  if (!keys) return tl::unexpected(keys.error());
  auto repository = Repository::open(arguments.folder, Repository::Use::kRead, *keys);
  if (!repository) return tl::unexpected(repository.error());
  auto packs = Packs::open(repository->packs_folder(), repository->coder(), false);
  if (!packs) return tl::unexpected(packs.error());
  Result<backup::VerifyReport> report = fail(ErrorCode::kInternal, "");
  {
    ProgressBar bar(arguments.quiet);
    report = backup::verify(*repository, *packs, bar.as_progress());
  }
  if (!report) return tl::unexpected(report.error());
  print_problems(report->details);
  if (report->problems > report->details.size()) {
    fmt::print(stderr, "twinpost: and {} more\n", report->problems - report->details.size());
  }
  if (!arguments.quiet || report->problems > 0) {
    fmt::print("{} generations, {} bodies, {:.1f} MB: {}\n", report->generations, report->bodies,
               megabytes(report->octets),
               report->problems == 0   ? "all good"
               : report->problems == 1 ? "1 problem"
                                       : fmt::format("{} problems", report->problems));
    if (report->unreadable_bodies > 0 && report->problems == 0) {
      fmt::print("{} bodies can't be read; no message needs them, or they are there again\n",
                 report->unreadable_bodies);
    }
  }
  if (report->problems > 0) {
    fmt::print(stderr,
               "twinpost: `twinpost backup --full {}` writes again what the store still has\n",
               arguments.folder);
    context.exit_code = 1;
  }
  return {};
}

Result<void> run_prune(Context& context, const Arguments& arguments) {
  if (arguments.keep == 0 && arguments.keep_days == 0) {
    return fail(ErrorCode::kInvalid,
                "say what is to stay: --keep GENERATIONS, or --keep-days DAYS");
  }
  if (arguments.keep != 0 && arguments.keep_days != 0) {
    return fail(ErrorCode::kInvalid, "--keep and --keep-days don't go together");
  }
  auto keys = keys_for(context, arguments);
  if (!keys) return tl::unexpected(keys.error());
  auto repository = Repository::open(arguments.folder, Repository::Use::kPrune, *keys);
  if (!repository) return tl::unexpected(repository.error());
  auto packs = Packs::open(repository->packs_folder(), repository->coder(), true);
  if (!packs) return tl::unexpected(packs.error());
  step_back();
  Result<backup::PruneReport> report = fail(ErrorCode::kInternal, "");
  {
    ProgressBar bar(arguments.quiet);
    report = backup::prune(*repository, *packs,
                           {arguments.keep, arguments.keep_days, bar.as_progress()});
  }
  if (!report) return tl::unexpected(report.error());
  print_problems(report->problems);
  if (!report->problems.empty()) context.exit_code = 1;
  if (arguments.quiet) return {};
  for (const backup::GenerationName& name : report->removed) {
    fmt::print("removed {}\n", to_string(name));
  }
  fmt::print("{} generations stay; {} packs removed, {:.1f} MB freed\n",
             repository->generations().size(), report->packs_removed,
             megabytes(report->octets_freed));
  return {};
}

// --- restore

void print_mailbox(const backup::MailboxRestored& mailbox, bool dry_run) {
  std::string text = fmt::format("{}/{}: {} {}", mailbox.account, ascii::printable(mailbox.name),
                                 mailbox.restored, dry_run ? "would be restored" : "restored");
  if (mailbox.made && !dry_run) text += ", with its UIDs";
  if (mailbox.already_there > 0) text += fmt::format(", {} there already", mailbox.already_there);
  if (mailbox.renumbered > 0) text += fmt::format(", {} under new UIDs", mailbox.renumbered);
  if (mailbox.failed > 0) text += fmt::format(", {} FAILED", mailbox.failed);
  fmt::print("{}\n", text);
}

void print_report(const backup::RestoreReport& report, const Arguments& arguments) {
  print_problems(report.failures);
  if (report.failed > report.failures.size()) {
    fmt::print(stderr, "twinpost: and {} more\n", report.failed - report.failures.size());
  }
  if (!arguments.quiet) {
    for (const auto& mailbox : report.mailboxes) print_mailbox(mailbox, arguments.restore.dry_run);
    fmt::print("{} messages {}, {} there already, {} failed\n", report.restored,
               arguments.restore.dry_run ? "would be restored" : "restored", report.already_there,
               report.failed);
  }
  for (const std::string& account : report.over_quota) {
    fmt::print(stderr,
               "twinpost: {} is over its quota now: new mail is refused until it is below\n",
               account);
  }
  for (const std::string& account : report.unlisted) {
    fmt::print(stderr,
               "twinpost: {0} is restored, but nobody can log in: twinpost account add {0}\n",
               account);
  }
}

Result<backup::GenerationName> chosen_generation(const Repository& repository,
                                                 const Arguments& arguments) {
  if (repository.generations().empty()) {
    return fail(ErrorCode::kNotFound, arguments.folder + " has no generation that can be read");
  }
  if (arguments.generation.empty()) return repository.generations().back().name;
  const auto name = backup::parse_generation_name(arguments.generation);
  if (!name || repository.find(*name) == nullptr) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{} has no generation {} (twinpost backup list {})", arguments.folder,
                            ascii::printable(arguments.generation), arguments.folder));
  }
  return *name;
}

Result<void> check_restore(const Arguments& arguments) {
  const backup::RestoreOptions& options = arguments.restore;
  if (arguments.all == !options.account.empty()) {
    return fail(ErrorCode::kInvalid, "say what: --all, or --account NAME");
  }
  if (options.account.empty() && (!options.as.empty() || !options.mailboxes.empty())) {
    return fail(ErrorCode::kInvalid, "--as and --mailbox go with --account");
  }
  return {};
}

Result<void> run_restore(Context& context, Arguments& arguments) {
  if (auto good = check_restore(arguments); !good) return good;
  auto config = context.server_config();
  if (!config) return tl::unexpected(config.error());
  auto keys = keys_for(context, arguments);
  if (!keys) return tl::unexpected(keys.error());
  auto repository = Repository::open(arguments.folder, Repository::Use::kRead, *keys);
  if (!repository) return tl::unexpected(repository.error());
  auto packs = Packs::open(repository->packs_folder(), repository->coder(), false);
  if (!packs) return tl::unexpected(packs.error());
  print_problems(repository->problems());
  print_problems(packs->problems());
  auto generation = chosen_generation(*repository, arguments);
  if (!generation) return tl::unexpected(generation.error());
  arguments.restore.generation = *generation;
  auto access =
      StoreAccess::open(*config, arguments.restore.dry_run ? NoStore::kRefuse : NoStore::kMake);
  if (!access) return tl::unexpected(access.error());
  backup::RestoreReport report;
  Result<void> done;
  {
    ProgressBar bar(arguments.quiet);
    arguments.restore.progress = bar.as_progress();
    done = backup::restore(*repository, *packs, **access, arguments.restore, report);
  }
  print_report(report, arguments);
  const bool nothing = report.restored == 0 && report.already_there == 0;
  // The latest that can be read need not be the latest.
  const bool is_latest = !arguments.generation.empty() || repository->lost_generations() == 0;
  if (!is_latest) {
    fmt::print(stderr, "twinpost: the latest that can be read, {}, was taken\n",
               to_string(*generation));
    context.exit_code = 1;
  }
  if (!done) {
    context.fail(done.error().message);
    if (nothing) context.exit_code = 2;
  } else if (report.failed > 0) {
    context.exit_code = nothing ? 2 : 1;
  }
  return {};
}

void add_backup(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "backup", "back the store up to a folder while the server runs, only what is new");
  const auto common = [arguments](CLI::App* to) {
    to->add_option("--key-file", arguments->key_file,
                   "the keys of an encrypted backup, in place of the store's");
    to->add_flag("-q,--quiet", arguments->quiet, "say problems only");
  };
  command->add_option("DIR", arguments->folder, "the backup's folder");
  command->add_flag("--plain", arguments->plain, "do not encrypt, though the store is encrypted");
  command->add_flag("--full", arguments->full, "read everything anew, and mend damaged bodies");
  command->add_option("--rate", arguments->rate, "read this many megabytes a second at most")
      ->check(rate());
  common(command);
  const auto report = [&context](const Result<void>& done) {
    if (!done) context.fail(done.error().message);
  };
  const auto add = [&](const std::string& name, const std::string& help, auto run) {
    CLI::App* sub = command->add_subcommand(name, help);
    sub->add_option("DIR", arguments->folder, "the backup's folder")->required();
    common(sub);
    sub->callback([&context, arguments, report, run] { report(run(context, *arguments)); });
    return sub;
  };
  add("list", "the generations of a backup", run_list);
  add("verify", "read all of a backup and say what is damaged", run_verify);
  CLI::App* prune = add("prune", "remove old generations and what only they need", run_prune);
  prune->add_option("--keep", arguments->keep, "keep so many of the latest generations")
      ->check(whole_number(1, kMostGenerations));
  prune->add_option("--keep-days", arguments->keep_days, "keep those of so many days")
      ->check(whole_number(1, kMostDays));
  command->callback([&context, command, arguments, report] {
    if (!command->get_subcommands().empty()) return;
    if (arguments->folder.empty()) return context.fail("backup: name the folder");
    report(run_backup(context, *arguments));
  });
}

void add_restore(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<Arguments>();
  backup::RestoreOptions& options = arguments->restore;
  CLI::App* command = app.add_subcommand(
      "restore", "bring accounts or mailboxes back from a backup, into a running server too");
  command->add_option("DIR", arguments->folder, "the backup's folder")->required();
  command->add_option("--generation", arguments->generation, "another than the latest");
  command->add_flag("--all", arguments->all, "every account");
  command->add_option("--account", options.account, "this account");
  command->add_option("--as", options.as, "into another account");
  repeatable(command->add_option("--mailbox", options.mailboxes,
                                 "only this mailbox (any number of times)"));
  command->add_option("--to", options.below, "put the mailboxes below this one");
  command->add_flag("--dry-run", options.dry_run, "say what would be restored, change nothing");
  command->add_option("--key-file", arguments->key_file,
                      "the keys of an encrypted backup, in place of the store's");
  command->add_flag("-q,--quiet", arguments->quiet, "say problems only");
  command->callback([&context, arguments] {
    if (auto done = run_restore(context, *arguments); !done) {
      context.fail(done.error().message);
      context.exit_code = 2;
    }
  });
}

}  // namespace

void add_backup_commands(CLI::App& app, Context& context) {
  add_backup(app, context);
  add_restore(app, context);
}

}  // namespace twinpost::tools
