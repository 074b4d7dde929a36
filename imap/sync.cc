#include "imap/sync.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <limits>
#include <utility>

#include "core/base/log.h"
#include "imap/changed_pages.h"

namespace twinpost::imap {
namespace {

constexpr store::Uid kLastUid{std::numeric_limits<std::uint32_t>::max()};
// Lines written before the client is given time to take them.
constexpr std::size_t kRecordsPerPiece = 1000;

// What one read finds out.
struct News {
  store::Changes changes;
  std::vector<std::string> keywords;
};

// Where the tombstones do not reach back to what the session knows: by comparing.
Result<store::Changes> compare(const store::ReadView& view, const Selected& selected,
                               const store::MailboxInfo& info) {
  store::Changes changes;
  changes.highest = info.highest_modseq;
  std::vector<store::Uid> now;
  const store::UidRange all{store::Uid(1), kLastUid};
  const auto scanned =
      view.for_each_message(selected.key, all, [&](const store::MessageRecord& record) {
        now.push_back(record.uid);
        if (record.modseq <= selected.known || changes.rest_from.value() != 0) return true;
        if (changes.changed.size() == kChangedPage) {
          changes.rest_from = record.uid;
        } else {
          changes.changed.push_back(record);
        }
        return true;
      });
  if (!scanned) return tl::unexpected(scanned.error());
  selected.uids->for_each_run(
      store::Uid(1), kLastUid, [&](store::Uid first, store::Uid last, SequenceNumber) {
        for (std::uint64_t uid = first.value(); uid <= last.value(); ++uid) {
          const store::Uid known(static_cast<std::uint32_t>(uid));
          if (!std::binary_search(now.begin(), now.end(), known)) changes.vanished.push_back(known);
        }
      });
  return changes;
}

Result<News> find_news(const store::ReadView& view, const Selected& selected) {
  const auto info = view.mailbox(selected.key);
  if (!info) return tl::unexpected(info.error());
  News news;
  news.keywords = info->keywords;
  news.changes.highest = selected.known;
  if (info->highest_modseq <= selected.known) return news;
  auto changes = view.changes_since(selected.key, selected.known, kChangedPage);
  if (!changes && changes.error().code == ErrorCode::kInvalid) {
    changes = compare(view, selected, *info);
  }
  if (!changes) return tl::unexpected(changes.error());
  news.changes = *std::move(changes);
  return news;
}

// Ascending, without doubles.
std::vector<store::Uid> merged(const std::vector<store::Uid>& left,
                               const std::vector<store::Uid>& right) {
  std::vector<store::Uid> both;
  both.reserve(left.size() + right.size());
  std::set_union(left.begin(), left.end(), right.begin(), right.end(), std::back_inserter(both));
  return both;
}

void keep_known(const UidList& list, std::vector<store::Uid>& uids) {
  uids.erase(std::remove_if(uids.begin(), uids.end(),
                            [&](store::Uid uid) { return !list.number_of(uid); }),
             uids.end());
}

// New messages: EXISTS and, for those who want it, RECENT.
void append_arrivals(std::string& out, const Session& session, Selected& selected,
                     const std::vector<store::MessageRecord>& changed) {
  const store::Uid last = selected.uids->last().value_or(store::Uid(0));
  const auto first_new =
      std::find_if(changed.begin(), changed.end(),
                   [last](const store::MessageRecord& record) { return record.uid > last; });
  if (first_new == changed.end()) return;
  UidList& list = selected.change_uids();
  for (auto record = first_new; record != changed.end(); ++record) list.append(record->uid);
  if (selected.recent_from.value() == 0) selected.recent_from = first_new->uid;
  if (!selected.read_only) selected.arrivals_unclaimed = true;
  fmt::format_to(std::back_inserter(out), "* {} EXISTS\r\n", list.size());
  // RFC 9051 appendix E: IMAP4rev2 has no RECENT.
  if (!session.enabled().rev2) {
    fmt::format_to(std::back_inserter(out), "* {} RECENT\r\n", selected.count_recent());
  }
}

}  // namespace

void append_flags_update(std::string& out, const Session& session, const Selected& selected,
                         const store::MessageRecord& record) {
  const auto number = selected.uids->number_of(record.uid);
  if (!number) return;
  fmt::format_to(std::back_inserter(out), "* {} FETCH (UID {} FLAGS ", *number, record.uid.value());
  append_flags(out, record.flags, record.keywords, selected.keywords,
               !session.enabled().rev2 && selected.is_recent(record.uid));
  if (session.enabled().condstore) {
    fmt::format_to(std::back_inserter(out), " MODSEQ ({})", record.modseq.value());
  }
  out += ")\r\n";
}

void append_modseq_update(std::string& out, const Selected& selected,
                          const store::MessageRecord& record) {
  const auto number = selected.uids->number_of(record.uid);
  if (!number) return;
  fmt::format_to(std::back_inserter(out), "* {} FETCH (UID {} MODSEQ ({}))\r\n", *number,
                 record.uid.value(), record.modseq.value());
}

void append_expunged(std::string& out, const Session& session, Selected& selected,
                     std::span<const store::Uid> uids) {
  if (uids.empty()) return;
  UidList& list = selected.change_uids();
  if (!session.enabled().qresync) {
    list.remove(uids, [&out](store::Uid, SequenceNumber number) {
      fmt::format_to(std::back_inserter(out), "* {} EXPUNGE\r\n", number);
    });
    return;
  }
  NumberSet vanished;
  list.remove(uids, [&vanished](store::Uid uid, SequenceNumber) { vanished.add(uid.value()); });
  for (const std::string& piece : vanished.to_pieces(kVanishedLine)) {
    out += "* VANISHED " + piece + "\r\n";
  }
}

void append_flag_names(std::string& out, const std::vector<std::string>& names, bool read_only) {
  std::string flags = "(";
  for (const store::Flag flag : kAllFlags) {
    flags += flag_name(flag);
    flags += ' ';
  }
  for (const std::string& name : names) flags += name + " ";
  out += "* FLAGS " + flags;
  out.back() = ')';
  out += "\r\n* OK [PERMANENTFLAGS ";
  if (read_only) {
    out += "()] Read-only mailbox\r\n";
    return;
  }
  out += flags;
  if (names.size() < store::kMaxKeywords) {
    out += "\\*)";
  } else {
    out.back() = ')';
  }
  out += "] Flags permitted\r\n";
}

store::ModSeq tellable_modseq(const Selected& selected) { return selected.known; }

void tell_modseq(Session& session) {
  if (session.selected() == nullptr) return;
  session.untagged("OK [HIGHESTMODSEQ " +
                   std::to_string(tellable_modseq(*session.selected()).value()) + "] Highest");
}

void enable_condstore(Session& session) {
  if (session.enabled().condstore) return;
  session.enabled().condstore = true;
  tell_modseq(session);
}

// With QRESYNC nothing is told while an expunge can't be: a client that hears of a modseq takes it that it has heard of every
// removal before it (RFC 7162 3.2.3). All others go by the UIDs.
Task<void> Session::sync(bool may_expunge) {
  Selected& selected = *selected_;
  if (!selected.gone && selected.stale) {
    selected.stale = false;  // what comes meanwhile sets it again
    const UnixTime began = store().removals_seen_before();
    auto news = co_await store().read(
        [&selected](const store::ReadView& view) { return find_news(view, selected); });
    if (!news) {
      selected.stale = true;
      if (news.error().code == ErrorCode::kNotFound) {
        selected.gone = true;
      } else {
        log::error("imap-sync", {{"mailbox", selected.name}, {"error", news.error().message}});
        co_return;
      }
    } else {
      keep_known(*selected.uids, news->changes.vanished);
      if (enabled_.qresync && !may_expunge && !news->changes.vanished.empty()) {
        selected.stale = true;
        co_return;
      }
      if (news->keywords != selected.keywords) {
        selected.keywords = std::move(news->keywords);
        std::string names;
        append_flag_names(names, selected.keywords, selected.read_only);
        send(names);
      }
      co_await tell(std::move(news->changes), may_expunge);
      if (selected.untold.empty()) selected.told_of_removals_before(began);
    }
  } else if (may_expunge && !selected.untold.empty()) {
    store::Changes nothing_new;
    nothing_new.highest = selected.known;
    co_await tell(std::move(nothing_new), may_expunge);
  }
}

Task<void> Session::tell(store::Changes changes, bool may_expunge) {
  Selected& selected = *selected_;
  std::string out;
  std::vector<store::Uid> vanished = merged(selected.untold, changes.vanished);
  if (may_expunge) {
    append_expunged(out, *this, selected, vanished);
    selected.untold.clear();
  } else {
    selected.untold = std::move(vanished);
  }
  send(std::exchange(out, {}));
  bool goes_on = co_await tell_changed(std::move(changes.changed));
  // Later pages are of later snapshots: what they tell too early is at most told twice.
  for (store::Uid from = changes.rest_from; goes_on && from.value() != 0;) {
    auto page = co_await store().read([&](const store::ReadView& view) {
      return next_changed(view, selected.key, selected.known, from);
    });
    if (!page) {
      log::error("imap-sync", {{"mailbox", selected.name}, {"error", page.error().message}});
      selected.stale = true;
      co_return;  // `known` stays: all of it is told again
    }
    from = page->rest_from;
    goes_on = co_await tell_changed(std::move(page->changed));
  }
  if (!goes_on) co_return;
  selected.known = std::max(selected.known, changes.highest);
  selected.told.erase(selected.told.begin(), selected.told.upper_bound(selected.known));
  std::erase_if(selected.shown, [&](const auto& one) { return one.second <= selected.known; });
}

// False where the session is over.
Task<bool> Session::tell_changed(std::vector<store::MessageRecord> changed) {
  Selected& selected = *selected_;
  std::string out;
  const store::Uid last_told = selected.uids->last().value_or(store::Uid(0));
  append_arrivals(out, *this, selected, changed);
  std::size_t in_piece = 0;
  for (const store::MessageRecord& record : changed) {
    if (record.uid > last_told) break;
    if (selected.was_told(record)) continue;
    append_flags_update(out, *this, selected, record);
    if (++in_piece < kRecordsPerPiece) continue;
    in_piece = 0;
    send(std::exchange(out, {}));
    const bool goes_on = co_await drained();
    if (!goes_on) co_return false;
  }
  send(out);
  co_return true;
}

}  // namespace twinpost::imap
