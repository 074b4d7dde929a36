#include "tools/twinpost/command_line.h"

#include <fmt/format.h>
#include <string>

#include "core/base/ascii.h"

namespace twinpost::tools {

namespace {

constexpr double kHighestRate = 1e6;
constexpr std::size_t kShown = 40;  // of a wrong value

}  // namespace

CLI::Validator whole_number(std::uint64_t least, std::uint64_t most) {
  return {[least, most](const std::string& text) -> std::string {
            const auto number = ascii::parse_number<std::uint64_t>(text);
            if (number && *number >= least && *number <= most) return {};
            return fmt::format("\"{}\" is no whole number from {} to {}",
                               ascii::printable(text, kShown), least, most);
          },
          ""};
}

CLI::Validator rate() {
  return {[](const std::string& text) -> std::string {
            double number = 0;
            // Comparisons that a NaN fails too.
            if (CLI::detail::lexical_cast(text, number) && number >= 0 && number <= kHighestRate) {
              return {};
            }
            return fmt::format(
                "\"{}\" is no number of megabytes a second from 0 (no limit) to {:.0f}",
                ascii::printable(text, kShown), kHighestRate);
          },
          ""};
}

}  // namespace twinpost::tools
