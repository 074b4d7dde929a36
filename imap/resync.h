// What a client that comes back has missed (QRESYNC, RFC 7162 3.2.5), and the LIST line that SELECT shows.
// Worker, in a read.
#pragma once

#include <string>
#include <vector>

#include "imap/command.h"
#include "imap/response.h"
#include "imap/uid_list.h"
#include "store/read_view.h"

namespace twinpost::imap {

struct Resync {
  NumberSet vanished;                         // UIDs
  std::vector<store::MessageRecord> changed;  // by UID; the first page (changed_pages.h)
  store::Uid rest_from;
  NumberSet asked;  // UIDs that the client wants to hear of
};

// `uids` is the mailbox as `view` has it. Where the tombstones do not reach back to the client's modseq, every UID
// that it may know of and that is not there is reported, less what its sequence match data rules out
// (RFC 7162 3.2.5.2).
[[nodiscard]] Result<Resync> resynchronize(const store::ReadView& view, store::MailboxKey key,
                                           const store::MailboxInfo& info, const UidList& uids,
                                           const QResync& request);

// All UIDs of [1, below) that are not in `uids`, but those up to what the sequence match data proves to be known.
[[nodiscard]] NumberSet missing_uids(const UidList& uids, store::Uid below, const QResync& request);

// "* LIST (\HasNoChildren) "/" INBOX" CRLF: RFC 9051 6.3.2; with OLDNAME where `wire`, what the client sent, was
// another form of the name (6.3.9.7).
[[nodiscard]] Result<std::string> list_line(const store::ReadView& view, store::AccountId account,
                                            const store::MailboxInfo& info, std::string_view wire,
                                            const Style& style);

}  // namespace twinpost::imap
