// twinpost quota: what the accounts use of their quotas, read beside the running server or without one.
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/ascii.h"
#include "tools/twinpost/commands.h"
#include "tools/twinpost/store_access.h"

namespace twinpost::tools {

namespace {

struct QuotaArguments {
  std::string account;
  bool json = false;
};

// One account: as it is configured, and what the store has of it. One of the two may be missing.
struct Row {
  std::optional<config::Account> configured;
  store::AccountInfo use;
};
using Rows = std::map<std::string, Row>;

Result<Rows> read_rows(const Context& context) {
  auto config = context.server_config();
  if (!config) return tl::unexpected(config.error());
  auto accounts = config::load_accounts_config((*config)->accounts);
  if (!accounts) return tl::unexpected(accounts.error());
  auto store = open_for_reading(**config);
  if (!store) return tl::unexpected(store.error());
  auto stored = (*store)->read_now([](const store::ReadView& view) { return view.accounts(); });
  if (!stored) return tl::unexpected(stored.error());
  Rows rows;
  for (const auto& [name, account] : (*accounts)->accounts) rows[name].configured = account;
  for (store::AccountInfo& use : *stored) {
    const std::string name = use.name;
    rows[name].use = std::move(use);
  }
  return rows;
}

std::optional<std::uint64_t> percent_of(std::uint64_t used, std::uint64_t limit) {
  if (limit == 0) return std::nullopt;
  return static_cast<std::uint64_t>(static_cast<double>(used) * 100.0 / static_cast<double>(limit));
}

config::Account limits_of(const Row& row) {
  return row.configured ? *row.configured : config::Account{};
}

std::string mebibytes(std::uint64_t octets) {
  constexpr double kMebi = 1024.0 * 1024.0;
  return fmt::format("{:.1f}", static_cast<double>(octets) / kMebi);
}

std::string percent_text(std::uint64_t used, std::uint64_t limit) {
  const auto percent = percent_of(used, limit);
  return percent ? fmt::format("{} %", *percent) : "-";
}

std::string count_text(std::uint64_t used, std::uint64_t limit) {
  return fmt::format("{} / {}", used, limit == 0 ? "-" : std::to_string(limit));
}

std::string size_text(std::uint64_t used, std::uint64_t limit) {
  return fmt::format("{} / {}", mebibytes(used), limit == 0 ? "-" : mebibytes(limit));
}

void print_table(const Rows& rows) {
  constexpr std::string_view kLine = "{:<40} {:>21} {:>6} {:>19} {:>6} {:>13} {:>12} {:>10}{}\n";
  fmt::print(fmt::runtime(kLine), "ACCOUNT", "STORAGE MIB", "", "MESSAGES", "", "MAILBOXES",
             "REMOVED MIB", "MESSAGES", "");
  for (const auto& [name, row] : rows) {
    const config::Account limits = limits_of(row);
    const store::AccountInfo& use = row.use;
    fmt::print(fmt::runtime(kLine), name, size_text(use.bytes, limits.quota),
               percent_text(use.bytes, limits.quota),
               count_text(use.messages, limits.quota_messages),
               percent_text(use.messages, limits.quota_messages),
               count_text(use.mailboxes, limits.quota_mailboxes), mebibytes(use.removed_bytes),
               use.removed_messages, row.configured ? "" : "  not in accounts.json");
  }
}

Json resource_json(std::uint64_t used, std::uint64_t limit) {
  Json out = {{"used", used}, {"limit", nullptr}, {"percent", nullptr}};
  const auto percent = percent_of(used, limit);
  if (percent) {
    out["limit"] = limit;
    out["percent"] = *percent;
  }
  return out;
}

void print_json(const Rows& rows) {
  Json list = Json::array();
  for (const auto& [name, row] : rows) {
    const config::Account limits = limits_of(row);
    const store::AccountInfo& use = row.use;
    Json one;
    one["account"] = name;
    one["configured"] = row.configured.has_value();
    one["storage"] = resource_json(use.bytes, limits.quota);
    one["messages"] = resource_json(use.messages, limits.quota_messages);
    one["mailboxes"] = resource_json(use.mailboxes, limits.quota_mailboxes);
    one["removed"] = {{"octets", use.removed_bytes}, {"messages", use.removed_messages}};
    list.push_back(std::move(one));
  }
  const Json all = {{"accounts", std::move(list)}};
  fmt::print("{}\n", all.dump(2, ' ', false, Json::error_handler_t::replace));
}

Result<void> show_quota(const Context& context, const QuotaArguments& arguments) {
  auto rows = read_rows(context);
  if (!rows) return tl::unexpected(rows.error());
  if (!arguments.account.empty()) {
    const auto found = rows->find(ascii::lower(arguments.account));
    if (found == rows->end()) {
      return fail(ErrorCode::kNotFound, fmt::format("no account {}", arguments.account));
    }
    rows = Rows{{found->first, found->second}};
  }
  if (arguments.json) {
    print_json(*rows);
  } else {
    print_table(*rows);
  }
  return {};
}

}  // namespace

void add_quota_commands(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<QuotaArguments>();
  CLI::App* quota = app.add_subcommand("quota", "what accounts use of their quotas");
  quota->add_option("ACCOUNT", arguments->account, "this account only");
  quota->add_flag("--json", arguments->json, "for programs; sizes in octets");
  quota->callback([&context, arguments] {
    if (auto shown = show_quota(context, *arguments); !shown) {
      context.fail(shown.error().message);
    }
  });
}

}  // namespace twinpost::tools
