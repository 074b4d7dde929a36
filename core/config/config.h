// The configuration as the server uses it: typed, checked, with its defaults.
//
// A ServerConfig never changes; a reload makes another. Sizes are octets, 0 means no limit. A time
// that the file gives as 0 (no limit) is kNoTimeLimit here, so that every wait has an end. Any
// thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/log.h"

namespace twinpost::config {

enum class PlaintextLogin : std::uint8_t { kNever, kLoopback, kAlways };

// Addresses as written ("127.0.0.1:110", "[::]:995", "unix:/run/twinpost/lmtp.sock"); checked for
// form.
struct Listen {
  std::vector<std::string> pop3;
  std::vector<std::string> pop3s;
  std::vector<std::string> imap;
  std::vector<std::string> imaps;
  std::vector<std::string> lmtp;
  std::vector<std::string> http;
  std::vector<std::string> admin;
};

struct Certificate {
  std::string certificate;
  std::string key;
};

struct Tls {
  std::string certificate;  // empty: no TLS, then pop3s/imaps may not be listed
  std::string key;
  std::vector<Certificate> sni;
};

// Ten years: longer than any connection, and far from where sums with it would overflow.
inline constexpr std::chrono::hours kNoTimeLimit{24 * 3650};

struct Limits {
  std::uint64_t connections = 20'000;
  std::uint64_t connections_per_address = 1'000;  // Unix sockets are not counted
  std::uint64_t connections_per_account = 200;
  std::uint64_t message_size = 50ULL * 1024 * 1024;
  // Octets, POP3 and LMTP (RFC 2449 asks for 255, RFC 5321 for 512 at least).
  std::uint64_t command_line = 8192;
  std::uint64_t recipients = 1'000;        // of one LMTP transaction
  std::uint64_t messages_per_command = 0;  // IMAP's MESSAGELIMIT (RFC 9738); 0: none
  std::uint64_t bad_commands = 20;         // in a row, then the connection is closed
  std::uint64_t lmtp_loops = 100;          // Received fields
  std::uint64_t password_checks = 0;       // at once; 0: half of the workers
  std::uint64_t retention_days = 14;  // how long removed messages can be undeleted; 0: not at all
  // What is kept of one account's removed messages; the oldest go first, before their time. 0: no limit.
  std::uint64_t removed_size = 5ULL * 1024 * 1024 * 1024;
  std::uint64_t removed_messages = 1'000'000;
  std::uint64_t disk_reserve = 256ULL * 1024 * 1024;
  std::chrono::milliseconds login_time{std::chrono::minutes(1)};  // from accept to login
  std::chrono::milliseconds login_delay_pop3{0};  // between an account's logins (RFC 2449 6.5)
  std::chrono::milliseconds idle_time_pop3{std::chrono::minutes(10)};
  std::chrono::milliseconds idle_time_imap{std::chrono::minutes(30)};
  std::chrono::milliseconds idle_time_lmtp{std::chrono::minutes(5)};
  std::chrono::milliseconds write_time{std::chrono::minutes(5)};  // without any progress
  std::chrono::milliseconds stop_time{std::chrono::seconds(10)};  // graceful stop, at the most
};

// How message bodies are kept on the disk. What was stored before a change stays readable as it is.
struct Storage {
  bool compression = false;  // zstd, where it saves a page
  std::string key_file;      // encryption at rest (AES-256-GCM); empty: none
};

struct Quota {
  std::vector<std::uint64_t> warn_at = {80, 95};  // percent of an account's quota
  bool warn_by_mail = false;                      // a message to the account, beside the log's line
};

// Removed messages, as long as limits.retention_days keeps them.
struct Removed {
  // The read-only mailbox in which IMAP users see theirs; empty: there is none.
  std::string mailbox;
};

struct ServerConfig {
  std::string source;  // path of the file, for messages; empty: defaults
  std::string data = "/var/lib/twinpost";
  std::string accounts = "/etc/twinpost/accounts.json";
  Listen listen;
  Tls tls;
  PlaintextLogin plaintext_login = PlaintextLogin::kLoopback;
  Limits limits;
  Storage storage;
  Quota quota;
  Removed removed;
  log::Settings log;
};
using ServerConfigPtr = std::shared_ptr<const ServerConfig>;

enum class Pop3Action : std::uint8_t { kNothing, kHide, kRemove, kArchive, kTrash };

// Which of the mailbox's messages POP3 shows.
struct Pop3Show {
  enum class What : std::uint8_t {
    kAll,
    kUnseen,      // without \Seen
    kFromNowOn,   // that arrived after this was configured (pop3/show_from.h)
    kRecentDays,  // that arrived within the last `days`
    kSince,       // that arrived on `since` or later
  };
  What what = What::kAll;
  std::uint64_t days = 0;
  std::chrono::sys_days since{};  // UTC
  friend bool operator==(const Pop3Show&, const Pop3Show&) = default;
};

struct Pop3Options {
  bool enabled = true;
  std::string disabled_text;  // said at a refused login, one line; empty: the usual one
  Pop3Action after_retrieve = Pop3Action::kNothing;  // after a complete RETR and QUIT
  Pop3Action on_delete = Pop3Action::kRemove;        // after DELE and QUIT
  std::uint64_t keep_days = 0;  // after_retrieve waits until a message is so old; 0: does not wait
  bool mark_seen = false;       // a complete RETR and QUIT set \Seen
  Pop3Show show;
  std::string maildrop = "INBOX";  // which mailbox POP3 shows
  std::string uidl;            // a template (pop3/uidl_template.h); empty: the server's own form
  bool many_sessions = false;  // "sessions": "many"
};

struct ImapOptions {
  bool enabled = true;
  std::string disabled_text;  // as POP3's
};

struct Account {
  std::string name;      // "ann@example.org", lower case
  std::string password;  // "{SCHEME}..."; a value without {SCHEME} is an error
  bool enabled = true;
  std::vector<std::string> aliases;  // lower case; "@example.org" is the catch-all of that domain
  std::uint64_t quota = 0;           // octets, 0: none
  std::uint64_t quota_messages = 0;
  std::uint64_t quota_mailboxes = 0;
  Pop3Options pop3;
  ImapOptions imap;
};

struct AccountsConfig {
  std::string source;
  std::map<std::string, Account, std::less<>> accounts;
};
using AccountsConfigPtr = std::shared_ptr<const AccountsConfig>;

// Reads and checks. The error is one line: "FILE: PATH.TO.KEY: what is wrong", with the nearest
// known key where one is unknown, line and column where the JSON itself is broken. Blocking file
// I/O. A missing server file is an error; an empty object in it is not.
[[nodiscard]] Result<ServerConfigPtr> load_server_config(const std::string& path);
[[nodiscard]] Result<AccountsConfigPtr> load_accounts_config(const std::string& path);
// The same from text; `source` names it in errors.
[[nodiscard]] Result<ServerConfigPtr> parse_server_config(std::string_view json,
                                                          const std::string& source);
[[nodiscard]] Result<AccountsConfigPtr> parse_accounts_config(std::string_view json,
                                                              const std::string& source);

// The effective configuration with every default filled in, as pretty JSON (`twinpost config
// show`).
[[nodiscard]] std::string show_server_config(const ServerConfig& config);

}  // namespace twinpost::config
