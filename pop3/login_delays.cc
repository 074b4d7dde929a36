#include "pop3/login_delays.h"

#include <algorithm>

namespace twinpost::pop3 {

bool LoginDelays::admit(const std::string& account, Duration delay, SteadyTime now) {
  if (delay <= Duration(0)) {
    last_.clear();
    return true;
  }
  if (last_.size() >= sweep_at_) {
    std::erase_if(last_, [&](const auto& entry) { return now - entry.second >= delay; });
    sweep_at_ = std::max<std::size_t>(64, last_.size() * 2);
  }
  const auto [found, is_new] = last_.try_emplace(account, now);
  if (is_new) return true;
  if (now - found->second < delay) return false;
  found->second = now;
  return true;
}

}  // namespace twinpost::pop3
