#include "imap/fetch_vanished.h"

#include <algorithm>
#include <vector>

namespace twinpost::imap {

namespace {

// Those of `numbers` that are none of `present`.
NumberSet without(const NumberSet& numbers, const NumberSet& present) {
  NumberSet rest;
  auto next = present.ranges().begin();
  const auto end = present.ranges().end();
  for (const NumberRange& range : numbers.ranges()) {
    std::uint64_t from = range.first;
    while (next != end && next->last < range.first) ++next;
    for (auto hole = next; hole != end && hole->first <= range.last; ++hole) {
      if (from < hole->first) {
        rest.add(NumberRange{static_cast<std::uint32_t>(from), hole->first - 1});
      }
      from = std::uint64_t{hole->last} + 1;
    }
    if (from <= range.last) rest.add(NumberRange{static_cast<std::uint32_t>(from), range.last});
  }
  return rest;
}

NumberSet known_to(const Selected& selected) {
  NumberSet known;
  selected.uids->for_each_run(store::Uid(1), store::Uid(~std::uint32_t{0}),
                              [&](store::Uid first, store::Uid last, SequenceNumber) {
                                known.add(NumberRange{first.value(), last.value()});
                              });
  return known;
}

NumberSet set_of(const std::vector<store::Uid>& uids) {
  NumberSet set;
  for (const store::Uid uid : uids) set.add(uid.value());
  return set;
}

}  // namespace

Result<NumberSet> find_vanished(const store::ReadView& view, const Selected& selected,
                                const SequenceSet& set, store::ModSeq since) {
  const auto info = view.mailbox(selected.key);
  if (!info) return tl::unexpected(info.error());
  const std::uint32_t last = info->uid_next.value() - 1;
  if (last == 0) return NumberSet{};
  NumberSet asked = set.resolve(last);
  if (set.saved) {
    for (const NumberRange& range : selected.saved.ranges()) asked.add(range);
  }
  auto changes = view.changes_since(selected.key, since, 0);
  if (changes) {
    const NumberSet gone = without(set_of(changes->vanished), known_to(selected));
    return without(gone, without(gone, asked));  // those of `gone` that were asked for
  }
  if (changes.error().code != ErrorCode::kInvalid) return tl::unexpected(changes.error());
  const auto present = view.uids(selected.key);
  if (!present) return tl::unexpected(present.error());
  const NumberSet not_given_yet(last == ~std::uint32_t{0}
                                    ? std::vector<NumberRange>{}
                                    : std::vector<NumberRange>{{last + 1, ~std::uint32_t{0}}});
  NumberSet gone = without(asked, not_given_yet);
  gone = without(gone, set_of(*present));
  return without(gone, known_to(selected));
}

}  // namespace twinpost::imap
