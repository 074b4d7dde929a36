// twinpost who, twinpost kick: the sessions of the running server.
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <string>

#include "core/base/clock.h"
#include "tools/twinpost/admin_client.h"
#include "tools/twinpost/commands.h"
#include "tools/twinpost/shown.h"

namespace twinpost::tools {

namespace {

using Json = server::Json;

constexpr int kWrongUsage = 2;

struct Choice {
  std::string account;
  std::uint64_t id = 0;
  std::string address;
  std::string protocol;
  bool json = false;
};

Result<std::unique_ptr<StoreAccess>> connect(const Context& context) {
  const auto config = context.server_config();
  if (!config) return tl::unexpected(config.error());
  for (const std::string& address : (*config)->listen.admin) {
    constexpr std::string_view kUnix = "unix:";
    if (!address.starts_with(kUnix)) continue;
    auto access = connect_to_server(address.substr(kUnix.size()));
    if (!access || *access) return access;
  }
  return fail(ErrorCode::kNotFound,
              (*config)->listen.admin.empty()
                  ? "listen.admin has no socket by which a server could be asked"
                  : "no server is running with this configuration");
}

Result<Json> all_sessions(const Context& context, const Choice& choice) {
  auto access = connect(context);
  if (!access) return tl::unexpected(access.error());
  Json sessions = Json::array();
  std::uint64_t after = 0;
  for (bool more = true; more;) {
    Json request{{"do", "who"}, {"after", after}};
    if (!choice.account.empty()) request["account"] = choice.account;
    auto answer = (*access)->call(std::move(request));
    if (!answer) return answer;
    for (Json& session : (*answer)["sessions"]) {
      after = session.value("id", after);
      sessions.push_back(std::move(session));
    }
    more = answer->value("more", false);
  }
  return sessions;
}

std::string text(const Json& session, const char* name) {
  const std::string value = session.value(name, std::string());
  return value.empty() ? "-" : shown(value);
}

void print_table(const Json& sessions) {
  constexpr std::string_view kLine =
      "{:>6} {:<32} {:<5} {:<3} {:<24} {:<20} {:>11} {:>11} {:<13} {:<20} {}\n";
  fmt::print(fmt::runtime(kLine), "ID", "ACCOUNT", "", "TLS", "ADDRESS", "SINCE", "IN", "OUT",
             "STATE", "MAILBOX", "CLIENT");
  for (const Json& session : sessions) {
    const UnixTime since{std::chrono::seconds(session.value("since", std::int64_t{0}))};
    fmt::print(fmt::runtime(kLine), session.value("id", std::uint64_t{0}), text(session, "account"),
               text(session, "protocol"), session.value("tls", false) ? "yes" : "no",
               text(session, "address"), format_rfc3339(since),
               session.value("octets_in", std::uint64_t{0}),
               session.value("octets_out", std::uint64_t{0}), text(session, "state"),
               text(session, "mailbox"), text(session, "client"));
  }
}

void who(Context& context, const Choice& choice) {
  const auto sessions = all_sessions(context, choice);
  if (!sessions) {
    context.fail(sessions.error().message);
  } else if (choice.json) {
    const Json all{{"sessions", *sessions}};
    fmt::print("{}\n", all.dump(2, ' ', false, Json::error_handler_t::replace));
  } else {
    print_table(*sessions);
  }
}

void kick(Context& context, const Choice& choice) {
  Json request{{"do", "kick"}};
  if (!choice.account.empty()) request["account"] = choice.account;
  if (choice.id != 0) request["id"] = choice.id;
  if (!choice.address.empty()) request["address"] = choice.address;
  if (!choice.protocol.empty()) request["protocol"] = choice.protocol;
  if (request.size() == 1) {
    context.fail("kick whom? Give an account, --id, --address or --protocol");
    context.exit_code = kWrongUsage;
    return;
  }
  auto access = connect(context);
  if (!access) return context.fail(access.error().message);
  const auto answer = (*access)->call(std::move(request));
  if (!answer) return context.fail(answer.error().message);
  const std::uint64_t kicked = answer->value("kicked", std::uint64_t{0});
  fmt::print("{} session{} ended\n", kicked, kicked == 1 ? "" : "s");
  if (kicked == 0) context.exit_code = 1;
}

}  // namespace

void add_session_commands(CLI::App& app, Context& context) {
  auto choice = std::make_shared<Choice>();
  CLI::App* list = app.add_subcommand("who", "who is logged in, by POP3 and IMAP");
  list->add_option("ACCOUNT", choice->account, "this account only");
  list->add_flag("--json", choice->json, "for programs");
  list->callback([&context, choice] { who(context, *choice); });
  CLI::App* end = app.add_subcommand("kick", "end sessions; what they have marked is not removed");
  end->add_option("ACCOUNT", choice->account, "those of this account");
  end->add_option("--id", choice->id, "the one with this number in `who`");
  end->add_option("--address", choice->address, "those from this address");
  end->add_option("--protocol", choice->protocol, "pop3 or imap")
      ->check(CLI::IsMember({"pop3", "imap"}));
  end->callback([&context, choice] { kick(context, *choice); });
}

}  // namespace twinpost::tools
