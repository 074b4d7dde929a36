#include "core/net/unix_path.h"

#include <cerrno>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "core/net/socket_address.h"

namespace twinpost::net {

Result<void> remove_stale_socket(const ListenAddress& address) {
  struct stat status {};
  if (lstat(address.path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return tl::unexpected(system_error(to_string(address), errno));
  }
  if (!S_ISSOCK(status.st_mode)) {
    return fail(ErrorCode::kExists, to_string(address) + ": there is something that is no socket");
  }
  const auto target = to_socket_address(address);
  if (!target) return tl::unexpected(target.error());
  // Not blocking: a live server with a full backlog answers EAGAIN, which is an answer.
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return tl::unexpected(system_error(to_string(address), errno));
  const int error = connect(fd, target->data(), target->size) == 0 ? 0 : errno;
  close(fd);
  if (error == ENOENT) return {};
  if (error == EACCES || error == EPERM) {
    return tl::unexpected(system_error(to_string(address), error));
  }
  if (error != ECONNREFUSED) {
    return fail(ErrorCode::kInUse, to_string(address) + ": another server listens there");
  }
  if (unlink(address.path.c_str()) != 0 && errno != ENOENT) {
    return tl::unexpected(system_error(to_string(address), errno));
  }
  return {};
}

Result<void> set_socket_mode(const ListenAddress& address, int mode) {
  auto wanted = static_cast<mode_t>(mode);
  if (mode < 0) {
    struct stat status {};
    if (lstat(address.path.c_str(), &status) != 0) {
      return tl::unexpected(system_error(to_string(address), errno));
    }
    wanted = status.st_mode & 0666;  // bind() made it 0777 without the umask's bits
  }
  if (chmod(address.path.c_str(), wanted) != 0) {
    return tl::unexpected(system_error(to_string(address), errno));
  }
  return {};
}

UnixPathGuard::UnixPathGuard(std::string path) : path_(std::move(path)) {
  struct stat status {};
  if (lstat(path_.c_str(), &status) != 0) path_.clear();
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

UnixPathGuard::UnixPathGuard(UnixPathGuard&& other) noexcept { *this = std::move(other); }

UnixPathGuard& UnixPathGuard::operator=(UnixPathGuard&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  return *this;
}

UnixPathGuard::~UnixPathGuard() {
  struct stat status {};
  if (path_.empty() || lstat(path_.c_str(), &status) != 0) return;
  if (status.st_dev == device_ && status.st_ino == inode_) unlink(path_.c_str());
}

}  // namespace twinpost::net
