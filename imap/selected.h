// The selected mailbox as one session has told it to its client (RFC 9051 section 2.3.1.2 and 3.3).
//
// What is in here changes in two places only: sync() (sync.h), after a command or in IDLE, and the few handlers that send
// EXPUNGE, VANISHED or EXISTS themselves. While a handler runs nothing else touches it: numbers are stable, and a worker
// may read `uids` and the rest (const) while the handler waits for it. Loop thread otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "imap/sequence_set.h"
#include "imap/uid_list.h"
#include "store/store.h"

namespace twinpost::imap {

class Selected {
 public:
  store::MailboxKey key;
  std::string name;  // the store's, at SELECT
  bool read_only = false;
  store::UidValidity uid_validity;

  // What the client knows. Shared with other sessions until it changes: see change_uids().
  std::shared_ptr<const UidList> uids = std::make_shared<const UidList>();
  UidList& change_uids();  // its own from now on

  store::ModSeq known;  // changes up to here are told, but for `untold`
  // Messages that are gone, of which no EXPUNGE could be sent yet; still in `uids`. Ascending.
  std::vector<store::Uid> untold;
  // No message that is still in `uids` was removed before this.
  UnixTime untold_since{};
  // Keeps what left since then readable.
  std::unique_ptr<store::Store::RemovalHold> hold;
  void told_of_removals_before(UnixTime time) {
    untold_since = time;
    if (hold) hold->move_on(time);
  }
  std::vector<std::string> keywords;  // names by bit, as told in FLAGS

  // \Recent (RFC 3501 2.3.2) for this session: UIDs from here on that arrived before or while it was selected. 0: none.
  store::Uid recent_from;
  [[nodiscard]] bool is_recent(store::Uid uid) const {
    return recent_from.value() != 0 && uid >= recent_from;
  }
  [[nodiscard]] std::uint32_t count_recent() const;
  bool arrivals_unclaimed =
      false;  // told of messages whose \Recent is not claimed in the store yet

  // "$" (RFC 5182): UIDs. Those that are gone by now may still be in it.
  NumberSet saved;

  // Flag changes that this session made and has told already, by the modseq their transaction got: sync()
  // does not repeat them.
  std::set<store::ModSeq> told;
  void note_told(const store::MessageRecord& record) { told.insert(record.modseq); }

  // Flags that a FETCH has shown as another session has changed them, before sync() came to tell: each UID with the modseq
  // it was shown at.
  std::map<store::Uid, store::ModSeq> shown;
  static constexpr std::size_t kMostShown = 10'000;
  [[nodiscard]] bool was_told(const store::MessageRecord& record) const {
    if (told.contains(record.modseq)) return true;
    const auto found = shown.find(record.uid);
    return found != shown.end() && found->second == record.modseq;
  }

  bool stale = false;  // the store has announced changes after `known`
  bool gone = false;   // the mailbox itself was deleted

  // The UIDs, of messages that are in `uids`, that `set` names: `uid` says whether its numbers are UIDs. "$" is
  // taken in. The error is the text of a BAD: a message number beyond the mailbox (RFC 9051 section 9, seq-number).
  [[nodiscard]] Result<NumberSet> resolve(const SequenceSet& set, bool uid) const;
  [[nodiscard]] std::vector<store::Uid> uids_of(
      const NumberSet& uids) const;  // each of them, ascending
};

}  // namespace twinpost::imap
