#include "core/server/process.h"

#include <cerrno>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace twinpost::server {

namespace {

Result<passwd> find_user(const std::string& user) {
  errno = 0;
  const passwd* found = ::getpwnam(user.c_str());  // one thread only at this point
  if (found == nullptr) return fail(ErrorCode::kNotFound, fmt::format("no such user: {}", user));
  return *found;
}

// mkdir -p, every new level 0755 but the last.
Result<void> make_folders(const std::string& folder, mode_t mode) {
  for (std::size_t slash = folder.find('/', 1); slash != std::string::npos;
       slash = folder.find('/', slash + 1)) {
    const std::string parent = folder.substr(0, slash);
    if (::mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST) {
      return tl::unexpected(system_error(parent, errno));
    }
  }
  if (::mkdir(folder.c_str(), mode) != 0) return tl::unexpected(system_error(folder, errno));
  return {};
}

}  // namespace

std::uint64_t raise_file_limit(std::uint64_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur >= wanted) return limit.rlim_cur;
  rlimit more = limit;
  more.rlim_cur = wanted;
  if (more.rlim_max != RLIM_INFINITY && more.rlim_max < wanted) {
    more.rlim_max = wanted;
    if (::setrlimit(RLIMIT_NOFILE, &more) == 0) return wanted;
    more.rlim_max = limit.rlim_max;
    more.rlim_cur = limit.rlim_max;
  }
  return ::setrlimit(RLIMIT_NOFILE, &more) == 0 ? more.rlim_cur : limit.rlim_cur;
}

Result<void> prepare_data_folder(const std::string& folder, const std::string& user) {
  struct stat info {};
  if (::stat(folder.c_str(), &info) == 0) {
    if (!S_ISDIR(info.st_mode)) {
      return fail(ErrorCode::kInvalid, fmt::format("data: {} is not a folder", folder));
    }
    return {};
  }
  if (auto made = make_folders(folder, 0700); !made) {
    return fail(made.error().code, "data: " + made.error().message);
  }
  if (user.empty() || ::geteuid() != 0) return {};
  auto found = find_user(user);
  if (!found) return tl::unexpected(found.error());
  if (::chown(folder.c_str(), found->pw_uid, found->pw_gid) != 0) {
    return tl::unexpected(system_error("data: " + folder, errno));
  }
  return {};
}

Result<void> become_user(const std::string& user) {
  if (user.empty()) return {};
  auto found = find_user(user);
  if (!found) return tl::unexpected(found.error());
  if (::geteuid() == found->pw_uid && ::getuid() == found->pw_uid) return {};
  if (::geteuid() != 0) {
    return fail(ErrorCode::kPermission, fmt::format("only root can become user {}", user));
  }
  if (::initgroups(user.c_str(), found->pw_gid) != 0 ||
      ::setresgid(found->pw_gid, found->pw_gid, found->pw_gid) != 0 ||
      ::setresuid(found->pw_uid, found->pw_uid, found->pw_uid) != 0) {
    return tl::unexpected(system_error("becoming user " + user, errno));
  }
  if (found->pw_uid != 0 && ::setuid(0) == 0) {
    return fail(ErrorCode::kInternal, "root rights could be taken back after they were dropped");
  }
  return {};
}

}  // namespace twinpost::server
