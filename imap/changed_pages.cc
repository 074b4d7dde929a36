#include "imap/changed_pages.h"

#include <limits>

namespace twinpost::imap {

Result<ChangedPage> next_changed(const store::ReadView& view, store::MailboxKey key,
                                 store::ModSeq since, store::Uid from) {
  ChangedPage page;
  const store::UidRange range{from, store::Uid(std::numeric_limits<std::uint32_t>::max())};
  const auto scanned = view.for_each_message(key, range, [&](const store::MessageRecord& record) {
    if (record.modseq <= since) return true;
    if (page.changed.size() == kChangedPage) {
      page.rest_from = record.uid;
      return false;
    }
    page.changed.push_back(record);
    return true;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  return page;
}

}  // namespace twinpost::imap
