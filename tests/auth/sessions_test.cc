#include "core/auth/sessions.h"

#include <doctest/doctest.h>
#include <map>

using namespace twinpost;
using namespace twinpost::auth;

namespace {

Sessions::Entry entry(const std::string& account, Protocol protocol,
                      std::function<void(EndReason)> end) {
  return Sessions::Entry{account, protocol, "192.0.2.7", std::move(end)};
}

config::AccountsConfig accounts(const std::string& text) {
  const auto config = config::parse_accounts_config(R"({"accounts": {)" + text + "}}", "a");
  REQUIRE(config);
  return **config;
}

}  // namespace

TEST_CASE("an account has as many sessions as it may, and gets room again when one ends") {
  Sessions sessions;
  const auto add = [&](const char* account, std::uint64_t limit) {
    return sessions.add(entry(account, Protocol::kPop3, [](EndReason) {}), limit);
  };
  auto first = add("ann", 2);
  auto second = add("ann", 2);
  REQUIRE(first);
  REQUIRE(second);
  auto third = add("ann", 2);
  REQUIRE_FALSE(third);
  CHECK(third.error().code == ErrorCode::kLimit);
  auto other = add("bob", 1);
  CHECK(other);
  auto unlimited = add("ann", 0);
  CHECK(unlimited);
  CHECK(sessions.count() == 4);
  first->reset();
  unlimited->reset();
  CHECK(sessions.count() == 2);
  third = add("ann", 2);
  CHECK(third);
}

TEST_CASE("sessions are ended by what is chosen, though an end may take others away") {
  Sessions sessions;
  std::map<int, std::unique_ptr<Sessions::Registration>> held;
  std::vector<int> ended;
  for (int i = 0; i < 6; ++i) {
    const auto end = [&, i](EndReason reason) {
      CHECK(reason == EndReason::kShutdown);
      ended.push_back(i);
      held.erase(i);
      held.erase(i + 1);
    };
    held[i] = std::move(*sessions.add(entry(i < 4 ? "ann" : "bob", Protocol::kPop3, end), 0));
  }
  const auto is_ann = [](const Sessions::Entry& one) { return one.account == "ann"; };
  CHECK(sessions.end_where(is_ann, EndReason::kShutdown) == 2);
  CHECK(ended == std::vector<int>{0, 2});
  CHECK(sessions.count() == 2);
  std::size_t seen = 0;
  sessions.for_each([&](const Sessions::Entry& one) { seen += one.account == "bob" ? 1 : 0; });
  CHECK(seen == 2);
}

TEST_CASE("after a reload, sessions end whose account or protocol is not what it was") {
  Sessions sessions;
  std::map<std::string, EndReason> ended;
  std::vector<std::unique_ptr<Sessions::Registration>> held;
  const auto add = [&](const std::string& account, Protocol protocol) {
    const std::string name = account + '/' + std::string(to_string(protocol));
    held.push_back(std::move(*sessions.add(
        entry(account, protocol, [&, name](EndReason why) { ended[name] = why; }), 0)));
  };
  for (const char* account : {"same", "gone", "disabled", "password", "popless"}) {
    add(account, Protocol::kPop3);
    add(account, Protocol::kImap);
  }
  add("", Protocol::kLmtp);
  const auto before = accounts(R"(
    "same": {"password": "{PLAIN}a"}, "gone": {"password": "{PLAIN}a"},
    "disabled": {"password": "{PLAIN}a"}, "password": {"password": "{PLAIN}a"},
    "popless": {"password": "{PLAIN}a"})");
  const auto after = accounts(R"(
    "same": {"password": "{PLAIN}a", "quota": 1},
    "disabled": {"password": "{PLAIN}a", "enabled": false}, "password": {"password": "{PLAIN}b"},
    "popless": {"password": "{PLAIN}a", "protocols": {"pop3": false}})");
  CHECK(end_outdated(sessions, before, after) == 7);
  const std::map<std::string, EndReason> expected = {
      {"gone/pop3", EndReason::kAccountDisabled},
      {"gone/imap", EndReason::kAccountDisabled},
      {"disabled/pop3", EndReason::kAccountDisabled},
      {"disabled/imap", EndReason::kAccountDisabled},
      {"password/pop3", EndReason::kAccountDisabled},
      {"password/imap", EndReason::kAccountDisabled},
      {"popless/pop3", EndReason::kProtocolDisabled}};
  CHECK(ended == expected);
}
