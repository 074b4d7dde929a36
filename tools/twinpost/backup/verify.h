// `twinpost backup verify`: reads all of a backup and says what is damaged, and which messages of
// which generations that concerns. Changes nothing. Blocking; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/store.h"
#include "tools/twinpost/backup/repository.h"

namespace twinpost::tools::backup {

inline constexpr std::size_t kMostProblems = 1000;  // told one by one; more are counted

struct VerifyReport {
  std::uint64_t generations = 0;
  std::uint64_t messages = 0;  // lines of all generations
  std::uint64_t bodies = 0;
  std::uint64_t octets = 0;             // of bodies, plain
  std::uint64_t unreadable_bodies = 0;  // where messages need them, they are problems
  std::uint64_t problems = 0;
  std::vector<std::string> details;
};

[[nodiscard]] Result<VerifyReport> verify(Repository& repository, Packs& packs,
                                          const store::Progress& progress);

}  // namespace twinpost::tools::backup
