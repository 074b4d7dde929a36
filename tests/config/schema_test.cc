#include "core/config/schema.h"

#include <doctest/doctest.h>
#include <map>
#include <set>
#include <string>

#include "core/config/config.h"
#include "core/config/json_text.h"

using namespace twinpost;
using namespace twinpost::config;

namespace {

// A key with where it stands, as path in messages and as a function that puts a value there.
struct Leaf {
  KeyInfo info;
  std::string path;
  std::string before;  // JSON before and after the value
  std::string after;
};

void collect(const KeyInfo& section, const std::string& path, const std::string& before,
             const std::string& after, std::vector<Leaf>& out) {
  for (const KeyInfo& key : section.keys) {
    const std::string here = path.empty() ? key.name : path + '.' + key.name;
    const std::string open = before + "{\"" + key.name + "\":";
    const std::string close = "}" + after;
    out.push_back(Leaf{key, here, open, close});
    switch (key.type) {
      case KeyType::kSection: collect(key, here, open, close, out); break;
      case KeyType::kSectionList: collect(key, here + "[0]", open + "[", "]" + close, out); break;
      case KeyType::kSectionMap:
        collect(key, here + ".ann", open + "{\"ann\":", "}" + close, out);
        break;
      default: break;
    }
  }
}

std::vector<Leaf> leaves(const KeyInfo& schema) {
  std::vector<Leaf> out;
  collect(schema, "", "", "", out);
  return out;
}

// JSON types that a key of a type takes.
std::set<std::string> taken(const KeyInfo& info) {
  switch (info.type) {
    case KeyType::kFlag: return {"boolean"};
    case KeyType::kCount: return {"number"};
    case KeyType::kSize:
    case KeyType::kDuration: return {"number", "string"};
    case KeyType::kText:
    case KeyType::kPath:
    case KeyType::kChoice: return {"string"};
    case KeyType::kAddressList:
    case KeyType::kNameList:
    case KeyType::kCountList:
    case KeyType::kSectionList: return {"list"};
    case KeyType::kSectionMap: return {"object"};
    case KeyType::kSection: break;
  }
  if (info.flag_stands_for_it) return {"object", "boolean"};
  return {"object"};
}

const std::map<std::string, std::string> kSamples = {{"null", "null"}, {"boolean", "true"},
                                                     {"number", "7"},  {"string", "\"x\""},
                                                     {"list", "[]"},   {"object", "{}"}};

template <class Parse>
void check_wrong_types(const KeyInfo& schema, Parse parse) {
  for (const Leaf& leaf : leaves(schema)) {
    for (const auto& [type, sample] : kSamples) {
      if (taken(leaf.info).contains(type)) continue;
      const std::string text = leaf.before + sample + leaf.after;
      CAPTURE(text);
      const auto parsed = parse(text);
      REQUIRE_FALSE(parsed);
      const std::string& error = parsed.error().message;
      // A sibling that is required may be missed first; the key itself never is accepted.
      const bool about_it = error.starts_with("t: " + leaf.path + ": must be ");
      const bool sibling_missing = error.ends_with(": is missing");
      CHECK((about_it || sibling_missing));
    }
  }
}

// The file with what is required beside the key.
std::string with_password(const std::string& text) {
  const std::string account = "{\"ann\":{";
  const std::size_t at = text.find(account);
  if (at == std::string::npos || text.find("\"password\"") != std::string::npos) return text;
  return text.substr(0, at + account.size()) + "\"password\":\"{PLAIN}x\"," +
         text.substr(at + account.size());
}

}  // namespace

TEST_CASE("every key of the server file refuses every wrong type") {
  CHECK(leaves(server_schema()).size() > 35);
  check_wrong_types(server_schema(),
                    [](const std::string& text) { return parse_server_config(text, "t"); });
}

TEST_CASE("every key of the accounts file refuses every wrong type") {
  CHECK(leaves(accounts_schema()).size() > 12);
  check_wrong_types(accounts_schema(), [](const std::string& text) {
    return parse_accounts_config(with_password(text), "t");
  });
}

TEST_CASE(
    "every default of the schema is a value that its key takes, and is what an empty file gives") {
  const auto defaults = parse_json(show_server_config(ServerConfig{}), "t");
  REQUIRE(defaults);
  for (const Leaf& leaf : leaves(server_schema())) {
    if (leaf.info.default_value.empty() || leaf.path.find("sni[0]") != std::string::npos) continue;
    CAPTURE(leaf.path);
    CHECK(parse_server_config(leaf.before + leaf.info.default_value + leaf.after, "t"));
    Json value = *defaults;
    std::string rest = leaf.path + '.';
    while (!rest.empty()) {
      const std::size_t dot = rest.find('.');
      value = Json(value.at(rest.substr(0, dot)));
      rest.erase(0, dot + 1);
    }
    CHECK(value.dump() == leaf.info.default_value);
  }
}

TEST_CASE("every key is described") {
  for (const auto* schema : {&server_schema(), &accounts_schema()}) {
    for (const Leaf& leaf : leaves(*schema)) {
      CAPTURE(leaf.path);
      CHECK_FALSE(leaf.info.description.empty());
      CHECK((leaf.info.type == KeyType::kChoice) == !leaf.info.choices.empty());
      CHECK(leaf.info.min <= leaf.info.max);
    }
  }
}

TEST_CASE("the server file's sections and limits are those that are promised") {
  const auto names = [](const KeyInfo& section) {
    std::vector<std::string> out;
    for (const KeyInfo& key : section.keys) out.push_back(key.name);
    return out;
  };
  const KeyInfo& file = server_schema();
  CHECK(names(file) == std::vector<std::string>{"version", "data", "accounts", "listen", "tls",
                                                "plaintext_login", "limits", "storage", "quota",
                                                "removed", "log"});
  CHECK(names(file.keys[3]) ==
        std::vector<std::string>{"pop3", "pop3s", "imap", "imaps", "lmtp", "http", "admin"});
  CHECK(names(file.keys[6]) == std::vector<std::string>{"connections",
                                                        "connections_per_address",
                                                        "connections_per_account",
                                                        "message_size",
                                                        "command_line",
                                                        "recipients",
                                                        "messages_per_command",
                                                        "bad_commands",
                                                        "lmtp_loops",
                                                        "password_checks",
                                                        "retention_days",
                                                        "removed_size",
                                                        "removed_messages",
                                                        "disk_reserve",
                                                        "login_time",
                                                        "login_delay_pop3",
                                                        "idle_time_pop3",
                                                        "idle_time_imap",
                                                        "idle_time_lmtp",
                                                        "write_time",
                                                        "stop_time"});
  CHECK(names(file.keys[7]) == std::vector<std::string>{"compression", "key_file"});
  CHECK(names(file.keys[8]) == std::vector<std::string>{"warn_at", "warn_by_mail"});
  CHECK(names(file.keys[9]) == std::vector<std::string>{"mailbox"});
}

TEST_CASE("edit distance counts changes, additions, removals and swaps of neighbours") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("limits", "limist") == 1);
  CHECK(edit_distance("pop3s", "pop3") == 1);
}

TEST_CASE("suggestions are what a person would have meant") {
  const auto suggestion = [](std::string_view section, std::string_view unknown) {
    const KeyInfo* found = &server_schema();
    for (const KeyInfo& key : server_schema().keys) {
      if (key.name == section) found = &key;
    }
    return suggest_key(unknown, *found, server_schema());
  };
  CHECK(suggestion("", "Data") == "data");
  CHECK(suggestion("", "account") == "accounts");
  CHECK(suggestion("", "listenn") == "listen");
  CHECK(suggestion("", "plain_text_login") == "plaintext_login");
  CHECK(suggestion("", "certificate") == "tls.certificate");
  CHECK(suggestion("", "retention_days") == "limits.retention_days");
  CHECK(suggestion("", "log_level") == "log");
  CHECK(suggestion("listen", "pop") == "pop3");
  CHECK(suggestion("listen", "smtp") == "lmtp");
  CHECK(suggestion("limits", "max_connections") == "connections");
  CHECK(suggestion("limits", "idle_time") == "idle_time_pop3");
  CHECK(suggestion("limits", "mesage_sise") == "message_size");
  CHECK(suggestion("tls", "cert") == "certificate");
  CHECK(suggestion("", "x") == "");
  CHECK(suggestion("", "database_connection") == "data");
  CHECK(suggestion("", "qqqqqqqq") == "");
  CHECK(suggestion("", std::string(100'000, 'a')) == "");
}

TEST_CASE("a suggestion for an account names the place where the key belongs") {
  const auto error = [](const std::string& account) {
    return parse_accounts_config(R"({"accounts": {"ann": )" + account + "}}", "a").error().message;
  };
  CHECK(error(R"({"password": "{PLAIN}x", "pop3": true})") ==
        R"(a: accounts.ann.pop3: unknown key (did you mean "accounts.NAME.protocols.pop3"?))");
  CHECK(error(R"({"passwort": "{PLAIN}x"})") ==
        R"(a: accounts.ann.passwort: unknown key (did you mean "password"?))");
}
