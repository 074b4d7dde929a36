// The UPDATE state (RFC 1939 section 6): what QUIT does to the maildrop, by the account's options.
//
// Only the messages of the session's own list are touched, only in the inbox, and only those that
// are still there; copies elsewhere stay. One transaction: all of it is on disk when the answer
// comes, or nothing has changed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/task.h"
#include "core/config/config.h"
#include "store/store.h"

namespace twinpost::pop3 {

struct UpdateRequest {
  store::MailboxKey inbox;
  std::vector<store::Uid> deleted;    // DELE
  std::vector<store::Uid> retrieved;  // RETR to the end, without DELE
  // The same of earlier sessions, for which keep_days was not over then.
  std::vector<store::Uid> retrieved_before;
  std::vector<store::Uid> seen;  // RETR to the end, with DELE too; get \Seen
  config::Pop3Action on_delete = config::Pop3Action::kRemove;
  config::Pop3Action after_retrieve = config::Pop3Action::kNothing;
  std::uint64_t keep_days = 0;  // after_retrieve waits until a message is so old
  UnixTime now{};
  store::Remover remover;

  [[nodiscard]] bool changes_something() const;
};

struct UpdateResult {
  std::uint64_t removed = 0;  // undoable for the retention time
  std::uint64_t hidden = 0;   // from POP3 only
  std::uint64_t to_trash = 0;
  std::uint64_t to_archive = 0;
  std::uint64_t kept = 0;          // deleted, but the account's options say that this does nothing
  std::uint64_t already_gone = 0;  // of the deleted ones: another session was quicker

  // "3 messages removed, 1 already gone"; empty where nothing was asked for.
  [[nodiscard]] std::string text() const;
};

// The same within the caller's transaction. May run more than once (store.h): everything is computed afresh.
[[nodiscard]] Result<UpdateResult> update(store::WriteTxn& txn, const UpdateRequest& request);
Task<Result<UpdateResult>> update(store::Store& store, UpdateRequest request);

}  // namespace twinpost::pop3
