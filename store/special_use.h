// Special uses of mailboxes as texts (RFC 6154 section 2, RFC 8457): "\Sent". Pure; any thread.
#pragma once

#include <optional>
#include <string_view>

#include "store/types.h"

namespace twinpost::store {

[[nodiscard]] std::string_view to_string(SpecialUse use);  // empty for kNone
// In any case of letters. nullopt for what is none, the empty text included.
[[nodiscard]] std::optional<SpecialUse> parse_special_use(std::string_view text);

}  // namespace twinpost::store
