#include "store/tables.h"

#include <utility>

namespace twinpost::store {

Result<void> Tables::open(engine::Environment& environment, bool create) {
  const std::pair<const char*, engine::Table*> tables[] = {
      {"account_names", &account_names},
      {"accounts", &accounts},
      {"mailboxes", &mailboxes},
      {"mailbox_names", &mailbox_names},
      {"subscriptions", &subscriptions},
      {"keywords", &keywords},
      {"messages", &messages},
      {"expunged", &expunged},
      {"removed", &removed},
      {"blob_names", &blob_names},
      {"blob_refs", &blob_refs},
      {"blobs", &blobs},
      {"summaries", &summaries},
      {"reapable", &reapable},
      {"imports", &imports},
      {"notes", &notes},
  };
  for (const auto& [name, table] : tables) {
    auto opened = environment.open_table(name, create);
    if (!opened) return failed(opened);
    if (!*opened) return fail(ErrorCode::kCorrupt, std::string("the store has no table ") + name);
    *table = **opened;
  }
  return {};
}

}  // namespace twinpost::store
