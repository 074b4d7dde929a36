// The command handlers: each answers one command. They are called in a state in which the command
// is allowed.
//
// `command` lives in the caller's frame until the handler has ended.
#pragma once

#include "core/base/task.h"
#include "pop3/parser.h"
#include "pop3/session.h"

namespace twinpost::pop3::commands {

// login.cc
Task<void> user(Session& session, const Command& command);
Task<void> pass(Session& session, const Command& command);
Task<void> auth(Session& session, const Command& command);
Task<void> apop(Session& session, const Command& command);

// capabilities.cc
Task<void> capa(Session& session, const Command& command);
Task<void> stls(Session& session, const Command& command);
Task<void> lang(Session& session, const Command& command);

// listing.cc
Task<void> stat(Session& session, const Command& command);
Task<void> list(Session& session, const Command& command);
Task<void> uidl(Session& session, const Command& command);

// retrieve.cc
Task<void> retr(Session& session, const Command& command);
Task<void> top(Session& session, const Command& command);

// marking.cc
Task<void> dele(Session& session, const Command& command);
Task<void> noop(Session& session, const Command& command);
Task<void> rset(Session& session, const Command& command);
Task<void> last(Session& session, const Command& command);

// quit.cc
Task<void> quit(Session& session, const Command& command);

}  // namespace twinpost::pop3::commands
