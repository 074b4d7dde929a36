// EXPIRE (RFC 2449 section 6.7): how many days a message stays in the maildrop for certain, by the account's options.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "core/config/config.h"

namespace twinpost::pop3 {

// nullopt: for ever (NEVER). 0: a message that was retrieved goes at QUIT.
[[nodiscard]] std::optional<std::uint64_t> expiry_days(const config::Pop3Options& options);

// The least of all accounts, and whether it differs between them (RFC 2449: " USER").
struct ExpiryOfAll {
  std::optional<std::uint64_t> least;
  bool differs = false;
};
[[nodiscard]] ExpiryOfAll expiry_of_all(const config::AccountsConfig& accounts);

}  // namespace twinpost::pop3
