// One mailbox of a check: its row against its messages, tombstones and keywords.
#pragma once

#include <string>

#include "store/check_census.h"

namespace twinpost::store {

struct CountedMailbox {
  bool has_row = false;  // one that can be read
  bool shows_removed = false;
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};

// `account` is its account's name, for people.
[[nodiscard]] CountedMailbox check_mailbox(Census& census, MailboxKey key,
                                           const std::string& account);

// Counts a reference to the record's body and tells where there is none, or one that does not fit.
// True where all is well.
bool count_body(Census& census, const MessageRecord& record, const std::string& where,
                bool is_message);
void note_serial(Census& census, const MessageRecord& record);
// A record without a checksum that agrees with the body that it names and with the store's
// counters: a repair takes it.
[[nodiscard]] bool is_trustworthy(Census& census, const MessageRecord& record);

}  // namespace twinpost::store
