#include "imap/search_key.h"

#include <algorithm>

#include "core/base/ascii.h"

namespace twinpost::imap {

namespace {

const SearchKey::Children* children_of(const SearchKey& key) {
  return std::get_if<SearchKey::Children>(&key.value);
}

// The envelope keeps these unparsed (RFC 2047 words and all); address lists and what it normalises (the date,
// Message-ID) must be searched in the header itself to find what is written there.
bool is_in_summary(std::string_view field) { return ascii::equals_ignore_case(field, "subject"); }

SearchNeeds needs_of_leaf(const SearchKey& key) {
  switch (key.kind) {
    case SearchKind::kAll:
    case SearchKind::kSequence:
    case SearchKind::kUid:
    case SearchKind::kRecent:
    case SearchKind::kSaveDateSupported: return SearchNeeds::kNothing;
    case SearchKind::kSentDate: return SearchNeeds::kSummary;
    case SearchKind::kHeader:
      return is_in_summary(std::get<SearchHeader>(key.value).field) ? SearchNeeds::kSummary
                                                                    : SearchNeeds::kHeader;
    case SearchKind::kBody:
    case SearchKind::kText: return SearchNeeds::kBody;
    default: return SearchNeeds::kRecord;
  }
}

// Calls `visit` for every key of the tree until it returns true.
template <class Visit>
bool any_key(const SearchKey& key, const Visit& visit) {
  if (visit(key)) return true;
  const auto* children = children_of(key);
  return children != nullptr &&
         std::any_of(children->begin(), children->end(),
                     [&](const SearchKey& child) { return any_key(child, visit); });
}

}  // namespace

bool operator==(const SearchKey& left, const SearchKey& right) {
  return left.kind == right.kind && left.value == right.value;
}

SearchNeeds needs(const SearchKey& key) {
  const auto* children = children_of(key);
  if (children == nullptr) return needs_of_leaf(key);
  SearchNeeds dearest = SearchNeeds::kNothing;
  for (const SearchKey& child : *children) dearest = std::max(dearest, needs(child));
  return dearest;
}

void sort_by_needs(SearchKey& key) {
  auto* children = std::get_if<SearchKey::Children>(&key.value);
  if (children == nullptr) return;
  for (SearchKey& child : *children) sort_by_needs(child);
  if (key.kind == SearchKind::kNot) return;
  std::stable_sort(children->begin(), children->end(),
                   [](const SearchKey& a, const SearchKey& b) { return needs(a) < needs(b); });
}

bool uses(const SearchKey& key, SearchKind kind) {
  return any_key(key, [kind](const SearchKey& k) { return k.kind == kind; });
}

bool uses_saved_result(const SearchKey& key) {
  return any_key(key, [](const SearchKey& k) {
    const auto* set = std::get_if<SequenceSet>(&k.value);
    return set != nullptr && set->saved;
  });
}

std::uint32_t largest_message_number(const SearchKey& key) {
  std::uint32_t largest = 0;
  any_key(key, [&](const SearchKey& k) {
    if (k.kind == SearchKind::kSequence) largest = std::max(largest, k.set().largest_written());
    return false;
  });
  return largest;
}

}  // namespace twinpost::imap
