// A mailbox's UID list as SELECT needs it, kept from one SELECT to the next (DESIGN: sequence numbers).
//
// A million messages take a scan of some 50 ms to list; kept as runs they take kilobytes, and what has changed since is
// brought in from the store's changes. The cache holds what was opened lately, bounded; sessions share the lists.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <optional>

#include "imap/uid_list.h"
#include "store/read_view.h"

namespace twinpost::imap {

struct MailboxImage {
  store::ModSeq modseq;  // HIGHESTMODSEQ that it shows
  std::shared_ptr<const UidList> uids;
  store::Uid first_unseen;  // 0: none
};
using MailboxImagePtr = std::shared_ptr<const MailboxImage>;

// The image at `info` (from the same view), made of `last` where that is of use. Worker.
[[nodiscard]] Result<MailboxImagePtr> make_image(const store::ReadView& view, store::MailboxKey key,
                                                 const store::MailboxInfo& info,
                                                 MailboxImagePtr last);

// Loop thread only.
class ImageCache {
 public:
  static constexpr std::size_t kMaxOctets = 16 * 1024 * 1024;

  [[nodiscard]] MailboxImagePtr get(store::MailboxKey key);  // null where there is none
  void put(store::MailboxKey key, MailboxImagePtr image);    // the newer one stays
  void forget(store::MailboxKey key);
  [[nodiscard]] std::size_t octets() const { return octets_; }

 private:
  struct Entry {
    store::MailboxKey key;
    MailboxImagePtr image;
  };
  using Entries = std::list<Entry>;
  void drop(Entries::iterator entry);

  Entries entries_;  // used last: first
  std::map<store::MailboxKey, Entries::iterator> by_key_;
  std::size_t octets_ = 0;
};

}  // namespace twinpost::imap
