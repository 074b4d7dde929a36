// STATUS's DELETED-STORAGE (RFC 9208 4.1.4): the octets of a mailbox's messages with \Deleted, which is what
// an EXPUNGE would take off the account's use of its STORAGE quota.
//
// No counter keeps it, so the messages are looked through, in as many reads as that takes; what others change
// between two of them may or may not be in the sum. Any one thread at a time.
#pragma once

#include <cstdint>

#include "core/base/clock.h"
#include "store/read_view.h"

namespace twinpost::imap {

class DeletedStorage {
 public:
  // `deleted`: how many there are, to stop at the last.
  DeletedStorage(store::MailboxKey mailbox, std::uint32_t deleted)
      : mailbox_(mailbox), left_(deleted) {}

  // Goes on until `deadline` at the most, and always a little. True once the sum is whole. kNotFound where
  // the mailbox was deleted.
  [[nodiscard]] Result<bool> advance(const store::ReadView& view, SteadyTime deadline);
  [[nodiscard]] std::uint64_t octets() const { return octets_; }

 private:
  store::MailboxKey mailbox_;
  std::uint32_t left_;
  store::Uid next_{1};
  std::uint64_t octets_ = 0;
};

}  // namespace twinpost::imap
