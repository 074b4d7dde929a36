#include "imap/search_answer.h"

#include <algorithm>

#include "imap/quote.h"

namespace twinpost::imap {
namespace {

// All that was found is told or kept, so all of it has to be found.
bool wants_all(const Search& search) {
  if (!search.extended || search.return_all || search.return_count) return true;
  return !search.return_min && !search.return_max && !search.return_partial;
}

void append_range(std::string& out, NumberRange range) {
  out += std::to_string(range.first);
  if (range.last == range.first) return;
  out += ':';
  out += std::to_string(range.last);
}

}  // namespace

SearchExtent extent_of(const Search& search) {
  SearchExtent extent;
  if (wants_all(search)) return extent;
  const auto& partial = search.return_partial;
  const std::uint64_t page = partial ? partial->last : 0;
  const bool only_first = !search.return_max && (!partial || !partial->from_end);
  const bool only_last = !search.return_min && (!partial || partial->from_end);
  if (!only_first && !only_last) return extent;
  extent.from_end = only_last && !only_first;
  extent.matches = std::max<std::uint64_t>(page, 1);
  return extent;
}

NumberSet chosen_by(const Search& search, const NumberSet& found) {
  if (wants_all(search) || found.empty()) return found;
  NumberSet chosen;
  if (search.return_partial) chosen = search.return_partial->select(found);
  if (search.return_min) chosen.add(found.lowest());
  if (search.return_max) chosen.add(found.highest());
  return chosen;
}

NumberSet numbers_of(const NumberSet& found, const UidList& uids) {
  NumberSet numbers;
  for (const NumberRange& range : found.ranges()) {
    uids.for_each_run(store::Uid(range.first), store::Uid(range.last),
                      [&numbers](store::Uid first, store::Uid last, SequenceNumber number) {
                        numbers.add(NumberRange{number, number + (last.value() - first.value())});
                      });
  }
  return numbers;
}

bool is_silent(const Search& search) {
  return search.return_save && !search.return_min && !search.return_max && !search.return_all &&
         !search.return_count && !search.return_partial;
}

SearchAnswer::SearchAnswer(const Search& search, std::string_view tag, bool esearch,
                           NumberSet found, std::uint64_t modseq)
    : set_(std::move(found)) {
  if (esearch) {
    begin_esearch(search, tag, modseq);
  } else {
    head_ = "* SEARCH";
    each_ = true;
    if (modseq != 0) tail_ = " (MODSEQ " + std::to_string(modseq) + ")";
  }
  tail_ += "\r\n";
}

void SearchAnswer::begin_esearch(const Search& search, std::string_view tag, std::uint64_t modseq) {
  head_ = "* ESEARCH (TAG ";
  append_quoted(head_, tag);
  head_ += ')';
  if (search.uid) head_ += " UID";
  if (search.return_min && !set_.empty()) head_ += " MIN " + std::to_string(set_.lowest());
  if (search.return_max && !set_.empty()) head_ += " MAX " + std::to_string(set_.highest());
  if (search.return_count) head_ += " COUNT " + std::to_string(set_.count());
  if (modseq != 0) tail_ = " MODSEQ " + std::to_string(modseq);
  if (search.return_partial) {
    set_ = search.return_partial->select(set_);
    head_ += " PARTIAL (" + search.return_partial->to_string() + ' ';
    if (set_.empty()) head_ += "NIL";
    tail_.insert(0, ")");
  } else if (search.return_all || !search.extended) {
    if (!set_.empty()) head_ += " ALL ";
  } else {
    set_ = {};
  }
}

bool SearchAnswer::next(std::string& out, std::size_t octets) {
  if (is_done_) return false;
  const std::size_t enough = out.size() + octets;
  out += head_;
  head_.clear();
  while (range_ < set_.ranges().size() && out.size() < enough) append_item(out);
  if (range_ == set_.ranges().size()) {
    out += tail_;
    is_done_ = true;
  }
  return true;
}

void SearchAnswer::append_item(std::string& out) {
  const NumberRange& range = set_.ranges()[range_];
  if (!each_) {
    if (range_ > 0) out += ',';
    append_range(out, range);
    ++range_;
    return;
  }
  out += ' ';
  out += std::to_string(range.first + inside_);
  if (range.first + inside_ < range.last) {
    ++inside_;
    return;
  }
  inside_ = 0;
  ++range_;
}

}  // namespace twinpost::imap
