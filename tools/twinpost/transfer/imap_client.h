// A blocking IMAP client for reading another server's mail: connection, TLS, login and commands.
//
// RFC 3501 and RFC 9051 servers. Every limit has its own message; an error of run() means that the
// connection can't be used any more, a tagged NO or BAD is an answer. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "tools/twinpost/transfer/imap_response.h"
#include "tools/twinpost/transfer/net_connection.h"

namespace twinpost::tools {

// A login at a server of mail, IMAP or POP3.
struct MailLogin {
  std::string host;
  std::uint16_t port = 0;
  TlsMode tls = TlsMode::kImplicit;
  TlsTrust trust;
  std::string user;
  std::string password;
  NetTimeouts timeouts;
};

// Errors after which another connection may do better.
[[nodiscard]] bool is_broken_connection(const Error& error);

// A command without its tag. Arguments that can't be quoted go as literals.
class ImapCommand {
 public:
  explicit ImapCommand(std::string text) : parts_{{std::move(text), false}} {}
  ImapCommand& text(std::string_view text);
  ImapCommand& string(std::string_view argument);  // quoted or a literal, never an atom

  struct Part {
    std::string octets;
    bool is_literal = false;
  };
  [[nodiscard]] const std::vector<Part>& parts() const { return parts_; }
  [[nodiscard]] bool has_literal() const;

 private:
  std::vector<Part> parts_;
};

class ImapClient {
 public:
  // Of all literals of one answer, unless set_literal_limit() says otherwise.
  static constexpr std::uint64_t kLiteralLimit = 16 * 1024 * 1024;

  // Connects, secures, logs in and asks for the capabilities.
  [[nodiscard]] static Result<std::unique_ptr<ImapClient>> open(const MailLogin& login);

  // Untagged responses, data and status alike, as they come. What it fails with ends the command,
  // and the connection is then good for nothing.
  using OnResponse = std::function<Result<void>(ImapResponse)>;

  // The tagged response: OK, NO or BAD.
  [[nodiscard]] Result<ImapResponse> run(const ImapCommand& command,
                                         const OnResponse& on_response = {});
  // All at once where they have no literals; the tagged responses in their order.
  [[nodiscard]] Result<std::vector<ImapResponse>> run_all(std::span<const ImapCommand> commands,
                                                          const OnResponse& on_response);

  [[nodiscard]] bool has(std::string_view capability) const;  // any case
  // Of the answers to what is run from now on. kTooLarge is what ends a command that passes it.
  void set_literal_limit(std::uint64_t octets) { literal_limit_ = octets; }
  [[nodiscard]] const std::string& place() const { return connection_->place(); }
  void logout();  // whatever is answered

 private:
  explicit ImapClient(std::unique_ptr<NetConnection> connection)
      : connection_(std::move(connection)) {}

  [[nodiscard]] Result<void> greet(const MailLogin& login);
  [[nodiscard]] Result<void> secure(const MailLogin& login);
  [[nodiscard]] Result<void> log_in(const MailLogin& login);
  [[nodiscard]] Result<ImapResponse> authenticate_plain(const MailLogin& login);
  [[nodiscard]] Result<void> introduce();
  [[nodiscard]] Result<void> ask_capabilities();
  void take_capabilities(std::string_view words);

  [[nodiscard]] std::string next_tag();
  [[nodiscard]] Result<void> send(const std::string& tag, const ImapCommand& command,
                                  const OnResponse& on_response);
  // Up to the response that is tagged so; `continued`: to a continuation as well.
  [[nodiscard]] Result<ImapResponse> wait_for(const std::string& tag, bool continued,
                                              const OnResponse& on_response);
  [[nodiscard]] Result<ImapResponse> read_response();
  [[nodiscard]] tl::unexpected<Error> stop(ErrorCode code, std::string_view what) const;

  std::unique_ptr<NetConnection> connection_;
  std::set<std::string, std::less<>> capabilities_;  // upper case
  std::uint64_t tags_ = 0;
  std::uint64_t literal_limit_ = kLiteralLimit;
  std::uint64_t literal_octets_ = 0;  // of the command that runs
  std::uint64_t responses_ = 0;       // likewise
  std::string bye_;
};

}  // namespace twinpost::tools
