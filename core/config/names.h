// Account names, aliases and listen addresses: their form. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"

namespace twinpost::config {

// "Ann@Example.org" or "ann" in lower case. A local part is RFC 5322's dot-atom (RFC 6531: UTF-8
// too), a domain is labels of letters, digits, hyphens and underscores, or UTF-8. Only ASCII is put
// in lower case.
[[nodiscard]] Result<std::string> normalize_account_name(std::string_view name);

// The same, or "@example.org": the catch-all of that domain.
[[nodiscard]] Result<std::string> normalize_alias(std::string_view alias);

// A mailbox's name, as "Invoices" or "Mail/Paid": one that IMAP clients can send back.
[[nodiscard]] Result<std::string> check_mailbox_name(std::string_view name);
// The same of a mailbox that the server makes by itself: none that accounts have anyway.
[[nodiscard]] Result<std::string> check_new_mailbox_name(std::string_view name);

// The forms of core/net/address.h, which this layer may not ask.
[[nodiscard]] Result<void> check_listen_address(std::string_view address);

}  // namespace twinpost::config
