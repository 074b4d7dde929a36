#include "tools/twinpost/transfer/maildir_files.h"

#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <unistd.h>
#include <utility>

namespace twinpost::tools {

static_assert(kHere == AT_FDCWD);

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = other.release();
  }
  return *this;
}

int Descriptor::release() { return std::exchange(fd_, -1); }

void Descriptor::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

namespace {

Error open_error(const std::string& name, int error_number) {
  if (error_number == ELOOP || error_number == ENOTDIR || error_number == ENXIO) {
    return Error{ErrorCode::kInvalid, name + ": not a plain file or folder"};
  }
  return system_error(name, error_number);
}

}  // namespace

Result<Descriptor> open_folder(int folder, const std::string& name) {
  const int follow = folder == kHere ? 0 : O_NOFOLLOW;
  Descriptor opened(::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | follow));
  if (opened.get() < 0) return tl::unexpected(open_error(name, errno));
  return opened;
}

Result<Descriptor> open_file(int folder, const std::string& name) {
  const int follow = folder == kHere ? 0 : O_NOFOLLOW;
  Descriptor opened(
      ::openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | follow));
  if (opened.get() < 0) return tl::unexpected(open_error(name, errno));
  struct stat status {};
  if (::fstat(opened.get(), &status) != 0) return tl::unexpected(system_error(name, errno));
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kInvalid, name + ": not a plain file");
  return opened;
}

Result<std::vector<std::string>> names_in(int folder) {
  // A descriptor of its own: closedir() closes it, and its place in the folder is its own.
  const int fd = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return tl::unexpected(system_error("the folder", errno));
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::fdopendir(fd), ::closedir);
  if (opened == nullptr) {
    const Error error = system_error("the folder", errno);
    ::close(fd);
    return tl::unexpected(error);
  }
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(opened.get());
    if (entry == nullptr) {
      if (errno != 0) return tl::unexpected(system_error("the folder", errno));
      return names;
    }
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
}

std::optional<struct stat> status_of(int folder, const std::string& name) {
  struct stat status {};
  if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return status;
}

bool is_folder(int folder, const std::string& name) {
  const auto status = status_of(folder, name);
  return status && S_ISDIR(status->st_mode);
}

Result<void> for_each_line(int fd, std::size_t longest,
                           const std::function<bool(std::string_view)>& line,
                           std::uint64_t* too_long) {
  std::string buffer;
  bool skipping = false;  // within a line that is too long
  const auto give = [&](std::string_view text) {
    if (std::exchange(skipping, false)) {
      if (too_long != nullptr) ++*too_long;
      return true;
    }
    if (text.ends_with('\r')) text.remove_suffix(1);
    return line(text);
  };
  std::string piece(64 * 1024, '\0');
  while (true) {
    const ssize_t count = ::read(fd, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tl::unexpected(system_error("reading a file", errno));
    if (count == 0) break;
    buffer.append(piece, 0, static_cast<std::size_t>(count));
    std::size_t begin = 0;
    while (true) {
      const std::size_t end = buffer.find('\n', begin);
      if (end == std::string::npos) break;
      if (end - begin > longest) skipping = true;
      if (!give(std::string_view(buffer).substr(begin, end - begin))) return {};
      begin = end + 1;
    }
    buffer.erase(0, begin);
    if (buffer.size() > longest) {
      skipping = true;
      buffer.clear();
    }
  }
  // The last line may have no end.
  if (!buffer.empty()) give(buffer);
  return {};
}

Result<Descriptor> make_folder(int folder, const std::string& name) {
  if (::mkdirat(folder, name.c_str(), 0700) != 0 && errno != EEXIST) {
    return tl::unexpected(system_error(name, errno));
  }
  return open_folder(folder, name);
}

Result<void> write_all(int fd, std::string_view octets, const std::string& name) {
  while (!octets.empty()) {
    const ssize_t count = ::write(fd, octets.data(), octets.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tl::unexpected(system_error(name, errno));
    octets.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> replace_file(int folder, const std::string& name, std::string_view octets) {
  const std::string temporary = name + ".twinpost-new";
  ::unlinkat(folder, temporary.c_str(), 0);
  const Descriptor file(::openat(folder, temporary.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) return tl::unexpected(system_error(name, errno));
  if (auto written = write_all(file.get(), octets, name); !written) return written;
  if (auto synced = sync(file.get(), name); !synced) return synced;
  if (::renameat(folder, temporary.c_str(), folder, name.c_str()) != 0) {
    return tl::unexpected(system_error(name, errno));
  }
  return sync(folder, name);
}

Result<void> sync(int fd, const std::string& name) {
  if (::fsync(fd) != 0) return tl::unexpected(system_error(name, errno));
  return {};
}

}  // namespace twinpost::tools
