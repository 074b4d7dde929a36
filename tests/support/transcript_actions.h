// DO and EXPECT lines: what others do to the mailboxes meanwhile, and what must be in the store.
//
//   DO deliver NAME 500 octets           one more message in INBOX
//   DO expunge NAME MAILBOX 2 3          by UID, as an IMAP session would
//   DO copy NAME MAILBOX 2 TO            the target is made where it is missing
//   DO move NAME MAILBOX 2 TO            likewise
//   DO delete-flag NAME MAILBOX 2 3      sets \Deleted
//   DO mailbox NAME MAILBOX trash        makes one with that special use: trash, archive, none
//   DO option NAME KEY VALUE             a reload of the accounts
//   DO config KEY VALUE                  a reload of the server's configuration
//   DO forget NAME                       a reload of the accounts without this one
//   DO end NAME kicked                   ends its sessions: kicked, shutdown, protocol-disabled,
//                                        account-disabled
//   DO interrupt                         the server's graceful stop begins
//   DO fail reads CODE                   every read of the store fails: io, corrupt, disk-full
//   DO fail writes CODE                  every write
//   DO fail messages CODE                every read of a message's octets
//   DO fail messages CODE past N         those that reach past octet N
//   DO fail flip N                       the N-th octet of every message (from 0) is read wrong
//   DO fail nothing                      all is well again
//
//   EXPECT NAME MAILBOX uids 1 3         exactly these; "uids" alone: it is empty
//   EXPECT NAME MAILBOX hidden 1         exactly these are hidden from POP3
//   EXPECT NAME MAILBOX special trash    it has that special use
//   EXPECT NAME no MAILBOX               there is no such mailbox
//   EXPECT NAME missing                  the store has no such account
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
