// Asking for a new password: on a terminal without echo and twice, else one line of standard input.
#pragma once

#include <string>

#include "core/base/error.h"

namespace twinpost::tools {

// The caller wipes it. kInvalid where it is empty, has a NUL, or the two differ.
[[nodiscard]] Result<std::string> ask_new_password();

}  // namespace twinpost::tools
