// mbox: a file of messages one after the other (RFC 4155), each behind a line "From <sender> <date>".
//
// Read: mboxrd, mboxo and mboxcl2. A message begins at a line "From " with a plausible date, at the file's beginning or after a
// blank line; where a Content-Length says exactly where the next one begins (or the file ends), it is believed. The fields that
// servers and mail clients keep for themselves in the header (Status, X-Status, X-Keywords, X-UID, X-UIDL, X-IMAP, X-IMAPbase,
// Content-Length) become flags, keywords, UIDs and UIDLs, and are not part of the message, as Dovecot and UW
// IMAP hide them. The message "FOLDER INTERNAL DATA" at the beginning is none. Times are read as UTC where the line names no zone.
//
// Written: mboxrd with LF line ends, one file a mailbox ("A/B" is "A%2FB.mbox"), and the fields above for what IMAP
// and POP3 know. Fields of those names that a message has itself are written behind "X-Twinpost-Kept-", which
// the reader takes off again: what was exported comes back octet by octet.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tools/twinpost/transfer/mail.h"
#include "tools/twinpost/transfer/maildir_uidl.h"

namespace twinpost::tools {

struct MboxOptions {
  std::string mailbox = "INBOX";  // what a single file becomes
  bool unescape = true;           // ">From " is "From " (mboxrd)
  UidlFormat uidl_format;         // kDetect: X-UIDL alone
  bool uidl_all = false;
  std::uint64_t message_limit = 0;  // octets of one message, line ends as CRLF; 0: none
};

// A file, or a folder whose files are a mailbox each (and whose folders are levels). kNotFound; kInvalid for a file
// that is no mbox. Every file is read through once for its list of messages, and again for their octets; never held in memory.
[[nodiscard]] Result<std::unique_ptr<MailSource>> open_mbox(const std::string& path,
                                                            MboxOptions options);

// Makes the folder (0700). kExists where it has other files in it, or one that another mailbox is in. A mailbox is written to NAME.part, which takes NAME's place when it is whole and on the disk: an
// export that was interrupted begins that mailbox again.
[[nodiscard]] Result<std::unique_ptr<MailSink>> make_mbox(const std::string& folder);

}  // namespace twinpost::tools
