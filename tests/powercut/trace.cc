#include "tests/powercut/trace.h"

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <vector>

namespace twinpost::powercut {

namespace {

constexpr std::size_t kBufferOctets = std::size_t{4} * 1024 * 1024;
constexpr std::uint32_t kUnnamed = ~std::uint32_t{0};  // O_TMPFILE: gone with the power

// The next definition of a function after this library's own: libc's.
template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

struct Recorder {
  std::mutex mutex;
  std::atomic<bool> on{false};
  std::string folder;  // with a slash at its end
  int trace = -1;
  bool broken = false;
  std::string buffer;
  std::uint64_t events = 0;
  std::uint32_t files = 0;
  std::map<std::pair<dev_t, ino_t>, std::uint32_t> by_inode;

  void flush() {
    static const auto real_write = next<ssize_t(int, const void*, std::size_t)>("write");
    std::string_view rest = buffer;
    while (!rest.empty()) {
      const ssize_t done = real_write(trace, rest.data(), rest.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) {
        broken = true;
        break;
      }
      rest.remove_prefix(static_cast<std::size_t>(done));
    }
    buffer.clear();
  }

  std::uint64_t record(Event kind, std::uint32_t file, std::uint64_t at, std::string_view octets) {
    const TraceEvent event{kind, file, at, octets.size()};
    buffer.append(reinterpret_cast<const char*>(&event), sizeof event);
    buffer.append(octets);
    if (buffer.size() >= kBufferOctets) flush();
    return events++;
  }
};

Recorder& recorder() {
  static Recorder& instance = *new Recorder;  // used until the last instruction of the process
  return instance;
}

// The path below the folder; nullopt where it is elsewhere.
std::optional<std::string> below(const std::string& path) {
  const std::string& folder = recorder().folder;
  if (!path.starts_with(folder) || path.size() == folder.size()) return std::nullopt;
  return path.substr(folder.size());
}

std::string path_of_descriptor(int fd) {
  std::string link = "/proc/self/fd/" + std::to_string(fd);
  std::string path(PATH_MAX, '\0');
  const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
  path.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  return path;
}

std::string absolute(int folder_fd, const char* path) {
  if (path[0] == '/') return path;
  if (folder_fd != AT_FDCWD) return path_of_descriptor(folder_fd) + "/" + path;
  std::string here(PATH_MAX, '\0');
  if (::getcwd(here.data(), here.size()) == nullptr) return path;
  here.resize(std::strlen(here.c_str()));
  return here + "/" + path;
}

// The traced file behind a descriptor. Under the lock.
std::optional<std::uint32_t> file_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  Recorder& r = recorder();
  const auto known = r.by_inode.find({status.st_dev, status.st_ino});
  if (known == r.by_inode.end() || known->second == kUnnamed) return std::nullopt;
  return known->second;
}

bool writes_synchronously(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_DSYNC) != 0;
}

// A descriptor has just been opened. Under the lock.
void note_open(int fd, int flags, bool existed) {
  Recorder& r = recorder();
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return;
  const std::pair key{status.st_dev, status.st_ino};
  if ((flags & O_TMPFILE) == O_TMPFILE) {
    r.by_inode[key] = kUnnamed;
    return;
  }
  const auto path = below(path_of_descriptor(fd));
  if (!path) return;
  // The number of an inode that is gone may come again.
  if (!existed || !r.by_inode.contains(key)) {
    r.by_inode[key] = r.files;
    r.record(Event::kCreate, r.files++, 0, *path);
  } else if ((flags & O_TRUNC) != 0) {
    r.record(Event::kSize, r.by_inode[key], 0, {});
  }
}

template <class Open>
int traced_open(int folder_fd, const char* path, int flags, Open open) {
  Recorder& r = recorder();
  if (!r.on) return open();
  const std::lock_guard lock(r.mutex);
  const bool existed = ::faccessat(folder_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  const int fd = open();
  const int error = errno;
  if (fd >= 0) note_open(fd, flags, existed);
  errno = error;
  return fd;
}

std::string gathered(const iovec* pieces, int count, ssize_t length) {
  std::string octets;
  for (int i = 0; i < count && octets.size() < static_cast<std::size_t>(length); ++i) {
    const std::size_t rest = static_cast<std::size_t>(length) - octets.size();
    octets.append(static_cast<const char*>(pieces[i].iov_base), std::min(rest, pieces[i].iov_len));
  }
  return octets;
}

// One lock around the write and its event: the trace has the writes in their order. `offset`
// below 0: where the descriptor stands.
template <class Write, class Octets>
ssize_t traced_write(int fd, off_t offset, Write write, Octets octets_of) {
  Recorder& r = recorder();
  if (!r.on) return write();
  std::unique_lock lock(r.mutex);
  const auto file = file_of(fd);
  if (!file) {
    lock.unlock();  // a pipe may wait for another traced thread
    return write();
  }
  if (offset < 0) {
    const bool appending = (::fcntl(fd, F_GETFL) & O_APPEND) != 0;
    struct stat status {};
    offset = appending && ::fstat(fd, &status) == 0 ? status.st_size : ::lseek(fd, 0, SEEK_CUR);
  }
  const bool synchronous = writes_synchronously(fd);
  const ssize_t done = write();
  const int error = errno;
  if (done > 0) {
    const std::uint64_t number =
        r.record(Event::kWrite, *file, static_cast<std::uint64_t>(offset), octets_of(done));
    if (synchronous) r.record(Event::kSyncRange, *file, number, {});
  }
  errno = error;
  return done;
}

// Durable is what had been written when the call began, from the moment when it returned.
template <class Sync>
int traced_sync(int fd, Sync sync) {
  Recorder& r = recorder();
  if (!r.on) return sync();
  std::optional<std::uint32_t> file;
  bool is_folder = false;
  std::uint64_t before = 0;
  {
    const std::lock_guard lock(r.mutex);
    file = file_of(fd);
    struct stat status {};
    is_folder = ::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode) &&
                (path_of_descriptor(fd) + "/").starts_with(r.folder);
    before = r.events;
  }
  const int done = sync();
  const int error = errno;
  if (done == 0 && (file || is_folder)) {
    const std::lock_guard lock(r.mutex);
    if (file) r.record(Event::kSync, *file, before, {});
    if (is_folder) r.record(Event::kSyncFolder, 0, before, {});
  }
  errno = error;
  return done;
}

template <class Resize>
int traced_resize(int fd, std::uint64_t size, Resize resize) {
  Recorder& r = recorder();
  if (!r.on) return resize();
  const std::lock_guard lock(r.mutex);
  const auto file = file_of(fd);
  const int done = resize();
  const int error = errno;
  if (done == 0 && file) r.record(Event::kSize, *file, size, {});
  errno = error;
  return done;
}

int traced_truncate(const char* path, off_t size) {
  static const auto real = next<int(const char*, off_t)>("truncate");
  Recorder& r = recorder();
  if (!r.on) return real(path, size);
  const std::lock_guard lock(r.mutex);
  const int done = real(path, size);
  const int error = errno;
  struct stat status {};
  if (done == 0 && ::stat(path, &status) == 0) {
    const auto known = r.by_inode.find({status.st_dev, status.st_ino});
    if (known != r.by_inode.end() && known->second != kUnnamed) {
      r.record(Event::kSize, known->second, static_cast<std::uint64_t>(size), {});
    }
  }
  errno = error;
  return done;
}

// Only the plain form: the others would have to be replayed too.
int traced_allocate(int fd, int mode, off_t offset, off_t length) {
  static const auto real = next<int(int, int, off_t, off_t)>("fallocate");
  Recorder& r = recorder();
  if (!r.on) return real(fd, mode, offset, length);
  const std::lock_guard lock(r.mutex);
  const auto file = file_of(fd);
  if (file && mode != 0) {
    std::fputs("trace: fallocate() with a mode is not understood\n", stderr);
    std::abort();
  }
  const int done = real(fd, mode, offset, length);
  const int error = errno;
  struct stat status {};
  if (done == 0 && file && ::fstat(fd, &status) == 0) {
    r.record(Event::kSize, *file, static_cast<std::uint64_t>(status.st_size), {});
  }
  errno = error;
  return done;
}

template <class Rename>
int traced_rename(int from_fd, const char* from, int to_fd, const char* to, Rename rename) {
  Recorder& r = recorder();
  if (!r.on) return rename();
  const std::lock_guard lock(r.mutex);
  const auto old_path = below(absolute(from_fd, from));
  const auto new_path = below(absolute(to_fd, to));
  const int done = rename();
  const int error = errno;
  if (done == 0 && old_path && new_path) {
    r.record(Event::kRename, 0, 0, *old_path + '\0' + *new_path);
  } else if (done == 0 && (old_path || new_path)) {
    std::fputs("trace: a rename into or out of the folder is not understood\n", stderr);
    std::abort();
  }
  errno = error;
  return done;
}

template <class Unlink>
int traced_unlink(int folder_fd, const char* path, Unlink unlink) {
  Recorder& r = recorder();
  if (!r.on) return unlink();
  const std::lock_guard lock(r.mutex);
  const auto name = below(absolute(folder_fd, path));
  const int done = unlink();
  const int error = errno;
  if (done == 0 && name) r.record(Event::kUnlink, 0, 0, *name);
  errno = error;
  return done;
}

mode_t mode_of(int flags, std::va_list arguments) {
  const bool has_mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return has_mode ? va_arg(arguments, mode_t) : 0;
}

int open_at(int folder_fd, const char* path, int flags, mode_t mode) {
  static const auto real = next<int(int, const char*, int, ...)>("openat");
  return traced_open(folder_fd, path, flags, [&] { return real(folder_fd, path, flags, mode); });
}

}  // namespace

}  // namespace twinpost::powercut

using namespace twinpost::powercut;

extern "C" {

bool twinpost_trace_begin(const char* folder, const char* trace_file) {
  Recorder& r = recorder();
  const std::lock_guard lock(r.mutex);
  r.folder = std::string(folder) + "/";
  r.trace = ::openat(AT_FDCWD, trace_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  r.on = r.trace >= 0;
  return r.on;
}

void twinpost_trace_mark(const char* octets, std::size_t length) {
  Recorder& r = recorder();
  if (!r.on) return;
  const std::lock_guard lock(r.mutex);
  r.record(Event::kMark, 0, 0, {octets, length});
}

bool twinpost_trace_end() {
  Recorder& r = recorder();
  const std::lock_guard lock(r.mutex);
  r.on = false;
  r.flush();
  return ::close(r.trace) == 0 && !r.broken;
}

int open(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(AT_FDCWD, path, flags, mode);
}
int openat(int folder_fd, const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(folder_fd, path, flags, mode);
}
int openat64(int folder_fd, const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(folder_fd, path, flags, mode);
}
int creat(const char* path, mode_t mode) {
  return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

ssize_t write(int fd, const void* octets, std::size_t length) {
  static const auto real = next<ssize_t(int, const void*, std::size_t)>("write");
  return traced_write(
      fd, -1, [&] { return real(fd, octets, length); },
      [&](ssize_t done) {
        return std::string_view(static_cast<const char*>(octets), static_cast<std::size_t>(done));
      });
}
ssize_t pwrite(int fd, const void* octets, std::size_t length, off_t offset) {
  static const auto real = next<ssize_t(int, const void*, std::size_t, off_t)>("pwrite");
  return traced_write(
      fd, offset, [&] { return real(fd, octets, length, offset); },
      [&](ssize_t done) {
        return std::string_view(static_cast<const char*>(octets), static_cast<std::size_t>(done));
      });
}
ssize_t pwrite64(int fd, const void* octets, std::size_t length, off64_t offset) {
  return pwrite(fd, octets, length, offset);
}
ssize_t writev(int fd, const iovec* pieces, int count) {
  static const auto real = next<ssize_t(int, const iovec*, int)>("writev");
  return traced_write(
      fd, -1, [&] { return real(fd, pieces, count); },
      [&](ssize_t done) { return gathered(pieces, count, done); });
}
ssize_t pwritev(int fd, const iovec* pieces, int count, off_t offset) {
  static const auto real = next<ssize_t(int, const iovec*, int, off_t)>("pwritev");
  return traced_write(
      fd, offset, [&] { return real(fd, pieces, count, offset); },
      [&](ssize_t done) { return gathered(pieces, count, done); });
}
ssize_t pwritev64(int fd, const iovec* pieces, int count, off64_t offset) {
  return pwritev(fd, pieces, count, offset);
}

int fsync(int fd) {
  static const auto real = next<int(int)>("fsync");
  return traced_sync(fd, [&] { return real(fd); });
}
int fdatasync(int fd) {
  static const auto real = next<int(int)>("fdatasync");
  return traced_sync(fd, [&] { return real(fd); });
}

int ftruncate(int fd, off_t size) noexcept {
  static const auto real = next<int(int, off_t)>("ftruncate");
  return traced_resize(fd, static_cast<std::uint64_t>(size), [&] { return real(fd, size); });
}
int ftruncate64(int fd, off64_t size) noexcept { return ftruncate(fd, size); }
int truncate(const char* path, off_t size) noexcept { return traced_truncate(path, size); }
int truncate64(const char* path, off64_t size) noexcept { return traced_truncate(path, size); }
int fallocate(int fd, int mode, off_t offset, off_t length) {
  return traced_allocate(fd, mode, offset, length);
}
int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
  return traced_allocate(fd, mode, offset, length);
}

int rename(const char* from, const char* to) noexcept {
  static const auto real = next<int(const char*, const char*)>("rename");
  return traced_rename(AT_FDCWD, from, AT_FDCWD, to, [&] { return real(from, to); });
}
int renameat(int from_fd, const char* from, int to_fd, const char* to) noexcept {
  static const auto real = next<int(int, const char*, int, const char*)>("renameat");
  return traced_rename(from_fd, from, to_fd, to, [&] { return real(from_fd, from, to_fd, to); });
}
int unlink(const char* path) noexcept {
  static const auto real = next<int(const char*)>("unlink");
  return traced_unlink(AT_FDCWD, path, [&] { return real(path); });
}
int unlinkat(int folder_fd, const char* path, int flags) noexcept {
  static const auto real = next<int(int, const char*, int)>("unlinkat");
  return traced_unlink(folder_fd, path, [&] { return real(folder_fd, path, flags); });
}
int remove(const char* path) noexcept {
  static const auto real = next<int(const char*)>("remove");
  return traced_unlink(AT_FDCWD, path, [&] { return real(path); });
}

}  // extern "C"
