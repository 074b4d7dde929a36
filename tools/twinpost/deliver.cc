#include "tools/twinpost/deliver.h"

#include <algorithm>
#include <fmt/format.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/base/ascii.h"
#include "core/config/config.h"
#include "core/net/address.h"
#include "lmtp/address.h"
#include "lmtp/data.h"
#include "tools/twinpost/lmtp_client.h"

namespace twinpost::tools {

namespace {

constexpr std::size_t kPiece = 64 * 1024;

// Takes off a "From sender date" line, which MTAs and mbox files put in front (RFC 4155).
class FromLineFilter {
 public:
  // What of `octets` belongs to the message, appended to `out`.
  void filter(std::string_view octets, std::string& out) {
    while (!octets.empty() && state_ == State::kComparing) {
      if (octets.front() == kFrom[matched_]) {
        octets.remove_prefix(1);
        if (++matched_ == kFrom.size()) state_ = State::kSkipping;
      } else {
        finish(out);
      }
    }
    if (state_ == State::kSkipping) {
      const auto end = octets.find('\n');
      if (end == std::string_view::npos) return;
      octets.remove_prefix(end + 1);
      state_ = State::kPassing;
    }
    out.append(octets);
  }
  // The end of the input: what looked like the beginning of such a line was none.
  void finish(std::string& out) {
    if (state_ == State::kComparing) out.append(kFrom.substr(0, matched_));
    state_ = State::kPassing;
  }

 private:
  static constexpr std::string_view kFrom = "From ";
  enum class State { kComparing, kSkipping, kPassing };
  State state_ = State::kComparing;
  std::size_t matched_ = 0;
};

int exit_code_of(const LmtpReply& reply) {
  if (reply.is_success()) return EX_OK;
  if (!reply.is_permanent()) return EX_TEMPFAIL;
  const std::string_view status = reply.status();
  if (status.starts_with("5.1.")) return EX_NOUSER;
  if (status == "5.2.2") return EX_CANTCREAT;
  if (status == "5.3.4" || status.starts_with("5.6.")) return EX_DATAERR;
  if (status.starts_with("5.7.")) return EX_NOPERM;
  return EX_UNAVAILABLE;
}

// What the command as a whole answers: the worst for a sender who must decide whether to try again.
class ExitCode {
 public:
  void add(int code) {
    if (code_ == EX_OK || code == EX_TEMPFAIL) code_ = code == EX_OK ? code_ : code;
  }
  [[nodiscard]] int value() const { return code_; }

 private:
  int code_ = EX_OK;
};

// One delivery, from the connection to the last reply.
class Delivery {
 public:
  Delivery(const DeliverOptions& options, std::ostream& errors)
      : options_(options), errors_(errors) {}

  int run(int input) {
    if (const int code = read_addresses(); code != EX_OK) return code;
    const auto address = server_address();
    if (!address)
      return complain(options_.socket.empty() ? EX_CONFIG : EX_USAGE, address.error().message);
    auto connected = LmtpClient::connect(*address, options_.timeout);
    if (!connected) return complain(EX_TEMPFAIL, connected.error().message);
    client_ = std::move(*connected);
    const auto code = converse(input);
    if (!code) return complain(EX_TEMPFAIL, code.error().message);
    return *code;
  }

 private:
  int complain(int code, const std::string& what) {
    errors_ << "twinpost deliver: " << ascii::printable(what, 1000) << '\n';
    return code;
  }

  // Checks the addresses with the server's own parser, so that none of them can end its command and
  // begin another.
  int read_addresses() {
    if (options_.recipients.empty()) return complain(EX_USAGE, "no recipient");
    for (const auto& text : options_.recipients) {
      const auto path = read_address(text);
      if (!path || path->is_null())
        return complain(EX_USAGE, fmt::format("{}: not an address", text));
      recipients_.push_back(path->text);
      is_international_ = is_international_ || path->is_international;
    }
    if (options_.sender.empty()) return EX_OK;
    const auto path = read_address(options_.sender);
    if (!path)
      return complain(EX_USAGE, fmt::format("{}: not a sender's address", options_.sender));
    sender_ = path->text;
    is_international_ = is_international_ || path->is_international;
    return EX_OK;
  }

  static Result<lmtp::Path> read_address(const std::string& text) {
    const bool has_brackets = text.starts_with('<');
    const std::string bracketed = has_brackets ? text : fmt::format("<{}>", text);
    std::string_view rest = bracketed;
    auto path = lmtp::take_path(rest);
    if (path && !rest.empty()) return fail(ErrorCode::kInvalid, "something follows the address");
    return path;
  }

  Result<net::ListenAddress> server_address() {
    if (!options_.socket.empty()) return net::parse_listen_address(options_.socket);
    const auto config = config::load_server_config(options_.config);
    if (!config) return tl::unexpected(config.error());
    if ((*config)->listen.lmtp.empty()) {
      return fail(ErrorCode::kNotFound,
                  fmt::format("{}: no LMTP listener is configured", options_.config));
    }
    return net::parse_listen_address((*config)->listen.lmtp.front());
  }

  // The whole transaction. An error is one of the connection; a refusal is an exit code.
  Result<int> converse(int input) {
    const auto greeting = client_->read_reply();
    if (!greeting) return tl::unexpected(greeting.error());
    if (!greeting->is_success()) return note("server", *greeting);
    const auto hello = client_->command("LHLO localhost");
    if (!hello) return tl::unexpected(hello.error());
    if (!hello->is_success()) return note("server", *hello);
    const auto mail = client_->command(mail_command(*hello));
    if (!mail) return tl::unexpected(mail.error());
    if (!mail->is_success()) return note("sender", *mail);

    ExitCode result;
    std::vector<std::string> accepted;
    for (const auto& recipient : recipients_) {
      const auto reply = client_->command(fmt::format("RCPT TO:<{}>", recipient));
      if (!reply) return tl::unexpected(reply.error());
      result.add(note(recipient, *reply));
      if (reply->is_success()) accepted.push_back(recipient);
    }
    if (!accepted.empty()) {
      const auto sent = send_message(input, accepted, result);
      if (!sent) return tl::unexpected(sent.error());
      if (*sent != EX_OK) return *sent;
    }
    client_->quit();
    return result.value();
  }

  std::string mail_command(const LmtpReply& hello) const {
    std::string command = fmt::format("MAIL FROM:<{}>", sender_);
    if (hello.offers("8BITMIME")) command += " BODY=8BITMIME";
    if (is_international_ && hello.offers("SMTPUTF8")) command += " SMTPUTF8";
    return command;
  }

  // The message, then one reply for each accepted recipient. EX_IOERR where the input failed: the
  // connection is then left without the final dot, so that the server throws away what it has.
  Result<int> send_message(int input, const std::vector<std::string>& accepted, ExitCode& result) {
    const auto go_ahead = client_->command("DATA");
    if (!go_ahead) return tl::unexpected(go_ahead.error());
    if (go_ahead->code != 354) {
      result.add(note("message", *go_ahead));
      return EX_OK;
    }
    const auto streamed = stream(input);
    if (!streamed || *streamed != EX_OK) return streamed;
    for (const auto& recipient : accepted) {
      const auto reply = client_->read_reply();
      if (!reply) {
        // RFC 2033 section 5: recipients without a reply are temporary failures, those with one
        // keep it.
        result.add(complain(EX_TEMPFAIL, fmt::format("{}: {}", recipient, reply.error().message)));
        continue;
      }
      result.add(note(recipient, *reply));
    }
    return EX_OK;
  }

  Result<int> stream(int input) {
    FromLineFilter from_line;
    lmtp::DotEncoder encoder;
    std::string buffer(kPiece, '\0');
    std::string message;
    std::string encoded;
    for (bool at_end = false; !at_end;) {
      const ssize_t count = ::read(input, buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return complain(EX_IOERR, system_error("standard input", errno).message);
      at_end = count == 0;
      message.clear();
      encoded.clear();
      from_line.filter(std::string_view(buffer).substr(0, static_cast<std::size_t>(count)),
                       message);
      if (at_end) from_line.finish(message);
      encoder.encode(message, encoded);
      if (at_end) encoder.finish(encoded);
      if (auto sent = client_->send(encoded); !sent) return tl::unexpected(std::move(sent.error()));
    }
    return EX_OK;
  }

  int note(const std::string& whom, const LmtpReply& reply) {
    const int code = exit_code_of(reply);
    if (code != EX_OK) complain(code, fmt::format("{}: {} {}", whom, reply.code, reply.text));
    return code;
  }

  const DeliverOptions& options_;
  std::ostream& errors_;
  std::string sender_;
  std::vector<std::string> recipients_;
  bool is_international_ = false;
  std::unique_ptr<LmtpClient> client_;
};

}  // namespace

int deliver(const DeliverOptions& options, int input, std::ostream& errors) {
  return Delivery(options, errors).run(input);
}

}  // namespace twinpost::tools
