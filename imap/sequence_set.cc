#include "imap/sequence_set.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/base/ascii.h"

namespace twinpost::imap {

namespace {

void append_number(std::string& out, std::uint32_t number) {
  char digits[10];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

void append_range(std::string& out, NumberRange range) {
  append_number(out, range.first);
  if (range.last == range.first) return;
  out += ':';
  append_number(out, range.last);
}

// seq-number: "*" or a number that is not zero.
std::optional<std::uint32_t> parse_end(std::string_view text) {
  if (text == "*") return SequenceSet::kStar;
  const auto number = ascii::parse_number<std::uint32_t>(text);
  if (!number || *number == 0) return std::nullopt;
  return number;
}

std::optional<SequenceSet::Item> parse_item(std::string_view text) {
  const auto colon = text.find(':');
  const auto first = parse_end(text.substr(0, colon));
  if (!first) return std::nullopt;
  if (colon == std::string_view::npos) return SequenceSet::Item{*first, *first};
  const auto last = parse_end(text.substr(colon + 1));
  if (!last) return std::nullopt;
  return SequenceSet::Item{*first, *last};
}

void append_end(std::string& out, std::uint32_t end) {
  if (end == SequenceSet::kStar) {
    out += '*';
  } else {
    append_number(out, end);
  }
}

}  // namespace

NumberSet::NumberSet(std::vector<NumberRange> ranges) : ranges_(std::move(ranges)) {
  const auto by_first = [](const NumberRange& a, const NumberRange& b) {
    return a.first < b.first;
  };
  std::sort(ranges_.begin(), ranges_.end(), by_first);
  std::size_t kept = 0;
  for (const NumberRange& range : ranges_) {
    if (kept > 0 && std::uint64_t{ranges_[kept - 1].last} + 1 >= range.first) {
      ranges_[kept - 1].last = std::max(ranges_[kept - 1].last, range.last);
    } else {
      ranges_[kept++] = range;
    }
  }
  ranges_.resize(kept);
}

void NumberSet::add(NumberRange range) {
  if (ranges_.empty() || std::uint64_t{ranges_.back().last} + 1 < range.first) {
    ranges_.push_back(range);
    return;
  }
  // The first range that overlaps or touches the new one, and the first one after those.
  const auto begin = std::partition_point(
      ranges_.begin(), ranges_.end(),
      [&](const NumberRange& r) { return std::uint64_t{r.last} + 1 < range.first; });
  auto end = begin;
  while (end != ranges_.end() && end->first <= std::uint64_t{range.last} + 1) {
    range.first = std::min(range.first, end->first);
    range.last = std::max(range.last, end->last);
    ++end;
  }
  if (begin == end) {
    ranges_.insert(begin, range);
    return;
  }
  *begin = range;
  ranges_.erase(begin + 1, end);
}

std::uint64_t NumberSet::count() const {
  std::uint64_t total = 0;
  for (const NumberRange& range : ranges_) total += range.size();
  return total;
}

bool NumberSet::contains(std::uint32_t number) const {
  const auto found = std::partition_point(ranges_.begin(), ranges_.end(),
                                          [&](const NumberRange& r) { return r.last < number; });
  return found != ranges_.end() && found->first <= number;
}

void NumberSet::append_to(std::string& out) const {
  bool first = true;
  for (const NumberRange& range : ranges_) {
    if (!first) out += ',';
    first = false;
    append_range(out, range);
  }
}

std::string NumberSet::to_string() const {
  std::string out;
  append_to(out);
  return out;
}

std::vector<std::string> NumberSet::to_pieces(std::size_t max_octets) const {
  std::vector<std::string> pieces;
  std::string one;
  for (const NumberRange& range : ranges_) {
    one.clear();
    append_range(one, range);
    if (pieces.empty() || pieces.back().size() + 1 + one.size() > max_octets) {
      pieces.push_back(one);
    } else {
      pieces.back() += ',';
      pieces.back() += one;
    }
  }
  return pieces;
}

Result<SequenceSet> SequenceSet::parse(std::string_view text) {
  SequenceSet set;
  while (true) {
    const auto comma = text.find(',');
    const auto part = text.substr(0, comma);
    if (part == "$") {
      set.saved = true;
    } else if (const auto item = parse_item(part)) {
      set.items.push_back(*item);
    } else {
      return fail(ErrorCode::kInvalid, part.empty() ? "Empty element in the sequence set"
                                                    : "Invalid sequence set near \"" +
                                                          ascii::printable(part, 40) + "\"");
    }
    if (comma == std::string_view::npos) return set;
    text.remove_prefix(comma + 1);
  }
}

bool SequenceSet::has_star() const {
  return std::any_of(items.begin(), items.end(),
                     [](const Item& item) { return item.first == kStar || item.last == kStar; });
}

std::uint32_t SequenceSet::largest_written() const {
  std::uint32_t largest = 0;
  for (const Item& item : items) largest = std::max({largest, item.first, item.last});
  return largest;
}

NumberSet SequenceSet::resolve(std::uint32_t largest) const {
  std::vector<NumberRange> ranges;
  ranges.reserve(items.size());
  for (const Item& item : items) {
    const std::uint32_t first = item.first == kStar ? largest : item.first;
    const std::uint32_t last = item.last == kStar ? largest : item.last;
    if (first == 0 || last == 0) continue;
    ranges.push_back({std::min(first, last), std::max(first, last)});
  }
  return NumberSet(std::move(ranges));
}

std::string SequenceSet::to_string() const {
  std::string out;
  if (saved) out += '$';
  for (const Item& item : items) {
    if (!out.empty()) out += ',';
    append_end(out, item.first);
    if (item.last == item.first) continue;
    out += ':';
    append_end(out, item.last);
  }
  return out;
}

Result<PartialRange> PartialRange::parse(std::string_view text) {
  const auto wrong = [&] {
    return fail(ErrorCode::kInvalid,
                "Invalid PARTIAL range \"" + ascii::printable(text, 40) + "\"");
  };
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return wrong();
  std::string_view first = text.substr(0, colon);
  std::string_view last = text.substr(colon + 1);
  PartialRange range;
  range.from_end = first.starts_with('-');
  if (range.from_end != last.starts_with('-'))
    return wrong();  // RFC 9394 section 4: both or neither
  if (range.from_end) {
    first.remove_prefix(1);
    last.remove_prefix(1);
  }
  const auto a = ascii::parse_number<std::uint32_t>(first);
  const auto b = ascii::parse_number<std::uint32_t>(last);
  if (!a || !b || *a == 0 || *b == 0) return wrong();
  range.first = std::min(*a, *b);
  range.last = std::max(*a, *b);
  return range;
}

NumberSet PartialRange::select(const NumberSet& found) const {
  const std::uint64_t total = found.count();
  if (first > total) return {};
  const std::uint64_t upper = std::min<std::uint64_t>(last, total);
  // Positions from 0 of the first result wanted, and how many.
  const std::uint64_t begin = from_end ? total - upper : first - std::uint64_t{1};
  std::uint64_t wanted = upper - first + 1;
  std::uint64_t skip = begin;
  NumberSet selected;
  for (const NumberRange& range : found.ranges()) {
    if (wanted == 0) break;
    if (skip >= range.size()) {
      skip -= range.size();
      continue;
    }
    const std::uint64_t take = std::min(wanted, range.size() - skip);
    const auto from = static_cast<std::uint32_t>(range.first + skip);
    selected.add(NumberRange{from, static_cast<std::uint32_t>(from + (take - 1))});
    wanted -= take;
    skip = 0;
  }
  return selected;
}

std::string PartialRange::to_string() const {
  std::string out;
  if (from_end) out += '-';
  append_number(out, first);
  out += from_end ? ":-" : ":";
  append_number(out, last);
  return out;
}

}  // namespace twinpost::imap
