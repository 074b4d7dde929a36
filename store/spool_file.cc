#include "store/spool_file.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace twinpost::store {

Error spool_error(const std::string& folder, int error_number) {
  Error error = system_error("temporary file in " + folder, error_number);
  if (error_number == EFBIG) error.code = ErrorCode::kDiskFull;
  return error;
}

Result<int> open_spool_file(const std::string& folder) {
  int fd = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    std::string path = folder + "/" + std::string(kSpoolFilePrefix) + "XXXXXX";
    fd = ::mkostemp(path.data(), O_CLOEXEC);
    if (fd >= 0) ::unlink(path.c_str());
  }
  if (fd < 0) return tl::unexpected(spool_error(folder, errno));
  return fd;
}

Result<void> write_spool_file(int fd, std::string_view octets, const std::string& folder) {
  while (!octets.empty()) {
    const ssize_t written = ::write(fd, octets.data(), octets.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return tl::unexpected(spool_error(folder, errno));
    octets.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace twinpost::store
