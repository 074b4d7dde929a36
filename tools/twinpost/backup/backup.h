// `twinpost backup DIR`: one more generation of a backup.
//
// Three steps: a snapshot of all records in one transaction (snapshot.h); the bodies that the packs
// do not have, in short reads; the manifest, with the bodies' names, and last the generation's own
// file. A message that was removed, and reaped, after the snapshot is left out and counted. What
// can't be read in the store is left out and said, and the rest goes on. A run that ends early
// leaves bodies in the packs, which the next one finds, and nothing else.
//
// Blocking; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/keyring.h"
#include "store/store.h"
#include "tools/twinpost/backup/repository.h"

namespace twinpost::tools::backup {

struct BackupOptions {
  // List and read everything anew, whatever earlier generations say; bodies that are damaged in the
  // packs are written again.
  bool full = false;
  std::uint64_t octets_per_second = 0;  // of bodies that are read; 0: no limit
  store::Progress progress;             // returning false ends the run (kShutdown)
};

struct BackupReport {
  GenerationInfo generation;
  std::uint64_t unchanged_mailboxes = 0;
  std::uint64_t changed_mailboxes = 0;  // of which a delta was written
  std::uint64_t full_mailboxes = 0;
  bool store_went_back = false;
  std::vector<std::string> problems;  // what is not in it, or not as it should be
};

[[nodiscard]] Result<BackupReport> run_backup(store::Store& store, Repository& repository,
                                              Packs& packs, const BackupOptions& options);

}  // namespace twinpost::tools::backup
