// The command handlers: each does what RFC 9051 section 6 says of its command, and returns the tagged answer.
//
// A handler is called in the states that command.h's table allows, with the arguments in `command.arguments` (their views are
// good until it returns). It sends its untagged responses itself; the session sends what else happened in the mailbox, and
// then the tagged answer. Files: commands/<family>.cc.
#pragma once

#include "core/base/task.h"
#include "imap/command.h"
#include "imap/reply.h"

namespace twinpost::imap {

class Session;

namespace commands {

// commands/connection.cc
Task<Reply> capability(Session& session, const Command& command);
Task<Reply> noop(Session& session, const Command& command);  // and CHECK
Task<Reply> logout(Session& session, const Command& command);
Task<Reply> id(Session& session, const Command& command);
Task<Reply> starttls(Session& session, const Command& command);
Task<Reply> enable(Session& session, const Command& command);
Task<Reply> compress(Session& session, const Command& command);
Task<Reply> unauthenticate(Session& session, const Command& command);
// commands/login.cc
Task<Reply> login(Session& session, const Command& command);
Task<Reply> authenticate(Session& session, const Command& command);
// commands/idle.cc
Task<Reply> idle(Session& session, const Command& command);
// commands/mailbox.cc
Task<Reply> create(Session& session, const Command& command);
Task<Reply> remove(Session& session, const Command& command);  // DELETE
Task<Reply> rename(Session& session, const Command& command);
Task<Reply> subscribe(Session& session, const Command& command);
Task<Reply> unsubscribe(Session& session, const Command& command);
// commands/list.cc
Task<Reply> list(Session& session, const Command& command);
Task<Reply> lsub(Session& session, const Command& command);
Task<Reply> status(Session& session, const Command& command);
Task<Reply> namespaces(Session& session, const Command& command);
// commands/quota.cc
Task<Reply> get_quota(Session& session, const Command& command);
Task<Reply> get_quota_root(Session& session, const Command& command);
Task<Reply> set_quota(Session& session, const Command& command);
// commands/select.cc
Task<Reply> select(Session& session, const Command& command);  // and EXAMINE
Task<Reply> close(Session& session, const Command& command);
Task<Reply> unselect(Session& session, const Command& command);
// commands/expunge.cc
Task<Reply> expunge(Session& session, const Command& command);
// commands/copy.cc
Task<Reply> copy(Session& session, const Command& command);
Task<Reply> move(Session& session, const Command& command);
// commands/store.cc
Task<Reply> store(Session& session, const Command& command);
// commands/fetch.cc
Task<Reply> fetch(Session& session, const Command& command);
// commands/search.cc
Task<Reply> search(Session& session, const Command& command);

}  // namespace commands
}  // namespace twinpost::imap
