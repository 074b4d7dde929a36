// What changed in a mailbox, in pages: a session that missed a million changes does not hold them all at once.
#pragma once

#include <cstddef>
#include <vector>

#include "store/read_view.h"

namespace twinpost::imap {

inline constexpr std::size_t kChangedPage = 5000;  // records

// One more page: what has a modseq above `since`, from UID `from` on.
struct ChangedPage {
  std::vector<store::MessageRecord> changed;  // by UID
  store::Uid rest_from;                       // 0: this was the last
};
[[nodiscard]] Result<ChangedPage> next_changed(const store::ReadView& view, store::MailboxKey key,
                                               store::ModSeq since, store::Uid from);

}  // namespace twinpost::imap
