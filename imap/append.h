// The messages of one APPEND or REPLACE on their way in (RFC 9051 6.3.12, RFC 3502, RFC 8508, RFC 7889).
//
// The session feeds it while it reads the command: begin() before each message's literal is asked for, octets() for each piece,
// end_message() after it; complete() when the whole command has come. Octets go to a Spool, never whole into memory.
// All or nothing: one bad message, and none is stored. Loop thread; the costly steps run on workers.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "core/base/task.h"
#include "imap/command.h"
#include "imap/parser.h"
#include "imap/reply.h"

namespace twinpost::imap {

class Session;

class AppendReceiver {
 public:
  virtual ~AppendReceiver() = default;

  // Why this message is not wanted (no such mailbox: TRYCREATE; over quota; ...), before it is sent; `tag` is not set.
  virtual Task<std::optional<Refusal>> begin(const AppendMessage& message) = 0;
  // A piece of its literal, good within the call's first step (it is copied before the first wait). What fails here is
  // kept and answered by complete(): the octets are on their way anyway.
  virtual Task<void> octets(std::string_view piece) = 0;
  virtual Task<void> end_message() = 0;
  // The answer, after the commit. `command` is Append or Replace.
  virtual Task<Reply> complete(const Command& command) = 0;
};

// `session` outlives it.
[[nodiscard]] std::unique_ptr<AppendReceiver> make_append_receiver(Session& session);

}  // namespace twinpost::imap
