// LIST, LSUB, STATUS and NAMESPACE (RFC 9051 6.3.9 to 6.3.11, RFC 3501 6.3.9; RFC 2342, 5258, 5819,
// 6154, 7889, 8438, 8474, 9208).
#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "imap/commands.h"
#include "imap/deleted_storage.h"
#include "imap/list_lines.h"
#include "imap/list_walk.h"
#include "imap/session.h"
#include "imap/sync.h"

namespace twinpost::imap::commands {

namespace {

// What one slice may take (DESIGN: a read is a short slice).
constexpr std::size_t kSliceOctets = 256 * 1024;
constexpr std::chrono::milliseconds kSliceTime{20};

struct Slice {
  std::string octets;
  bool done = false;
};

bool wants(StatusItems items, StatusItem item) { return (items & bit(item)) != 0; }

// A STATUS line that is being found out.
struct StatusWork {
  const store::MailboxInfo& mailbox;
  std::uint32_t recent = 0;
  std::optional<DeletedStorage> deleted;  // where there is something to add up
};

Result<StatusWork> begin_status(const store::ReadView& view, store::AccountId account,
                                const store::MailboxInfo& mailbox, StatusItems items) {
  StatusWork work{mailbox, 0, std::nullopt};
  if (wants(items, StatusItem::kRecent)) {
    const auto recent = count_recent(view, account, mailbox);
    if (!recent) return tl::unexpected(recent.error());
    work.recent = *recent;
  }
  if (wants(items, StatusItem::kDeletedStorage)) {
    work.deleted.emplace(store::MailboxKey{account, mailbox.id}, mailbox.deleted);
  }
  return work;
}

// True once all is known.
Result<bool> advance_status(StatusWork& work, const store::ReadView& view, SteadyTime deadline) {
  if (!work.deleted) return true;
  return work.deleted->advance(view, deadline);
}

void add_status(std::string& out, StatusItems items, const StatusWork& work,
                std::uint64_t append_limit, const Style& style) {
  const std::uint64_t deleted_octets = work.deleted ? work.deleted->octets() : 0;
  append_status_line(out, items,
                     StatusValues{work.mailbox, work.recent, append_limit, deleted_octets}, style);
}

// One LIST or LSUB at work. Used on one worker at a time; the names are those of the first slice's
// view.
struct Listing {
  store::AccountId account;
  ListRequest request;
  Style style;
  bool is_lsub = false;
  ListLineOptions line;
  StatusItems status = 0;
  std::uint64_t append_limit = 0;
  std::optional<ListWalk> walk;
  std::optional<StatusWork> unfinished;  // of the name that was listed last
};

Result<void> begin(Listing& listing, const store::ReadView& view) {
  auto mailboxes = view.mailboxes(listing.account);
  if (!mailboxes) return tl::unexpected(mailboxes.error());
  auto subscriptions = view.subscriptions(listing.account);
  if (!subscriptions) return tl::unexpected(subscriptions.error());
  listing.walk.emplace(listed_names(*std::move(mailboxes), *std::move(subscriptions)),
                       std::move(listing.request));
  return {};
}

Result<void> add_entry(Listing& listing, const store::ReadView& view, const ListEntry& entry,
                       std::string& out) {
  if (listing.is_lsub) {
    append_lsub_line(out, entry, listing.style);
    return {};
  }
  append_list_line(out, entry, listing.line, listing.style);
  // RFC 5819 section 3: not for a name that is there only for its children.
  if (listing.status == 0 || !entry.selected || entry.mailbox == nullptr) return {};
  auto work = begin_status(view, listing.account, *entry.mailbox, listing.status);
  if (work) {
    listing.unfinished.emplace(*std::move(work));
    return {};
  }
  // Deleted since the names were read, which takes its messages only: the numbers of then have no
  // RECENT to go with them.
  if (work.error().code == ErrorCode::kNotFound) return {};
  return tl::unexpected(work.error());
}

// False where it needs another slice.
Result<bool> finish_status(Listing& listing, const store::ReadView& view, SteadyTime deadline,
                           std::string& out) {
  if (!listing.unfinished) return true;
  const auto done = advance_status(*listing.unfinished, view, deadline);
  const bool is_gone = !done && done.error().code == ErrorCode::kNotFound;
  if (!done && !is_gone) return done;
  if (done && !*done) return false;
  if (!is_gone) {
    add_status(out, listing.status, *listing.unfinished, listing.append_limit, listing.style);
  }
  listing.unfinished.reset();
  return true;
}

Result<Slice> next_slice(Listing& listing, const store::ReadView& view) {
  if (!listing.walk) {
    if (auto begun = begin(listing, view); !begun) return tl::unexpected(begun.error());
  }
  const SteadyTime deadline = steady_now() + kSliceTime;
  Slice slice;
  while (slice.octets.size() < kSliceOctets) {
    const auto finished = finish_status(listing, view, deadline, slice.octets);
    if (!finished) return tl::unexpected(finished.error());
    if (!*finished) break;
    const auto entry = listing.walk->next(deadline);
    if (!entry) break;
    auto added = add_entry(listing, view, *entry, slice.octets);
    if (!added) return tl::unexpected(added.error());
  }
  slice.done = listing.walk->is_done() && !listing.unfinished;
  return slice;
}

Task<Reply> run(Session& session, Listing listing, std::string name) {
  while (true) {
    auto slice = co_await session.store().read(
        [&listing](const store::ReadView& view) { return next_slice(listing, view); });
    if (!slice) co_return reply_for(slice.error(), name);
    session.send(slice->octets);
    if (slice->done) co_return Reply::ok(name + " completed");
    const bool goes_on = co_await session.drained();
    if (!goes_on) co_return Reply::said();
  }
}

// What can match no name is ignored, as RFC 9051 6.3.9 wants: an empty pattern of the extended form
// (6.3.9), one that is no name in this encoding.
void add_pattern(ListRequest& request, std::string_view reference, std::string_view pattern,
                 bool utf8) {
  if (pattern.empty()) return;
  auto made = ListPattern::from_wire(reference, pattern, utf8);
  if (made) request.patterns.push_back(*std::move(made));
}

}  // namespace

Task<Reply> list(Session& session, const Command& command) {
  const auto& arguments = std::get<List>(command.arguments);
  // RFC 9051 6.3.9: a question for the delimiter. No name has a root of its own here.
  if (!arguments.extended && arguments.patterns.front().empty()) {
    session.untagged("LIST (\\Noselect) \"/\" \"\"");
    co_return Reply::ok("LIST completed");
  }
  Listing listing;
  listing.account = session.account_id();
  listing.style = session.style();
  listing.status = arguments.return_status;
  listing.append_limit = session.append_limit();
  for (const std::string_view pattern : arguments.patterns) {
    add_pattern(listing.request, arguments.reference, pattern, session.utf8());
  }
  // REMOTE: there are no remote mailboxes, and RFC 9051 6.3.9.1 lets the option be ignored then.
  listing.request.subscribed = arguments.select_subscribed;
  listing.request.special_use = arguments.select_special_use;
  listing.request.recursive_match = arguments.select_recursive_match;
  listing.line.subscribed = arguments.select_subscribed || arguments.return_subscribed;
  if (arguments.select_recursive_match) {
    listing.line.child_subscribed = arguments.select_subscribed;
    listing.line.child_special_use = arguments.select_special_use;
  }
  // RFC 7162 3.1: asking for it enables CONDSTORE.
  if (wants(listing.status, StatusItem::kHighestModSeq)) enable_condstore(session);
  Reply reply = co_await run(session, std::move(listing), "LIST");
  co_return reply;
}

Task<Reply> lsub(Session& session, const Command& command) {
  const auto& arguments = std::get<Lsub>(command.arguments);
  if (arguments.pattern.empty()) {
    session.untagged("LSUB (\\Noselect) \"/\" \"\"");
    co_return Reply::ok("LSUB completed");
  }
  Listing listing;
  listing.account = session.account_id();
  listing.style = session.style();
  listing.is_lsub = true;
  add_pattern(listing.request, arguments.reference, arguments.pattern, session.utf8());
  listing.request.subscribed = true;
  // RFC 3501 6.3.9: what "%" matches stands for the subscribed names below it, which it does not.
  listing.request.recursive_match = arguments.pattern.find('%') != std::string_view::npos;
  Reply reply = co_await run(session, std::move(listing), "LSUB");
  co_return reply;
}

Task<Reply> status(Session& session, const Command& command) {
  const auto& arguments = std::get<Status>(command.arguments);
  const auto name = session.mailbox_name(arguments.mailbox, NameUse::kExisting);
  if (!name) co_return reply_for(name.error(), "STATUS");
  const store::AccountId account = session.account_id();
  const StatusItems items = arguments.items;
  std::optional<store::MailboxInfo> mailbox;
  std::optional<StatusWork> work;
  const auto slice = [&](const store::ReadView& view) -> Result<bool> {
    if (!work) {
      auto found = view.find_mailbox(account, *name);
      if (!found) return tl::unexpected(found.error());
      mailbox = *std::move(found);
      auto begun = begin_status(view, account, *mailbox, items);
      if (!begun) return tl::unexpected(begun.error());
      work.emplace(*std::move(begun));
    }
    return advance_status(*work, view, steady_now() + kSliceTime);
  };
  while (true) {
    const auto done = co_await session.store().read(slice);
    if (!done && done.error().code == ErrorCode::kNotFound) {
      co_return Reply::no("No such mailbox", "NONEXISTENT");
    }
    if (!done) co_return reply_for(done.error(), "STATUS");
    if (*done) break;
  }
  if (wants(items, StatusItem::kHighestModSeq)) enable_condstore(session);
  std::string line;
  add_status(line, items, *work, session.append_limit(), session.style());
  session.send(line);
  co_return Reply::ok("STATUS completed");
}

// RFC 2342, RFC 9051 6.3.10: one personal namespace, at the root.
Task<Reply> namespaces(Session& session, const Command&) {
  session.untagged("NAMESPACE ((\"\" \"/\")) NIL NIL");
  co_return Reply::ok("NAMESPACE completed");
}

}  // namespace twinpost::imap::commands
