// A look at LMDB's data file before it is mapped: reading a mapped page that is past the file's end
// kills the process (SIGBUS), so a truncated file must be found first. Start-up only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/error.h"

namespace twinpost::engine {

struct DataFile {
  std::uint64_t file_octets = 0;
  std::uint64_t page_octets = 0;
  std::uint64_t claimed_pages = 0;  // pages that the newest header speaks of

  // The last pages may legitimately be missing: LMDB never writes a page that was taken and freed
  // in one transaction. Whoever opens the file must see that all of the missing ones are free.
  [[nodiscard]] bool is_short() const { return file_octets < claimed_pages * page_octets; }
  [[nodiscard]] std::uint64_t first_missing_page() const { return file_octets / page_octets; }
};

// nullopt where there is no such file. kCorrupt where it can't be a data file, kNewerFormat for
// another LMDB format.
[[nodiscard]] Result<std::optional<DataFile>> inspect_data_file(const std::string& path);

}  // namespace twinpost::engine
