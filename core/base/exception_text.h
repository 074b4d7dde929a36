// What an exception says, for a log line. Any thread.
#pragma once

#include <exception>
#include <string>

namespace twinpost {

[[nodiscard]] std::string exception_text(const std::exception_ptr& exception);

}  // namespace twinpost
