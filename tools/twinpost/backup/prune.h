// `twinpost backup prune`: old generations go, and with them the bodies that no other one needs.
//
// What is kept first stops building on what goes: its manifest is written anew beside the old one,
// and generation.json changes to that in one step. Then the old generations go, then packs of which
// nothing, or less than half, is needed, the needed bodies copied to new packs before. So a prune
// that is interrupted anywhere leaves a whole backup, and the next one ends its work. Nothing goes
// where a generation that stays can't be read.
//
// Blocking; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/store.h"
#include "tools/twinpost/backup/repository.h"

namespace twinpost::tools::backup {

// The latest generation always stays.
struct PruneOptions {
  std::uint64_t keep = 0;       // as many of the latest; 0: the next decides
  std::uint64_t keep_days = 0;  // those of so many days
  store::Progress progress;
};

struct PruneReport {
  std::vector<GenerationName> removed;
  std::uint64_t rewritten = 0;  // generations whose manifest was written anew
  std::uint64_t packs_removed = 0;
  std::uint64_t octets_freed = 0;     // of packs, those that were copied taken off
  std::vector<std::string> problems;  // packs that stay because they can't be read whole
};

[[nodiscard]] Result<PruneReport> prune(Repository& repository, Packs& packs,
                                        const PruneOptions& options);

// Names of the bodies that any generation names, sorted.
[[nodiscard]] Result<std::vector<BodyName>> needed_bodies(Repository& repository,
                                                          const store::Progress& progress);

}  // namespace twinpost::tools::backup
