// Mail addresses as account lookups need them: unquoted, in lower case, with and without the
// detail. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace twinpost::auth {

struct Address {
  std::string local;   // unquoted, as given: the detail keeps its case
  std::string domain;  // lower case; empty for a bare local name
};

// RFC 5321 4.1.2: "a\ b"@x and "a b"@x are the same mailbox, and "ann"@x is ann@x. nullopt for what
// is no address.
[[nodiscard]] std::optional<Address> split_address(std::string_view text);

// `local` in lower case and the domain, as account names are written.
[[nodiscard]] std::string lookup_name(std::string_view local, std::string_view domain);

}  // namespace twinpost::auth
