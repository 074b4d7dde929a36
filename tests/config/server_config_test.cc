#include <doctest/doctest.h>
#include <filesystem>
#include <string>

#include "core/config/config.h"
#include "tests/config/temporary_folder.h"

using namespace twinpost;
using namespace twinpost::config;
using namespace std::chrono_literals;

namespace {

std::string error_of(std::string_view text) {
  const auto parsed = parse_server_config(text, "t.json");
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().message.find('\n') == std::string::npos);
  return parsed.error().message;
}

ServerConfig parsed(std::string_view text, const std::string& source = "t.json") {
  const auto config = parse_server_config(text, source);
  if (!config) FAIL(config.error().message);
  return **config;
}

}  // namespace

TEST_CASE("an empty server file is valid and gives the defaults") {
  const ServerConfig config = parsed("{}");
  CHECK(config.source == "t.json");
  CHECK(config.data == "/var/lib/twinpost");
  CHECK(config.accounts == "/etc/twinpost/accounts.json");
  CHECK(config.listen.pop3 == std::vector<std::string>{"*:110"});
  CHECK(config.listen.pop3s.empty());  // no certificate
  CHECK(config.listen.lmtp == std::vector<std::string>{"unix:/run/twinpost/lmtp.sock"});
  CHECK(config.plaintext_login == PlaintextLogin::kLoopback);
  CHECK(config.limits.connections == 20'000);
  CHECK(config.limits.message_size == 50ULL * 1024 * 1024);
  CHECK(config.limits.idle_time_pop3 == 10min);
  CHECK(config.quota.warn_at == std::vector<std::uint64_t>{80, 95});
  CHECK_FALSE(config.quota.warn_by_mail);
  CHECK(config.removed.mailbox.empty());
  CHECK_FALSE(config.storage.compression);
  CHECK(config.storage.key_file.empty());
  CHECK(config.log.level == log::Level::kInfo);
}

TEST_CASE("every key of the server file reaches its setting") {
  const ServerConfig config = parsed(R"({
    "version": 1,
    "data": "/srv/mail", "accounts": "/srv/accounts.json",
    "listen": {"pop3": ["127.0.0.1:110", "[::1]:110"], "pop3s": ["*:995"], "imap": ["127.0.0.1:143"],
               "imaps": ["[::]:993"], "lmtp": ["unix:/run/lmtp.sock"], "http": ["127.0.0.1:8080"],
               "admin": ["unix:/run/admin.sock"]},
    "tls": {"certificate": "/c.pem", "key": "/k.pem",
            "sni": [{"certificate": "/c2.pem", "key": "/k2.pem"}]},
    "plaintext_login": "never",
    "limits": {"connections": 1, "connections_per_address": 2, "connections_per_account": 3,
               "message_size": "4 MiB", "command_line": 1000, "recipients": 6, "bad_commands": 7,
               "lmtp_loops": 8, "password_checks": 9, "retention_days": 10, "disk_reserve": "11 KB",
               "login_time": 12, "idle_time_pop3": "13 s", "idle_time_imap": "14 min",
               "idle_time_lmtp": "15 h", "write_time": "2 days", "stop_time": "17 ms"},
    "storage": {"compression": true, "key_file": "/srv/keys"},
    "quota": {"warn_at": [50, 75, 100], "warn_by_mail": true},
    "removed": {"mailbox": "Mail/Removed messages"},
    "log": {"level": "debug", "format": "json", "file": "/var/log/twinpost"}
  })");
  CHECK(config.data == "/srv/mail");
  CHECK(config.accounts == "/srv/accounts.json");
  CHECK(config.listen.pop3 == std::vector<std::string>{"127.0.0.1:110", "[::1]:110"});
  CHECK(config.listen.pop3s == std::vector<std::string>{"*:995"});
  CHECK(config.listen.imap == std::vector<std::string>{"127.0.0.1:143"});
  CHECK(config.listen.imaps == std::vector<std::string>{"[::]:993"});
  CHECK(config.listen.lmtp == std::vector<std::string>{"unix:/run/lmtp.sock"});
  CHECK(config.listen.http == std::vector<std::string>{"127.0.0.1:8080"});
  CHECK(config.listen.admin == std::vector<std::string>{"unix:/run/admin.sock"});
  CHECK(config.tls.certificate == "/c.pem");
  CHECK(config.tls.key == "/k.pem");
  REQUIRE(config.tls.sni.size() == 1);
  CHECK(config.tls.sni[0].certificate == "/c2.pem");
  CHECK(config.tls.sni[0].key == "/k2.pem");
  CHECK(config.plaintext_login == PlaintextLogin::kNever);
  CHECK(config.limits.connections == 1);
  CHECK(config.limits.connections_per_address == 2);
  CHECK(config.limits.connections_per_account == 3);
  CHECK(config.limits.message_size == 4ULL * 1024 * 1024);
  CHECK(config.limits.command_line == 1000);
  CHECK(config.limits.recipients == 6);
  CHECK(config.limits.bad_commands == 7);
  CHECK(config.limits.lmtp_loops == 8);
  CHECK(config.limits.password_checks == 9);
  CHECK(config.limits.retention_days == 10);
  CHECK(config.limits.disk_reserve == 11'000);
  CHECK(config.limits.login_time == 12s);
  CHECK(config.limits.idle_time_pop3 == 13s);
  CHECK(config.limits.idle_time_imap == 14min);
  CHECK(config.limits.idle_time_lmtp == 15h);
  CHECK(config.limits.write_time == 48h);
  CHECK(config.limits.stop_time == 17ms);
  CHECK(config.quota.warn_at == std::vector<std::uint64_t>{50, 75, 100});
  CHECK(config.quota.warn_by_mail);
  CHECK(config.removed.mailbox == "Mail/Removed messages");
  CHECK(config.storage.compression);
  CHECK(config.storage.key_file == "/srv/keys");
  CHECK(config.log.level == log::Level::kDebug);
  CHECK(config.log.format == log::Format::kJson);
  CHECK(config.log.file == "/var/log/twinpost");
}

TEST_CASE("what the server file gets wrong is said in one line with the path of the key") {
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "t.json: must be an object, not a list"},
      {R"({"limit": {}})", R"(t.json: limit: unknown key (did you mean "limits"?))"},
      {R"({"limits": {"conections": 1}})",
       R"(t.json: limits.conections: unknown key (did you mean "connections"?))"},
      {R"({"limits": {"idle-time-pop3": 1}})",
       R"(t.json: limits.idle-time-pop3: unknown key (did you mean "idle_time_pop3"?))"},
      {R"({"message_size": 1})",
       R"(t.json: message_size: unknown key (did you mean "limits.message_size"?))"},
      {R"({"pop3s": ["*:995"]})", R"(t.json: pop3s: unknown key (did you mean "listen.pop3s"?))"},
      {R"({"log": {"colour": 1}})",
       "t.json: log.colour: unknown key (known here: level, format, file)"},
      {R"({"a\nb": 1})",
       "t.json: \"a\\x0ab\": unknown key (known here: version, data, accounts, listen, tls, "
       "plaintext_login, limits, storage, quota, removed, log)"},
      {R"({"removed": {"mailbox": "a//b"}})",
       R"(t.json: removed.mailbox: "a//b" can't be a mailbox here: it has an empty level)"},
      {R"({"removed": {"mailbox": "Inbox/removed"}})",
       "t.json: removed.mailbox: \"Inbox/removed\" can't be a mailbox here: it is one that "
       "accounts "
       "have for something else"},
      {R"({"removed": {"mailbox": "Trash"}})",
       "t.json: removed.mailbox: \"Trash\" can't be a mailbox here: it is one that accounts "
       "have for something else"},
      {R"({"removed": {"mailbox": "100%"}})",
       "t.json: removed.mailbox: \"100%\" can't be a mailbox here: it has a control character, "
       "\"%\" or \"*\" in it"},
      {R"({"removed": {"mailbox": 1}})", "t.json: removed.mailbox: must be a string, not a number"},
      {R"({"listen": {"pop3": "127.0.0.1:110"}})",
       R"(t.json: listen.pop3: must be a list, like ["127.0.0.1:110"], not a string)"},
      {R"({"listen": {"pop3": ["*:1", 110]}})",
       "t.json: listen.pop3[1]: must be a string, not a number"},
      {R"({"listen": {"pop3": ["localhost:110"]}})",
       "t.json: listen.pop3[0]: \"localhost:110\" is not an address to listen on: the host must be "
       "a numeric address (\"127.0.0.1:143\", \"[::1]:993\", \"*:110\" or \"unix:/run/x.sock\")"},
      {R"({"listen": {"pop3s": ["*:995"]}})",
       "t.json: listen.pop3s: needs tls.certificate and tls.key"},
      {R"({"listen": {"imaps": ["*:993"]}})",
       "t.json: listen.imaps: needs tls.certificate and tls.key"},
      {R"({"listen": {"pop3": ["*:110"], "imap": ["*:143", "*:110"]}})",
       R"(t.json: listen.imap[1]: "*:110" is listed already, as listen.pop3[0])"},
      {R"({"tls": {"certificate": "c"}})", "t.json: tls.key: is missing: tls.certificate needs it"},
      {R"({"tls": {"key": "k"}})", "t.json: tls.certificate: is missing: tls.key needs it"},
      {R"({"tls": {"sni": [{"certificate": "c"}]}})", "t.json: tls.sni[0].key: is missing"},
      {R"({"tls": {"sni": [{"certificate": "c", "key": "k"}]}})",
       "t.json: tls.sni: needs tls.certificate, for clients that name no server"},
      {R"({"tls": {"sni": {}}})", "t.json: tls.sni: must be a list of objects, not an object"},
      {R"({"plaintext_login": "allways"})",
       "t.json: plaintext_login: must be \"never\", \"loopback\" or \"always\", not \"allways\" "
       "(did you mean \"always\"?)"},
      {R"({"plaintext_login": true})",
       "t.json: plaintext_login: must be \"never\", \"loopback\" or \"always\", not true or false"},
      {R"({"data": ""})", "t.json: data: must not be empty"},
      {R"({"data": "a\u0000b"})", "t.json: data: must not contain control characters"},
      {R"({"limits": {"connections": -1}})", "t.json: limits.connections: must not be negative"},
      {R"({"limits": {"connections": 1.5}})", "t.json: limits.connections: must be a whole number"},
      {R"({"limits": {"connections": "many"}})",
       "t.json: limits.connections: must be a whole number, not a string"},
      {R"({"limits": {"connections": 99999999999999999999999}})",
       "t.json: limits.connections: is too large"},
      {R"({"limits": {"connections": 18446744073709551615}})",
       "t.json: limits.connections: must be at most 10000000"},
      {R"({"limits": {"command_line": 511}})", "t.json: limits.command_line: must be at least 512"},
      {R"({"limits": {"command_line": "2 MiB"}})",
       "t.json: limits.command_line: must be at most 1 MiB"},
      {R"({"limits": {"message_size": "50 MegaBytes"}})",
       "t.json: limits.message_size: must be a number of octets or a size like \"50 MiB\", not "
       "\"50 MegaBytes\""},
      {R"({"limits": {"message_size": "99999999999 TiB"}})",
       "t.json: limits.message_size: is too large"},
      {R"({"limits": {"login_time": "10 m"}})",
       "t.json: limits.login_time: must be a number of seconds or a time like \"10 min\", not \"10 "
       "m\""},
      {R"({"limits": {"login_time": 18446744073709551615}})",
       "t.json: limits.login_time: is too large"},
      {R"({"limits": {"login_time": "4000 days"}})",
       "t.json: limits.login_time: must be at most 3650 days"},
      {R"({"limits": null})", "t.json: limits: must be an object, not null"},
      {R"({"version": 0})", "t.json: version: must be at least 1"},
      {R"({"version": "1"})", "t.json: version: must be a whole number, not a string"},
      {R"({"version": 1, "version": 1})", "t.json: line 1, column 24: version is there twice"},
  };
  for (const auto& [text, error] : cases) {
    CAPTURE(text);
    CHECK(error_of(text) == error);
  }
}

TEST_CASE("a file of a newer version is refused as such, whatever else is in it") {
  const auto config = parse_server_config(R"({"new_key": 1, "version": 2})", "t.json");
  REQUIRE_FALSE(config);
  CHECK(config.error().code == ErrorCode::kNewerFormat);
  CHECK(config.error().message ==
        "t.json: version: written for a newer Twinpost (this one reads version 1, not 2)");
}

TEST_CASE("sizes and times are taken in every unit") {
  const auto size = [](const std::string& value) {
    return parsed(R"({"limits": {"disk_reserve": )" + value + "}}").limits.disk_reserve;
  };
  CHECK(size("0") == 0);
  CHECK(size("-0") == 0);
  CHECK(size("123") == 123);
  CHECK(size(R"("12 B")") == 12);
  CHECK(size(R"("500 KB")") == 500'000);
  CHECK(size(R"("500KiB")") == 512'000);
  CHECK(size(R"("3 mib")") == 3ULL << 20);
  CHECK(size(R"("3 MB")") == 3'000'000);
  CHECK(size(R"("1 GiB")") == 1ULL << 30);
  CHECK(size(R"("1 GB")") == 1'000'000'000);
  CHECK(size(R"("1 TiB")") == 1ULL << 40);
  CHECK(size(R"("1 TB")") == 1'000'000'000'000);
  for (const char* bad : {R"("12")", R"("")", R"("MiB")", R"("1.5 GiB")", R"("-1 B")", R"("+1 B")",
                          R"("1 B x")", R"("0x10 B")", "true", "[]"}) {
    CAPTURE(bad);
    CHECK_FALSE(
        parse_server_config(R"({"limits": {"disk_reserve": )" + std::string(bad) + "}}", "t"));
  }
  const auto time = [](const std::string& value) {
    return parsed(R"({"limits": {"stop_time": )" + value + "}}").limits.stop_time;
  };
  CHECK(time("0") == 0ms);
  CHECK(time("90") == 90s);
  CHECK(time(R"("500 ms")") == 500ms);
  CHECK(time(R"("30 s")") == 30s);
  CHECK(time(R"("10 min")") == 10min);
  CHECK(time(R"("1 h")") == 1h);
  CHECK(time(R"("1 day")") == 24h);
  CHECK(time(R"("2 days")") == 48h);
}

TEST_CASE("a time of 0 means no limit, and still every wait has an end") {
  const ServerConfig config = parsed(R"({"limits": {"login_time": 0, "stop_time": 0}})");
  CHECK(config.limits.login_time == kNoTimeLimit);
  CHECK(config.limits.stop_time == 0ms);
  CHECK(show_server_config(config).find("\"login_time\": 0,") != std::string::npos);
}

TEST_CASE("relative paths start at the folder of the file") {
  const test::TemporaryFolder folder;
  const std::string path = folder.write("t.json", R"({"data": "mail", "accounts": "./a.json",
    "tls": {"certificate": "../c.pem", "key": "/k.pem"}, "log": {"file": "log/x"}})");
  const auto config = load_server_config(path);
  REQUIRE(config);
  CHECK((*config)->data == folder.file("mail"));
  CHECK((*config)->accounts == folder.file("a.json"));
  CHECK((*config)->tls.certificate ==
        (std::filesystem::path(folder.path()).parent_path() / "c.pem").string());
  CHECK((*config)->tls.key == "/k.pem");
  CHECK((*config)->log.file == folder.file("log/x"));
  CHECK(parsed(R"({"data": "mail"})", "/etc/twinpost/t.json").data == "/etc/twinpost/mail");
}

TEST_CASE("a file that can't be read is told by its name") {
  const test::TemporaryFolder folder;
  const auto missing = load_server_config(folder.file("none.json"));
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ErrorCode::kNotFound);
  CHECK(missing.error().message == folder.file("none.json") + ": No such file or directory");
  CHECK(load_server_config(folder.path()).error().message == folder.path() + ": Is a directory");
  const std::string large = folder.write("large.json", std::string(5U << 20, ' '));
  CHECK(load_server_config(large).error().code == ErrorCode::kTooLarge);
}

TEST_CASE("what config show prints reads back as the same configuration") {
  const ServerConfig before = parsed(R"({"data": "/x", "limits": {"message_size": 12345,
      "idle_time_imap": "90 s", "login_time": 0, "disk_reserve": 0},
      "listen": {"pop3": ["*:110"]}, "log": {"level": "error"},
      "tls": {"certificate": "/c", "key": "/k", "sni": [{"certificate": "/d", "key": "/l"}]}})");
  const std::string shown = show_server_config(before);
  CHECK(shown.find("\"idle_time_imap\": \"90 s\"") != std::string::npos);
  CHECK(shown.find("\"idle_time_pop3\": \"10 min\"") != std::string::npos);
  CHECK(shown.find("\"disk_reserve\": 0,") != std::string::npos);
  const ServerConfig after = parsed(shown);
  CHECK(show_server_config(after) == shown);
  CHECK(after.limits.message_size == 12345);
  CHECK(after.limits.idle_time_imap == 90s);
  CHECK(after.limits.login_time == kNoTimeLimit);
  CHECK(after.listen.pop3 == before.listen.pop3);
  CHECK(after.tls.sni.size() == 1);
  CHECK(after.log.level == log::Level::kError);
  CHECK(parsed(show_server_config(ServerConfig{})).limits.message_size == Limits{}.message_size);
}

TEST_CASE("the percents to warn at are few, whole, and ascending") {
  const auto warn_at = [](const std::string& list) {
    return parsed(R"({"quota": {"warn_at": )" + list + "}}").quota.warn_at;
  };
  CHECK(warn_at("[]").empty());
  CHECK(warn_at("[1]") == std::vector<std::uint64_t>{1});
  CHECK(warn_at("[1,2,3,4,5,6,99,100]").size() == 8);

  const std::pair<const char*, const char*> cases[] = {
      {"80", "warn_at: must be a list of whole numbers, like [80,95], not a number"},
      {R"(["80"])", "warn_at[0]: must be a whole number, not a string"},
      {"[80, 95.5]", "warn_at[1]: must be a whole number"},
      {"[-1]", "warn_at[0]: must not be negative"},
      {"[0]", "warn_at[0]: must be at least 1"},
      {"[80, 101]", "warn_at[1]: must be at most 100"},
      {"[95, 80]", "warn_at[1]: must be larger than the one before it (95)"},
      {"[80, 80]", "warn_at[1]: must be larger than the one before it (80)"},
      {"[1,2,3,4,5,6,7,8,9]", "warn_at: must have at most 8 numbers"},
  };
  for (const auto& [list, wanted] : cases) {
    CAPTURE(list);
    const auto config =
        parse_server_config(R"({"quota": {"warn_at": )" + std::string(list) + "}}", "t.json");
    REQUIRE_FALSE(config);
    CHECK(config.error().message == "t.json: quota." + std::string(wanted));
  }
}

TEST_CASE("the key file is found beside the server file") {
  const ServerConfig config =
      parsed(R"({"storage": {"key_file": "keys"}})", "/etc/twinpost/t.json");
  CHECK(config.storage.key_file == "/etc/twinpost/keys");
  CHECK_FALSE(config.storage.compression);
  CHECK(error_of(R"({"storage": {"key_fil": "keys"}})") ==
        R"(t.json: storage.key_fil: unknown key (did you mean "key_file"?))");
  CHECK(error_of(R"({"storage": {"compression": "zstd"}})") ==
        "t.json: storage.compression: must be true or false, not a string");
}
