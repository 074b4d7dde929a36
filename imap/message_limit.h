// MESSAGELIMIT (RFC 9738): where limits.messages_per_command is set, how many messages one command may work on.
//
// FETCH, SEARCH, STORE and UID EXPUNGE take the newest of what was asked for, as many as are allowed, and say in the code of their OK where
// they have stopped; COPY, MOVE and APPEND are all or nothing, and refused. Loop thread.
#pragma once

#include <cstdint>
#include <string>

#include "imap/sequence_set.h"

namespace twinpost::imap {

class Session;

// Cuts `uids` to the newest that are allowed. The response code "MESSAGELIMIT 1000 23221" with the lowest UID that is left;
// empty where nothing had to be cut.
[[nodiscard]] std::string limit_messages(const Session& session, NumberSet& uids);

// Whether `count` messages are too many for one command, and the code to say so.
[[nodiscard]] bool exceeds_message_limit(const Session& session, std::uint64_t count);
[[nodiscard]] std::string message_limit_code(const Session& session);

}  // namespace twinpost::imap
