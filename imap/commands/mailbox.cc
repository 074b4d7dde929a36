// CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 9051 6.3.4 to 6.3.8; RFC 6154, 8474).
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "imap/commands.h"
#include "imap/list_lines.h"
#include "imap/list_walk.h"
#include "imap/mailbox_changes.h"
#include "imap/session.h"

namespace twinpost::imap::commands {

namespace {

// Subscribed names, existing or not, that one account may have.
constexpr std::size_t kMostSubscriptions = 10'000;

// \All, \Flagged and \Important are views of messages that are elsewhere: nothing here fills such a
// mailbox.
bool can_be_given(store::SpecialUse use) {
  switch (use) {
    case store::SpecialUse::kArchive:
    case store::SpecialUse::kDrafts:
    case store::SpecialUse::kJunk:
    case store::SpecialUse::kSent:
    case store::SpecialUse::kTrash: return true;
    default: return false;
  }
}

// RFC 6154 section 3: USEATTR where the mailbox can't have the use; it is not made then.
Result<store::SpecialUse> wanted_use(const Create& arguments) {
  auto wanted = store::SpecialUse::kNone;
  for (const std::string_view name : arguments.special_use) {
    const auto use = parse_special_use(name);
    if (!use || !can_be_given(*use)) {
      return fail(ErrorCode::kUnsupported, "This special use is not supported");
    }
    if (wanted != store::SpecialUse::kNone && wanted != *use) {
      return fail(ErrorCode::kUnsupported, "A mailbox can have one special use");
    }
    wanted = *use;
  }
  return wanted;
}

// RFC 9051 6.3.9.7: the client learns what its name has become. Only IMAP4rev2 has OLDNAME.
void tell_oldname(Session& session, std::string_view name, std::string_view wire,
                  std::string_view attributes) {
  if (!session.enabled().rev2) return;
  std::string out;
  append_oldname_line(out, name, wire, attributes, session.style());
  session.send(out);
}

// The selected mailbox goes on under its new name.
void follow_rename(Session& session, const std::string& from, const std::string& to) {
  Selected* selected = session.selected();
  if (selected == nullptr || from == "INBOX") return;  // INBOX stays what it is
  if (selected->name == from || is_below(selected->name, from)) {
    selected->name = to + selected->name.substr(from.size());
  }
}

}  // namespace

Task<Reply> create(Session& session, const Command& command) {
  const auto& arguments = std::get<Create>(command.arguments);
  const auto name = session.mailbox_name(arguments.mailbox, NameUse::kNew);
  if (!name) co_return reply_for(name.error(), "CREATE");
  const auto use = wanted_use(arguments);
  if (!use) co_return Reply::no(use.error().message, "USEATTR");
  const store::AccountId account = session.account_id();
  const std::uint64_t most = session.account().quota_mailboxes;
  const auto made = co_await session.store().write(
      [&](store::WriteTxn& txn) { return create_mailbox(txn, account, *name, *use, most); });
  if (!made && made.error().code == ErrorCode::kConflict) {
    co_return Reply::no(made.error().message, "USEATTR");
  }
  if (!made) co_return reply_for(made.error(), "CREATE");
  if (was_normalized(arguments.mailbox, *name, session.utf8())) {
    tell_oldname(session, *name, arguments.mailbox, "");
  }
  // RFC 8474 4.1
  co_return Reply::ok("CREATE completed", "MAILBOXID (" + made->mailbox_guid + ")");
}

Task<Reply> remove(Session& session, const Command& command) {
  const auto& arguments = std::get<Delete>(command.arguments);
  const auto name = session.mailbox_name(arguments.mailbox, NameUse::kExisting);
  if (!name) co_return reply_for(name.error(), "DELETE");
  const store::AccountId account = session.account_id();
  const store::Remover remover = session.remover();
  const auto deleted = co_await session.store().write(
      [&](store::WriteTxn& txn) { return delete_mailbox(txn, account, *name, remover); });
  if (!deleted && deleted.error().code == ErrorCode::kNotFound) {
    const auto has_children = co_await session.store().read(
        [&](const store::ReadView& view) { return has_mailboxes_below(view, account, *name); });
    // RFC 9051 6.3.5: a name that is there only for those below it can't go.
    if (has_children && *has_children) {
      co_return Reply::no("There are mailboxes below this name, and nothing else", "HASCHILDREN");
    }
    co_return Reply::no("No such mailbox", "NONEXISTENT");
  }
  if (!deleted) co_return reply_for(deleted.error(), "DELETE");
  Selected* selected = session.selected();
  if (selected != nullptr && selected->key.mailbox == *deleted) {
    session.untagged("OK [CLOSED] The selected mailbox is deleted");
    session.deselect();
  }
  if (was_normalized(arguments.mailbox, *name, session.utf8())) {
    tell_oldname(session, *name, arguments.mailbox, "\\NonExistent");
  }
  co_return Reply::ok("DELETE completed");
}

// Subscriptions stay with their names (RFC 9051 6.3.6).
Task<Reply> rename(Session& session, const Command& command) {
  const auto& arguments = std::get<Rename>(command.arguments);
  const auto from = session.mailbox_name(arguments.from, NameUse::kExisting);
  if (!from) co_return reply_for(from.error(), "RENAME");
  const auto to = session.mailbox_name(arguments.to, NameUse::kNew);
  if (!to) co_return reply_for(to.error(), "RENAME");
  const store::AccountId account = session.account_id();
  const std::uint64_t most = session.account().quota_mailboxes;
  const auto renamed = co_await session.store().write(
      [&](store::WriteTxn& txn) { return rename_mailbox(txn, account, *from, *to, most); });
  if (!renamed) co_return reply_for(renamed.error(), "RENAME");
  follow_rename(session, *from, *to);
  if (was_normalized(arguments.from, *from, session.utf8()) ||
      was_normalized(arguments.to, *to, session.utf8())) {
    tell_oldname(session, *to, arguments.from, "");
  }
  co_return Reply::ok("RENAME completed");
}

// RFC 9051 6.3.7: the name need not exist, and stays subscribed when its mailbox goes. Counted in a
// read, so that the writer has no list to walk: sessions that race may get a few more.
Task<Reply> subscribe(Session& session, const Command& command) {
  const auto& arguments = std::get<Subscribe>(command.arguments);
  const auto name = session.mailbox_name(arguments.mailbox, NameUse::kExisting);
  if (!name) co_return reply_for(name.error(), "SUBSCRIBE");
  const store::AccountId account = session.account_id();
  const auto subscribed = co_await session.store().read(
      [account](const store::ReadView& view) { return view.subscriptions(account); });
  if (!subscribed) co_return reply_for(subscribed.error(), "SUBSCRIBE");
  const bool is_subscribed =
      std::find(subscribed->begin(), subscribed->end(), *name) != subscribed->end();
  if (is_subscribed) co_return Reply::ok("SUBSCRIBE completed");
  if (subscribed->size() >= kMostSubscriptions) {
    co_return Reply::no("The account has as many subscriptions as it may have", "LIMIT");
  }
  const auto done = co_await session.store().write(
      [&](store::WriteTxn& txn) { return txn.set_subscribed(account, *name, true); });
  if (!done) co_return reply_for(done.error(), "SUBSCRIBE");
  co_return Reply::ok("SUBSCRIBE completed");
}

Task<Reply> unsubscribe(Session& session, const Command& command) {
  const auto& arguments = std::get<Unsubscribe>(command.arguments);
  const auto name = session.mailbox_name(arguments.mailbox, NameUse::kExisting);
  if (!name) co_return reply_for(name.error(), "UNSUBSCRIBE");
  const store::AccountId account = session.account_id();
  const auto done = co_await session.store().write(
      [&](store::WriteTxn& txn) { return txn.set_subscribed(account, *name, false); });
  if (!done) co_return reply_for(done.error(), "UNSUBSCRIBE");
  co_return Reply::ok("UNSUBSCRIBE completed");
}

}  // namespace twinpost::imap::commands
