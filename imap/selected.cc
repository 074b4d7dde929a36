#include "imap/selected.h"

#include <algorithm>

namespace twinpost::imap {
namespace {

store::Uid uid(std::uint32_t number) { return store::Uid(number); }

// The UIDs of the messages with these numbers.
NumberSet uids_at(const UidList& list, const NumberSet& numbers) {
  NumberSet found;
  for (const NumberRange& range : numbers.ranges()) {
    if (range.first > list.size()) break;
    const std::uint32_t last = std::min(range.last, list.size());
    list.for_each_run(list.uid_at(range.first), list.uid_at(last),
                      [&](store::Uid from, store::Uid to, SequenceNumber) {
                        found.add(NumberRange{from.value(), to.value()});
                      });
  }
  return found;
}

// Those of `uids` that are in `list`.
NumberSet known_among(const UidList& list, const NumberSet& uids) {
  NumberSet found;
  for (const NumberRange& range : uids.ranges()) {
    list.for_each_run(uid(range.first), uid(range.last),
                      [&](store::Uid from, store::Uid to, SequenceNumber) {
                        found.add(NumberRange{from.value(), to.value()});
                      });
  }
  return found;
}

}  // namespace

UidList& Selected::change_uids() {
  // Never changed in place while anyone else may read it: images and workers hold shared pointers to it.
  auto own = std::make_shared<UidList>(*uids);
  UidList& list = *own;
  uids = std::move(own);
  return list;
}

std::uint32_t Selected::count_recent() const {
  if (recent_from.value() == 0) return 0;
  return uids->size() - uids->count_below(recent_from);
}

Result<NumberSet> Selected::resolve(const SequenceSet& set, bool by_uid) const {
  NumberSet found;
  if (by_uid) {
    const auto last = uids->last();
    found = known_among(*uids, set.resolve(last ? last->value() : 0));
  } else {
    const std::uint32_t largest = set.largest_written();
    // "1:*" is what clients send to see whatever there is, nothing included.
    const bool is_all_of_nothing = uids->empty() && set.has_star() && largest <= 1;
    if (largest > uids->size() && !is_all_of_nothing) {
      return fail(ErrorCode::kInvalid, "There is no message " + std::to_string(largest) +
                                           ", the mailbox has " + std::to_string(uids->size()));
    }
    found = uids_at(*uids, set.resolve(uids->size()));
  }
  if (set.saved) {
    const NumberSet still_known = known_among(*uids, saved);
    for (const NumberRange& range : still_known.ranges()) found.add(range);
  }
  return found;
}

std::vector<store::Uid> Selected::uids_of(const NumberSet& numbers) const {
  std::vector<store::Uid> found;
  const NumberSet present = known_among(*uids, numbers);
  found.reserve(present.count());
  for (const NumberRange& range : present.ranges()) {
    for (std::uint64_t number = range.first; number <= range.last; ++number) {
      found.push_back(uid(static_cast<std::uint32_t>(number)));
    }
  }
  return found;
}

}  // namespace twinpost::imap
