// SELECT, EXAMINE, CLOSE and UNSELECT (RFC 9051 6.3.2, 6.3.3, 6.4.1, 6.4.2; RFC 7162 3.2.5).
#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "imap/changed_pages.h"
#include "imap/commands.h"
#include "imap/expunge.h"
#include "imap/mailbox_image.h"
#include "imap/resync.h"
#include "imap/session.h"
#include "imap/sync.h"

namespace twinpost::imap::commands {
namespace {

// What the reads find out.
struct Opened {
  store::MailboxInfo info;
  MailboxImagePtr image;
  std::optional<Resync> resync;
  std::string list_line;  // RFC 9051 6.3.2, for IMAP4rev2
};

Result<Opened> open_mailbox(const store::ReadView& view, store::MailboxKey key,
                            const Select& command, const MailboxImagePtr& last, bool rev2,
                            const Style& style) {
  auto info = view.mailbox(key);
  if (!info) return tl::unexpected(info.error());
  auto image = make_image(view, key, *info, last);
  if (!image) return tl::unexpected(image.error());
  Opened opened{*std::move(info), *std::move(image), std::nullopt, {}};
  if (command.qresync && command.qresync->uid_validity == opened.info.uid_validity.value()) {
    auto resync = resynchronize(view, key, opened.info, *opened.image->uids, *command.qresync);
    if (!resync) return tl::unexpected(resync.error());
    opened.resync = *std::move(resync);
  }
  if (rev2) {
    auto line = list_line(view, key.account, opened.info, command.mailbox, style);
    if (!line) return tl::unexpected(line.error());
    opened.list_line = *std::move(line);
  }
  return opened;
}

Task<Result<Opened>> open_by_name(Session& session, std::string name, const Select& command) {
  const store::AccountId account = session.account_id();
  auto found = co_await session.store().read(
      [&](const store::ReadView& view) { return view.find_mailbox(account, name); });
  if (!found) co_return tl::unexpected(found.error());
  const store::MailboxKey key{account, found->id};
  MailboxImagePtr image = session.context().images->get(key);
  const bool rev2 = session.enabled().rev2;
  if (image && image->modseq == found->highest_modseq && !command.qresync && !rev2) {
    co_return Opened{*std::move(found), std::move(image), std::nullopt, {}};
  }
  const Style style = session.style();
  auto opened = co_await session.store().read([&](const store::ReadView& view) {
    return open_mailbox(view, key, command, image, rev2, style);
  });
  co_return opened;
}

// From when on messages are \Recent here; a read-write session takes them for itself.
Task<store::Uid> take_recent(Session& session, store::MailboxKey key,
                             const store::MailboxInfo& info, bool read_only) {
  if (info.first_recent >= info.uid_next) co_return store::Uid();
  if (read_only) co_return info.first_recent;
  const auto claimed =
      co_await session.store().write([key](store::WriteTxn& txn) { return txn.claim_recent(key); });
  co_return claimed ? *claimed : info.first_recent;
}

std::string opening_lines(const Session& session, const Selected& selected, const Opened& opened) {
  std::string out;
  const auto line = [&out](auto format, auto&&... values) {
    fmt::format_to(std::back_inserter(out), fmt::runtime(format), values...);
    out += "\r\n";
  };
  append_flag_names(out, selected.keywords, selected.read_only);
  line("* {} EXISTS", selected.uids->size());
  // RFC 9051 appendix E: gone in IMAP4rev2.
  if (!session.enabled().rev2) {
    line("* {} RECENT", selected.count_recent());
    const auto unseen = selected.uids->number_of(opened.image->first_unseen);
    if (unseen) line("* OK [UNSEEN {}] First unseen", *unseen);
  }
  line("* OK [UIDVALIDITY {}] UIDs valid", opened.info.uid_validity.value());
  line("* OK [UIDNEXT {}] Predicted next UID", opened.info.uid_next.value());
  line("* OK [HIGHESTMODSEQ {}] Highest", opened.info.highest_modseq.value());
  line("* OK [MAILBOXID ({})] Ok", opened.info.mailbox_guid);
  out += opened.list_line;
  return out;
}

void send_changed(Session& session, const NumberSet& asked,
                  const std::vector<store::MessageRecord>& changed) {
  std::string out;
  for (const store::MessageRecord& record : changed) {
    if (asked.contains(record.uid.value())) {
      append_flags_update(out, session, *session.selected(), record);
    }
  }
  session.send(out);
}

// RFC 7162 3.2.5.1: VANISHED (EARLIER), then the messages that are new or changed.
Task<Result<void>> send_resync(Session& session, const Resync& resync, store::ModSeq since) {
  std::string out;
  for (const std::string& piece : resync.vanished.to_pieces(kVanishedLine)) {
    out += "* VANISHED (EARLIER) " + piece + "\r\n";
  }
  session.send(out);
  send_changed(session, resync.asked, resync.changed);
  const store::MailboxKey key = session.selected()->key;
  for (store::Uid from = resync.rest_from; from.value() != 0;) {
    const bool goes_on = co_await session.drained();
    if (!goes_on) break;
    const auto page = co_await session.store().read(
        [&](const store::ReadView& view) { return next_changed(view, key, since, from); });
    if (!page) co_return tl::unexpected(page.error());
    send_changed(session, resync.asked, page->changed);
    from = page->rest_from;
  }
  co_return Result<void>{};
}

std::unique_ptr<Selected> make_selected(Session& session, const Opened& opened, bool read_only,
                                        store::Uid recent_from, UnixTime seen_before) {
  auto selected = std::make_unique<Selected>();
  selected->key = store::MailboxKey{session.account_id(), opened.info.id};
  selected->name = opened.info.name;
  selected->read_only = read_only;
  selected->uid_validity = opened.info.uid_validity;
  selected->uids = opened.image->uids;
  selected->known = opened.info.highest_modseq;
  selected->hold = session.store().hold_removals(selected->key, seen_before);
  selected->untold_since = seen_before;
  selected->keywords = opened.info.keywords;
  selected->recent_from = recent_from;
  selected->stale = true;  // it may have changed since it was read, before the watch began
  return selected;
}

}  // namespace

Task<Reply> select(Session& session, const Command& command) {
  const auto& arguments = std::get<Select>(command.arguments);
  // RFC 7162 3.2.5.
  if (arguments.qresync && !session.enabled().qresync) {
    co_return Reply::bad("ENABLE QRESYNC first");
  }
  if (session.selected() != nullptr) {
    co_await session.claim_recent();
    session.deselect();
    session.untagged("OK [CLOSED] Previous mailbox is now closed");
  }
  auto name = session.mailbox_name(arguments.mailbox, NameUse::kExisting);
  if (!name) co_return reply_for(name.error(), "select");
  const UnixTime seen_before = session.store().removals_seen_before();
  auto opened = co_await open_by_name(session, *std::move(name), arguments);
  if (!opened) {
    if (opened.error().code == ErrorCode::kNotFound) {
      co_return Reply::no("There is no such mailbox", "NONEXISTENT");
    }
    co_return reply_for(opened.error(), "select");
  }
  const store::MailboxKey key{session.account_id(), opened->info.id};
  session.context().images->put(key, opened->image);
  const bool read_only = arguments.read_only || opened->info.shows_removed;
  const store::Uid recent_from = co_await take_recent(session, key, opened->info, read_only);
  if (arguments.condstore) session.enabled().condstore = true;
  session.select(make_selected(session, *opened, read_only, recent_from, seen_before));
  session.send(opening_lines(session, *session.selected(), *opened));
  if (opened->resync) {
    const store::ModSeq since(arguments.qresync->mod_seq);
    const auto sent = co_await send_resync(session, *opened->resync, since);
    if (!sent) {
      session.deselect();
      co_return reply_for(sent.error(), "select");
    }
    if (session.ended()) co_return Reply::said();
  }
  co_return Reply::ok(arguments.read_only ? "EXAMINE completed" : "SELECT completed",
                      read_only ? "READ-ONLY" : "READ-WRITE");
}

// RFC 9051 6.4.1: no EXPUNGE is sent; RFC 7162 3.2.8: nor is HIGHESTMODSEQ.
Task<Reply> close(Session& session, const Command&) {
  if (!session.selected()->read_only) {
    const auto expunged = co_await expunge_deleted(session, std::nullopt, false);
    // The mailbox stays selected: nothing was lost, and the client can try again or UNSELECT.
    if (!expunged) co_return reply_for(expunged.error(), "close");
  }
  if (session.ended()) co_return Reply::said();
  co_await session.claim_recent();
  session.deselect();
  co_return Reply::ok("CLOSE completed");
}

Task<Reply> unselect(Session& session, const Command&) {
  co_await session.claim_recent();
  session.deselect();
  co_return Reply::ok("UNSELECT completed");
}

}  // namespace twinpost::imap::commands
