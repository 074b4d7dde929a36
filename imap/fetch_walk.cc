#include "imap/fetch_walk.h"

#include <algorithm>
#include <utility>

namespace twinpost::imap {

namespace {

// Records that nobody asked for are read over while they are fewer than a new search in the table
// would cost.
constexpr unsigned kMostSkipped = 64;
// How many records between two looks at the clock, where each costs a fraction of a microsecond.
constexpr unsigned kRecordsPerLook = 64;
// How far back removed messages are looked for at least. Looking further than needed costs time
// only.
constexpr std::chrono::hours kRemovedWithin{1};

UnixTime removed_since(const Selected& selected) {
  const UnixTime recently = unix_now() - kRemovedWithin;
  return selected.untold_since == UnixTime{} ? recently : std::min(selected.untold_since, recently);
}

// Of a record in the table, so that others may be well.
bool is_damage(ErrorCode code) {
  return code == ErrorCode::kCorrupt || code == ErrorCode::kNewerFormat ||
         code == ErrorCode::kUnsupported;
}

}  // namespace

struct FetchWalk::Work {
  const store::ReadView& view;
  std::string& out;
  Slice& slice;
  SliceLimits limits;
  bool is_over = false;
  bool visit_stopped = false;
  unsigned skipped = 0;
  unsigned records = 0;

  void look_at_limits() { is_over = is_over || limits.are_reached(out.size()); }
};

FetchWalk::FetchWalk(store::Store& store, const FetchPlan& plan, const FetchView& view,
                     NumberSet uids, SliceSettings settings)
    : store_(store),
      plan_(plan),
      view_(view),
      uids_(std::move(uids)),
      settings_(settings),
      removed_since_(removed_since(view.selected)),
      response_(plan, view) {
  if (!at_end()) wanted_ = store::Uid(uids_.lowest());
}

FetchWalk::Slice FetchWalk::next(const store::ReadView& view, std::string& out) {
  Slice slice;
  out.clear();
  Work work{view, out, slice, {settings_.octets, steady_now() + settings_.time}};
  if (response_.is_at_work()) go_on(work, 0);
  walk(work);
  slice.is_last = at_end() && !response_.is_at_work();
  return slice;
}

void FetchWalk::advance() {
  const auto& ranges = uids_.ranges();
  if (wanted_.value() < ranges[range_].last) {
    wanted_ = wanted_.next();
    return;
  }
  first_number_ = 0;
  if (++range_ < ranges.size()) wanted_ = store::Uid(ranges[range_].first);
}

// A range of UIDs that are all in the mailbox has numbers without gaps.
SequenceNumber FetchWalk::number_of_wanted() {
  const store::Uid first(uids_.ranges()[range_].first);
  if (first_number_ == 0) first_number_ = view_.selected.uids->number_of(first).value();
  return first_number_ + (wanted_.value() - first.value());
}

void FetchWalk::walk(Work& work) {
  const store::UidRange all{wanted_, store::Uid(uids_.empty() ? 0 : uids_.highest())};
  while (!at_end() && !work.is_over && !work.slice.broken) {
    work.skipped = 0;
    work.visit_stopped = false;
    auto scanned = work.view.for_each_message(view_.selected.key, {wanted_, all.last},
                                              [this, &work](const store::MessageRecord& record) {
                                                const bool go_on = visit(work, record);
                                                work.visit_stopped = !go_on;
                                                return go_on;
                                              });
    if (scanned && work.visit_stopped) continue;
    if (scanned ||
        scanned.error().code == ErrorCode::kNotFound) {  // not found: the mailbox is gone
      while (!at_end() && !work.is_over && !work.slice.broken) missing(work);
    } else if (is_damage(scanned.error().code)) {
      look_at_one(work);
    } else {
      troubles_.unreadable = std::move(scanned.error());
      range_ = uids_.ranges().size();
    }
  }
}

bool FetchWalk::visit(Work& work, const store::MessageRecord& record) {
  while (!at_end() && wanted_ < record.uid) {
    missing(work);
    if (work.is_over || work.slice.broken) return false;
  }
  if (at_end()) return false;
  if (record.uid < wanted_) return ++work.skipped < kMostSkipped;
  work.skipped = 0;
  answer(work, record, false);
  return !work.is_over && !work.slice.broken && !at_end();
}

// Where some record in the table is damaged, it is found out whether it is this one.
void FetchWalk::look_at_one(Work& work) {
  auto found = work.view.message(view_.selected.key, wanted_);
  if (found) {
    answer(work, *found, false);
  } else if (found.error().code == ErrorCode::kNotFound) {
    missing(work);
  } else {
    leave_out(std::move(found.error()));
  }
  work.look_at_limits();
}

void FetchWalk::missing(Work& work) {
  auto removed = work.view.removed_message(view_.selected.key, wanted_, removed_since_);
  if (!removed) {
    leave_out(std::move(removed.error()));
  } else if (*removed) {
    answer(work, **removed, true);
  } else {
    troubles_.missing = true;
    advance();
  }
  work.look_at_limits();
}

void FetchWalk::answer(Work& work, const store::MessageRecord& record, bool is_removed) {
  if (plan_.changed_since && record.modseq <= *plan_.changed_since) {
    advance();
  } else if (plan_.is_record_only) {
    append_fetch_start(work.out, number_of_wanted());
    append_values(work.out, plan_.values, view_, record, nullptr, false);
    work.out += ")\r\n";
    if (!is_removed) note_shown(work, record);
    advance();
  } else {
    response_.begin(record, number_of_wanted(), !is_removed);
    go_on(work, work.out.size());
    work.look_at_limits();
    return;
  }
  work.is_over = work.out.size() >= work.limits.octets;
  if (++work.records % kRecordsPerLook == 0) work.look_at_limits();
}

// The response at work, whose octets in this slice begin at `begin`.
void FetchWalk::go_on(Work& work, std::size_t begin) {
  auto complete = response_.go_on(work.view, work.limits, work.out);
  if (!complete) {
    response_.give_up();
    pin_.reset();
    if (is_inside_) {
      work.slice.broken = std::move(complete.error());
      return;
    }
    work.out.resize(begin);
    leave_out(std::move(complete.error()));
    return;
  }
  const store::MessageRecord& record = response_.record();
  if (!*complete) {
    work.is_over = true;
    is_inside_ = is_inside_ || work.out.size() > begin;
    if (!pin_) pin_ = store_.pin_blobs({record.blob});
    return;
  }
  is_inside_ = false;
  pin_.reset();
  troubles_.unknown_encoding = troubles_.unknown_encoding || response_.met_unknown_encoding();
  if (response_.marks_seen() && (record.flags & store::bit(store::Flag::kSeen)) == 0) {
    work.slice.unseen.push_back(record);
  }
  note_shown(work, record);
  advance();
}

void FetchWalk::note_shown(Work& work, const store::MessageRecord& record) const {
  if (!plan_.shows_flags || record.modseq <= view_.selected.known ||
      work.slice.shown.size() == Selected::kMostShown) {
    return;
  }
  work.slice.shown.emplace_back(record.uid, record.modseq);
}

void FetchWalk::leave_out(Error error) {
  ++troubles_.count_left_out;
  if (troubles_.left_out.size() < kMostNamed) troubles_.left_out.emplace_back(wanted_, error);
  troubles_.unreadable = std::move(error);
  advance();
}

}  // namespace twinpost::imap
