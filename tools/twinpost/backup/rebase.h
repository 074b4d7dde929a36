// Writes the manifest of a generation anew, so that it does not build on generations that are about
// to go.
#pragma once

#include <string>
#include <vector>

#include "tools/twinpost/backup/repository.h"

namespace twinpost::tools::backup {

// `kept` ascending; those before `name` have been done already. Returns whether there was anything
// to do; where there was, the repository must be reloaded.
[[nodiscard]] Result<bool> rebase(Repository& repository, const GenerationName& name,
                                  const std::vector<GenerationName>& kept);

// kCorrupt where there are any: what is not whole must not be written anew as if it were.
[[nodiscard]] Result<void> must_be_whole(const std::vector<std::string>& problems);

}  // namespace twinpost::tools::backup
