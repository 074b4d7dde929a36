#include "store/special_use.h"

#include <array>

#include "core/base/ascii.h"

namespace twinpost::store {

namespace {

// In the order of the enumeration.
constexpr std::array<std::string_view, 9> kSpecialUses = {"",         "\\All",     "\\Archive",
                                                          "\\Drafts", "\\Flagged", "\\Junk",
                                                          "\\Sent",   "\\Trash",   "\\Important"};

}  // namespace

std::string_view to_string(SpecialUse use) {
  const auto index = static_cast<std::size_t>(use);
  return index < kSpecialUses.size() ? kSpecialUses[index] : std::string_view{};
}

std::optional<SpecialUse> parse_special_use(std::string_view text) {
  for (std::size_t i = 1; i < kSpecialUses.size(); ++i) {
    if (ascii::equals_ignore_case(kSpecialUses[i], text)) return static_cast<SpecialUse>(i);
  }
  return std::nullopt;
}

}  // namespace twinpost::store
