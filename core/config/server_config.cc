// The server file's table, and what must hold between its keys.
#include <map>

#include "core/config/config.h"
#include "core/config/fields.h"
#include "core/config/files.h"
#include "core/config/names.h"

namespace twinpost::config {

namespace {

constexpr std::uint64_t kMaxConnections = 10'000'000;
constexpr std::uint64_t kMaxCount = 1'000'000;
constexpr std::uint64_t kMaxSize = 1ULL << 50;
constexpr std::uint64_t kMaxMessageSize = 1ULL << 40;
// RFC 5321 4.5.3.1.4 asks for 512 octets; a line is held in memory, so it can't be without limit.
constexpr Bounds kCommandLine{512, 1 << 20};
constexpr std::uint64_t kMaxParallelChecks = 1024;
constexpr std::uint64_t kMaxRetentionDays = 36'500;
constexpr Bounds kPercent{1, 100};
constexpr std::size_t kMostWarnings = 8;
// RFC 2449 section 6.5 counts seconds; more than an hour would be a switch.
constexpr Bounds kLoginDelay{0, 3'600'000};
constexpr Bounds kTime{0,
                       static_cast<std::uint64_t>(std::chrono::milliseconds(kNoTimeLimit).count())};

Result<std::string> listen_address(std::string_view text) {
  if (auto checked = check_listen_address(text); !checked) return tl::unexpected(checked.error());
  return std::string(text);
}

Field<Listen> addresses(std::string_view name, std::vector<std::string> Listen::*member,
                        std::string_view example, std::string_view description) {
  return texts(name, member, KeyType::kAddressList, listen_address, example, description);
}

const Fields<Listen>& listen_fields() {
  static const Fields<Listen> fields = {
      addresses("pop3", &Listen::pop3, R"(["127.0.0.1:110"])", "POP3, with STLS"),
      addresses("pop3s", &Listen::pop3s, R"(["[::]:995"])", "POP3 over TLS"),
      addresses("imap", &Listen::imap, R"(["127.0.0.1:143"])", "IMAP, with STARTTLS"),
      addresses("imaps", &Listen::imaps, R"(["[::]:993"])", "IMAP over TLS"),
      addresses("lmtp", &Listen::lmtp, R"(["unix:/run/twinpost/lmtp.sock"])",
                "LMTP, where the MTA delivers"),
      addresses("http", &Listen::http, R"(["127.0.0.1:8080"])", "figures and health over HTTP"),
      addresses("admin", &Listen::admin, R"(["unix:/run/twinpost/admin.sock"])",
                "commands of the admin tool"),
  };
  return fields;
}

const Fields<Certificate>& certificate_fields() {
  static const Fields<Certificate> fields = {
      required(path("certificate", &Certificate::certificate, {.min = 1},
                    "PEM file with the certificate and its chain")),
      required(path("key", &Certificate::key, {.min = 1}, "PEM file with its private key")),
  };
  return fields;
}

const Fields<Tls>& tls_fields() {
  static const Fields<Tls> fields = {
      path("certificate", &Tls::certificate, {},
           "PEM file with the certificate and its chain; empty: no TLS"),
      path("key", &Tls::key, {}, "PEM file with its private key"),
      section_list("sni", &Tls::sni, certificate_fields(),
                   "further certificates, chosen by the name that the client asks for"),
  };
  return fields;
}

Fields<Limits> count_and_size_limits() {
  return {
      count("connections", &Limits::connections, {.max = kMaxConnections}, "connections",
            "open at once; 0: no limit"),
      count("connections_per_address", &Limits::connections_per_address, {.max = kMaxConnections},
            "connections", "open at once from one address; 0: no limit"),
      count("connections_per_account", &Limits::connections_per_account, {.max = kMaxConnections},
            "sessions", "logged in at once as one account; 0: no limit"),
      size("message_size", &Limits::message_size, {.max = kMaxMessageSize},
           "of one message; 0: no limit"),
      size("command_line", &Limits::command_line, kCommandLine, "of one command line"),
      count("recipients", &Limits::recipients, {.max = kMaxCount}, "recipients",
            "of one LMTP transaction; 0: no limit"),
      count("messages_per_command", &Limits::messages_per_command, {.max = kMaxCount}, "messages",
            "of one IMAP command, told to clients as MESSAGELIMIT; 0: no limit"),
      count("bad_commands", &Limits::bad_commands, {.max = kMaxCount}, "commands",
            "wrong ones in a row before the connection is closed; 0: no limit"),
      count("lmtp_loops", &Limits::lmtp_loops, {.max = kMaxCount}, "fields",
            "Received fields from which on a message is in a loop; 0: no limit"),
      count("password_checks", &Limits::password_checks, {.max = kMaxParallelChecks}, "checks",
            "password hashes computed at once; 0: half of the workers"),
      count("retention_days", &Limits::retention_days, {.max = kMaxRetentionDays}, "days",
            "how long removed messages can be undeleted; 0: not at all"),
      size("removed_size", &Limits::removed_size, {.max = kMaxSize},
           "of one account's removed messages that are kept; 0: no limit"),
      count("removed_messages", &Limits::removed_messages, {.max = kMaxCount}, "messages",
            "removed ones of one account that are kept; 0: no limit"),
      size("disk_reserve", &Limits::disk_reserve, {.max = kMaxSize},
           "of disk space that is kept free of new mail"),
  };
}

Fields<Limits> time_limits() {
  return {
      time_limit("login_time", &Limits::login_time, kTime,
                 "from the connection to the login; 0: no limit"),
      duration("login_delay_pop3", &Limits::login_delay_pop3, kLoginDelay,
               "between one POP3 login of an account and the next; 0: none"),
      // RFC 1939 section 3 asks for ten minutes at least; a shorter one is the admin's decision.
      time_limit("idle_time_pop3", &Limits::idle_time_pop3, kTime,
                 "without a command, POP3; 0: no limit"),
      time_limit("idle_time_imap", &Limits::idle_time_imap, kTime,
                 "without a command, IMAP; 0: no limit"),
      time_limit("idle_time_lmtp", &Limits::idle_time_lmtp, kTime,
                 "without a command or data, LMTP; 0: no limit"),
      time_limit("write_time", &Limits::write_time, kTime,
                 "while a client takes nothing of what is sent; 0: no limit"),
      duration("stop_time", &Limits::stop_time, kTime,
               "that sessions get to end when the server stops; 0: none"),
  };
}

const Fields<Limits>& limits_fields() {
  static const Fields<Limits> fields = [] {
    Fields<Limits> all = count_and_size_limits();
    for (Field<Limits>& field : time_limits()) all.push_back(std::move(field));
    return all;
  }();
  return fields;
}

const Fields<Storage>& storage_fields() {
  static const Fields<Storage> fields = {
      flag("compression", &Storage::compression,
           "whether message bodies are compressed (zstd) where that saves disk space"),
      path("key_file", &Storage::key_file, {},
           "file of the keys that message bodies are encrypted with (twinpost key new makes one); "
           "empty: they are not"),
  };
  return fields;
}

const Fields<Quota>& quota_fields() {
  static const Fields<Quota> fields = {
      counts("warn_at", &Quota::warn_at, kPercent, kMostWarnings, "percent",
             "of an account's quota from which on its use is logged, ascending"),
      flag("warn_by_mail", &Quota::warn_by_mail,
           "whether the account also gets a message about it, once a day at the most"),
  };
  return fields;
}

Result<std::string> read_mailbox(const Json& value, const KeyInfo& info, const Place& place) {
  auto name = read_text(value, info, place);
  if (!name || name->empty()) return name;
  auto checked = check_new_mailbox_name(*name);
  if (!checked) return place.fail(checked.error().message);
  return checked;
}

const Fields<Removed>& removed_fields() {
  static const Fields<Removed> fields = {
      value_field(key_info("mailbox", KeyType::kText,
                           "read-only mailbox in which IMAP users see their removed messages, as "
                           "\"Removed messages\"; empty: none"),
                  &Removed::mailbox, read_mailbox, show_text),
  };
  return fields;
}

const Fields<log::Settings>& log_fields() {
  static const Fields<log::Settings> fields = {
      choice("level", &log::Settings::level,
             {{"debug", log::Level::kDebug},
              {"info", log::Level::kInfo},
              {"warning", log::Level::kWarning},
              {"error", log::Level::kError}},
             "the least important events that are logged"),
      choice("format", &log::Settings::format,
             {{"logfmt", log::Format::kLogfmt}, {"json", log::Format::kJson}}, "how a line looks"),
      path("file", &log::Settings::file, {}, "where lines are appended; empty: stderr"),
  };
  return fields;
}

const Fields<ServerConfig>& server_fields() {
  static const Fields<ServerConfig> fields = {
      version<ServerConfig>(),
      path("data", &ServerConfig::data, {.min = 1}, "folder of the mail store"),
      path("accounts", &ServerConfig::accounts, {.min = 1}, "file of the accounts"),
      section("listen", &ServerConfig::listen, listen_fields(),
              "addresses to listen on, by protocol"),
      section("tls", &ServerConfig::tls, tls_fields(), "certificates"),
      choice("plaintext_login", &ServerConfig::plaintext_login,
             {{"never", PlaintextLogin::kNever},
              {"loopback", PlaintextLogin::kLoopback},
              {"always", PlaintextLogin::kAlways}},
             "where a password may come over a connection without TLS"),
      section("limits", &ServerConfig::limits, limits_fields(), "limits"),
      section("storage", &ServerConfig::storage, storage_fields(),
              "how message bodies are kept on the disk, from now on"),
      section("quota", &ServerConfig::quota, quota_fields(), "warnings before a quota is used up"),
      section("removed", &ServerConfig::removed, removed_fields(),
              "how users see their removed messages"),
      section("log", &ServerConfig::log, log_fields(), "logging"),
  };
  return fields;
}

struct Listener {
  std::string name;
  const std::vector<std::string>* addresses;
  bool needs_certificate;
};

std::vector<Listener> listeners(const Listen& listen) {
  return {{"pop3", &listen.pop3, false},  {"pop3s", &listen.pop3s, true},
          {"imap", &listen.imap, false},  {"imaps", &listen.imaps, true},
          {"lmtp", &listen.lmtp, false},  {"http", &listen.http, false},
          {"admin", &listen.admin, false}};
}

Result<void> check_tls(const ServerConfig& config, const Place& file) {
  const Place tls = file.key("tls");
  const bool certificate = !config.tls.certificate.empty();
  const bool key = !config.tls.key.empty();
  if (certificate && !key) return tls.key("key").fail("is missing: tls.certificate needs it");
  if (key && !certificate) return tls.key("certificate").fail("is missing: tls.key needs it");
  if (!config.tls.sni.empty() && !certificate) {
    return tls.key("sni").fail("needs tls.certificate, for clients that name no server");
  }
  for (const Listener& listener : listeners(config.listen)) {
    if (!listener.needs_certificate || listener.addresses->empty() || certificate) continue;
    return file.key("listen").key(listener.name).fail("needs tls.certificate and tls.key");
  }
  return {};
}

Result<void> check_listen_once(const ServerConfig& config, const Place& file) {
  const Place listen = file.key("listen");
  std::map<std::string, std::string> seen;
  for (const Listener& listener : listeners(config.listen)) {
    for (std::size_t i = 0; i < listener.addresses->size(); ++i) {
      const std::string& address = (*listener.addresses)[i];
      if (address.ends_with(":0") && !address.starts_with("unix:")) continue;  // any free port
      const Place here = listen.key(listener.name).element(i);
      const auto [first, is_new] = seen.emplace(address, here.path());
      if (!is_new) return here.fail('"' + address + "\" is listed already, as " + first->second);
    }
  }
  return {};
}

// What an empty server file serves: the standard ports, and the socket that the MTA delivers to. A file that says
// anything about `listen` says all of it.
void listen_by_default(ServerConfig& config) {
  config.listen.pop3 = {"*:110"};
  config.listen.imap = {"*:143"};
  if (!config.tls.certificate.empty()) {
    config.listen.pop3s = {"*:995"};
    config.listen.imaps = {"*:993"};
  }
  config.listen.lmtp = {"unix:/run/twinpost/lmtp.sock"};
}

Result<ServerConfigPtr> parse_in_folder(std::string_view text, const std::string& source,
                                        std::string folder) {
  const FileContext file{source, std::move(folder), &server_schema()};
  const Place root(file);
  const auto json = parse_json(text, source);
  if (!json) return tl::unexpected(json.error());
  if (auto checked = check_version(*json, root); !checked) return tl::unexpected(checked.error());
  auto config = std::make_shared<ServerConfig>();
  config->source = source;
  auto read = read_section(*json, server_schema(), server_fields(), *config, root);
  if (read && !json->contains("listen")) listen_by_default(*config);
  if (read) read = check_tls(*config, root);
  if (read) read = check_listen_once(*config, root);
  if (!read) return tl::unexpected(read.error());
  return config;
}

}  // namespace

const KeyInfo& server_schema() {
  static const KeyInfo schema = [] {
    KeyInfo info = key_info("", KeyType::kSection, "the server file");
    info.keys = infos(server_fields());
    return info;
  }();
  return schema;
}

Result<ServerConfigPtr> parse_server_config(std::string_view json, const std::string& source) {
  return parse_in_folder(json, source, folder_of(source));
}

Result<ServerConfigPtr> load_server_config(const std::string& path) {
  constexpr std::size_t kMaxFile = 4U << 20;
  const auto text = read_file(path, kMaxFile);
  if (!text) return tl::unexpected(text.error());
  // Absolute, because the daemon changes its working folder later.
  return parse_in_folder(*text, path, absolute_folder_of(path));
}

std::string show_server_config(const ServerConfig& config) {
  return show_section(server_fields(), config).dump(2) + '\n';
}

}  // namespace twinpost::config
