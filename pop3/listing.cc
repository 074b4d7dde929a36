// STAT, LIST and UIDL (RFC 1939 sections 5 and 7): what is in the maildrop. Marked messages are
// left out.
#include <string>
#include <utility>

#include "core/base/log.h"
#include "pop3/commands.h"
#include "pop3/listed_uidls.h"

namespace twinpost::pop3::commands {
namespace {

// How many lines are made before the other sessions have their turn, and the client its time to
// take them.
constexpr std::uint64_t kLinesAtOnce = 1024;

std::string scan_listing(Maildrop& maildrop, MessageNumber number) {
  return std::to_string(number.value()) + " " + std::to_string(maildrop.size_octets(number));
}

std::string unique_id_listing(Maildrop& maildrop, MessageNumber number) {
  return std::to_string(number.value()) + " " + maildrop.uidl(number);
}

using Listing = std::string (*)(Maildrop&, MessageNumber);

// One line for each message that is not marked.
Task<void> list_all(Session& session, Listing listing) {
  Maildrop& maildrop = session.maildrop();
  std::string lines;
  for (std::uint64_t n = 1; n <= maildrop.highest_number(); ++n) {
    const MessageNumber number{n};
    if (!maildrop.is_marked(number)) lines.append(listing(maildrop, number)).append("\r\n");
    if (n % kLinesAtOnce != 0) continue;
    session.connection().queue(lines);
    lines.clear();
    if (!co_await session.drained()) co_return;
    co_await sleep_for(session.context().services.executor, Duration(0));
  }
  session.connection().queue(lines + ".\r\n");
}

Task<void> list_one_or_all(Session& session, const Command& command, std::string_view text,
                           Listing listing) {
  if (command.number) {
    if (session.check_number(*command.number)) {
      session.reply_ok(listing(session.maildrop(), *command.number));
    }
    co_return;
  }
  session.reply_ok(text);
  co_await list_all(session, listing);
}

// A failure costs the alarm, not the session.
Task<void> note_listing(Session& session) {
  auto listed = session.maildrop().take_listed();
  if (listed.empty()) co_return;
  const auto changed =
      co_await note_listed(session.context().store, session.maildrop().inbox(), std::move(listed));
  const std::string account = session.account().name;
  if (!changed) {
    log::warning("pop3-uidls", {{"account", account}, {"error", changed.error().message}});
  } else if (*changed != 0) {
    session.context().uidls_changed += *changed;
    log::error("pop3-uidls-changed", {{"account", account}, {"count", *changed}});
  }
}

}  // namespace

Task<void> stat(Session& session, const Command&) {
  session.reply_ok(std::to_string(session.maildrop().message_count()) + " " +
                   std::to_string(session.maildrop().total_octets()));
  co_return;
}

Task<void> list(Session& session, const Command& command) {
  const std::string text = messages(session.maildrop().message_count()) + " (" +
                           std::to_string(session.maildrop().total_octets()) + " octets)";
  co_await list_one_or_all(session, command, text, scan_listing);
}

Task<void> uidl(Session& session, const Command& command) {
  co_await list_one_or_all(session, command, "unique-id listing follows", unique_id_listing);
  if (!command.number && session.state() != State::kEnded) co_await note_listing(session);
}

}  // namespace twinpost::pop3::commands
