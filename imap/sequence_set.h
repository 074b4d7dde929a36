// Sequence sets (RFC 9051 section 9): as a client wrote one, and as sets of numbers to work with.
//
//   SequenceSet   the syntax: numbers, ranges, "*" and "$" in the order they came ("2,4:7,*", "$")
//   NumberSet     the meaning: ascending runs of message numbers or UIDs, no overlaps, no gaps of nothing
//
// A set is held as ranges, so memory is bounded by the length of its text, never by the numbers it claims.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace twinpost::imap {

// Inclusive; 1 <= first <= last.
struct NumberRange {
  std::uint32_t first = 1;
  std::uint32_t last = 1;
  [[nodiscard]] std::uint64_t size() const { return std::uint64_t{last} - first + 1; }
  friend bool operator==(const NumberRange&, const NumberRange&) = default;
};

// Numbers as ascending ranges that neither overlap nor touch.
class NumberSet {
 public:
  NumberSet() = default;
  // Any order, overlaps allowed: sorted and merged.
  explicit NumberSet(std::vector<NumberRange> ranges);

  // Cheap where numbers come ascending; otherwise linear in the number of ranges.
  void add(std::uint32_t number) { add(NumberRange{number, number}); }
  void add(NumberRange range);

  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  [[nodiscard]] std::uint64_t count() const;
  [[nodiscard]] bool contains(std::uint32_t number) const;  // logarithmic
  [[nodiscard]] std::uint32_t lowest() const {
    return ranges_.front().first;
  }  // not of an empty set
  [[nodiscard]] std::uint32_t highest() const { return ranges_.back().last; }
  [[nodiscard]] const std::vector<NumberRange>& ranges() const { return ranges_; }

  // "1:3,5,9:12", as COPYUID, VANISHED and ESEARCH want it. Empty for the empty set, which none of them can say.
  void append_to(std::string& out) const;
  [[nodiscard]] std::string to_string() const;
  // The same in pieces of at most about `max_octets` each (never less than one range), for responses that a
  // client must be able to read as one line.
  [[nodiscard]] std::vector<std::string> to_pieces(std::size_t max_octets) const;

  friend bool operator==(const NumberSet&, const NumberSet&) = default;

 private:
  std::vector<NumberRange> ranges_;
};

// A sequence-set as it was sent.
struct SequenceSet {
  static constexpr std::uint32_t kStar = 0;  // "*" (0 is no message number and no UID)

  // Ends in the order they were written: "9:4", "*:3" and "3:*" all stay as they are.
  struct Item {
    std::uint32_t first = kStar;
    std::uint32_t last = kStar;
    friend bool operator==(const Item&, const Item&) = default;
  };

  std::vector<Item> items;
  bool saved = false;  // "$", the saved search result (RFC 5182), is part of it

  // The whole of `text`. The error says what is wrong with it, in a line fit for a BAD reply.
  [[nodiscard]] static Result<SequenceSet> parse(std::string_view text);

  [[nodiscard]] bool has_star() const;
  // The largest number that is written out, 0 where there is none: a message number beyond the mailbox is
  // answered with BAD (RFC 9051 section 9, seq-number).
  [[nodiscard]] std::uint32_t largest_written() const;

  // What it means where "*" is `largest`: the number of messages, or for UIDs the UID of the last message.
  // Where `largest` is 0 (an empty mailbox) every item that has a "*" in it means nothing. "$" is not in here: the
  // caller adds what was saved.
  [[nodiscard]] NumberSet resolve(std::uint32_t largest) const;

  [[nodiscard]] std::string to_string() const;  // as it would be sent
  friend bool operator==(const SequenceSet&, const SequenceSet&) = default;
};

// RFC 9394: the results to give, counted from 1 from the oldest or, with from_end, from the newest. first <= last.
struct PartialRange {
  bool from_end = false;
  std::uint32_t first = 1;
  std::uint32_t last = 1;

  [[nodiscard]] static Result<PartialRange> parse(std::string_view text);  // "1:100", "-1:-100"
  // The part of `found` it names; empty where there is none.
  [[nodiscard]] NumberSet select(const NumberSet& found) const;
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const PartialRange&, const PartialRange&) = default;
};

}  // namespace twinpost::imap
