// One LMTP session: the state machine of RFC 2033 on RFC 5321.
//
// States: before LHLO, idle, in a mail transaction (MAIL, then RCPT), in its BDAT chunks. Nothing
// of a transaction outlives it: RSET, LHLO, STARTTLS, an error or the end of the connection drop
// what has come. Loop thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lmtp/command.h"
#include "lmtp/delivery.h"
#include "lmtp/input.h"
#include "lmtp/lmtp.h"
#include "lmtp/reply.h"
#include "store/prepare.h"

namespace twinpost::lmtp {

class Session {
 public:
  Session(Context& context, net::Connection& connection);

  // From the greeting to the goodbye; does not close the connection.
  Task<void> run();

 private:
  // One mail transaction. `failure`, once set, is what every recipient hears at the end of the
  // data, which is read and thrown away until then.
  struct Transaction {
    bool is_open = false;  // MAIL was accepted
    std::uint64_t declared_octets = 0;
    bool smtputf8 = false;
    bool has_chunks =
        false;  // BDAT was used: neither DATA nor RCPT from now on (RFC 3030 section 2)
    Envelope envelope;
    std::optional<store::Spool> spool;
    std::optional<Reply> failure;
  };

  // session.cc: the commands
  Task<void> next_command();
  Task<void> execute(Command command);
  void lhlo();
  void mail(Command command);
  Task<void> rcpt(Command command);
  Task<void> start_tls();

  // session_data.cc: the message
  Task<void> data();
  Task<void> bdat(Command command);
  [[nodiscard]] std::optional<Reply> why_no_chunk(const Command& command) const;
  Task<bool> read_chunk(std::uint64_t octets);
  void open_spool();
  Task<void> keep_piece();
  Task<void> fail_transaction(Reply failure);
  Task<void> finish_message();
  Task<void> drop_spool();
  Task<void> reset_transaction();

  void reply(const Reply& reply);   // neither good nor bad
  void accept(const Reply& reply);  // the command was in order
  void refuse(const Reply& reply);  // the command was not: counted
  void end_on(
      const Error& error);  // a wait failed: says why where the client can hear it, and ends
  [[nodiscard]] const config::Limits& limits();

  Context& context_;
  net::Connection& connection_;
  Input input_;
  config::ServerConfigPtr config_;  // as it was when last asked for
  bool has_lhlo_ = false;
  bool is_ending_ = false;
  std::uint64_t bad_commands_ = 0;  // in a row
  Transaction transaction_;
  std::string piece_;  // of the message, decoded
};

// A configured time, where 0 means no limit: every wait has a timeout all the same.
[[nodiscard]] Duration bounded(Duration configured);

}  // namespace twinpost::lmtp
