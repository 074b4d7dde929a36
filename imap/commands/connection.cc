// Commands about the connection itself (RFC 9051 6.1, 6.2.1, 6.3.1; RFC 2971, 4978, 5161, 8437).
#include <algorithm>
#include <string>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/log.h"
#include "imap/capabilities.h"
#include "imap/commands.h"
#include "imap/quote.h"
#include "imap/session.h"
#include "imap/sync.h"

namespace twinpost::imap::commands {
namespace {

// "Thunderbird 128.3"; bounded and printable, as people read it in a terminal.
std::string client_text(const Id& id) {
  constexpr std::size_t kMost = 60;
  std::string text;
  for (const std::string_view wanted : {"name", "version"}) {
    for (const auto& [name, value] : *id.fields) {
      if (!value || !ascii::equals_ignore_case(name, wanted)) continue;
      text += (text.empty() ? "" : " ") + ascii::printable(*value, kMost);
      break;
    }
  }
  return text;
}

// RFC 2971 section 3.3: what a client may send.
constexpr std::size_t kMaxIdFields = 30;
constexpr std::size_t kLoggedOctets = 100;  // of a value

// For the log: one line of printable text.
std::string printable(std::string_view value) {
  std::string text;
  append_text(text, value.substr(0, kLoggedOctets), false);
  return text;
}

void log_client(Session& session, const Id& id) {
  std::string name;
  std::string version;
  for (const auto& [field, value] : *id.fields) {
    if (!value) continue;
    if (ascii::equals_ignore_case(field, "name")) name = printable(*value);
    if (ascii::equals_ignore_case(field, "version")) version = printable(*value);
  }
  log::info("imap-client",
            {{"account",
              session.state() == State::kNotAuthenticated ? std::string() : session.account().name},
             {"address", session.connection().peer().address},
             {"name", name},
             {"version", version}});
}

}  // namespace

Task<Reply> capability(Session& session, const Command&) {
  session.untagged("CAPABILITY " + capability_list(session));
  co_return Reply::ok("CAPABILITY completed");
}

Task<Reply> noop(Session&, const Command& command) {
  co_return Reply::ok(command.id == CommandId::kCheck ? "CHECK completed" : "NOOP completed");
}

Task<Reply> logout(Session& session, const Command& command) {
  std::string out;
  append_status(out, "*", Condition::kBye, "", "Logging out");
  append_status(out, command.tag, Condition::kOk, "", "LOGOUT completed");
  session.send(out);
  session.end("logout");
  co_return Reply::said();
}

Task<Reply> id(Session& session, const Command& command) {
  const auto& fields = std::get<Id>(command.arguments);
  if (fields.fields) {
    if (fields.fields->size() > kMaxIdFields) {
      co_return Reply::bad("ID with more than 30 fields");
    }
    log_client(session, fields);
    session.set_client(client_text(fields));
  }
  session.untagged("ID (\"name\" \"Twinpost\" \"version\" \"" TWINPOST_VERSION "\")");
  co_return Reply::ok("ID completed");
}

// RFC 9051 6.2.1: the answer goes out in the clear, and nothing that came before the handshake counts after it.
Task<Reply> starttls(Session& session, const Command& command) {
  if (session.connection().is_tls()) co_return Reply::bad("TLS is active already");
  net::TlsContextPtr tls = session.context().tls();
  if (!tls) co_return Reply::bad("TLS is not available here");
  std::string out;
  append_status(out, command.tag, Condition::kOk, "", "Begin TLS negotiation now");
  session.send(out);
  const auto secured = co_await session.connection().start_tls(std::move(tls), net::Alpn::kImap,
                                                               session.login_time_left());
  if (!secured) session.drop("tls: " + secured.error().message);
  co_return Reply::said();
}

// RFC 5161 section 3.1: unknown names are ignored.
Task<Reply> enable(Session& session, const Command& command) {
  std::string names;
  bool tells_modseq = false;
  for (const std::string_view wanted : std::get<Enable>(command.arguments).capabilities) {
    const std::string_view name = find_enableable(wanted);
    if (name.empty() || names.find(" " + std::string(name)) != std::string::npos) continue;
    names += ' ';
    names += name;
    Enabled& enabled = session.enabled();
    if (name == "IMAP4rev2") enabled.rev2 = true;
    if (name == "UTF8=ACCEPT") enabled.utf8 = true;
    if (name == "QRESYNC") enabled.qresync = true;
    if (name == "CONDSTORE" || name == "QRESYNC") {
      tells_modseq = tells_modseq || !enabled.condstore;
      enabled.condstore = true;
    }
  }
  session.untagged("ENABLED" + names);
  // RFC 7162 3.1: the client learns where it stands.
  if (tells_modseq) tell_modseq(session);
  co_return Reply::ok("ENABLE completed");
}

Task<Reply> compress(Session& session, const Command& command) {
  if (!ascii::equals_ignore_case(std::get<Compress>(command.arguments).mechanism, "DEFLATE")) {
    co_return Reply::bad("DEFLATE is the only mechanism");
  }
  // RFC 4978 section 3.
  if (session.is_compressed()) {
    co_return Reply::bad("Compression is active already");
  }
  std::string out;
  append_status(out, command.tag, Condition::kOk, "", "DEFLATE active");
  session.send(out);
  session.connection().start_compression();
  session.set_compressed();
  co_return Reply::said();
}

// RFC 8437 section 3: all that was enabled, selected and saved is gone; TLS stays. Section 4.1 has the compression layer end as
// well; this server ends the connection instead, which section 3 permits, and does not offer the command then.
Task<Reply> unauthenticate(Session& session, const Command&) {
  if (session.is_compressed()) {
    session.bye("Compression can't be ended, connect anew", "unauthenticate");
    co_return Reply::said();
  }
  co_await session.claim_recent();
  session.log_out();
  co_return Reply::ok("UNAUTHENTICATE completed");
}

}  // namespace twinpost::imap::commands
