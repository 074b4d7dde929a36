// Making anew what derives from the messages, in small transactions while the store goes on
// serving. Each looks again at what it changes, so that what has happened since the check is
// respected.
//
//   repair.cc          one unit after the other; the store's counters
//   repair_mailbox.cc  a mailbox: its row, damaged records, tombstones, keywords
//   repair_account.cc  an account's row
//   repair_entries.cc  single entries: names, subscriptions, removals
//   repair_blobs.cc    bodies: records, references, summaries
//
// Nothing that may be somebody's only copy is freed: references are raised, never lowered.
#pragma once

#include <string>
#include <vector>

#include "store/check_census.h"
#include "store/queries.h"

namespace twinpost::store {

// What a repair tells beside that it was done: what it had to take out of the store.
struct TakenOut {
  std::string where;
  std::string what;
};

// One change. False where the thing can't be put right.
struct Repair {
  Batch& batch;
  Census& census;                // as it was counted
  std::vector<TakenOut>& taken;  // begins empty each time
};
[[nodiscard]] Result<bool> repair_mailbox(Repair& repair, MailboxKey key);
[[nodiscard]] Result<bool> repair_account(Repair& repair, AccountId id);
[[nodiscard]] Result<bool> repair_entry(Repair& repair, engine::Table table, std::string_view key);
[[nodiscard]] Result<bool> repair_name(Repair& repair, engine::Table table, std::string_view key);
[[nodiscard]] Result<bool> repair_blob_row(Repair& repair, BlobId blob);
[[nodiscard]] Result<bool> repair_blob(Repair& repair, BlobId blob);
// Not in a transaction: begins its own.
[[nodiscard]] Result<bool> repair_summary(Census& census, BlobId blob);

// Takes the entry out of its table; its octets are told.
[[nodiscard]] Result<void> take_out(Repair& repair, engine::Table table, std::string_view key,
                                    std::string where);
// As is_trustworthy(), as it is now.
[[nodiscard]] Result<bool> is_trustworthy_now(Batch& batch, const MessageRecord& record);
// For people: "ann@example.org/INBOX", or the numbers where the names can't be read.
[[nodiscard]] std::string describe(Batch& batch, MailboxKey key);

// Repairs what the findings name. An error is one that ended it: kDiskFull, kIo, kShutdown.
[[nodiscard]] Result<void> repair_findings(Census& census);

}  // namespace twinpost::store
