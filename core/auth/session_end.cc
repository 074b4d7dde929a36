#include "core/auth/session_end.h"

#include <utility>

#include "core/base/encoding.h"
#include "core/base/exception_text.h"
#include "core/base/log.h"

namespace twinpost::auth {

EndRequest::~EndRequest() {
  if (timer_ != 0) executor_.cancel_timer(timer_);
}

void EndRequest::make(EndReason reason, std::function<void()> abort) {
  reason_ = reason;
  if (reason == EndReason::kShutdown || timer_ != 0) return;
  timer_ = executor_.start_timer(kEndGrace, [this, abort = std::move(abort)] {
    timer_ = 0;
    abort();
  });
}

std::string log_failure(std::string_view event, std::string_view address,
                        const std::exception_ptr& exception) {
  std::string id = std::to_string(random_u64() % 1'000'000'000);
  log::error(event, {{"id", id}, {"address", address}, {"error", exception_text(exception)}});
  return id;
}

}  // namespace twinpost::auth
