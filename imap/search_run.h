// A search of the selected mailbox, slice by slice: each is one store.read() on a worker and takes
// about SearchSettings::slice.
//
// Messages are those that the client knows. They are tested in stretches: where the numbers and
// UIDs decide, no record is read; where the records do, one cursor goes over them; only what is
// still open then reads a summary, a header, a text. A message that is gone is tested by its number
// and UID alone and matches by nothing else (NOT SEEN is no match either); one whose octets or
// summary are damaged does not match, and is counted.
//
// Memory: the runs of the mailbox and of the result, and what MessageScan keeps. One thread at a
// time; between two slices anything may happen in the store, and a message at work stays readable.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "imap/search_plan.h"
#include "imap/search_scan.h"
#include "store/store.h"

namespace twinpost::imap {

struct SearchSettings {
  std::chrono::nanoseconds slice = std::chrono::milliseconds(15);  // DESIGN: 20 ms at most
  std::size_t piece_octets = std::size_t{64} * 1024;  // of a message's text, looked at at once
};

// How much of the result is asked for: a search stops when it has that.
struct SearchExtent {
  bool from_end = false;      // the latest messages first
  std::uint64_t matches = 0;  // 0: all
  // At most so many messages are looked at, the newest of those that the numbers and UIDs allow
  // (RFC 9738). 0: any number.
  std::uint64_t messages = 0;
};

// A message that needs more than its record.
struct SearchAtWork {
  store::MessageRecord record;
  SequenceNumber number = 0;
  std::vector<Verdict> slots;
  std::optional<store::Summary> summary;
  bool is_summary_asked = false;  // it has no more answers
  std::unique_ptr<MessageScan> scan;
  std::unique_ptr<store::Store::Pin> pin;  // between slices
};

class SearchRun {
 public:
  SearchRun(SearchPlan plan, SearchScope scope, store::MailboxKey mailbox, SearchExtent extent,
            store::Store& store, SearchSettings settings = {});
  SearchRun(const SearchRun&) = delete;
  SearchRun& operator=(const SearchRun&) = delete;

  // Goes on. True once it has ended. Never fails for a single message that is gone or damaged.
  [[nodiscard]] Result<bool> slice(const store::ReadView& view);

  // After the end: UIDs of messages that the client knows.
  [[nodiscard]] NumberSet take_found();
  // For those who wait: less than the mailbox has until the end.
  [[nodiscard]] std::uint32_t examined() const { return examined_; }
  [[nodiscard]] std::uint64_t unreadable() const { return unreadable_; }
  // Where `messages` has cut it: the lowest UID that was looked at.
  [[nodiscard]] std::optional<store::Uid> cut_at() const;

 private:
  struct Run {
    std::uint32_t first;
    std::uint32_t last;
    SequenceNumber number;
  };
  // Messages in a row for which their numbers and UIDs give one answer.
  struct Stretch {
    std::uint32_t first;
    std::uint32_t last;
    SequenceNumber number;
    Verdict verdict;
  };
  [[nodiscard]] std::uint32_t chunks() const;
  void begin_chunk();
  void limit_chunk();
  void end_chunk();
  bool next_stretch();
  void leave_stretch();
  Result<void> scan_records(const store::ReadView& view, const SliceTimer& timer);
  bool meet_record(const store::ReadView& view, const store::MessageRecord& record,
                   const SliceTimer& timer);
  Verdict test_message();
  // Settled: true. The time was over: false.
  Result<bool> look_deeper(const store::ReadView& view, const SliceTimer& timer);
  Result<bool> look_at(const store::ReadView& view, const SliceTimer& timer,
                       const std::vector<const SearchNode*>& missing);
  [[nodiscard]] SearchNeeds needs_now(const SearchNode& leaf) const;
  Result<const store::Summary*> summary(const store::ReadView& view);
  Result<void> answer_from_summary(const store::ReadView& view,
                                   const std::vector<const SearchNode*>& missing);
  Result<void> begin_scan(const store::ReadView& view,
                          const std::vector<const SearchNode*>& missing, SearchNeeds need);
  Result<bool> go_on_scanning(const store::ReadView& view, const SliceTimer& timer);
  void add_match(std::uint32_t first, std::uint32_t last);
  [[nodiscard]] bool has_enough() const {
    return extent_.matches != 0 && count_ >= extent_.matches;
  }

  SearchPlan plan_;
  SearchScope scope_;
  store::MailboxKey mailbox_;
  SearchExtent extent_;
  store::Store& store_;
  SearchSettings settings_;

  // Chunks of the mailbox, by message number.
  std::uint32_t chunk_size_;
  std::uint32_t next_chunk_ = 0;
  bool in_chunk_ = false;
  std::vector<Run> runs_;
  std::size_t run_ = 0;
  std::uint64_t position_ = 0;  // the UID to go on from
  bool no_more_records_ = false;
  std::optional<Stretch> stretch_;
  std::optional<SearchAtWork> at_work_;
  std::optional<Error> failure_;  // inside a visit

  std::vector<NumberRange> found_;
  std::uint64_t count_ = 0;
  std::uint64_t unreadable_ = 0;
  std::uint32_t examined_ = 0;
  unsigned records_ = 0;
  std::uint64_t messages_left_ = 0;  // of extent_.messages
  std::uint32_t lowest_ = 0;         // the UID of the last of them
  bool is_cut_ = false;
  bool is_done_ = false;
};

}  // namespace twinpost::imap
