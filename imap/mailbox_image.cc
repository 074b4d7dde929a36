#include "imap/mailbox_image.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace twinpost::imap {
namespace {

constexpr store::Uid kLastUid{std::numeric_limits<std::uint32_t>::max()};
// What an image costs beside its runs, roughly.
constexpr std::size_t kFixedOctets = 256;
constexpr std::size_t kRunOctets = 12;
// With more than these it is cheaper to look at all anew.
constexpr std::size_t kMostChanges = 5000;

std::size_t octets_of(const MailboxImage& image) {
  return kFixedOctets + image.uids->runs() * kRunOctets;
}

bool is_unseen(const store::MessageRecord& record) {
  return (record.flags & bit(store::Flag::kSeen)) == 0;
}

Result<store::Uid> find_first_unseen(const store::ReadView& view, store::MailboxKey key,
                                     store::Uid from) {
  store::Uid found;
  const store::UidRange range{from, kLastUid};
  const auto scanned = view.for_each_message(key, range, [&](const store::MessageRecord& record) {
    if (!is_unseen(record)) return true;
    found = record.uid;
    return false;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  return found;
}

Result<MailboxImagePtr> build(const store::ReadView& view, store::MailboxKey key,
                              const store::MailboxInfo& info) {
  const auto uids = view.uids(key);
  if (!uids) return tl::unexpected(uids.error());
  MailboxImage image;
  image.modseq = info.highest_modseq;
  image.uids = std::make_shared<const UidList>(*uids);
  if (info.unseen != 0) {
    const auto unseen = find_first_unseen(view, key, store::Uid(1));
    if (!unseen) return tl::unexpected(unseen.error());
    image.first_unseen = *unseen;
  }
  return std::make_shared<const MailboxImage>(std::move(image));
}

// `last` with `changes` brought in.
Result<MailboxImagePtr> renew(const store::ReadView& view, store::MailboxKey key,
                              const store::MailboxInfo& info, const MailboxImage& last,
                              const store::Changes& changes) {
  MailboxImage image;
  image.modseq = info.highest_modseq;
  auto list = std::make_shared<UidList>(*last.uids);
  list->remove(changes.vanished);
  store::Uid lowest_unseen_change;
  bool first_has_changed =
      last.first_unseen.value() != 0 &&
      std::binary_search(changes.vanished.begin(), changes.vanished.end(), last.first_unseen);
  for (const store::MessageRecord& record : changes.changed) {
    if (!list->last() || record.uid > *list->last()) list->append(record.uid);
    if (record.uid == last.first_unseen && !is_unseen(record)) first_has_changed = true;
    if (is_unseen(record) && lowest_unseen_change.value() == 0) lowest_unseen_change = record.uid;
  }
  image.uids = std::move(list);
  if (info.unseen == 0) {
    image.first_unseen = store::Uid();
  } else if (first_has_changed) {
    const auto next = find_first_unseen(view, key,
                                        lowest_unseen_change.value() == 0
                                            ? last.first_unseen
                                            : std::min(lowest_unseen_change, last.first_unseen));
    if (!next) return tl::unexpected(next.error());
    image.first_unseen = *next;
  } else if (last.first_unseen.value() == 0) {
    image.first_unseen = lowest_unseen_change;
  } else {
    image.first_unseen = lowest_unseen_change.value() == 0
                             ? last.first_unseen
                             : std::min(last.first_unseen, lowest_unseen_change);
  }
  return std::make_shared<const MailboxImage>(std::move(image));
}

}  // namespace

Result<MailboxImagePtr> make_image(const store::ReadView& view, store::MailboxKey key,
                                   const store::MailboxInfo& info, MailboxImagePtr last) {
  if (!last || last->modseq > info.highest_modseq) return build(view, key, info);
  if (last->modseq == info.highest_modseq) return last;
  const auto changes = view.changes_since(key, last->modseq, kMostChanges);
  if (!changes) {
    // Older than the tombstones reach.
    if (changes.error().code == ErrorCode::kInvalid) return build(view, key, info);
    return tl::unexpected(changes.error());
  }
  if (changes->rest_from.value() != 0) return build(view, key, info);
  auto renewed = renew(view, key, info, *last, *changes);
  // The counters are the check of the sum: an image that went wrong is not kept.
  if (renewed && (*renewed)->uids->size() != info.messages) return build(view, key, info);
  return renewed;
}

MailboxImagePtr ImageCache::get(store::MailboxKey key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->image;
}

void ImageCache::put(store::MailboxKey key, MailboxImagePtr image) {
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) {
    if (found->second->image->modseq >= image->modseq) return;
    drop(found->second);
  }
  octets_ += octets_of(*image);
  entries_.push_front(Entry{key, std::move(image)});
  by_key_[key] = entries_.begin();
  while (octets_ > kMaxOctets && entries_.size() > 1) drop(std::prev(entries_.end()));
}

void ImageCache::forget(store::MailboxKey key) {
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) drop(found->second);
}

void ImageCache::drop(Entries::iterator entry) {
  octets_ -= octets_of(*entry->image);
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace twinpost::imap
