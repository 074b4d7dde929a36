// Pop3Client's way from the connection to the transaction state: greeting, TLS, capabilities,
// login.
#include <fmt/format.h>

#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "tools/twinpost/transfer/pop3_client.h"

namespace twinpost::tools {

Result<std::unique_ptr<Pop3Client>> Pop3Client::open(const MailLogin& login) {
  auto connection = NetConnection::connect(login.host, login.port, login.timeouts);
  if (!connection) return fail(connection.error().code, "POP3 " + connection.error().message);
  std::unique_ptr<Pop3Client> client(new Pop3Client(*std::move(connection)));
  if (auto greeted = client->greet(login); !greeted)
    return tl::unexpected(std::move(greeted.error()));
  if (auto in = client->log_in(login); !in) return tl::unexpected(std::move(in.error()));
  return client;
}

Result<void> Pop3Client::greet(const MailLogin& login) {
  connection_->set_deadline();
  const auto secure = [&]() -> Result<void> {
    if (auto secured = connection_->start_tls(login.trust); !secured)
      return fail(secured.error().code, "POP3 " + secured.error().message);
    return {};
  };
  if (login.tls == TlsMode::kImplicit) {
    if (auto secured = secure(); !secured) return secured;
  }
  const auto greeting = read_reply();
  if (!greeting) return tl::unexpected(greeting.error());
  if (!greeting->ok) {
    return stop(ErrorCode::kClosed,
                "the server refuses to talk: " + ascii::printable(greeting->text, 200));
  }
  if (auto asked = ask_capabilities(); !asked) return asked;
  if (login.tls != TlsMode::kStartTls) return {};
  // RFC 2595 section 4: nothing that was said in plaintext counts afterwards.
  const auto reply = command("STLS");
  if (!reply) return tl::unexpected(reply.error());
  if (!reply->ok)
    return stop(ErrorCode::kTls,
                "the server offers no STLS (TLS from the start is --pop3-tls implicit)");
  if (auto secured = secure(); !secured) return secured;
  return ask_capabilities();
}

// RFC 5034 section 4; the secret on a line of its own, which every server takes at any length.
Result<Pop3Client::Reply> Pop3Client::authenticate(const MailLogin& login) {
  using namespace std::string_literals;
  auto reply = command("AUTH PLAIN");
  if (!reply || !reply->ok) return reply;
  std::string secret = "\0"s + login.user + "\0"s + login.password;
  std::string encoded = base64_encode(secret);
  wipe(secret);
  reply = command(encoded);
  wipe(encoded);
  return reply;
}

Result<void> Pop3Client::log_in(const MailLogin& login) {
  if (!connection_->is_encrypted() && !connection_->is_loopback() && !login.trust.insecure) {
    return stop(ErrorCode::kPermission,
                "the password would go over the net in the clear: use --pop3-tls, or --insecure to "
                "allow it");
  }
  Result<Reply> reply = Reply{};
  if (capabilities_.contains("SASL PLAIN")) {
    reply = authenticate(login);
  } else {
    reply = command("USER " + login.user);
    if (reply && reply->ok) reply = command("PASS " + login.password);
  }
  if (!reply) return tl::unexpected(reply.error());
  if (reply->ok) return {};
  // RFC 2449 section 8, RFC 3206: what may be otherwise in a while.
  const bool later = ascii::starts_with_ignore_case(reply->text, "[IN-USE") ||
                     ascii::starts_with_ignore_case(reply->text, "[LOGIN-DELAY") ||
                     ascii::starts_with_ignore_case(reply->text, "[SYS/TEMP");
  return stop(later ? ErrorCode::kInUse : ErrorCode::kPermission,
              fmt::format("the server refuses the login of {}: {}",
                          ascii::printable(login.user, 100), ascii::printable(reply->text, 200)));
}

}  // namespace twinpost::tools
