#include "core/config/accounts_file.h"

#include <filesystem>
#include <functional>
#include <utility>

#include "core/base/ascii.h"
#include "core/config/config.h"
#include "core/config/files.h"
#include "core/config/json_text.h"
#include "core/config/names.h"
#include "core/config/schema.h"

namespace twinpost::config {

namespace {

constexpr std::size_t kMaxFile = 256U << 20;

using Edit = std::function<Result<void>(Json& file)>;

// Where a link points to, so that rename() replaces that and not the link.
std::string resolved(const std::string& path) {
  std::error_code error;
  const auto real = std::filesystem::canonical(path, error);
  return error ? path : real.string();
}

Result<Json> read_json(const std::string& path, const std::string& source, bool may_be_missing) {
  const auto text = read_file(path, kMaxFile);
  if (text) {
    // Checked before it is changed: the tree's shape can be relied on, and what was wrong already
    // is told as such.
    const auto valid = parse_accounts_config(*text, source);
    if (!valid) return tl::unexpected(valid.error());
    return parse_json(*text, source);
  }
  if (!may_be_missing || text.error().code != ErrorCode::kNotFound) {
    return tl::unexpected(text.error());
  }
  return Json{{"version", 1}, {"accounts", Json::object()}};
}

Result<void> edit_file(const std::string& given_path, bool may_be_missing, const Edit& edit) {
  const std::string path = resolved(given_path);
  const auto lock = FolderLock::take(folder_of(path));
  if (!lock) return tl::unexpected(lock.error());
  auto file = read_json(path, given_path, may_be_missing);
  if (!file) return tl::unexpected(file.error());
  if (auto edited = edit(*file); !edited) return edited;
  const std::string text = file->dump(2) + '\n';
  if (auto valid = parse_accounts_config(text, given_path); !valid) {
    return tl::unexpected(valid.error());
  }
  return replace_file(path, text);
}

Json* find_account(Json& file, std::string_view name) {
  const auto accounts = file.find("accounts");
  if (accounts == file.end()) return nullptr;
  for (auto account = accounts->begin(); account != accounts->end(); ++account) {
    if (ascii::equals_ignore_case(account.key(), name)) return &account.value();
  }
  return nullptr;
}

Result<void> edit_account(const std::string& path, std::string_view name,
                          const std::function<void(Json& account)>& edit) {
  return edit_file(path, false, [&](Json& file) -> Result<void> {
    Json* account = find_account(file, name);
    if (account == nullptr) {
      return fail(ErrorCode::kNotFound,
                  path + ": " + account_path(ascii::lower(name)) + ": there is no such account");
    }
    edit(*account);
    return {};
  });
}

bool is_alias(const Json& file, std::string_view name) {
  const auto config = parse_accounts_config(file.dump(), {});
  if (!config) return false;
  for (const auto& [account_name, account] : (*config)->accounts) {
    for (const std::string& alias : account.aliases) {
      if (alias == name) return true;
    }
  }
  return false;
}

}  // namespace

Result<void> add_account(const std::string& path, std::string_view name,
                         std::string_view stored_password) {
  const auto normal = normalize_account_name(name);
  if (!normal) {
    return fail(ErrorCode::kInvalid, '"' + ascii::printable(name) +
                                         "\" as an account's name: " + normal.error().message);
  }
  return edit_file(path, true, [&](Json& file) -> Result<void> {
    const std::string place = path + ": " + account_path(*normal);
    if (find_account(file, *normal) != nullptr) {
      return fail(ErrorCode::kExists, place + ": is there already");
    }
    if (is_alias(file, *normal)) {
      return fail(ErrorCode::kExists, place + ": is an alias of another account");
    }
    if (!file.contains("accounts")) file["accounts"] = Json::object();
    file["accounts"][*normal] = Json{{"password", stored_password}};
    return {};
  });
}

Result<void> set_password(const std::string& path, std::string_view name,
                          std::string_view stored_password) {
  return edit_account(path, name, [&](Json& account) { account["password"] = stored_password; });
}

Result<void> set_enabled(const std::string& path, std::string_view name, bool enabled) {
  return edit_account(path, name, [&](Json& account) { account["enabled"] = enabled; });
}

Result<void> set_protocol(const std::string& path, std::string_view name, AccountProtocol protocol,
                          bool enabled) {
  const std::string key = protocol == AccountProtocol::kPop3 ? "pop3" : "imap";
  return edit_account(path, name, [&](Json& account) {
    Json& settings = account["protocols"][key];  // made, as null, where they are missing
    if (settings.is_object()) {
      settings["enabled"] = enabled;
    } else {
      settings = enabled;
    }
  });
}

}  // namespace twinpost::config
