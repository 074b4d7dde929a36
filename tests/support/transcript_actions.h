// DO and EXPECT lines: what others do to the mailboxes meanwhile, and what must be in the store.
//
//   DO deliver NAME 500 octets           one more message in INBOX
//   DO expunge NAME MAILBOX 2 3          by UID, as an IMAP session would
//   DO copy NAME MAILBOX 2 TO            DO move NAME MAILBOX 2 TO: the target is made where it is
//   missing DO delete-flag NAME MAILBOX 2        sets \Deleted DO mailbox NAME MAILBOX trash makes
//   a mailbox with that special use (trash, archive, none) DO option NAME KEY VALUE             a
//   reload of the accounts DO config KEY VALUE                  a reload of the server's
//   configuration DO forget NAME                       a reload of accounts without this one DO end
//   NAME kicked                   (shutdown, protocol-disabled, account-disabled) DO interrupt the
//   server's graceful stop begins DO fail reads CODE                   writes, messages: io,
//   corrupt, disk-full; messages also "past N": from octet N DO fail flip N the N-th octet of every
//   message (from 0) is read wrong DO fail nothing EXPECT NAME MAILBOX uids 1 3         exactly
//   these; "uids" alone: it is empty EXPECT NAME MAILBOX hidden 1         exactly these are hidden
//   from POP3 EXPECT NAME MAILBOX special trash EXPECT NAME no MAILBOX               there is no
//   such mailbox EXPECT NAME missing                  the store has no such account
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/transcript_world.h"

namespace twinpost::testing {

// Puts a message into the account's INBOX, making the account where it is missing.
void deliver(World& world, const std::string& account, std::string prefix, std::string_view body,
             std::string imported_uidl = {});

// Both throw std::runtime_error with what is wrong.
void do_action(World& world, const std::vector<std::string>& words);
void expect_state(World& world, const std::vector<std::string>& words);

}  // namespace twinpost::testing
