// A running IMAP server as a source of mail, with the UIDLs that its POP3 side shows.
//
// Nothing changes on the old server: mailboxes are opened by EXAMINE, octets are read by
// BODY.PEEK[], and POP3 is asked for its lists (and headers by TOP where nothing else tells which
// message is which), never for RETR or DELE. A connection that breaks is made again, up to five
// times in a row with growing pauses. Blocking; one thread; every wait is bounded.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "tools/twinpost/transfer/mail.h"
#include "tools/twinpost/transfer/net_connection.h"

namespace twinpost::tools {

struct ImapImportOptions {
  std::string host;
  std::uint16_t port = 0;  // 0: 993, or 143 where the connection begins without TLS
  TlsMode tls = TlsMode::kImplicit;
  // As the old server knows it; also "ann*master" of a master user.
  std::string user;
  // Where the password is; empty: the environment's TWINPOST_IMPORT_PASSWORD, else it is asked for
  // on the terminal (or is one line of standard input).
  std::string password_file;
  TlsTrust trust;

  // The old server's POP3, with the same user and password.
  bool pop3 = true;
  std::string pop3_host;        // empty: `host`
  std::uint16_t pop3_port = 0;  // 0: 995, or 110 where the connection begins without TLS
  TlsMode pop3_tls = TlsMode::kImplicit;

  // LIST patterns of names as Twinpost will have them ("Work/*"); empty: all.
  std::vector<std::string> folders;
  bool other_namespaces = false;  // other users' and shared folders too
  // Of Gmail's "All Mail" only what is in no other folder; "Starred" and "Important" not at all.
  bool skip_gmail_all = true;
  std::uint64_t largest_message = std::uint64_t{2} * 1024 * 1024 * 1024;

  NetTimeouts timeouts;
  unsigned reconnects = 5;                      // in a row
  std::chrono::milliseconds first_pause{1000};  // before the second of them; doubled each time
  // One line for a person, without an end: what was left out, renamed, could not be matched. Empty:
  // kept for take_notes().
  std::function<void(std::string_view)> note;
};

// Adds --imap and what belongs to it: --user, --password-file, --tls, --ca-file, --fingerprint,
// --insecure, --pop3, --pop3-tls, --all-namespaces, --skip-gmail-all, --timeout; and --folder,
// which goes with any source. finish_imap_options() puts together what they say.
struct ImapCommandLine {
  ImapImportOptions options;
  std::string place;  // of --imap: HOST or HOST:PORT
  std::string tls = "implicit";
  std::string pop3;      // "none", HOST or HOST:PORT; empty: the same host
  std::string pop3_tls;  // empty: as IMAP
  unsigned timeout_seconds = 60;
};
CLI::Option* add_imap_options(CLI::App& command, ImapCommandLine& line);  // gives --imap's
// kInvalid with the line to show where they contradict each other.
[[nodiscard]] Result<ImapImportOptions> finish_imap_options(const ImapCommandLine& line);

// Connects, logs in to both sides and says in one line what is in the way (kInvalid, kPermission,
// kTls, kClosed, kTimeout, kUnsupported). A POP3 side that can't be reached is an error too: the
// messages could not get their UIDLs later.
[[nodiscard]] Result<std::unique_ptr<MailSource>> open_imap_source(
    const ImapImportOptions& options);

}  // namespace twinpost::tools
