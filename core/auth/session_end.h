// How a frontend's session ends when something outside it wants that, and what is written down when its own code fails.
//
// Loop thread only.
#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/auth/sessions.h"
#include "core/base/executor.h"

namespace twinpost::auth {

// What a session that is being ended gets to finish the command at work and to say goodbye.
inline constexpr Duration kEndGrace{1000};

// A request to end the session: by a kick, a reload, or the server's stop (Sessions::Entry::end).
class EndRequest {
 public:
  explicit EndRequest(Executor& executor) : executor_(executor) {}
  ~EndRequest();
  EndRequest(const EndRequest&) = delete;
  EndRequest& operator=(const EndRequest&) = delete;

  // `abort` is called after kEndGrace, for a client that takes nothing may not stay; not at a shutdown, where the server gives
  // each connection its time.
  void make(EndReason reason, std::function<void()> abort);
  // kShutdown where nobody asked: then it is the server that stops.
  [[nodiscard]] EndReason reason() const { return reason_.value_or(EndReason::kShutdown); }

 private:
  Executor& executor_;
  std::optional<EndReason> reason_;
  Executor::TimerId timer_ = 0;
};

// Logs the exception that has left a session's code under a new id, which is returned: the client is given it.
[[nodiscard]] std::string log_failure(std::string_view event, std::string_view address,
                                      const std::exception_ptr& exception);

}  // namespace twinpost::auth
