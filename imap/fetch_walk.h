// A FETCH over a set of messages, slice by slice.
//
// Goes through the messages in order and fills one buffer a slice with their responses; stops where
// a slice has done enough (DESIGN: 256 KiB of output or 20 ms) and goes on in the next, in the
// middle of a large section too, whose blob it pins meanwhile. Messages that have left the mailbox
// while the client has not been told are looked for among the removed ones (RFC 9051 7.5.1). What
// can't be read is left out and remembered for the tagged answer.
//
// Runs on workers, one slice at a time, while the session waits.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "imap/fetch_message.h"
#include "imap/selected.h"
#include "store/store.h"

namespace twinpost::imap {

struct SliceSettings {
  std::size_t octets = std::size_t{256} * 1024;
  Duration time{20};
};

class FetchWalk {
 public:
  // `uids`: of messages in selected.uids. `store` is for pins. All but `uids` outlive it.
  FetchWalk(store::Store& store, const FetchPlan& plan, const FetchView& view, NumberSet uids,
            SliceSettings settings = {});

  struct Slice {
    bool is_last = false;
    // The response at work can't be finished, and a part of it was given out by an earlier slice.
    // Nothing of this slice may be sent.
    std::optional<Error> broken;
    // Messages whose responses are complete with this slice and set \Seen, which they lacked; as
    // they were read.
    std::vector<store::MessageRecord> unseen;
    // Messages whose flags were shown, and have changed since the client was last told of changes.
    std::vector<std::pair<store::Uid, store::ModSeq>> shown;
  };
  // Puts the next slice's octets in `out`, in place of what is there.
  [[nodiscard]] Slice next(const store::ReadView& view, std::string& out);

  // Whether a part of a response was given out whose end was not.
  [[nodiscard]] bool is_inside_response() const { return is_inside_; }
  [[nodiscard]] store::Uid uid_at_work() const { return response_.record().uid; }

  // What went wrong so far.
  struct Troubles {
    std::optional<Error> unreadable;  // the last of them
    std::uint64_t count_left_out = 0;
    std::vector<std::pair<store::Uid, Error>>
        left_out;          // the first kMostNamed of them, for the log
    bool missing = false;  // gone, and not among the removed any more
    bool unknown_encoding = false;
  };
  static constexpr std::size_t kMostNamed = 20;
  [[nodiscard]] const Troubles& troubles() const { return troubles_; }

 private:
  struct Work;  // of one slice

  [[nodiscard]] bool at_end() const { return range_ == uids_.ranges().size(); }
  void advance();
  [[nodiscard]] SequenceNumber number_of_wanted();

  void walk(Work& work);
  void look_at_one(Work& work);
  [[nodiscard]] bool visit(Work& work, const store::MessageRecord& record);
  void missing(Work& work);
  void answer(Work& work, const store::MessageRecord& record, bool is_removed);
  void go_on(Work& work, std::size_t begin);
  void leave_out(Error error);  // the wanted one
  void note_shown(Work& work, const store::MessageRecord& record) const;

  store::Store& store_;
  const FetchPlan& plan_;
  const FetchView& view_;
  const NumberSet uids_;
  const SliceSettings settings_;
  const UnixTime removed_since_;

  std::size_t range_ = 0;            // of uids_
  store::Uid wanted_;                // the next one, in that range
  SequenceNumber first_number_ = 0;  // of that range; 0: not known yet
  MessageResponse response_;
  bool is_inside_ = false;
  std::unique_ptr<store::Store::Pin> pin_;
  Troubles troubles_;
};

}  // namespace twinpost::imap
