// IMAP4rev1 (RFC 3501) and IMAP4rev2 (RFC 9051): one session on one connection.
//
// Loop thread only. serve() runs the whole session, from the greeting (or, with implicit TLS, from the
// handshake) to the closed connection, and always ends: every wait in it has a timeout.
//
// Invariants of the folder:
//   - a tagged OK that promises a change is said after the commit;
//   - a message's number changes only when its session sends EXPUNGE or VANISHED, never inside a command
//     (selected.h): commands run one after the other, in the order they came (RFC 9051 5.5);
//   - every command gets exactly one tagged answer, or the connection ends with BYE;
//   - a literal in an answer is whole, or the connection is dropped.
//
// The files: the reader (parser.h: octets to Command), the writers (response.h, quote.h), names and
// sets (mailbox_name.h, sequence_set.h, uid_list.h), session (states, waiting, ending), selected and sync (what a
// session has told its client of its mailbox), and commands/ with one file for each family of commands (commands.h).
#pragma once

#include <functional>
#include <memory>

#include "core/auth/frontend.h"
#include "core/base/task.h"
#include "core/net/connection.h"
#include "core/net/tls.h"
#include "store/store.h"

namespace twinpost::imap {

class MailboxWatch;  // mailbox_watch.h: which sessions have which mailbox open
class ImageCache;    // mailbox_image.h: the UID lists of mailboxes that were opened lately

// Outlives every session.
struct Context {
  Context(auth::Services& services, store::Store& store, std::function<net::TlsContextPtr()> tls);
  ~Context();

  auth::Services& services;
  store::Store& store;
  std::function<net::TlsContextPtr()> tls;  // null where no certificate is configured
  std::unique_ptr<MailboxWatch> watch;
  std::unique_ptr<ImageCache> images;
  // How long the answer to a wrong password is held back, times 1, 2, 4 (and 5 from then on) in one
  // connection.
  Duration failed_login_delay{2000};
  // How often a session that waits in IDLE, or for a long SEARCH, is sent a line, so that middleboxes keep
  // the connection and a client that is gone is noticed.
  Duration keep_alive{std::chrono::minutes(2)};
};

// `connection` is owned by the caller and outlives the task; it is closed when the task ends.
Task<void> serve(Context& context, net::Connection& connection, bool implicit_tls);

}  // namespace twinpost::imap
