// The MIME tree of a message: one pass over its lines, with a stack of open parts in place of
// recursion.
//
// An inside piece of parse_message(). Where the RFCs leave room it reads as Dovecot does:
//   - a header ends at its blank line, whatever its lines look like, or at a delimiter line of an
//   open
//     multipart, or with the message; the line end before a delimiter belongs to the delimiter, and
//     so to neither header nor body (RFC 2046 5.1.1);
//   - the line end of a closing delimiter belongs to the multipart that it closes, even where the
//     next delimiter follows at once;
//   - MIME-Version need not be there for Content-* fields to count;
//   - a multipart without a usable boundary, or whose boundary never comes, is a multipart without
//   children whose
//     body is all that is there (IMAP shows an empty text/plain as its one part);
//   - message/rfc822 and message/global are looked into as they stand, whatever their
//   Content-Transfer-Encoding
//     says (RFC 2046 5.2.1 allows none);
//   - the default type within multipart/digest is message/rfc822 (RFC 2046 5.1.5).
// Limits: a multipart or message at the depth limit is shown as application/octet-stream, with
// kTooDeep; when there are as many parts as may be, all that follows is one more such part, with
// kTooManyParts.
#pragma once

#include <string_view>

#include "core/mail/message.h"

namespace twinpost::mail {

// Fills root, envelope, date, fields and defects of `message` (which is new).
void parse_structure(std::string_view octets, const MessageLimits& limits, Message& message);

}  // namespace twinpost::mail
