// The octets of packs and their indexes (drawn in pack.h).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/twinpost/backup/files.h"
#include "tools/twinpost/backup/pack.h"

namespace twinpost::tools::backup {

inline constexpr std::size_t kPackHeaderOctets = 16;
inline constexpr std::size_t kEntryHeaderOctets = 76;

[[nodiscard]] std::string new_pack_header();
// The eight octets that name the pack. kCorrupt.
[[nodiscard]] Result<std::string> read_pack_id(const File& pack);

[[nodiscard]] std::string encode_entry(const PackEntry& entry);
// Without offset and pack; nullopt where its checksum does not fit or a number can't be.
[[nodiscard]] std::optional<PackEntry> decode_entry(std::string_view header);

struct PackIndex {
  std::uint64_t covered = 0;
  std::vector<PackEntry> entries;  // without pack; ascending, inside `covered`
};
[[nodiscard]] std::string encode_index(std::string_view pack_id, const PackIndex& index);
// kNotFound; kCorrupt where anything does not fit, the pack's name included.
[[nodiscard]] Result<PackIndex> read_index(const std::string& path, std::string_view pack_id);

struct PackScan {
  std::vector<PackEntry> entries;  // without pack
  std::uint64_t end = 0;           // of the last good one, or where the scan began
  std::uint64_t skipped = 0;       // octets between good ones
};
// Every good entry from `from` on, their stored octets verified, past any damage.
[[nodiscard]] Result<PackScan> scan_pack(const File& pack, std::uint64_t from);

}  // namespace twinpost::tools::backup
