// The highest modseq of some messages, slice by slice: what SEARCH tells where it was asked for
// MODSEQ (RFC 7162 3.1.5). Messages that are gone have none. Worker threads; one at a time.
#pragma once

#include <chrono>
#include <cstdint>

#include "imap/sequence_set.h"
#include "store/read_view.h"

namespace twinpost::imap {

class HighestModSeq {
 public:
  // `uids` outlives it.
  HighestModSeq(store::MailboxKey mailbox, const NumberSet& uids,
                std::chrono::nanoseconds slice = std::chrono::milliseconds(15))
      : mailbox_(mailbox), uids_(uids), slice_(slice) {}

  // Goes on. True once it has ended.
  [[nodiscard]] Result<bool> slice(const store::ReadView& view);
  [[nodiscard]] std::uint64_t value() const { return highest_; }  // 0: none of them is there

 private:
  bool meet(const store::MessageRecord& record);

  store::MailboxKey mailbox_;
  const NumberSet& uids_;
  std::chrono::nanoseconds slice_;
  std::size_t range_ = 0;       // of uids_
  std::uint64_t position_ = 1;  // the UID to go on from
  std::uint64_t highest_ = 0;
};

}  // namespace twinpost::imap
