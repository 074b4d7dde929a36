// The file that a listening Unix socket leaves in the file system.
#pragma once

#include <string>
#include <sys/types.h>

#include "core/base/error.h"
#include "core/net/address.h"

namespace twinpost::net {

// Makes way for bind(): removes a socket that nobody listens on any more. kInUse where somebody
// does, kExists where the path is something else than a socket; neither is touched.
[[nodiscard]] Result<void> remove_stale_socket(const ListenAddress& address);

// Sets the mode of a socket that was just bound: `mode`, or where that is -1, what the umask left
// of 0666.
[[nodiscard]] Result<void> set_socket_mode(const ListenAddress& address, int mode);

// Removes the path at the end, if it is still the file that it was when this was made.
class UnixPathGuard {
 public:
  UnixPathGuard() = default;
  explicit UnixPathGuard(std::string path);
  ~UnixPathGuard();
  UnixPathGuard(const UnixPathGuard&) = delete;
  UnixPathGuard& operator=(const UnixPathGuard&) = delete;
  UnixPathGuard(UnixPathGuard&& other) noexcept;
  UnixPathGuard& operator=(UnixPathGuard&& other) noexcept;

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace twinpost::net
