// One message's FETCH response, made in as many pieces as it takes.
//
// Everything is found and measured before the first octet, so that most of what can go wrong does
// so while the message can still be left out. Pure over a ReadView; one thread at a time (a worker,
// while the session waits).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "imap/fetch_octets.h"
#include "imap/fetch_plan.h"
#include "imap/fetch_values.h"

namespace twinpost::imap {

// How much one piece of work may do.
struct SliceLimits {
  std::size_t octets;
  SteadyTime deadline;
  [[nodiscard]] bool are_reached(std::size_t octets_now) const {
    return octets_now >= octets || steady_now() >= deadline;
  }
};

class MessageResponse {
 public:
  // Both outlive it.
  MessageResponse(const FetchPlan& plan, const FetchView& view) : plan_(plan), view_(view) {}

  // `can_be_marked`: it is in the mailbox still, so that \Seen can be set.
  void begin(const store::MessageRecord& record, SequenceNumber number, bool can_be_marked);
  // Appends to `out` until the response is complete (true) or the limits are reached. An error ends
  // it, in the middle perhaps: what this call has appended must not be sent.
  [[nodiscard]] Result<bool> go_on(const store::ReadView& view, const SliceLimits& limits,
                                   std::string& out);
  void give_up() { state_ = State::kIdle; }

  [[nodiscard]] bool is_at_work() const { return state_ != State::kIdle; }
  [[nodiscard]] const store::MessageRecord& record() const { return record_; }
  // Of the message that was completed last, or is at work:
  [[nodiscard]] bool marks_seen() const { return marks_seen_; }
  [[nodiscard]] bool met_unknown_encoding() const { return met_unknown_encoding_; }

 private:
  enum class State : std::uint8_t { kIdle, kFind, kMeasure, kHead, kSections };

  struct FoundSection {
    const PlannedSection* planned;
    bool is_there;     // else NIL
    bool is_literal8;  // known to hold NULs, and of a kind that may (BINARY)
    bool is_announced = false;
    SectionReader reader;
  };

  [[nodiscard]] Result<void> find(const store::ReadView& view);
  [[nodiscard]] Result<void> find_section(const PlannedSection& planned, std::uint64_t header_end);
  [[nodiscard]] SectionSource resolve(const FetchItem& item, std::uint64_t header_end) const;
  [[nodiscard]] Result<bool> measure(const MessageBytes& message, const SliceLimits& limits);
  void append_head(std::string& out);
  [[nodiscard]] Result<bool> append_sections(const MessageBytes& message, const SliceLimits& limits,
                                             std::string& out);
  void announce(FoundSection& section, std::string& out) const;

  const FetchPlan& plan_;
  const FetchView& view_;
  State state_ = State::kIdle;
  store::MessageRecord record_;
  SequenceNumber number_ = 0;
  bool can_be_marked_ = false;
  bool marks_seen_ = false;
  bool met_unknown_encoding_ = false;
  std::optional<store::Summary> summary_;  // until the head is written
  std::vector<FoundSection> sections_;
  std::size_t at_ = 0;  // in sections_
};

}  // namespace twinpost::imap
