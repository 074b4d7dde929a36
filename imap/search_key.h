// The keys of SEARCH (RFC 3501 6.4.4, RFC 9051 6.4.4, and extensions) as a tree, and what it costs to test each.
//
// Every key of the RFCs is reduced to few kinds: UNSEEN is kFlag with on == false, FROM is kHeader with the field
// "from", NEW is an AND of two. Text is as the client sent it, in the command's charset: views into the command
// buffer, good until the next command is read. Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "imap/sequence_set.h"
#include "store/types.h"

namespace twinpost::imap {

enum class SearchKind : std::uint8_t {
  kAll,
  kSequence,  // SequenceSet of message numbers
  kUid,       // SequenceSet of UIDs
  kFlag,      // SearchFlag
  kKeyword,   // SearchKeyword
  kRecent,    // RECENT (RFC 3501); OLD is its NOT
  kLarger,    // number: octets
  kSmaller,
  kInternalDate,  // SearchDate: BEFORE, ON, SINCE
  kSentDate,      // SearchDate: SENTBEFORE, SENTON, SENTSINCE
  kSaveDate,      // SearchDate: SAVEDBEFORE, SAVEDON, SAVEDSINCE (RFC 8514)
  kSaveDateSupported,
  kOlder,  // number: seconds (RFC 5032)
  kYounger,
  kModSeq,   // SearchModSeq (RFC 7162 3.1.5)
  kEmailId,  // text (RFC 8474)
  kThreadId,
  kHeader,  // SearchHeader: HEADER, FROM, TO, CC, BCC, SUBJECT
  kBody,    // text
  kText,
  kAnd,  // children: at least one
  kOr,   // children: two
  kNot,  // children: one
};

struct SearchFlag {
  store::Flag flag;
  bool on = true;
  friend bool operator==(const SearchFlag&, const SearchFlag&) = default;
};
struct SearchKeyword {
  std::string_view name;
  bool on = true;
  friend bool operator==(const SearchKeyword&, const SearchKeyword&) = default;
};
enum class DateRelation : std::uint8_t { kBefore, kOn, kSince };
// Compared without time and zone (RFC 9051 6.4.4): an internal or save date in the zone it is kept in, a Date field as written.
struct SearchDate {
  DateRelation relation = DateRelation::kOn;
  std::chrono::sys_days day{};
  friend bool operator==(const SearchDate&, const SearchDate&) = default;
};
struct SearchHeader {
  std::string_view field;  // as sent, or "from", "to", "cc", "bcc", "subject"
  std::string_view text;   // empty: the field is there
  friend bool operator==(const SearchHeader&, const SearchHeader&) = default;
};
struct SearchModSeq {
  std::uint64_t at_least = 0;
  std::string_view
      entry;  // "/flags/\draft" or empty; a server that keeps one modseq a message ignores it (RFC 7162 3.1.5)
  friend bool operator==(const SearchModSeq&, const SearchModSeq&) = default;
};

struct SearchKey {
  using Children = std::vector<SearchKey>;
  SearchKind kind = SearchKind::kAll;
  std::variant<std::monostate, SequenceSet, SearchFlag, SearchKeyword, SearchDate, SearchHeader,
               SearchModSeq, std::uint64_t, std::string_view, Children>
      value;

  [[nodiscard]] const Children& children() const { return std::get<Children>(value); }
  [[nodiscard]] Children& children() { return std::get<Children>(value); }
  [[nodiscard]] const SequenceSet& set() const { return std::get<SequenceSet>(value); }
  [[nodiscard]] std::uint64_t number() const { return std::get<std::uint64_t>(value); }
  [[nodiscard]] std::string_view text() const { return std::get<std::string_view>(value); }
  friend bool operator==(const SearchKey& left, const SearchKey& right);
};

// What must be at hand to test a key, from cheap to dear; each includes those before it.
enum class SearchNeeds : std::uint8_t {
  kNothing,  // the message's number and UID
  kRecord,   // store::MessageRecord: flags, sizes, dates, modseq, ids
  kSummary,  // store::Summary: envelope, Date, the header fields that are kept there
  kHeader,   // the octets of the header
  kBody,     // the octets of the whole message
};

// Of a composite key: the dearest of its children. A header test needs kSummary where `field` is one that
// the envelope has word for word, else kHeader.
[[nodiscard]] SearchNeeds needs(const SearchKey& key);

// Puts the children of every AND and OR in the order of what they need (stable), so that an evaluator that goes
// from left to right and stops early is cheap first. The meaning stays.
void sort_by_needs(SearchKey& key);

// True where any key is of that kind ("does it use modseqs, or \Recent?").
[[nodiscard]] bool uses(const SearchKey& key, SearchKind kind);
// True where "$" is in any set.
[[nodiscard]] bool uses_saved_result(const SearchKey& key);
// The largest message number written out in any kSequence key, 0 for none (see SequenceSet::largest_written).
[[nodiscard]] std::uint32_t largest_message_number(const SearchKey& key);

}  // namespace twinpost::imap
