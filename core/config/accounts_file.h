// Changes to accounts.json, as the admin tool makes them.
//
// All keys stay as they were and in their order, those of other accounts too; only the layout is
// made anew (two blanks of indentation). A change is checked as a whole by parse_accounts_config()
// before it replaces the file, atomically, with the old file's owner and mode. Two admins at once
// do not lose each other's change. A symbolic link stays one: what it points to is replaced.
// Blocking; any thread.
//
// `name` is an account's name in any case, not an alias: kNotFound where there is none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace twinpost::config {

enum class AccountProtocol : std::uint8_t { kPop3, kImap };

// `stored_password` is what the file keeps, "{SCHEME}...". Makes the file where there is none.
// kExists where an account or an alias has that name.
[[nodiscard]] Result<void> add_account(const std::string& path, std::string_view name,
                                       std::string_view stored_password);
[[nodiscard]] Result<void> set_password(const std::string& path, std::string_view name,
                                        std::string_view stored_password);
[[nodiscard]] Result<void> set_enabled(const std::string& path, std::string_view name,
                                       bool enabled);
// The protocol's other settings stay.
[[nodiscard]] Result<void> set_protocol(const std::string& path, std::string_view name,
                                        AccountProtocol protocol, bool enabled);

}  // namespace twinpost::config
