// What is in a Maildir now: its folders, and a folder's files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/twinpost/transfer/maildir.h"
#include "tools/twinpost/transfer/maildir_files.h"

namespace twinpost::tools {

inline constexpr std::string_view kRootMaildir =
    ".";  // the native name of the one that holds the others

struct FoundMaildir {
  std::string mailbox;
  std::string
      listed_name;  // as the list of subscriptions has it: not the true one where the folder can't say it
  std::string native_name;  // below the root: ".", ".A.B" or, of layout fs, "A/B"
};
// At most kMostMailboxes (kLimit). Links to folders elsewhere are passed over with a note.
[[nodiscard]] Result<std::vector<FoundMaildir>> find_maildirs(int root,
                                                              const MaildirOptions& options,
                                                              std::vector<std::string>& notes);
[[nodiscard]] Result<Descriptor> open_maildir_folder(int root, std::string_view native_name);

struct MaildirEntry {
  std::string path;  // "cur/..." or "new/..."
  std::string base;
  std::string letters;
  bool is_new = false;
  std::uint64_t size = 0;
  std::int64_t mtime = 0;
};
struct MaildirScan {
  std::vector<MaildirEntry> entries;  // in order of arrival
  std::uint64_t odd_entries = 0;      // no plain files
};
// A server that moves files about meanwhile is noticed and the folder looked through again.
[[nodiscard]] Result<MaildirScan> scan_maildir(int folder);
// "cur/NAME"
[[nodiscard]] Result<Descriptor> open_entry(int folder, const std::string& path);

}  // namespace twinpost::tools
