// ImapClient's way from the connection to the authenticated state: greeting, TLS, capabilities,
// login, ID.
#include <fmt/format.h>

#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "tools/twinpost/transfer/imap_client.h"

namespace twinpost::tools {

namespace {

// "text [CODE]" of an answer, for people.
std::string reason(const ImapResponse& answer) {
  const std::string text = answer.text.empty() ? "no reason given" : answer.text;
  return answer.code.empty() ? text
                             : fmt::format("{} [{}]", text, ascii::printable(answer.code, 40));
}

}  // namespace

Result<std::unique_ptr<ImapClient>> ImapClient::open(const MailLogin& login) {
  auto connection = NetConnection::connect(login.host, login.port, login.timeouts);
  if (!connection) return tl::unexpected(std::move(connection.error()));
  std::unique_ptr<ImapClient> client(new ImapClient(*std::move(connection)));
  for (const auto step : {&ImapClient::greet, &ImapClient::log_in}) {
    if (auto done = (client.get()->*step)(login); !done)
      return tl::unexpected(std::move(done.error()));
  }
  if (auto done = client->introduce(); !done) return tl::unexpected(std::move(done.error()));
  return client;
}

Result<void> ImapClient::greet(const MailLogin& login) {
  connection_->set_deadline();
  if (login.tls == TlsMode::kImplicit) {
    if (auto secured = connection_->start_tls(login.trust); !secured) return secured;
  }
  const auto greeting = read_response();
  if (!greeting) return tl::unexpected(greeting.error());
  if (greeting->is_status("BYE"))
    return stop(ErrorCode::kClosed, "the server refuses to talk: " + reason(*greeting));
  if (!greeting->is_status("OK")) {
    // PREAUTH would be somebody else's mail, and no STARTTLS is possible after it.
    return stop(ErrorCode::kUnsupported,
                "the server does not greet as an IMAP server that wants a login");
  }
  if (greeting->code == "CAPABILITY") take_capabilities(greeting->code_text);
  if (capabilities_.empty()) {
    if (auto asked = ask_capabilities(); !asked) return asked;
  }
  return login.tls == TlsMode::kStartTls ? secure(login) : Result<void>{};
}

// RFC 9051 6.2.1: nothing that was said in plaintext counts afterwards.
Result<void> ImapClient::secure(const MailLogin& login) {
  if (!has("STARTTLS"))
    return stop(ErrorCode::kTls,
                "the server offers no STARTTLS (TLS from the start is --tls implicit)");
  const auto answer = run(ImapCommand("STARTTLS"));
  if (!answer) return tl::unexpected(answer.error());
  if (!answer->is_status("OK"))
    return stop(ErrorCode::kTls, "the server refuses STARTTLS: " + reason(*answer));
  if (auto secured = connection_->start_tls(login.trust); !secured) return secured;
  capabilities_.clear();
  return ask_capabilities();
}

Result<void> ImapClient::ask_capabilities() {
  const auto answer = run(ImapCommand("CAPABILITY"), [this](ImapResponse response) -> Result<void> {
    if (response.name != "CAPABILITY") return {};
    std::string words;
    for (const ImapValue& value : response.values) words += value.text + " ";
    take_capabilities(words);
    return {};
  });
  if (!answer) return tl::unexpected(answer.error());
  if (!answer->is_status("OK"))
    return stop(ErrorCode::kUnsupported, "the server refuses CAPABILITY: " + reason(*answer));
  return {};
}

void ImapClient::take_capabilities(std::string_view words) {
  capabilities_.clear();
  while (!words.empty()) {
    const auto end = std::min(words.find(' '), words.size());
    if (end > 0) capabilities_.insert(ascii::upper(words.substr(0, end)));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
}

Result<void> ImapClient::log_in(const MailLogin& login) {
  if (!connection_->is_encrypted() && !connection_->is_loopback() && !login.trust.insecure) {
    return stop(
        ErrorCode::kPermission,
        "the password would go over the net in the clear: use --tls, or --insecure to allow it");
  }
  const bool takes_plain = has("AUTH=PLAIN");
  if (!takes_plain && has("LOGINDISABLED")) {
    return stop(ErrorCode::kUnsupported,
                connection_->is_encrypted()
                    ? "the server takes no password (no AUTH=PLAIN, LOGIN disabled)"
                    : "the server takes no password without TLS: use --tls starttls or implicit");
  }
  const auto answer =
      takes_plain ? authenticate_plain(login)
                  : run(ImapCommand("LOGIN ").string(login.user).text(" ").string(login.password));
  if (!answer) return tl::unexpected(answer.error());
  if (!answer->is_status("OK")) {
    return stop(ErrorCode::kPermission,
                fmt::format("the server refuses the login of {}: {}",
                            ascii::printable(login.user, 100), reason(*answer)));
  }
  if (answer->code == "CAPABILITY") {
    take_capabilities(answer->code_text);
    return {};
  }
  // What was offered before the login need not be so after it.
  return ask_capabilities();
}

// RFC 4616; RFC 4959 where the server takes an initial response.
Result<ImapResponse> ImapClient::authenticate_plain(const MailLogin& login) {
  using namespace std::string_literals;
  std::string secret = "\0"s + login.user + "\0"s + login.password;
  std::string encoded = base64_encode(secret);
  wipe(secret);
  const bool at_once = has("SASL-IR");
  connection_->set_deadline();
  literal_octets_ = 0;
  responses_ = 0;
  const std::string tag = next_tag();
  auto sent = connection_->send(fmt::format("{} AUTHENTICATE PLAIN{}{}\r\n", tag,
                                            at_once ? " " : "", at_once ? encoded : ""));
  if (!sent) return tl::unexpected(std::move(sent.error()));
  auto answer = wait_for(tag, true, {});
  if (answer && answer->kind == ImapResponse::Kind::kContinuation) {
    // A challenge after the initial response is none of PLAIN: "*" gives up (RFC 9051 6.2.2).
    sent = connection_->send(at_once ? "*\r\n" : encoded + "\r\n");
    if (!sent) return tl::unexpected(std::move(sent.error()));
    answer = wait_for(tag, false, {});
  }
  wipe(encoded);
  return answer;
}

// RFC 2971: so that the old server's log shows who read it all.
Result<void> ImapClient::introduce() {
  if (!has("ID")) return {};
  const auto answer =
      run(ImapCommand("ID (\"name\" \"twinpost import\" \"version\" \"" TWINPOST_VERSION "\")"));
  if (!answer) return tl::unexpected(answer.error());
  return {};
}

void ImapClient::logout() { static_cast<void>(run(ImapCommand("LOGOUT"))); }

}  // namespace twinpost::tools
