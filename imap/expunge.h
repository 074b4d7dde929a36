// Removing the messages with \Deleted from the selected mailbox: EXPUNGE, UID EXPUNGE and CLOSE.
#pragma once

#include <optional>

#include "core/base/error.h"
#include "core/base/task.h"
#include "imap/sequence_set.h"

namespace twinpost::imap {

class Session;

// Only messages that this session knows, and of these only `within` (UIDs), where it is given. With `tell` the client gets
// EXPUNGE or VANISHED for each batch when it is committed. An error leaves what was committed before it. Loop thread.
Task<Result<void>> expunge_deleted(Session& session, std::optional<NumberSet> within, bool tell);

}  // namespace twinpost::imap
