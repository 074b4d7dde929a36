// Maildir++ (one folder for INBOX, ".Sub.Folder" below it), as Dovecot and Courier keep it.
//
// What is read beside the messages: Dovecot's dovecot-uidlist (UIDVALIDITY, UIDs, POP3 UIDLs as "P..." fields), dovecot-keywords,
// subscriptions; Courier's courierimapuiddb, courierpop3dsizelist (UIDLs), courierimapsubscribed,
// courierimapkeywords. The writer writes Dovecot's, so that what is exported can be given to Dovecot, or imported again, with
// UIDs, keywords, subscriptions and UIDLs.
//
// The reader distrusts all of it: nothing is followed out of the folder (no symbolic links), nothing but regular files
// is opened for long, and a server or its users may change everything meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tools/twinpost/transfer/mail.h"
#include "tools/twinpost/transfer/maildir_uidl.h"

namespace twinpost::tools {

enum class MaildirLayout : std::uint8_t {
  kMaildirPlusPlus,  // "Maildir/.A.B"
  kFs,               // "Maildir/A/B": every folder that holds a cur/ (Dovecot's LAYOUT=fs)
};

struct MaildirOptions {
  char separator = '.';  // between levels in folder names on the disk
  bool utf8_names =
      false;  // else modified UTF-7 (RFC 3501 5.1.3), as Dovecot and Courier have it by default
  // Of the reader.
  MaildirLayout layout = MaildirLayout::kMaildirPlusPlus;
  UidlFormat uidl_format;
  bool uidl_all = false;            // UIDLs in every mailbox, not in INBOX alone
  std::uint64_t message_limit = 0;  // octets of one message, line ends as CRLF; 0: none
};

// kNotFound where `folder` has no cur/, new/ or ".Folder".
[[nodiscard]] Result<std::unique_ptr<MailSource>> open_maildir(const std::string& folder,
                                                               MaildirOptions options);
// Makes the folder (0700). Where one is there already, messages that it has (by native name) are not written again. Always
// the layout Maildir++. kExists where the folder is neither empty nor a Maildir, or a mailbox there has another UIDVALIDITY: it
// is another one then.
[[nodiscard]] Result<std::unique_ptr<MailSink>> make_maildir(const std::string& folder,
                                                             MaildirOptions options);

}  // namespace twinpost::tools
