// EXPUNGE and UID EXPUNGE (RFC 9051 6.4.3, 6.4.9; RFC 7162 3.2.7, 3.2.9).
#include "imap/expunge.h"

#include <limits>
#include <utility>
#include <vector>

#include "imap/commands.h"
#include "imap/message_limit.h"
#include "imap/session.h"
#include "imap/sync.h"

namespace twinpost::imap {
namespace {

// Of one transaction: the writer serves others too.
constexpr std::size_t kBatch = 2000;
constexpr std::uint32_t kMaxUid = std::numeric_limits<std::uint32_t>::max();

bool is_deleted(const store::MessageRecord& record) {
  return (record.flags & bit(store::Flag::kDeleted)) != 0;
}

// Up to kBatch messages from UID `from` on.
Result<std::vector<store::Uid>> find_deleted(const store::ReadView& view, const Selected& selected,
                                             const std::optional<NumberSet>& within,
                                             store::Uid from) {
  std::vector<store::Uid> found;
  const auto info = view.mailbox(selected.key);
  if (!info) return tl::unexpected(info.error());
  if (info->deleted == 0) return found;
  const store::UidRange range{from, store::Uid(kMaxUid)};
  const auto scanned =
      view.for_each_message(selected.key, range, [&](const store::MessageRecord& record) {
        if (is_deleted(record) && (!within || within->contains(record.uid.value())) &&
            selected.uids->number_of(record.uid)) {
          found.push_back(record.uid);
        }
        return found.size() < kBatch;
      });
  if (!scanned) return tl::unexpected(scanned.error());
  return found;
}

// Another session may have taken \Deleted off meanwhile: such a message stays.
Result<store::Expunged> expunge_still_deleted(store::WriteTxn& txn, store::MailboxKey key,
                                              const std::vector<store::Uid>& candidates,
                                              const store::Remover& remover) {
  std::vector<store::Uid> uids;
  for (const store::Uid uid : candidates) {
    const auto record = txn.message(key, uid);
    if (record ? is_deleted(*record) : record.error().code == ErrorCode::kNotFound) {
      uids.push_back(uid);
    }
  }
  return txn.expunge(key, uids, remover);
}

}  // namespace

Task<Result<void>> expunge_deleted(Session& session, std::optional<NumberSet> within, bool tell) {
  Selected& selected = *session.selected();
  const store::Remover remover = session.remover();
  store::Uid from(1);
  for (;;) {
    const auto candidates = co_await session.store().read(
        [&](const store::ReadView& view) { return find_deleted(view, selected, within, from); });
    if (!candidates) co_return tl::unexpected(candidates.error());
    if (candidates->empty()) break;
    const auto expunged = co_await session.store().write([&](store::WriteTxn& txn) {
      return expunge_still_deleted(txn, selected.key, *candidates, remover);
    });
    if (!expunged) co_return tl::unexpected(expunged.error());
    selected.stale = true;  // the modseq has grown
    if (tell) {
      std::string out;
      append_expunged(out, session, selected, expunged->removed);
      session.send(out);
    }
    const bool goes_on = co_await session.drained();
    if (!goes_on || candidates->size() < kBatch || candidates->back().value() == kMaxUid) break;
    from = store::Uid(candidates->back().value() + 1);
  }
  co_return Result<void>();
}

Task<Reply> commands::expunge(Session& session, const Command& command) {
  if (session.selected()->read_only) co_return Reply::no("The mailbox is read-only");
  std::optional<NumberSet> within;
  std::string limited;
  const auto& uids = std::get<Expunge>(command.arguments).uids;
  if (uids) {
    auto resolved = session.selected()->resolve(*uids, true);
    if (!resolved) co_return Reply::bad(resolved.error().message);
    limited = limit_messages(session, *resolved);
    within = *std::move(resolved);
  }
  const auto expunged = co_await expunge_deleted(session, std::move(within), true);
  if (!expunged) co_return reply_for(expunged.error(), "expunge");
  if (session.ended()) co_return Reply::said();
  Reply reply =
      Reply::ok(command.uid ? "UID EXPUNGE completed" : "EXPUNGE completed", std::move(limited));
  reply.tells_modseq = session.enabled().qresync && reply.code.empty();
  co_return reply;
}

}  // namespace twinpost::imap
