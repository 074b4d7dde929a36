// `twinpost deliver`: a message on standard input, from an MTA's pipe, to the running server by
// LMTP.
//
// Exit codes are those of sysexits.h, as pipes of Postfix, Exim and others understand them:
//   0 EX_OK            every recipient has it, on disk
//   64 EX_USAGE        no recipient, or an address that can't be one
//   65 EX_DATAERR      the message itself is refused (too large)
//   67 EX_NOUSER       unknown recipient
//   69 EX_UNAVAILABLE  refused for another lasting reason (a mail loop)
//   73 EX_CANTCREAT    larger than the mailbox's whole quota
//   74 EX_IOERR        standard input could not be read; nothing was delivered
//   75 EX_TEMPFAIL     server not there, mailbox full, store trouble: try again
//   77 EX_NOPERM       refused by policy
//   78 EX_CONFIG       the configuration can't be read, or lists no LMTP listener
// With several recipients and different results: 75 where any of them is temporary, else the first
// failure's. The MTA then tries all of them again, so an MTA that can speak LMTP itself should.
#pragma once

#include <chrono>
#include <ostream>
#include <string>
#include <vector>

namespace twinpost::tools {

struct DeliverOptions {
  std::string config = "/etc/twinpost/twinpost.json";  // where the server listens
  std::string socket;  // an address in its place: "unix:/run/...", "127.0.0.1:2424"
  std::string sender;  // -f; empty or "<>": the null sender
  std::vector<std::string> recipients;
  std::chrono::milliseconds timeout{std::chrono::minutes(5)};  // of each wait for the server
};

// Reads the message from `input` to its end, in pieces. A "From " line in front is taken off, line
// ends become CRLF. Says each failure in one line on `errors`. Blocking; returns the exit code.
[[nodiscard]] int deliver(const DeliverOptions& options, int input, std::ostream& errors);

}  // namespace twinpost::tools
