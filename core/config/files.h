// Reading and replacing small files. Internal to core/config; blocking.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace twinpost::config {

// "PATH: No such file or directory", or kTooLarge.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t limit);

// Puts `content` in the place of `path` at once: whoever opens it sees the old file or the new one,
// and after a crash one of them is there. Owner and mode stay those of the old file; a new one
// belongs to its creator alone, or, where the folder belongs to another group, may be read by that
// group (the package's layout: the folder is root's and the daemon's group's).
[[nodiscard]] Result<void> replace_file(const std::string& path, std::string_view content);

// Without the last component; empty where `path` is a bare name.
[[nodiscard]] std::string folder_of(const std::string& path);
[[nodiscard]] std::string absolute_folder_of(const std::string& path);

// Holds an exclusive flock(2) on a folder, which keeps other admins' tools out while a file in it
// is replaced: a lock on the file itself would be lost with the file. Fails with kInUse where it is
// held for longer than `patience`.
class FolderLock {
 public:
  [[nodiscard]] static Result<FolderLock> take(
      const std::string& folder, std::chrono::milliseconds patience = std::chrono::seconds(10));
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace twinpost::config
