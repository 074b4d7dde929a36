// What the commands' options have in common.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>

namespace twinpost::tools {

// For an option that may be given several times: one value each time. Otherwise CLI11 gives it every
// word up to the next option, the account or folder that was meant to come behind it too.
inline CLI::Option* repeatable(CLI::Option* option) { return option->allow_extra_args(false); }

// Decimal digits and nothing else: CLI11 alone takes "-1" for the largest number there is.
[[nodiscard]] CLI::Validator whole_number(std::uint64_t least, std::uint64_t most);

// Megabytes a second, fractions too; 0 for no limit.
[[nodiscard]] CLI::Validator rate();

}  // namespace twinpost::tools
