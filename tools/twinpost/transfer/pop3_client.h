// A blocking POP3 client (RFC 1939, RFC 2449, RFC 2595, RFC 5034) that reads a maildrop's lists and
// headers and changes nothing: there is no way here to send RETR or DELE. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "tools/twinpost/transfer/imap_client.h"
#include "tools/twinpost/transfer/net_connection.h"
#include "tools/twinpost/transfer/pop3_match.h"

namespace twinpost::tools {

class Pop3Client {
 public:
  // Connects, secures, logs in. kInUse where another session has the maildrop or logins are too
  // frequent ([IN-USE], [LOGIN-DELAY]): it may go later.
  [[nodiscard]] static Result<std::unique_ptr<Pop3Client>> open(const MailLogin& login);

  // Messages that the maildrop has.
  [[nodiscard]] Result<std::uint32_t> count();
  // RFC 2449 6.5: another login soon after this one may be refused.
  [[nodiscard]] bool limits_logins() const { return capabilities_.contains("LOGIN-DELAY"); }

  // The whole maildrop with sizes and UIDLs, by number. kUnsupported where the server has no UIDL.
  [[nodiscard]] Result<std::vector<PopMessage>> messages();

  // By TOP n 0, in the order of `numbers`; empty for a message that the server refuses.
  // kUnsupported where it has no TOP.
  [[nodiscard]] Result<std::vector<std::string>> headers(std::span<const std::uint32_t> numbers);

  void quit();
  [[nodiscard]] const std::string& place() const { return connection_->place(); }

 private:
  explicit Pop3Client(std::unique_ptr<NetConnection> connection)
      : connection_(std::move(connection)) {}

  struct Reply {
    bool ok = false;
    std::string text;
  };
  [[nodiscard]] Result<void> greet(const MailLogin& login);
  [[nodiscard]] Result<void> ask_capabilities();
  [[nodiscard]] Result<void> log_in(const MailLogin& login);
  [[nodiscard]] Result<Reply> authenticate(const MailLogin& login);
  [[nodiscard]] Result<Reply> command(std::string_view line);
  [[nodiscard]] Result<Reply> read_reply();
  // The lines of a multi-line answer, CRLF after each, without the last dot; at most `limit`
  // octets.
  [[nodiscard]] Result<std::string> read_lines(std::uint64_t limit);
  [[nodiscard]] tl::unexpected<Error> stop(ErrorCode code, std::string_view what) const;

  std::unique_ptr<NetConnection> connection_;
  std::set<std::string, std::less<>>
      capabilities_;  // upper case, with their arguments' words: "SASL", "SASL PLAIN"
};

}  // namespace twinpost::tools
