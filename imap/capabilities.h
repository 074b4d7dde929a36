// The capabilities (RFC 9051 section 6.1.1 and 7.2.2): one table.
#pragma once

#include <string>
#include <string_view>

namespace twinpost::imap {

class Session;

// What this session has now, separated by spaces: it depends on the state, on TLS and on the configuration.
[[nodiscard]] std::string capability_list(Session& session);

// The capabilities that ENABLE knows (RFC 5161): the one of that name, as it is spelt; empty where there is none.
[[nodiscard]] std::string_view find_enableable(std::string_view name);

}  // namespace twinpost::imap
