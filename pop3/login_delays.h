// LOGIN-DELAY (RFC 2449 section 6.5): the least time between an account's logins. Loop thread only.
//
// Memory: an entry for each account that has logged in within the delay.
#pragma once

#include <string>
#include <unordered_map>

#include "core/base/clock.h"
#include "core/base/executor.h"

namespace twinpost::pop3 {

class LoginDelays {
 public:
  // Whether the account may log in now; notes the login if so. A refused one does not count, so that who
  // comes too often comes in all the same, but not more often.
  [[nodiscard]] bool admit(const std::string& account, Duration delay, SteadyTime now);

 private:
  std::unordered_map<std::string, SteadyTime> last_;
  std::size_t sweep_at_ = 64;
};

}  // namespace twinpost::pop3
