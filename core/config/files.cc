#include "core/config/files.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace twinpost::config {

namespace {

tl::unexpected<Error> failed(std::string_view context) {
  return tl::unexpected(system_error(context, errno));
}

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return value_; }
  [[nodiscard]] bool is_open() const { return value_ >= 0; }

 private:
  int value_;
};

// Removes a file that was not put in its place.
class Unlinker {
 public:
  explicit Unlinker(std::string path) : path_(std::move(path)) {}
  ~Unlinker() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  Unlinker(const Unlinker&) = delete;
  Unlinker& operator=(const Unlinker&) = delete;
  void keep() { path_.clear(); }

 private:
  std::string path_;
};

std::string folder_or_dot(const std::string& path) {
  const std::string folder = folder_of(path);
  return folder.empty() ? "." : folder;
}

struct Access {
  mode_t mode;
  uid_t owner;
  gid_t group;
};

Result<Access> access_for(const std::string& path, const std::string& folder) {
  constexpr mode_t kPermissions = 07777;
  constexpr mode_t kPrivate = 0600;
  constexpr mode_t kGroupReads = 0640;
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kInvalid, path + ": is not a file");
    return Access{status.st_mode & kPermissions, status.st_uid, status.st_gid};
  }
  if (errno != ENOENT) return failed(path);
  if (::stat(folder.c_str(), &status) != 0) return failed(folder);
  if (status.st_gid == ::getegid()) return Access{kPrivate, ::geteuid(), ::getegid()};
  return Access{kGroupReads, ::geteuid(), status.st_gid};
}

Result<void> set_access(int descriptor, const Access& access, const std::string& path) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return failed(path);
  const bool moves = status.st_uid != access.owner || status.st_gid != access.group;
  if (moves && ::fchown(descriptor, access.owner, access.group) != 0) {
    return failed(path + ": its owner can't be kept");
  }
  if (::fchmod(descriptor, access.mode) != 0) return failed(path);
  return {};
}

Result<void> write_all(int descriptor, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(descriptor, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed(path);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(descriptor) != 0) return failed(path);
  return {};
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return failed(path);
  std::string content;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path);
    if (got == 0) return content;
    content.append(buffer.data(), static_cast<std::size_t>(got));
    if (content.size() > limit) {
      return fail(ErrorCode::kTooLarge,
                  path + ": is larger than " + std::to_string(limit) + " octets");
    }
  }
}

Result<void> replace_file(const std::string& path, std::string_view content) {
  const std::string folder = folder_or_dot(path);
  const auto access = access_for(path, folder);
  if (!access) return tl::unexpected(access.error());
  std::string temporary = path + ".XXXXXX";
  const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file.is_open()) return failed(folder);
  Unlinker unlinker(temporary);
  if (auto set = set_access(file.get(), *access, path); !set) return set;
  if (auto written = write_all(file.get(), content, temporary); !written) return written;
  if (::rename(temporary.c_str(), path.c_str()) != 0) return failed(path);
  unlinker.keep();
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.is_open() || ::fsync(directory.get()) != 0) return failed(folder);
  return {};
}

std::string folder_of(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

std::string absolute_folder_of(const std::string& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  return error ? folder_of(path) : absolute.lexically_normal().parent_path().string();
}

Result<FolderLock> FolderLock::take(const std::string& folder, std::chrono::milliseconds patience) {
  constexpr auto kPause = std::chrono::milliseconds(20);
  const std::string name = folder.empty() ? "." : folder;
  const int descriptor = ::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return failed(name);
  FolderLock lock(descriptor);
  const auto until = std::chrono::steady_clock::now() + patience;
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return failed(name);
    if (std::chrono::steady_clock::now() >= until) {
      return fail(ErrorCode::kInUse, name + ": another program is changing files there");
    }
    std::this_thread::sleep_for(kPause);
  }
  return lock;
}

FolderLock::FolderLock(FolderLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace twinpost::config
