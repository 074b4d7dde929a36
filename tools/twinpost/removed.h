// Removed messages as the admin tool chooses and shows them. Blocking; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/server/admin.h"
#include "store/store.h"

namespace twinpost::tools {

struct RemovedFilter {
  UnixTime kept_since{};  // what is older can't come back, and is not there
  std::optional<UnixTime> since;
  std::optional<UnixTime> until;  // inclusive
  std::string from;               // is in From, whatever its case
  std::string subject;
  std::string mailbox;                            // its whole name, as it was then
  std::string by;                                 // "pop3", "imap", "admin"; empty: any
  bool moved = false;                             // those that were only moved, too
  std::optional<std::set<store::RemovedId>> ids;  // only these
};

struct RemovedEntry {
  store::RemovedMessage removed;
  std::string from;  // decoded, UTF-8
  std::string subject;
};

// Oldest first; of more than `most` (0: no limit) the latest. Reads in short transactions.
// kNotFound where there is no such account.
[[nodiscard]] Result<std::vector<RemovedEntry>> find_removed(store::Store& store,
                                                             const std::string& account,
                                                             const RemovedFilter& filter,
                                                             std::size_t most);

[[nodiscard]] std::string_view to_string(
    store::Removal how);  // "expunged", "mailbox deleted", "moved"
[[nodiscard]] server::Json to_json(const RemovedEntry& entry);
void print_table(const std::vector<RemovedEntry>& entries);

}  // namespace twinpost::tools
