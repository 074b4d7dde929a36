// Text of messages and names for a terminal. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace twinpost::tools {

// On one line, and harmless: controls (C0, C1, DEL), marks that change the direction of writing,
// line and paragraph separators and octets that are not UTF-8 become "?". More than `characters`
// are cut and end in "…"; 0: as long as it is.
[[nodiscard]] std::string shown(std::string_view text, std::size_t characters = 0);

// The same, with blanks behind it up to that many characters.
[[nodiscard]] std::string column(std::string_view text, std::size_t characters);

}  // namespace twinpost::tools
