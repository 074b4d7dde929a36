// twinpost removed list|forget, twinpost undelete: what was removed from an account, and how it
// comes back.
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/ascii.h"
#include "core/server/store_options.h"
#include "tools/twinpost/command_line.h"
#include "tools/twinpost/commands.h"
#include "tools/twinpost/progress_bar.h"
#include "tools/twinpost/removed.h"
#include "tools/twinpost/shown.h"
#include "tools/twinpost/store_access.h"
#include "tools/twinpost/when.h"

namespace twinpost::tools {

namespace {

constexpr std::size_t kIdsPerCall = 10'000;  // some 300 KiB of a request's line
constexpr int kWrongUsage = 2;
constexpr std::uint64_t kHighestLimit = 1'000'000'000;

// The command line's words.
struct Choice {
  std::string account;
  std::vector<std::string> ids;
  std::string since;
  std::string until;
  std::string from;
  std::string subject;
  std::string mailbox;
  std::string by;
  bool moved = false;
  bool all = false;
  std::size_t limit = 0;
  // Of one command each:
  bool json = false;
  bool yes = false;
  bool dry_run = false;
  bool quiet = false;
  std::string to;

  [[nodiscard]] bool has_filter() const {
    return !since.empty() || !until.empty() || !from.empty() || !subject.empty() ||
           !mailbox.empty() || !by.empty() || limit != 0;
  }
};

void wrong_usage(Context& context, std::string_view message) {
  context.fail(message);
  context.exit_code = kWrongUsage;
}

void add_filters(CLI::App& command, Choice& choice) {
  command.add_option("--since", choice.since,
                     "removed then or later: 2026-11-20, 2026-11-20T14:00, 3d, 2h, yesterday");
  command.add_option("--until", choice.until, "removed then or earlier; a date counts to its end");
  command.add_option("--from", choice.from, "with this text in From");
  command.add_option("--subject", choice.subject, "with this text in Subject");
  command.add_option("--mailbox", choice.mailbox, "that were in this mailbox");
  command.add_option("--by", choice.by, "removed by this protocol")
      ->check(CLI::IsMember({"pop3", "imap", "admin"}));
  command.add_flag("--moved", choice.moved, "also those that were only moved to another mailbox");
  command.add_option("--limit", choice.limit, "of these only the last so many")
      ->check(whole_number(1, kHighestLimit));
}

Result<RemovedFilter> filter_of(const Choice& choice) {
  RemovedFilter filter;
  if (!choice.since.empty()) {
    const auto time = parse_when(choice.since, unix_now(), DayEdge::kBegin);
    if (!time) return fail(ErrorCode::kInvalid, "--since: " + time.error().message);
    filter.since = *time;
  }
  if (!choice.until.empty()) {
    const auto time = parse_when(choice.until, unix_now(), DayEdge::kEnd);
    if (!time) return fail(ErrorCode::kInvalid, "--until: " + time.error().message);
    filter.until = *time;
  }
  filter.from = choice.from;
  filter.subject = choice.subject;
  filter.mailbox = choice.mailbox;
  filter.by = choice.by;
  filter.moved = choice.moved;
  if (choice.ids.empty()) return filter;
  auto& ids = filter.ids.emplace();
  for (const std::string& text : choice.ids) {
    const auto id = store::parse_removed_id(text);
    if (!id) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("\"{}\" is no id as \"twinpost removed list\" shows them",
                              ascii::printable(text, 60)));
    }
    ids.insert(*id);
  }
  return filter;
}

// The store has an account once mail has come for it, or somebody has logged in.
Result<std::vector<RemovedEntry>> find(const config::ServerConfig& config, const Choice& choice,
                                       RemovedFilter filter) {
  const auto opened = open_for_reading(config);
  if (!opened) return tl::unexpected(opened.error());
  filter.kept_since = server::removals_kept_since(config.limits);
  auto found = find_removed(**opened, choice.account, filter, choice.limit);
  if (found || found.error().code != ErrorCode::kNotFound) return found;
  const auto accounts = config::load_accounts_config(config.accounts);
  if (!accounts) return tl::unexpected(accounts.error());
  if ((*accounts)->accounts.contains(ascii::lower(choice.account))) {
    return std::vector<RemovedEntry>();
  }
  return fail(ErrorCode::kNotFound,
              fmt::format("no account named {}, neither in {} nor in the store",
                          ascii::printable(choice.account), config.accounts));
}

// --- removed list

void list(Context& context, const Choice& choice) {
  const auto config = context.server_config();
  if (!config) return context.fail(config.error().message);
  const auto filter = filter_of(choice);
  if (!filter) return wrong_usage(context, filter.error().message);
  const auto entries = find(**config, choice, *filter);
  if (!entries) return context.fail(entries.error().message);
  if (!choice.json) return print_table(*entries);
  Json all = Json::array();
  for (const RemovedEntry& entry : *entries) all.push_back(to_json(entry));
  // ASCII, so that what strangers wrote does nothing to a terminal.
  fmt::print("{}\n", all.dump(2, ' ', true, Json::error_handler_t::replace));
}

// --- what is chosen, for undelete and forget

// nullopt after saying what is wrong.
std::optional<std::vector<RemovedEntry>> choose(Context& context, const Choice& choice,
                                                const config::ServerConfig& config) {
  const auto filter = filter_of(choice);
  if (!filter) {
    wrong_usage(context, filter.error().message);
    return std::nullopt;
  }
  auto entries = find(config, choice, *filter);
  if (!entries) {
    context.fail(entries.error().message);
    return std::nullopt;
  }
  if (!filter->ids) return *std::move(entries);
  std::set<store::RemovedId> missing = *filter->ids;
  for (const RemovedEntry& entry : *entries) missing.erase(entry.removed.id);
  for (const store::RemovedId& id : missing) {
    context.fail(fmt::format("{} is not there: its time may be over, or it came back already",
                             store::to_string(id)));
  }
  return *std::move(entries);
}

std::vector<std::string> ids_of(const std::vector<RemovedEntry>& entries, std::size_t from) {
  std::vector<std::string> ids;
  const std::size_t to = std::min(entries.size(), from + kIdsPerCall);
  for (std::size_t i = from; i < to; ++i) ids.push_back(store::to_string(entries[i].removed.id));
  return ids;
}

// --- undelete

struct Returned {
  std::size_t messages = 0;
  std::size_t present = 0;
};

void print_returned(Context& context, const std::vector<RemovedEntry>& entries, const Json& answer,
                    Returned& returned) {
  std::map<std::string, const RemovedEntry*> by_id;
  for (const RemovedEntry& entry : entries) {
    by_id.emplace(store::to_string(entry.removed.id), &entry);
  }
  for (const Json& message : answer.at("messages")) {
    const auto id = message.at("id").get<std::string>();
    const auto entry = by_id.find(id);
    ++returned.messages;
    fmt::print("{:<22} {} UID {:<8} {}\n", id, column(message.at("mailbox").get<std::string>(), 16),
               message.at("uid").get<std::uint64_t>(),
               entry == by_id.end() ? "" : shown(entry->second->subject, 60));
  }
  for (const Json& id : answer.at("present")) {
    ++returned.present;
    fmt::print("{:<22} is in the account, nothing to do\n", id.get<std::string>());
  }
  for (const Json& id : answer.at("missing")) {
    context.fail(fmt::format("{} is not there any more", id.get<std::string>()));
  }
}

void give_back(Context& context, const Choice& choice, const config::ServerConfigPtr& config,
               const std::vector<RemovedEntry>& entries) {
  const auto access = StoreAccess::open(config);
  if (!access) return context.fail(access.error().message);
  ProgressBar bar(choice.quiet);
  Returned returned;
  for (std::size_t done = 0; done < entries.size(); done += kIdsPerCall) {
    Json request{{"do", "undelete"}, {"account", choice.account}, {"ids", ids_of(entries, done)}};
    if (!choice.to.empty()) request["to"] = choice.to;
    const auto answer = (*access)->call(std::move(request), {}, bar.as_progress());
    if (!answer) {
      if (returned.messages != 0) fmt::print("{} messages came back\n", returned.messages);
      return context.fail(answer.error().message);
    }
    print_returned(context, entries, *answer, returned);
  }
  fmt::print("{} message{} came back{}\n", returned.messages, returned.messages == 1 ? "" : "s",
             returned.present == 0 ? "" : fmt::format(", {} were there already", returned.present));
}

void undelete(Context& context, const Choice& choice) {
  if (choice.ids.empty() && !choice.has_filter() && !choice.all) {
    return wrong_usage(context,
                       "which ones? Name them by their ids (twinpost removed list), choose them by "
                       "--since, --until, --from, --subject, --mailbox or --by, or take --all");
  }
  if (!choice.ids.empty() && (choice.has_filter() || choice.all)) {
    return wrong_usage(context, "ids and filters don't go together");
  }
  if (choice.all && choice.has_filter()) {
    return wrong_usage(context, "--all and filters don't go together");
  }
  const auto config = context.server_config();
  if (!config) return context.fail(config.error().message);
  const auto entries = choose(context, choice, **config);
  if (!entries) return;
  if (entries->empty()) {
    if (context.exit_code == 0) context.fail("nothing that was removed is like that");
    return;
  }
  if (choice.dry_run) {
    print_table(*entries);
    fmt::print("{} message{} would come back\n", entries->size(), entries->size() == 1 ? "" : "s");
    return;
  }
  give_back(context, choice, *config, *entries);
}

// --- removed forget

void forget(Context& context, const Choice& choice) {
  if (choice.ids.empty() == !choice.all) {
    return wrong_usage(context, "name the messages by their ids, or take --all");
  }
  if (choice.all && !choice.yes) {
    return wrong_usage(context,
                       fmt::format("what is forgotten can't come back; add --yes to give up "
                                   "all that was removed from {}",
                                   ascii::printable(choice.account)));
  }
  const auto config = context.server_config();
  if (!config) return context.fail(config.error().message);
  const auto entries = choose(context, choice, **config);
  if (!entries) return;
  if (entries->empty()) {
    if (context.exit_code == 0) fmt::print("nothing to forget\n");
    return;
  }
  const auto access = StoreAccess::open(*config);
  if (!access) return context.fail(access.error().message);
  std::uint64_t forgotten = 0;
  {
    ProgressBar bar(choice.quiet);
    for (std::size_t done = 0; done < entries->size(); done += kIdsPerCall) {
      const auto answer = (*access)->call(
          Json{{"do", "forget"}, {"account", choice.account}, {"ids", ids_of(*entries, done)}}, {},
          bar.as_progress());
      if (!answer) return context.fail(answer.error().message);
      forgotten += answer->at("forgotten").get<std::uint64_t>();
    }
  }
  fmt::print("{} message{} forgotten\n", forgotten, forgotten == 1 ? "" : "s");
}

void add_forget(CLI::App& removed, Context& context) {
  auto choice = std::make_shared<Choice>();
  choice->moved = true;
  CLI::App* command = removed.add_subcommand("forget", "give removed messages up for good");
  command->add_option("ACCOUNT", choice->account, "the account")->required();
  command->add_option("ID", choice->ids, "as \"removed list\" shows them");
  command->add_flag("--all", choice->all, "all that were removed from the account");
  command->add_flag("--yes", choice->yes, "yes, all");
  command->add_flag("-q,--quiet", choice->quiet, "no progress");
  command->callback([&context, choice] { forget(context, *choice); });
}

}  // namespace

void add_removed_commands(CLI::App& app, Context& context) {
  CLI::App* removed = app.add_subcommand("removed", "messages that were removed and can come back");
  removed->require_subcommand(1);
  auto listed = std::make_shared<Choice>();
  CLI::App* list_command = removed->add_subcommand("list", "what was removed from an account");
  list_command->add_option("ACCOUNT", listed->account, "the account")->required();
  add_filters(*list_command, *listed);
  list_command->add_flag("--json", listed->json, "as JSON");
  list_command->callback([&context, listed] { list(context, *listed); });
  add_forget(*removed, context);

  auto wanted = std::make_shared<Choice>();
  CLI::App* command = app.add_subcommand("undelete", "put removed messages back");
  command->add_option("ACCOUNT", wanted->account, "the account")->required();
  command->add_option("ID", wanted->ids, "as \"removed list\" shows them");
  command->add_flag("--all", wanted->all, "all that were removed from the account");
  add_filters(*command, *wanted);
  command->add_option("--to", wanted->to, "into this mailbox, not to where they were");
  command->add_flag("-n,--dry-run", wanted->dry_run, "only show them");
  command->add_flag("-q,--quiet", wanted->quiet, "no progress");
  command->callback([&context, wanted] { undelete(context, *wanted); });
}

}  // namespace twinpost::tools
