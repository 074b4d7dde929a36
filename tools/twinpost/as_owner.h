// Root doing what the daemon will have to do, too, with the daemon's rights.
#pragma once

#include <string>
#include <sys/types.h>

namespace twinpost::tools {

// While this lives, files are made and opened as the data folder's owner makes and opens them. Root
// runs the tool, but the server, which runs as that owner, must be able to open what the tool
// leaves: the data file of a new store, of a compaction, the lock files. Only for as long as that
// matters: what is imported may be readable by root alone. Applies to the whole process, as glibc
// has it; does nothing for who is not root, or owns the folder.
class AsOwner {
 public:
  explicit AsOwner(const std::string& folder);
  ~AsOwner();
  AsOwner(const AsOwner&) = delete;
  AsOwner& operator=(const AsOwner&) = delete;

 private:
  void back_to_group() const;

  gid_t group_ = 0;
  bool changed_ = false;
};

}  // namespace twinpost::tools
