// The accounts file's table, and what must hold between accounts.
#include <charconv>
#include <optional>

#include "core/base/ascii.h"
#include "core/config/config.h"
#include "core/config/fields.h"
#include "core/config/files.h"
#include "core/config/names.h"
#include "core/config/uidl_template.h"

namespace twinpost::config {

namespace {

constexpr std::uint64_t kMaxQuota = 1ULL << 60;
constexpr std::size_t kMaxFile = 256U << 20;  // a million people

// What happens to a message after RETR and after DELE.
using Pop3Mode = std::pair<Pop3Action, Pop3Action>;

const Choices<Pop3Mode>& pop3_modes() {
  static const Choices<Pop3Mode> modes = {
      {"client", {Pop3Action::kNothing, Pop3Action::kRemove}},
      {"keep", {Pop3Action::kHide, Pop3Action::kHide}},
      {"delete", {Pop3Action::kRemove, Pop3Action::kRemove}},
      {"archive", {Pop3Action::kArchive, Pop3Action::kTrash}},
  };
  return modes;
}

constexpr std::uint64_t kMostDays = 36'500;

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// "2026-11-24"
std::optional<std::chrono::sys_days> parse_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = parse_number(text.substr(0, 4));
  const auto month = parse_number(text.substr(5, 2));
  const auto day = parse_number(text.substr(8));
  if (!year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

std::optional<Pop3Show> parse_show(std::string_view text) {
  using What = Pop3Show::What;
  constexpr std::string_view kDays = " days";
  constexpr std::string_view kSince = "since ";
  Pop3Show show;
  if (text == "all") return show;
  if (text == "unseen" || text == "from now on") {
    show.what = text == "unseen" ? What::kUnseen : What::kFromNowOn;
    return show;
  }
  if (text.starts_with(kSince)) {
    const auto day = parse_day(text.substr(kSince.size()));
    if (!day) return std::nullopt;
    show.what = What::kSince;
    show.since = *day;
    return show;
  }
  if (text == "1 day") text = "1 days";
  if (!text.ends_with(kDays)) return std::nullopt;
  const auto days = parse_number(text.substr(0, text.size() - kDays.size()));
  if (!days || *days == 0 || *days > kMostDays) return std::nullopt;
  show.what = What::kRecentDays;
  show.days = *days;
  return show;
}

Result<Pop3Show> read_show(const Json& value, const KeyInfo& info, const Place& place) {
  const auto text = read_text(value, info, place);
  if (!text) return tl::unexpected(text.error());
  const auto show = parse_show(*text);
  if (show) return *show;
  return place.fail(
      "must be \"all\", \"unseen\", \"from now on\", a number of days like \"30 days\" or a day "
      "like "
      "\"since 2026-01-31\"");
}

Json show_show(const Pop3Show& show) {
  switch (show.what) {
    case Pop3Show::What::kAll: break;
    case Pop3Show::What::kUnseen: return "unseen";
    case Pop3Show::What::kFromNowOn: return "from now on";
    case Pop3Show::What::kRecentDays: return std::to_string(show.days) + " days";
    case Pop3Show::What::kSince: {
      const std::chrono::year_month_day date(show.since);
      const auto two = [](unsigned number) {
        return (number < 10 ? "-0" : "-") + std::to_string(number);
      };
      std::string year = std::to_string(static_cast<int>(date.year()));
      year.insert(0, 4 - std::min<std::size_t>(4, year.size()), '0');
      return "since " + year + two(static_cast<unsigned>(date.month())) +
             two(static_cast<unsigned>(date.day()));
    }
  }
  return "all";
}

Result<std::string> read_maildrop(const Json& value, const KeyInfo& info, const Place& place) {
  auto name = read_text(value, info, place);
  if (!name) return name;
  if (ascii::equals_ignore_case(*name, "INBOX")) return std::string("INBOX");
  auto checked = check_mailbox_name(*name);
  if (!checked) return place.fail(checked.error().message);
  return checked;
}

Result<std::string> read_uidl(const Json& value, const KeyInfo& info, const Place& place) {
  auto text = read_text(value, info, place);
  if (!text || text->empty()) return text;
  const auto parsed = UidlTemplate::parse(*text);
  if (!parsed) return place.fail(parsed.error().message);
  return text;
}

// One line of a response, in either protocol.
Result<std::string> read_disabled_text(const Json& value, const KeyInfo& info, const Place& place) {
  constexpr std::size_t kMost = 200;
  auto text = read_text(value, info, place);
  if (!text) return text;
  if (text->size() > kMost)
    return place.fail("is longer than " + std::to_string(kMost) + " octets");
  for (const char c : *text) {
    if ((static_cast<unsigned char>(c) & 0x80U) != 0) {
      return place.fail("must be ASCII: mail clients that are not logged in expect nothing else");
    }
  }
  if (text->starts_with('[')) return place.fail("must not begin with [, as response codes do");
  return text;
}

constexpr std::string_view kDisabledText =
    "what a client is told where the protocol is switched off, as \"Use IMAP: "
    "https://example.org/help\"; "
    "empty: a usual text";

// `mode` stands before the two choices that it is made of, so that they prevail.
const Fields<Pop3Options>& pop3_fields() {
  static const Fields<Pop3Options> fields = {
      flag("enabled", &Pop3Options::enabled, "whether the account may log in by POP3"),
      value_field(key_info("disabled_text", KeyType::kText, kDisabledText),
                  &Pop3Options::disabled_text, read_disabled_text, show_text),
      choice<Pop3Options, Pop3Mode>(
          "mode",
          [](const Pop3Options& options) {
            return Pop3Mode{options.after_retrieve, options.on_delete};
          },
          [](Pop3Options& options, const Pop3Mode& mode) {
            options.after_retrieve = mode.first;
            options.on_delete = mode.second;
          },
          pop3_modes(), "a usual pair of after_retrieve and on_delete"),
      choice("after_retrieve", &Pop3Options::after_retrieve,
             {{"nothing", Pop3Action::kNothing},
              {"hide", Pop3Action::kHide},
              {"remove", Pop3Action::kRemove},
              {"archive", Pop3Action::kArchive},
              {"trash", Pop3Action::kTrash}},
             "of a message that was retrieved whole, at QUIT"),
      choice("on_delete", &Pop3Options::on_delete,
             {{"remove", Pop3Action::kRemove},
              {"hide", Pop3Action::kHide},
              {"archive", Pop3Action::kArchive},
              {"trash", Pop3Action::kTrash}},
             "of a message marked by DELE, at QUIT"),
      count("keep_days", &Pop3Options::keep_days, {.max = kMostDays}, "days",
            "after_retrieve is done to messages that have been in the mailbox so long; 0: at once"),
      flag("mark_seen", &Pop3Options::mark_seen,
           "whether messages that were retrieved whole are marked as seen, at QUIT"),
      value_field(
          key_info("show", KeyType::kText,
                   "which messages POP3 shows: \"all\", \"unseen\", \"from now on\", \"30 days\", "
                   "\"since 2026-01-31\""),
          &Pop3Options::show, read_show, show_show),
      value_field(key_info("maildrop", KeyType::kText, "the mailbox that POP3 shows"),
                  &Pop3Options::maildrop, read_maildrop, show_text),
      value_field(
          key_info(
              "uidl", KeyType::kText,
              "how UIDLs are made that were not imported: \"dovecot\", \"cyrus\", \"courier\", "
              "\"stalwart\", or a template like \"{uid:08x}{uidvalidity:08x}\"; empty: the "
              "server's own form"),
          &Pop3Options::uidl, read_uidl, show_text),
      choice("sessions", &Pop3Options::many_sessions, {{"one", false}, {"many", true}},
             "whether further sessions may have the maildrop at once"),
  };
  return fields;
}

const Fields<ImapOptions>& imap_fields() {
  static const Fields<ImapOptions> fields = {
      flag("enabled", &ImapOptions::enabled, "whether the account may log in by IMAP"),
      value_field(key_info("disabled_text", KeyType::kText, kDisabledText),
                  &ImapOptions::disabled_text, read_disabled_text, show_text),
  };
  return fields;
}

const Fields<Account>& protocol_fields() {
  static const Fields<Account> fields = {
      switched("imap", &Account::imap, imap_fields(), "IMAP"),
      switched("pop3", &Account::pop3, pop3_fields(), "POP3"),
  };
  return fields;
}

bool has_scheme(std::string_view password) {
  const std::size_t end = password.find('}');
  return password.starts_with('{') && end != std::string_view::npos && end > 1;
}

Result<std::string> read_password(const Json& value, const KeyInfo& info, const Place& place) {
  auto password = read_text(value, info, place);
  if (!password || has_scheme(*password)) return password;
  return place.fail("must begin with its scheme, like \"{ARGON2ID}...\"");
}

Field<Account> password_field() {
  KeyInfo info = key_info("password", KeyType::kText, "the password's hash, as {SCHEME}HASH");
  info.required = true;
  info.min = 1;
  return value_field(info, &Account::password, read_password, show_text);
}

const Fields<Account>& account_fields() {
  static const Fields<Account> fields = {
      password_field(),
      flag("enabled", &Account::enabled, "whether the account may log in; it receives mail anyway"),
      texts("aliases", &Account::aliases, KeyType::kNameList, normalize_alias,
            R"(["sales@example.org"])",
            "further addresses; \"@example.org\" is every other one of that domain"),
      size("quota", &Account::quota, {.max = kMaxQuota}, "of all messages; 0: no limit"),
      count("quota_messages", &Account::quota_messages, {.max = kMaxQuota}, "messages",
            "in all mailboxes; 0: no limit"),
      count("quota_mailboxes", &Account::quota_mailboxes, {.max = kMaxQuota}, "mailboxes",
            "INBOX and those that are made for the account counted; 0: no limit"),
      group("protocols", protocol_fields(), "what the account may use, and how"),
  };
  return fields;
}

KeyInfo accounts_info() {
  KeyInfo info =
      key_info("accounts", KeyType::kSectionMap, "people, by their address or user name");
  info.keys = infos(account_fields());
  return info;
}

Result<void> read_accounts(const Json& value, AccountsConfig& out, const Place& place) {
  static const KeyInfo info = accounts_info();
  if (!value.is_object()) {
    return place.fail("must be an object, not " + std::string(type_name(value)));
  }
  std::map<std::string, std::string, std::less<>> as_written;
  for (const auto& item : value.items()) {
    const Place here = place.key(item.key());
    auto name = normalize_account_name(item.key());
    if (!name) return here.fail("as an account's name: " + name.error().message);
    const auto [first, is_new] = as_written.emplace(*name, item.key());
    if (!is_new) return here.fail("is the same account as \"" + first->second + '"');
    Account account;
    account.name = *name;
    auto read = read_section(item.value(), info, account_fields(), account, here);
    if (!read) return read;
    out.accounts.emplace(std::move(*name), std::move(account));
  }
  return {};
}

const Fields<AccountsConfig>& accounts_fields() {
  static const Fields<AccountsConfig> fields = {
      version<AccountsConfig>(),
      Field<AccountsConfig>{accounts_info(), read_accounts, nullptr},
  };
  return fields;
}

Result<void> check_aliases(const AccountsConfig& config, const Place& file) {
  std::map<std::string_view, std::string_view> owners;
  for (const auto& [name, account] : config.accounts) {
    for (std::size_t i = 0; i < account.aliases.size(); ++i) {
      const std::string& alias = account.aliases[i];
      const Place here = file.key("accounts").key(name).key("aliases").element(i);
      if (alias == name) return here.fail("is the account's own name");
      if (config.accounts.contains(alias)) {
        return here.fail('"' + alias + "\" is another account's name");
      }
      const auto [owner, is_new] = owners.emplace(alias, name);
      if (is_new) continue;
      if (owner->second == name) return here.fail('"' + alias + "\" is listed twice");
      return here.fail('"' + alias + "\" is an alias of \"" + std::string(owner->second) +
                       "\" already");
    }
  }
  return {};
}

}  // namespace

const KeyInfo& accounts_schema() {
  static const KeyInfo schema = [] {
    KeyInfo info = key_info("", KeyType::kSection, "the accounts file");
    info.keys = infos(accounts_fields());
    return info;
  }();
  return schema;
}

Result<AccountsConfigPtr> parse_accounts_config(std::string_view text, const std::string& source) {
  const FileContext file{source, {}, &accounts_schema()};
  const Place root(file);
  const auto json = parse_json(text, source);
  if (!json) return tl::unexpected(json.error());
  if (auto checked = check_version(*json, root); !checked) return tl::unexpected(checked.error());
  auto config = std::make_shared<AccountsConfig>();
  config->source = source;
  auto read = read_section(*json, accounts_schema(), accounts_fields(), *config, root);
  if (read) read = check_aliases(*config, root);
  if (!read) return tl::unexpected(read.error());
  return config;
}

Result<AccountsConfigPtr> load_accounts_config(const std::string& path) {
  const auto text = read_file(path, kMaxFile);
  if (!text) return tl::unexpected(text.error());
  return parse_accounts_config(*text, path);
}

}  // namespace twinpost::config
