// Telling a session's client what happened in its mailbox (RFC 9051 section 7.5, RFC 7162 section 3.2.10).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "imap/selected.h"
#include "imap/session.h"

namespace twinpost::imap {

// "* 3 FETCH (UID 7 FLAGS (\Seen) MODSEQ (12))" CRLF: MODSEQ where CONDSTORE is enabled. Nothing where the client does
// not know the message. The caller notes it in Selected::told where the change was this session's own.
void append_flags_update(std::string& out, const Session& session, const Selected& selected,
                         const store::MessageRecord& record);

// "* 3 FETCH (UID 7 MODSEQ (12))" CRLF: a change whose flags the client knows (RFC 7162 3.1.3, 3.2.4).
void append_modseq_update(std::string& out, const Selected& selected,
                          const store::MessageRecord& record);

inline constexpr std::size_t kVanishedLine = 8000;  // octets of one VANISHED response, about

// Tells the client that `uids` (ascending) are gone, as EXPUNGE or, with QRESYNC, VANISHED; takes them out of what it knows.
// For those handlers that are allowed to (EXPUNGE, MOVE, REPLACE) and for sync().
void append_expunged(std::string& out, const Session& session, Selected& selected,
                     std::span<const store::Uid> uids);

// "* FLAGS (...)" and "* OK [PERMANENTFLAGS (...)]" for `names` (RFC 9051 7.3.5).
void append_flag_names(std::string& out, const std::vector<std::string>& names, bool read_only);

// HIGHESTMODSEQ that may be told. With QRESYNC sync() keeps `known` below what could not be told yet.
[[nodiscard]] store::ModSeq tellable_modseq(const Selected& selected);

// "* OK [HIGHESTMODSEQ n]" for the selected mailbox, if there is one: what a command that enables CONDSTORE owes the
// client (RFC 7162 3.1).
void tell_modseq(Session& session);
// Enables CONDSTORE, with the above where it was not enabled yet.
void enable_condstore(Session& session);

}  // namespace twinpost::imap
