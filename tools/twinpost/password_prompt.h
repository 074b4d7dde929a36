// Asking for passwords: on a terminal without echo, a new one twice; else one line of standard input.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"

namespace twinpost::tools {

// The caller wipes it. kInvalid where it is empty, has a NUL, or the two differ.
[[nodiscard]] Result<std::string> ask_new_password();

// One that is there already. The same; empty is kInvalid too.
[[nodiscard]] Result<std::string> ask_password(std::string_view prompt);

}  // namespace twinpost::tools
