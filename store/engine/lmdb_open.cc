// Opening LMDB's environment: once a process, on a data file that is whole.
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/engine/data_file.h"
#include "store/engine/lmdb_environment.h"

namespace twinpost::engine {

namespace {

struct OpenFolders {
  std::mutex mutex;
  std::set<std::pair<dev_t, ino_t>> folders;
};
OpenFolders& open_folders() {
  static OpenFolders instance;
  return instance;
}

// Gives the pages that the file lacks as a hole, so that reading one finds zeros (which LMDB
// rejects) and not SIGBUS.
Result<void> set_file_size(const std::string& path, std::uint64_t octets) {
  if (::truncate(path.c_str(), static_cast<off_t>(octets)) != 0) {
    return tl::unexpected(system_error(path, errno));
  }
  return {};
}

}  // namespace

SwapLock::SwapLock(const std::string& folder, bool exclusive) {
  const std::string path = folder + "/swap.lock";
  fd_ = ::open(path.c_str(), exclusive ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0600);
  if (fd_ < 0) return;  // a folder that no writer of this version has opened has none
  while (::flock(fd_, exclusive ? LOCK_EX : LOCK_SH) != 0 && errno == EINTR) {
  }
}

SwapLock::~SwapLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<MDB_env*> open_mdb_env(const Options& options) {
  MDB_env* env = nullptr;
  if (const int rc = mdb_env_create(&env); rc != 0) return lmdb_error(options.folder, rc);
  int rc = mdb_env_set_mapsize(env, options.map_size_bytes);
  if (rc == 0) rc = mdb_env_set_maxreaders(env, options.max_readers);
  if (rc == 0) rc = mdb_env_set_maxdbs(env, options.max_tables);
  unsigned flags = MDB_NOTLS;
  if (options.read_only) flags |= MDB_RDONLY;
  if (!options.durable) flags |= MDB_NOSYNC;
  if (rc == 0) rc = mdb_env_open(env, options.folder.c_str(), flags, 0600);
  int fd = -1;
  if (rc == 0) rc = mdb_env_get_fd(env, &fd);  // LMDB sets close-on-exec on its other descriptors
  if (rc == 0 && ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) rc = errno;
  if (rc != 0) {
    mdb_env_close(env);
    return lmdb_error(options.folder, rc);
  }
  return env;
}

namespace {

Result<std::unique_ptr<LmdbEnvironment>> open_lmdb(
    const Options& options, const std::shared_ptr<const FolderClaim>& claim) {
  const SwapLock lock(options.folder, !options.read_only);  // a writer makes the file
  auto env = open_mdb_env(options);
  if (!env) return failed(env);
  return std::make_unique<LmdbEnvironment>(*env, options, claim);
}

// Opens a file that lacks its last pages: only where all of those are free, else it is left as it
// was found.
Result<std::unique_ptr<LmdbEnvironment>> open_short(const Options& options,
                                                    const std::shared_ptr<const FolderClaim>& claim,
                                                    const std::string& path, const DataFile& file) {
  const std::uint64_t claimed = file.claimed_pages * file.page_octets;
  if (auto done = set_file_size(path, claimed); !done) return failed(done);
  auto environment = open_lmdb(options, claim);
  if (environment) {
    const auto all_free =
        (*environment)->all_free_from(file.first_missing_page(), file.claimed_pages);
    if (all_free && *all_free) return environment;
    environment =
        fail(ErrorCode::kCorrupt, path + ": truncated: it has " + std::to_string(file.file_octets) +
                                      " octets of " + std::to_string(claimed));
  }
  if (auto done = set_file_size(path, file.file_octets); !done) return failed(done);
  return environment;
}

Result<std::unique_ptr<LmdbEnvironment>> open_checked(
    const Options& options, const std::shared_ptr<const FolderClaim>& claim) {
  const std::string path = options.folder + "/data.mdb";
  auto file = inspect_data_file(path);
  if (!file) return failed(file);
  if (!*file && options.read_only) return fail(ErrorCode::kNotFound, path + ": no store here");
  if (!*file || !(*file)->is_short()) return open_lmdb(options, claim);
  if (!options.read_only) return open_short(options, claim, path, **file);
  if (!options.unattended) return open_lmdb(options, claim);  // the writer has vouched for it
  return fail(ErrorCode::kCorrupt,
              path + ": shorter than it says; the server must open it before it can be read alone");
}

}  // namespace

std::shared_ptr<const FolderClaim> FolderClaim::take(dev_t device, ino_t inode) {
  OpenFolders& open = open_folders();
  const std::lock_guard lock(open.mutex);
  if (!open.folders.emplace(device, inode).second) return nullptr;
  return std::shared_ptr<const FolderClaim>(new FolderClaim({device, inode}));
}

FolderClaim::~FolderClaim() {
  OpenFolders& open = open_folders();
  const std::lock_guard lock(open.mutex);
  open.folders.erase(folder_);
}

Result<std::unique_ptr<Environment>> open_environment(const Options& options) {
  struct stat status {};
  if (::stat(options.folder.c_str(), &status) != 0) {
    return tl::unexpected(system_error(options.folder, errno));
  }
  const auto claim = FolderClaim::take(status.st_dev, status.st_ino);
  if (claim == nullptr) {
    return fail(ErrorCode::kInUse, options.folder + ": already open in this process");
  }
  auto environment = open_checked(options, claim);
  if (!environment) return failed(environment);
  return std::move(*environment);
}

}  // namespace twinpost::engine
