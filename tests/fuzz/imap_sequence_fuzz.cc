// Sequence sets: what is parsed comes out as it means, and resolving is bounded by the text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "imap/sequence_set.h"

using namespace twinpost::imap;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto set = SequenceSet::parse(text);
  if (set) {
    const auto again = SequenceSet::parse(set->to_string());
    if (!again || again->items != set->items || again->saved != set->saved) std::abort();
    for (const std::uint32_t largest : {0U, 1U, 1000U, 0xffff'ffffU}) {
      const NumberSet numbers = set->resolve(largest);
      if (numbers.ranges().size() > set->items.size()) std::abort();
      if (numbers.empty()) continue;
      const auto same = SequenceSet::parse(numbers.to_string());
      if (!same || same->resolve(largest) != numbers) std::abort();
      if (!numbers.contains(numbers.lowest()) || !numbers.contains(numbers.highest())) std::abort();
      const auto part = PartialRange{true, 1, 10}.select(numbers);
      if (part.count() > 10 || part.highest() != numbers.highest()) std::abort();
    }
  }
  if (const auto range = PartialRange::parse(text)) {
    const auto again = PartialRange::parse(range->to_string());
    if (!again || *again != *range) std::abort();
  }
  return 0;
}
