// The accounts file's table, and what must hold between accounts.
#include "core/config/config.h"
#include "core/config/fields.h"
#include "core/config/files.h"
#include "core/config/names.h"

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

// `mode` stands before the two choices that it is made of, so that they prevail.
const Fields<Pop3Options>& pop3_fields() {
  static const Fields<Pop3Options> fields = {
      flag("enabled", &Pop3Options::enabled, "whether the account may log in by POP3"),
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
      choice("sessions", &Pop3Options::many_sessions, {{"one", false}, {"many", true}},
             "whether further sessions may have the maildrop at once"),
  };
  return fields;
}

const Fields<ImapOptions>& imap_fields() {
  static const Fields<ImapOptions> fields = {
      flag("enabled", &ImapOptions::enabled, "whether the account may log in by IMAP"),
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
