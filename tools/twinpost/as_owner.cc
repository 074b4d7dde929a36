#include "tools/twinpost/as_owner.h"

#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>

namespace twinpost::tools {

AsOwner::AsOwner(const std::string& folder) {
  struct stat info {};
  if (::geteuid() != 0 || ::stat(folder.c_str(), &info) != 0 || info.st_uid == 0) return;
  group_ = ::getegid();
  if (::setegid(info.st_gid) != 0) return;
  if (::seteuid(info.st_uid) != 0) {
    back_to_group();
    return;
  }
  changed_ = true;
}

AsOwner::~AsOwner() {
  if (!changed_) return;
  if (::seteuid(0) != 0) std::abort();  // can't be: the real user is root
  back_to_group();
}

void AsOwner::back_to_group() const {
  if (::setegid(group_) != 0) std::abort();
}

}  // namespace twinpost::tools
