// What SEARCH looks for, made ready: texts in Unicode, dates as days, ids as numbers; and the test
// of one message.
//
// A test has three answers, so that it can be made with what is at hand: the number and UID first,
// then the record, then what is dearer, and no further than the answer needs (search_key.h:
// SearchNeeds). A plan has no part of the command buffer in it. Pure; any one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imap/search_key.h"
#include "imap/sequence_set.h"
#include "imap/uid_list.h"
#include "store/types.h"

namespace twinpost::imap {

enum class Verdict : std::uint8_t { kNo, kYes, kUnknown };

// The text of a HEADER, BODY or TEXT key. Keys are casemapped (RFC 5051).
struct SearchText {
  std::string field;  // of HEADER: lower case
  std::string key;
  std::string header_key;  // where a tab is a space
};

struct SearchNode {
  SearchKind kind = SearchKind::kAll;
  SearchNeeds needs = SearchNeeds::kNothing;  // of a leaf
  std::vector<SearchNode> children;           // kAnd, kOr, kNot

  NumberSet numbers;   // kSequence: message numbers; kUid: UIDs
  bool saved = false;  // kSequence, kUid: "$" is part of it
  bool on = true;      // kFlag, kKeyword
  DateRelation relation = DateRelation::kOn;
  // kFlag: the bit. kKeyword: its bit's place, while it is known. Dates: days since 1970. kOlder,
  // kYounger: seconds since 1970. kLarger, kSmaller: octets. kModSeq, kEmailId, kThreadId: their
  // value.
  std::int64_t number = 0;
  // An id that no message can have, or a keyword that the mailbox does not know.
  bool is_impossible = false;
  std::string name;      // kKeyword
  SearchText text;       // kHeader, kBody, kText
  std::size_t slot = 0;  // leaves that need more than the record: where their answer is kept
};

struct SearchPlan {
  SearchNode root;
  SearchNeeds needs = SearchNeeds::kNothing;
  std::size_t slots = 0;
  bool has_keywords = false;
};

// The mailbox as the client knows it, which decides what numbers mean. All of it outlives the
// plan's use.
struct SearchScope {
  const UidList* uids = nullptr;
  const NumberSet* saved = nullptr;  // "$": UIDs
  store::Uid recent_from;            // 0: no message is recent
};

// What a plan could not be made of.
struct SearchRefusal {
  bool is_bad = true;  // BAD, otherwise NO
  std::string code;    // without brackets
  std::string text;
};

// `key` as it was parsed, `charset` as the client named it, nullopt where it did not (UTF-8 then,
// RFC 9051 6.4.4). `now` is what OLDER and YOUNGER count from.
[[nodiscard]] tl::expected<SearchPlan, SearchRefusal> plan_search(
    const SearchKey& key, std::optional<std::string_view> charset, const SearchScope& scope,
    UnixTime now);

// Gives the keywords their places. `names` by bit, as the mailbox has them.
void resolve_keywords(SearchNode& node, const std::vector<std::string>& names);

// What is known of one message.
struct SearchFacts {
  const SearchScope& scope;
  store::Uid uid;
  SequenceNumber number = 0;
  const store::MessageRecord* record = nullptr;  // null: not read
  const std::vector<Verdict>* slots = nullptr;   // null: nothing of the text is known
  // Where `record` is null: the answer is the same for all messages up to this UID, as long as
  // their numbers follow each other as their UIDs do. The caller sets it, test_key() lowers it.
  std::uint32_t same_until = 0;
};

[[nodiscard]] Verdict test_key(const SearchNode& node, SearchFacts& facts);

// The leaves whose answers are missing for that of `node`, which is kUnknown.
void missing_leaves(const SearchNode& node, SearchFacts& facts,
                    std::vector<const SearchNode*>& leaves);

// A day (since 1970) against a BEFORE, ON or SINCE.
[[nodiscard]] bool matches_day(const SearchNode& node, std::int64_t day);
// The day of an instant, where it was said (RFC 9051 6.4.4: time and zone are disregarded).
[[nodiscard]] std::int64_t day_of(std::int64_t seconds, int zone_minutes);

}  // namespace twinpost::imap
