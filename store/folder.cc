#include "store/folder.h"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "store/engine/engine.h"
#include "store/spool_file.h"

namespace twinpost::store {

namespace {

namespace fs = std::filesystem;

// Its parents too, as mkdir -p has them; it alone is private.
Result<void> make_private(const std::string& path) {
  std::error_code error;
  const fs::path parent = fs::path(path).parent_path();
  if (!parent.empty()) fs::create_directories(parent, error);
  if (error) return tl::unexpected(system_error(parent.string(), error.value()));
  if (::mkdir(path.c_str(), 0700) == 0) return {};
  const int made = errno;
  struct stat status {};
  if (made != EEXIST) return tl::unexpected(system_error(path, made));
  if (::stat(path.c_str(), &status) != 0) return tl::unexpected(system_error(path, errno));
  if (!S_ISDIR(status.st_mode)) return tl::unexpected(system_error(path, ENOTDIR));
  return {};  // as its owner made it; the files in it are private anyway
}

// "a/b/" is "a/b", whose parent is "a".
std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

void remove_spool_files(const std::string& spool) {
  std::error_code error;
  for (fs::directory_iterator entry(spool, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;  // one that stays costs disk space, no mail
    if (entry->path().filename().string().starts_with(kSpoolFilePrefix)) {
      fs::remove(entry->path(), ignored);
    }
  }
}

}  // namespace

Folder::Folder(Folder&& other) noexcept
    : path_(std::move(other.path_)),
      spool_(std::move(other.spool_)),
      lock_(std::exchange(other.lock_, -1)),
      has_writer_(other.has_writer_) {}

Folder::~Folder() {
  if (lock_ >= 0) ::close(lock_);
}

Result<Folder> Folder::open_for_writing(const std::string& given_path) {
  const std::string path = without_slashes(given_path);
  Folder folder(path);
  if (auto made = make_private(path); !made) return tl::unexpected(made.error());
  // A file of its own: closing any descriptor of the engine's lock file would drop its locks.
  const std::string lock_path = path + "/writer.lock";
  folder.lock_ = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (folder.lock_ < 0) return tl::unexpected(system_error(lock_path, errno));
  if (::flock(folder.lock_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return fail(ErrorCode::kInUse, path + ": in use, another process has this store open");
    }
    return tl::unexpected(system_error(lock_path, errno));
  }
  if (auto made = make_private(folder.spool_); !made) return tl::unexpected(made.error());
  remove_spool_files(folder.spool_);
  std::error_code ignored;  // what stays costs disk space, no mail
  fs::remove_all(path + "/" + engine::kCompactionFolder, ignored);
  return folder;
}

Result<void> Folder::sync() const {
  const std::string parent = fs::absolute(path_).parent_path().string();
  for (const std::string& path : {path_, parent}) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && path == parent) continue;  // not ours to open, nor to make
    if (fd < 0) return tl::unexpected(system_error(path, errno));
    const int synced = ::fsync(fd);
    const int reason = errno;
    ::close(fd);
    if (synced != 0) return tl::unexpected(system_error(path, reason));
  }
  return {};
}

Result<Folder> Folder::open_for_reading(const std::string& given_path) {
  const std::string path = without_slashes(given_path);
  Folder folder(path);
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return tl::unexpected(system_error(path, errno));
  const std::string lock_path = path + "/writer.lock";
  const int lock = ::open(lock_path.c_str(), O_RDONLY | O_CLOEXEC);
  if (lock >= 0) {
    folder.has_writer_ = ::flock(lock, LOCK_SH | LOCK_NB) != 0;
    ::close(lock);
  }
  return folder;
}

}  // namespace twinpost::store
