#include "pop3/expiry.h"

#include <algorithm>

namespace twinpost::pop3 {
namespace {

using Days = std::optional<std::uint64_t>;

Days sooner(Days a, Days b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

}  // namespace

std::optional<std::uint64_t> expiry_days(const config::Pop3Options& options) {
  using What = config::Pop3Show::What;
  Days days;
  if (options.after_retrieve != config::Pop3Action::kNothing) days = options.keep_days;
  if (options.show.what == What::kRecentDays) days = sooner(days, options.show.days);
  // What is seen is not shown any more, and retrieving it makes it seen.
  if (options.show.what == What::kUnseen && options.mark_seen) days = 0;
  return days;
}

ExpiryOfAll expiry_of_all(const config::AccountsConfig& accounts) {
  ExpiryOfAll result;
  bool first = true;
  for (const auto& [name, account] : accounts.accounts) {
    const Days days = expiry_days(account.pop3);
    if (!first && days != result.least) result.differs = true;
    result.least = first ? days : sooner(result.least, days);
    first = false;
  }
  return result;
}

}  // namespace twinpost::pop3
