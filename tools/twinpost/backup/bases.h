// What a run may build on: the mailboxes of the last generation, each of which is looked at first,
// with all the generations that it builds on. Their manifests are read, and that every body they
// name is in a pack, and under a key that is there. What does not pass is listed and read anew by
// this run, so that a new generation never rests on damage that can be seen without reading the
// bodies themselves. Blocking; one thread.
#pragma once

#include <string>
#include <vector>

#include "store/store.h"
#include "tools/twinpost/backup/pack.h"
#include "tools/twinpost/backup/repository.h"
#include "tools/twinpost/backup/snapshot.h"

namespace twinpost::tools::backup {

struct Bases {
  BaseMailboxes mailboxes;
  std::vector<std::string> problems;
  // The last generation can't be read: nothing tells whether the store is an older one than it was
  // then, and has given numbers of bodies again.
  bool unknown = false;
};

// kShutdown where `progress` ends it.
[[nodiscard]] Result<Bases> find_bases(Repository& repository, const Packs& packs,
                                       const store::Progress& progress);

}  // namespace twinpost::tools::backup
