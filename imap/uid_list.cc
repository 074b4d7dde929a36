#include "imap/uid_list.h"

#include <algorithm>
#include <stdexcept>

namespace twinpost::imap {

using store::Uid;

UidList::UidList(std::span<const Uid> uids) {
  for (const Uid uid : uids) append(uid);
}

// The index of the first run that ends at `uid` or after it.
std::size_t UidList::run_at_or_after(std::uint32_t uid) const {
  const auto found = std::lower_bound(runs_.begin(), runs_.end(), uid,
                                      [](const Run& run, std::uint32_t u) { return run.last < u; });
  return static_cast<std::size_t>(found - runs_.begin());
}

Uid UidList::uid_at(SequenceNumber number) const {
  if (number == 0 || number > size_) throw std::out_of_range("sequence number out of range");
  const auto after =
      std::upper_bound(runs_.begin(), runs_.end(), number,
                       [](SequenceNumber n, const Run& run) { return n < run.number; });
  const Run& run = *std::prev(after);
  return Uid(run.first + (number - run.number));
}

std::optional<SequenceNumber> UidList::number_of(Uid uid) const {
  const std::size_t index = run_at_or_after(uid.value());
  if (index == runs_.size() || runs_[index].first > uid.value()) return std::nullopt;
  return runs_[index].number + (uid.value() - runs_[index].first);
}

SequenceNumber UidList::count_below(Uid uid) const {
  const std::size_t index = run_at_or_after(uid.value());
  if (index == runs_.size()) return size_;
  const Run& run = runs_[index];
  const std::uint32_t inside = uid.value() > run.first ? uid.value() - run.first : 0;
  return run.number - 1 + inside;
}

std::optional<Uid> UidList::last() const {
  if (runs_.empty()) return std::nullopt;
  return Uid(runs_.back().last);
}

void UidList::append(Uid uid) {
  if (!runs_.empty() && uid.value() <= runs_.back().last) {
    throw std::invalid_argument("UIDs must ascend");
  }
  ++size_;
  if (!runs_.empty() && runs_.back().last + 1 == uid.value()) {
    runs_.back().last = uid.value();
  } else {
    runs_.push_back(Run{uid.value(), uid.value(), size_});
  }
}

void UidList::remove(std::span<const Uid> uids,
                     const std::function<void(Uid, SequenceNumber)>& removed) {
  if (uids.empty() || runs_.empty()) return;
  std::vector<Run> kept;
  kept.reserve(runs_.size() + 8);
  SequenceNumber next_number = 1;
  const auto keep = [&](std::uint32_t first, std::uint32_t last) {
    kept.push_back(Run{first, last, next_number});
    next_number += last - first + 1;
  };
  auto uid = uids.begin();
  for (const Run& run : runs_) {
    while (uid != uids.end() && uid->value() < run.first) ++uid;
    std::uint32_t first = run.first;
    bool whole_run_gone = false;
    while (uid != uids.end() && uid->value() <= run.last) {
      if (uid->value() >= first) {
        if (uid->value() > first) keep(first, uid->value() - 1);
        if (removed) removed(*uid, next_number);
        whole_run_gone = uid->value() == run.last;
        first = uid->value() + 1;
      }
      ++uid;
    }
    if (!whole_run_gone) keep(first, run.last);
  }
  runs_ = std::move(kept);
  size_ = next_number - 1;
}

void UidList::for_each_run(Uid first, Uid last,
                           const std::function<void(Uid, Uid, SequenceNumber)>& visit) const {
  for (std::size_t i = run_at_or_after(first.value()); i < runs_.size(); ++i) {
    const Run& run = runs_[i];
    if (run.first > last.value()) return;
    const std::uint32_t from = std::max(run.first, first.value());
    visit(Uid(from), Uid(std::min(run.last, last.value())), run.number + (from - run.first));
  }
}

}  // namespace twinpost::imap
