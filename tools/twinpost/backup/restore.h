// `twinpost restore DIR`: accounts or mailboxes of a backup's generation, into a running server or
// its store, by operations that the server knows (core/server/commands/commands.h).
//
// A mailbox that is not there, or never had a message, is made anew with its identity: UIDVALIDITY,
// MAILBOXID and the UIDs of its messages. It is filled under the name "Restoring <MAILBOXID>
// <generation>" and then put in its place; what came meanwhile moves into it. (Without messages
// there is nothing to fill: it is made in its place.) A restore that was interrupted goes on there
// when it is run again.
//   - UIDNEXT becomes the backup's + kUidGap: mail that came after the backup and is lost had UIDs
//     that clients may have cached, and a UID is never given twice (RFC 9051 2.3.1.1).
//   - HIGHESTMODSEQ begins kModSeqGap higher, for the same reason: a client that knows a later one
//     than the backup's must be told of whatever changes (RFC 7162 3.1).
// A mailbox that had messages keeps what it has: only messages whose UIDL is not in it are put in,
// with new UIDs, because their old ones were told to clients as gone. So a restore that is run
// twice brings nothing twice.
//
// UIDLs are kept always, EMAILID and THREADID where it is the very account and store. Blocking; one
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/store.h"
#include "tools/twinpost/backup/repository.h"
#include "tools/twinpost/store_access.h"

namespace twinpost::tools::backup {

inline constexpr std::uint32_t kUidGap = 1'000'000;
inline constexpr std::uint64_t kModSeqGap = std::uint64_t{1} << 32;

struct RestoreOptions {
  GenerationName generation;
  std::string account;                 // empty: all
  std::string as;                      // into this one; of `account` only
  std::vector<std::string> mailboxes;  // of `account` only; empty: all
  std::string below;  // a mailbox that they are put under; their identity stays behind then
  bool dry_run = false;
  store::Progress progress;
};

struct MailboxRestored {
  std::string account;  // where it went to
  std::string name;
  bool made = false;  // with its identity; else messages were added to the one that is there
  std::uint64_t messages = 0;  // in the backup
  std::uint64_t restored = 0;  // or would be
  std::uint64_t already_there = 0;
  std::uint64_t renumbered = 0;  // of those restored with identity: that got another UID
  std::uint64_t failed = 0;
};

struct RestoreReport {
  std::vector<MailboxRestored> mailboxes;
  std::vector<std::string> unlisted;    // accounts that accounts.json does not have
  std::vector<std::string> over_quota;  // accounts that are now, or were already
  std::uint64_t restored = 0;
  std::uint64_t already_there = 0;
  std::uint64_t octets = 0;
  std::uint64_t failed = 0;
  std::vector<std::string> failures;  // the first thousand
};

// An error is one that ended it; what was restored before stays.
[[nodiscard]] Result<void> restore(Repository& repository, const Packs& packs, StoreAccess& access,
                                   const RestoreOptions& options, RestoreReport& report);

}  // namespace twinpost::tools::backup
