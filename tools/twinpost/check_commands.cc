// twinpost check: beside the running server, or without one; its repair is done by who has the
// store open for writing.
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/ascii.h"
#include "store/check_access.h"
#include "store/folder.h"
#include "tools/twinpost/commands.h"
#include "tools/twinpost/progress_bar.h"
#include "tools/twinpost/shown.h"
#include "tools/twinpost/store_access.h"

namespace twinpost::tools {

namespace {

constexpr std::size_t kMostProblems = 10'000;
constexpr int kClean = 0;
constexpr int kProblems = 1;
constexpr int kNotChecked = 2;

struct CheckArguments {
  bool repair = false;
  bool no_bodies = false;
  bool json = false;
  bool quiet = false;
  std::string account;
};

Json to_json(const store::CheckReport& report) {
  constexpr const char* kSeverities[] = {"derived", "message", "store"};
  Json details = Json::array();
  for (const store::CheckProblem& problem : report.details) {
    details.push_back(Json{{"severity", kSeverities[static_cast<std::size_t>(problem.severity)]},
                           {"where", problem.where},
                           {"what", problem.what},
                           {"repaired", problem.repaired}});
  }
  return Json{{"accounts", report.accounts},
              {"mailboxes", report.mailboxes},
              {"messages", report.messages},
              {"removed", report.removed},
              {"blobs", report.blobs},
              {"body_octets", report.body_octets},
              {"problems", report.problems},
              {"repaired", report.repaired},
              {"unreadable_messages", report.unreadable_messages},
              {"kept_bodies", report.kept_bodies},
              {"details", std::move(details)}};
}

// Opening a data file maps it, and a damaged page can end the process that follows it: where no
// server has the store, its pages are looked at first. Gives a report of what is wrong with them;
// nullopt where nothing is.
Result<std::optional<Json>> damaged_pages(const config::ServerConfig& config,
                                          const store::Progress& progress) {
  const auto folder = store::Folder::open_for_reading(config.data);
  if (!folder) return tl::unexpected(folder.error());
  if (folder->has_writer()) return std::nullopt;
  const auto problems = store::check_pages(config.data + "/data.mdb", kMostProblems, progress);
  if (!problems) return tl::unexpected(problems.error());
  if (problems->empty()) return std::nullopt;
  store::CheckReport report;
  report.problems = problems->size();
  for (const std::string& what : *problems) {
    report.details.push_back({store::Severity::kStore, "data file", what, false});
  }
  return to_json(report);
}

Result<Json> run_check(const Context& context, const CheckArguments& arguments) {
  const auto config = context.server_config();
  if (!config) return tl::unexpected(config.error());
  if (auto there = check_store_is_there(**config); !there) return tl::unexpected(there.error());
  ProgressBar bar(arguments.quiet);
  const store::Progress progress = bar.as_progress();
  auto damaged = damaged_pages(**config, progress);
  if (!damaged) return tl::unexpected(damaged.error());
  if (*damaged) return std::move(**damaged);
  if (arguments.repair) {
    const auto access = StoreAccess::open(*config);
    if (!access) return tl::unexpected(access.error());
    Json request{{"do", "check"},
                 {"repair", true},
                 {"bodies", !arguments.no_bodies},
                 {"most_problems", kMostProblems}};
    if (!arguments.account.empty()) request["account"] = arguments.account;
    return (*access)->call(std::move(request), {}, progress);
  }
  const auto store = open_for_reading(**config);
  if (!store) return tl::unexpected(store.error());
  store::CheckOptions options;
  options.bodies = !arguments.no_bodies;
  options.account = ascii::lower(arguments.account);
  options.most_problems = kMostProblems;
  const auto report = (*store)->check(options, progress);
  if (!report) return tl::unexpected(report.error());
  return to_json(*report);
}

void print_text(const Json& report, const CheckArguments& arguments) {
  bool whole_store = false;
  for (const Json& problem : report.at("details")) {
    const bool repaired = problem.at("repaired").get<bool>();
    whole_store = whole_store || problem.at("severity") == "store";
    fmt::print("{}: {}{}\n", shown(problem.at("where").get<std::string>()),
               shown(problem.at("what").get<std::string>()), repaired ? " (repaired)" : "");
  }
  const auto number = [&](const char* name) { return report.at(name).get<std::uint64_t>(); };
  const std::uint64_t problems = number("problems");
  const std::uint64_t repaired = number("repaired");
  fmt::print("{} accounts, {} mailboxes, {} messages, {} removed, {} bodies", number("accounts"),
             number("mailboxes"), number("messages"), number("removed"), number("blobs"));
  if (!arguments.no_bodies) {
    fmt::print(" ({:.1f} MiB verified)",
               static_cast<double>(number("body_octets")) / (1024.0 * 1024.0));
  }
  if (problems == 0) {
    fmt::print(": no problems\n");
  } else if (arguments.repair) {
    fmt::print(": {} problems, {} repaired, {} remain\n", problems, repaired, problems - repaired);
  } else {
    fmt::print(": {} problems\n", problems);
  }
  if (number("unreadable_messages") > 0) {
    fmt::print("{} messages can't be read\n", number("unreadable_messages"));
  }
  if (number("kept_bodies") > 0) {
    fmt::print("{} bodies are kept that no message needs\n", number("kept_bodies"));
  }
  if (problems == repaired) return;
  if (whole_store) {
    fmt::print(
        "Parts of the store can't be read, and a repair can't bring them back: restore a backup, "
        "or take out "
        "what there is with `twinpost salvage`\n");
  } else if (!arguments.repair) {
    fmt::print("`twinpost check --repair` makes anew what derives from the messages\n");
  }
}

}  // namespace

void add_check_commands(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<CheckArguments>();
  CLI::App* command = app.add_subcommand(
      "check", "verify the store, every record and every body; the server may be running");
  command->add_flag("--repair", arguments->repair,
                    "make anew what derives from the messages; frees nothing");
  command->add_option("--account", arguments->account, "only this account");
  command->add_flag("--no-bodies", arguments->no_bodies, "the records only");
  command->add_flag("--json", arguments->json, "the report as JSON");
  command->add_flag("--quiet,-q", arguments->quiet, "no progress");
  command->footer(
      "Exit status: 0 no problems, or all were repaired; 1 there are problems; 2 it could not be "
      "checked.\n"
      "Bodies that are kept though no message needs them are no problems.");
  command->callback([&context, arguments] {
    const auto report = run_check(context, *arguments);
    if (!report) {
      context.fail(report.error().message);
      context.exit_code = kNotChecked;
      return;
    }
    if (arguments->json) {
      // What a damaged store calls things need not be UTF-8.
      fmt::print("{}\n", report->dump(2, ' ', false, Json::error_handler_t::replace));
    } else {
      print_text(*report, *arguments);
    }
    const bool clean = report->at("problems") == report->at("repaired");
    context.exit_code = clean ? kClean : kProblems;
  });
}

}  // namespace twinpost::tools
