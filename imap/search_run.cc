#include "imap/search_run.h"

#include <algorithm>

#include "core/base/log.h"

namespace twinpost::imap {
namespace {

// Chunks are small where each message may be dear, so that a search from the end does not begin far
// before it.
constexpr std::uint32_t kCheapChunk = 4096;
constexpr std::uint32_t kDearChunk = 64;
// A gap that is quicker to jump over with a new cursor than to walk over.
constexpr std::uint32_t kWorthJumping = 200;

bool is_single_message_trouble(const Error& error) {
  return error.code == ErrorCode::kCorrupt || error.code == ErrorCode::kNotFound ||
         error.code == ErrorCode::kUnsupported;
}

}  // namespace

SearchRun::SearchRun(SearchPlan plan, SearchScope scope, store::MailboxKey mailbox,
                     SearchExtent extent, store::Store& store, SearchSettings settings)
    : plan_(std::move(plan)),
      scope_(scope),
      mailbox_(mailbox),
      extent_(extent),
      store_(store),
      settings_(settings),
      chunk_size_(plan_.needs > SearchNeeds::kRecord ? kDearChunk : kCheapChunk),
      messages_left_(extent.messages) {
  if (extent_.messages == 0 || extent_.from_end) return;
  extent_.from_end = true;  // the newest are the ones that count
  extent_.matches = 0;
}

std::uint32_t SearchRun::chunks() const {
  return scope_.uids->size() / chunk_size_ + (scope_.uids->size() % chunk_size_ != 0 ? 1 : 0);
}

Result<bool> SearchRun::slice(const store::ReadView& view) {
  const SliceTimer timer(settings_.slice);
  if (plan_.has_keywords) {
    auto mailbox = view.mailbox(mailbox_);
    if (mailbox) resolve_keywords(plan_.root, mailbox->keywords);
  }
  do {
    if (at_work_) {
      auto settled = look_deeper(view, timer);
      if (!settled) return tl::unexpected(std::move(settled.error()));
      if (!*settled) {
        if (!at_work_->pin) at_work_->pin = store_.pin_blobs({at_work_->record.blob});
        return false;
      }
    } else if (!in_chunk_) {
      if (is_done_ || next_chunk_ == chunks()) {
        is_done_ = true;
        examined_ = scope_.uids->size();
        return true;
      }
      begin_chunk();
      if (extent_.messages != 0) limit_chunk();
    } else if (!stretch_ && !next_stretch()) {
      end_chunk();
    } else if (stretch_->verdict != Verdict::kUnknown || no_more_records_) {
      leave_stretch();
    } else if (auto scanned = scan_records(view, timer); !scanned) {
      return tl::unexpected(std::move(scanned.error()));
    }
    if (!extent_.from_end && has_enough()) {
      is_done_ = true;
      in_chunk_ = false;
    }
  } while (!timer.is_over());
  return false;
}

void SearchRun::begin_chunk() {
  const std::uint32_t index = extent_.from_end ? chunks() - 1 - next_chunk_ : next_chunk_;
  ++next_chunk_;
  const SequenceNumber first = index * chunk_size_ + 1;
  const SequenceNumber last = first + std::min(scope_.uids->size() - first, chunk_size_ - 1);
  runs_.clear();
  scope_.uids->for_each_run(scope_.uids->uid_at(first), scope_.uids->uid_at(last),
                            [this](store::Uid from, store::Uid to, SequenceNumber number) {
                              runs_.push_back({from.value(), to.value(), number});
                            });
  run_ = 0;
  position_ = runs_.front().first;
  no_more_records_ = false;
  stretch_.reset();
  in_chunk_ = true;
}

// Leaves out of the chunk what is beyond the limit.
void SearchRun::limit_chunk() {
  std::vector<NumberRange> possible;
  while (next_stretch()) {
    if (stretch_->verdict != Verdict::kNo) possible.push_back({stretch_->first, stretch_->last});
    position_ = std::uint64_t{stretch_->last} + 1;
  }
  std::uint64_t begin = runs_.front().first;
  for (auto range = possible.rbegin(); range != possible.rend() && !is_cut_; ++range) {
    const std::uint64_t take = std::min(range->size(), messages_left_);
    is_cut_ = take < range->size();
    messages_left_ -= take;
    if (take > 0) lowest_ = static_cast<std::uint32_t>(range->last - take + 1);
    if (is_cut_) begin = range->last - take + 1;
  }
  run_ = 0;
  position_ = begin;
}

std::optional<store::Uid> SearchRun::cut_at() const {
  if (!is_cut_) return std::nullopt;
  return store::Uid(lowest_);
}

void SearchRun::end_chunk() {
  in_chunk_ = false;
  examined_ = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(std::uint64_t{next_chunk_} * chunk_size_, scope_.uids->size() - 1));
  if (has_enough() || is_cut_) is_done_ = true;
}

// The stretch that `position_` is in or before.
bool SearchRun::next_stretch() {
  stretch_.reset();
  while (run_ < runs_.size() && runs_[run_].last < position_) ++run_;
  if (run_ == runs_.size()) return false;
  const Run& run = runs_[run_];
  const std::uint32_t uid = std::max(run.first, static_cast<std::uint32_t>(position_));
  SearchFacts facts{scope_, store::Uid(uid), run.number + (uid - run.first)};
  facts.same_until = run.last;
  const Verdict answer = test_key(plan_.root, facts);
  stretch_ = Stretch{uid, facts.same_until, facts.number, answer};
  return true;
}

// Its messages are through, or have no records: those match that do by number or UID alone.
void SearchRun::leave_stretch() {
  if (stretch_->verdict == Verdict::kYes) add_match(stretch_->first, stretch_->last);
  position_ = std::uint64_t{stretch_->last} + 1;
  stretch_.reset();
}

Result<void> SearchRun::scan_records(const store::ReadView& view, const SliceTimer& timer) {
  const std::uint64_t first = std::max<std::uint64_t>(position_, stretch_->first);
  if (first > runs_.back().last) {
    no_more_records_ = true;
    return {};
  }
  const store::UidRange range{store::Uid(static_cast<std::uint32_t>(first)),
                              store::Uid(runs_.back().last)};
  bool stopped = false;
  auto scanned = view.for_each_message(mailbox_, range, [&](const store::MessageRecord& record) {
    stopped = !meet_record(view, record, timer);
    return !stopped;
  });
  if (failure_) return tl::unexpected(std::move(*std::exchange(failure_, std::nullopt)));
  // The mailbox itself is gone: so are its messages.
  if (!scanned && scanned.error().code != ErrorCode::kNotFound) return scanned;
  if (!stopped) no_more_records_ = true;
  return {};
}

// One record, in ascending order. False stops the cursor.
bool SearchRun::meet_record(const store::ReadView& view, const store::MessageRecord& record,
                            const SliceTimer& timer) {
  const std::uint32_t uid = record.uid.value();
  while (uid > stretch_->last) {
    leave_stretch();
    if (!next_stretch()) return false;
  }
  if (stretch_->verdict != Verdict::kUnknown) {
    return uid < stretch_->first || stretch_->last - uid < kWorthJumping;
  }
  if (uid < stretch_->first) return stretch_->first - uid < kWorthJumping;
  SearchFacts facts{scope_, record.uid, stretch_->number + (uid - stretch_->first)};
  facts.record = &record;
  position_ = std::uint64_t{uid} + 1;
  const Verdict answer = test_key(plan_.root, facts);
  if (answer == Verdict::kYes) add_match(uid, uid);
  if (answer == Verdict::kUnknown) {
    at_work_.emplace();
    at_work_->record = record;
    at_work_->number = facts.number;
    at_work_->slots.assign(plan_.slots, Verdict::kUnknown);
    auto settled = look_deeper(view, timer);
    if (!settled) failure_ = std::move(settled.error());
    if (!settled || !*settled || timer.is_over()) return false;
  }
  if (!extent_.from_end && has_enough()) return false;
  constexpr unsigned kLookAtClock = 64;
  return ++records_ % kLookAtClock != 0 || !timer.is_over();
}

Verdict SearchRun::test_message() {
  SearchFacts facts{scope_, at_work_->record.uid, at_work_->number};
  facts.record = &at_work_->record;
  facts.slots = &at_work_->slots;
  return test_key(plan_.root, facts);
}

Result<bool> SearchRun::look_deeper(const store::ReadView& view, const SliceTimer& timer) {
  for (;;) {
    const Verdict answer = test_message();
    if (answer != Verdict::kUnknown) {
      const store::Uid uid = at_work_->record.uid;
      at_work_.reset();
      if (answer == Verdict::kYes) add_match(uid.value(), uid.value());
      return true;
    }
    SearchFacts facts{scope_, at_work_->record.uid, at_work_->number};
    facts.record = &at_work_->record;
    facts.slots = &at_work_->slots;
    std::vector<const SearchNode*> missing;
    missing_leaves(plan_.root, facts, missing);
    auto looked = look_at(view, timer, missing);
    if (looked && !*looked) return false;
    if (looked) continue;
    if (!is_single_message_trouble(looked.error())) return looked;
    log::warning("search_unreadable", {{"account", mailbox_.account.value()},
                                       {"mailbox", mailbox_.mailbox.value()},
                                       {"uid", at_work_->record.uid.value()},
                                       {"error", looked.error().message}});
    ++unreadable_;
    at_work_.reset();
    return true;
  }
}

// Finds the answers of the cheapest of the leaves.
Result<bool> SearchRun::look_at(const store::ReadView& view, const SliceTimer& timer,
                                const std::vector<const SearchNode*>& missing) {
  if (at_work_->scan) {
    std::vector<bool> is_missing(plan_.slots, false);
    for (const SearchNode* leaf : missing) is_missing[leaf->slot] = true;
    for (Needle& needle : at_work_->scan->needles()) needle.wanted = is_missing[needle.slot];
    return go_on_scanning(view, timer);
  }
  SearchNeeds need = SearchNeeds::kBody;
  for (const SearchNode* leaf : missing) need = std::min(need, needs_now(*leaf));
  if (need == SearchNeeds::kSummary) {
    if (auto answered = answer_from_summary(view, missing); !answered) {
      return tl::unexpected(std::move(answered.error()));
    }
    return true;
  }
  if (auto begun = begin_scan(view, missing, need); !begun) {
    return tl::unexpected(std::move(begun.error()));
  }
  return go_on_scanning(view, timer);
}

void SearchRun::add_match(std::uint32_t first, std::uint32_t last) {
  count_ += std::uint64_t{last} - first + 1;
  if (!found_.empty() && std::uint64_t{found_.back().last} + 1 == first) {
    found_.back().last = last;
  } else {
    found_.push_back({first, last});
  }
}

NumberSet SearchRun::take_found() { return NumberSet(std::move(found_)); }

}  // namespace twinpost::imap
