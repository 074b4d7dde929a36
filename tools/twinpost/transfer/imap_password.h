// Where the old server's password comes from.
#pragma once

#include <string>

#include "core/base/error.h"
#include "tools/twinpost/transfer/imap_source.h"

namespace twinpost::tools {

// Of the file, the environment's TWINPOST_IMPORT_PASSWORD, or the terminal; the caller wipes it.
// kInvalid where it can't be sent, or the user's name can't.
[[nodiscard]] Result<std::string> import_password(const ImapImportOptions& options);

}  // namespace twinpost::tools
