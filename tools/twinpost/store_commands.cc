// twinpost store space|compact|reencrypt, and the last two by themselves.
#include <fmt/format.h>
#include <memory>
#include <string>
#include <utility>

#include "core/net/address.h"
#include "tools/twinpost/admin_client.h"
#include "tools/twinpost/commands.h"
#include "tools/twinpost/progress_bar.h"
#include "tools/twinpost/store_access.h"

namespace twinpost::tools {

namespace {

std::string octets_text(std::uint64_t octets) {
  constexpr std::uint64_t kMiB = 1024 * 1024;
  if (octets < 10 * kMiB) return fmt::format("{:.1f} KiB", static_cast<double>(octets) / 1024.0);
  if (octets < 10 * 1024 * kMiB) {
    return fmt::format("{:.1f} MiB", static_cast<double>(octets) / static_cast<double>(kMiB));
  }
  return fmt::format("{:.1f} GiB", static_cast<double>(octets) / static_cast<double>(1024 * kMiB));
}

// --- store space

// Of the running server, which knows its readers and commits; else of the file, without changing
// anything.
Result<Json> read_space(const config::ServerConfigPtr& config, bool& online) {
  const Json request{{"do", "space"}};
  online = false;
  if (!config->listen.admin.empty()) {
    const auto address = net::parse_listen_address(config->listen.admin.front());
    if (address && address->kind == net::ListenAddress::Kind::kUnix) {
      const auto server = connect_to_server(address->path);
      if (!server) return tl::unexpected(server.error());
      online = *server != nullptr;
      if (online) return (*server)->call(request);
    }
  }
  const auto store = open_for_reading(*config);
  if (!store) return tl::unexpected(store.error());
  return make_local_access(**store, config, std::make_shared<config::AccountsConfig>())
      ->call(request);
}

void print_commit_times(const Json& figures) {
  const auto commits = figures.at("commits").get<std::uint64_t>();
  if (commits == 0) return;
  const double mean =
      figures.at("commit_microseconds").get<double>() / static_cast<double>(commits) / 1000.0;
  fmt::print("commits            {} since the server's start, {:.2f} ms each\n", commits, mean);
  const Json& bounds = figures.at("commit_bounds");
  const Json& times = figures.at("commits_by_time");
  for (std::size_t i = 0; i < times.size(); ++i) {
    const auto count = times[i].get<std::uint64_t>();
    if (count == 0) continue;
    const bool longest = i >= bounds.size();
    const double bound = bounds[longest ? bounds.size() - 1 : i].get<double>() / 1000.0;
    fmt::print("  {:>9} ms     {}\n", fmt::format("{}{}", longest ? "> " : "<= ", bound), count);
  }
  fmt::print("waiting changes    {}\n", figures.at("queued").get<std::uint64_t>());
}

void print_space(const Json& figures, bool online) {
  const auto number = [&](const char* name) { return figures.at(name).get<std::uint64_t>(); };
  const std::uint64_t file = number("file_octets");
  const std::uint64_t free = number("free_octets");
  const double share =
      file == 0 ? 0.0 : 100.0 * static_cast<double>(free) / static_cast<double>(file);
  fmt::print("data file          {}\n", octets_text(file));
  fmt::print("  free in it       {} ({:.1f} %)\n", octets_text(free), share);
  fmt::print("disk free          {}\n", octets_text(number("disk_free_octets")));
  fmt::print("  kept in reserve  {}\n", octets_text(number("reserve_octets")));
  fmt::print("last commit        {}\n", number("last_commit"));
  fmt::print("format             {}\n", number("format"));
  if (!online) {
    fmt::print("(read from the file: no server was asked)\n");
    return;
  }
  fmt::print("readers            {}, the oldest {} commits behind\n", number("readers"),
             number("oldest_reader_lag"));
  print_commit_times(figures);
}

void show_space(Context& context, bool json) {
  const auto config = context.server_config();
  if (!config) return context.fail(config.error().message);
  bool online = false;
  auto figures = read_space(*config, online);
  if (!figures) return context.fail(figures.error().message);
  if (!json) return print_space(*figures, online);
  (*figures)["online"] = online;
  fmt::print("{}\n", figures->dump(2, ' ', true, Json::error_handler_t::replace));
}

// --- compact, reencrypt

Result<Json> run_long(const config::ServerConfigPtr& config, Json request, bool quiet) {
  const auto access = StoreAccess::open(config);
  if (!access) return tl::unexpected(access.error());
  ProgressBar bar(quiet);
  return (*access)->call(std::move(request), {}, bar.as_progress());
}

void compact(Context& context, bool quiet) {
  const auto config = context.server_config();
  if (!config) return context.fail(config.error().message);
  const auto done = run_long(*config, Json{{"do", "compact"}}, quiet);
  if (!done) return context.fail(done.error().message);
  fmt::print("the data file has {}, it had {}\n",
             octets_text(done->at("octets_after").get<std::uint64_t>()),
             octets_text(done->at("octets_before").get<std::uint64_t>()));
}

void reencrypt(Context& context, bool quiet) {
  const auto config = context.server_config();
  if (!config) return context.fail(config.error().message);
  // The server may not have seen yet what the file says.
  const config::Storage& storage = (*config)->storage;
  Json request{
      {"do", "recode"}, {"compression", storage.compression}, {"key_file", storage.key_file}};
  const auto done = run_long(*config, std::move(request), quiet);
  if (!done) return context.fail(done.error().message);
  const auto bodies = done->at("bodies").get<std::uint64_t>();
  if (bodies == 0) {
    fmt::print("every message is kept as storage in the configuration says\n");
  } else {
    fmt::print("{} message bodies were written anew\n", bodies);
  }
}

void add_long(CLI::App& parent, Context& context, const std::string& name, const std::string& help,
              void (*run)(Context&, bool)) {
  auto quiet = std::make_shared<bool>(false);
  CLI::App* command = parent.add_subcommand(name, help);
  command->add_flag("-q,--quiet", *quiet, "no progress");
  command->callback([&context, quiet, run] { run(context, *quiet); });
}

}  // namespace

void add_store_commands(CLI::App& app, Context& context) {
  const std::string compact_help = "write the data file anew without its free pages";
  const std::string reencrypt_help =
      "write every message anew that is not kept as storage in the configuration says";
  CLI::App* store = app.add_subcommand("store", "the data file");
  store->require_subcommand(1);
  auto json = std::make_shared<bool>(false);
  CLI::App* space =
      store->add_subcommand("space", "its size, what is free in it, and how it works");
  space->add_flag("--json", *json, "as JSON");
  space->callback([&context, json] { show_space(context, *json); });
  add_long(*store, context, "compact", compact_help, compact);
  add_long(*store, context, "reencrypt", reencrypt_help, reencrypt);
  add_long(app, context, "compact", compact_help, compact);
  add_long(app, context, "reencrypt", reencrypt_help, reencrypt);
}

}  // namespace twinpost::tools
