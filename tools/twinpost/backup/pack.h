// Packs: the bodies of a backup, each once, in files that are only ever appended to.
//
//   000001.pack    "TPPACK01" | 8 octets that name this pack | entries
//   entry          76 octets header, then the stored octets
//     u32 magic "BODY" | u32 CRC-32C of the header's rest | 32 name | u64 blob |
//     u64 plain octets | u64 stored octets |
//     u32 key | u32 CRC-32C of the stored octets | u8 codec | 3 zero
//   000001.index   "TPINDX01" | the pack's 8 octets | u64 octets of the pack it covers |
//                  u64 count |
//                  count times (u64 offset, entry header) | SHA-256 of all before
//
// Numbers are little-endian. The stored octets are a run of store/body_codec.h (codec and key are
// its), `blob` is the store's number of the body: by it the next run knows that it has it. An index
// that is missing, damaged or behind is made anew from the pack, past any damage in that: what is
// left of an interrupted run is found so. An index is written after its pack is on the disk, and a
// generation after both.
//
// Blocking; one thread. A body is verified whenever it is read: checksum, and its name against its
// octets.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/body_codec.h"
#include "tools/twinpost/backup/files.h"
#include "tools/twinpost/backup/format.h"

namespace twinpost::tools::backup {

struct PackEntry {
  BodyName name{};
  store::BlobId blob;
  std::uint64_t plain_octets = 0;
  std::uint64_t stored_octets = 0;
  std::uint64_t offset = 0;  // of the entry, in its pack
  std::uint32_t pack = 0;
  std::uint32_t crc32c = 0;
  store::KeyId key{};
  store::Codec codec = store::Codec::kPlain;

  [[nodiscard]] std::uint64_t end() const;
};

// One pack's file names and what is known of it.
struct PackState {
  std::uint32_t number = 0;
  std::uint64_t octets = 0;  // up to the end of its last good entry
  bool can_grow = false;     // nothing is wrong with it
};

class Packs {
 public:
  static constexpr std::uint64_t kPackOctets = std::uint64_t{1} << 30;
  static constexpr std::uint64_t kLargestBody = std::uint64_t{4} << 30;

  // `coder` outlives it. With `writable`, what an interrupted run or damage left is cleared up, so
  // that it is in problems() once: indexes and beginnings are made anew, half an entry at a pack's
  // end is cut off.
  [[nodiscard]] static Result<Packs> open(const std::string& folder, const store::BodyCoder& coder,
                                          bool writable, std::uint64_t pack_octets = kPackOctets);

  // What is wrong with packs and indexes as files, one line each.
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }
  [[nodiscard]] const std::vector<PackEntry>& entries() const { return entries_; }
  [[nodiscard]] const std::vector<PackState>& packs() const { return packs_; }

  // nullptr where there is none, or only under keys that are not there.
  [[nodiscard]] const PackEntry* find(const BodyName& name) const;
  [[nodiscard]] const PackEntry* find_blob(store::BlobId blob) const;
  [[nodiscard]] bool has_key_of(const PackEntry& entry) const;
  // Every entry of that name: more than one where a damaged one was written again.
  [[nodiscard]] std::vector<const PackEntry*> find_all(const BodyName& name) const;

  // Plain octets. kNotFound, kCorrupt, kPermission (a key that is not in the ring).
  [[nodiscard]] Result<std::string> read(const PackEntry& entry) const;
  [[nodiscard]] Result<std::string> read(const BodyName& name) const;  // any good one

  // Whether the pack says of the entry what its index does. A body is read without that.
  [[nodiscard]] Result<void> check_header(const PackEntry& entry) const;

  // Takes in a body, unless one of its name is here and, with `distrust`, is good. On the disk
  // after finish(). Returns its name and how many octets were written.
  struct Added {
    BodyName name{};
    std::uint64_t written = 0;
  };
  [[nodiscard]] Result<Added> add(store::BlobId blob, std::string_view plain, bool distrust);
  // Copies an entry as it is stored into the pack that is being written, for prune. Verified by its
  // checksum only.
  [[nodiscard]] Result<void> copy(const PackEntry& entry);
  // No entry goes into a pack that is there now.
  [[nodiscard]] Result<void> start_new_pack();
  // Everything that was added is on the disk, with its index.
  [[nodiscard]] Result<void> finish();
  // Its index first, so that no index ever stands beside another pack of its number. Its entries
  // are not to be read any more.
  [[nodiscard]] Result<void> remove_pack(std::uint32_t number);

 private:
  Packs(std::string folder, const store::BodyCoder& coder, std::uint64_t pack_octets)
      : folder_(std::move(folder)), coder_(&coder), pack_octets_(pack_octets) {}

  [[nodiscard]] std::string pack_path(std::uint32_t number) const;
  [[nodiscard]] std::string index_path(std::uint32_t number) const;
  [[nodiscard]] Result<void> load(std::uint32_t number, bool writable);
  [[nodiscard]] Result<void> write_index(const PackState& pack) const;
  [[nodiscard]] Result<void> append(PackEntry entry, std::string_view stored);
  [[nodiscard]] Result<void> open_pack_for(std::uint64_t octets);
  [[nodiscard]] Result<std::string> read_stored(const PackEntry& entry) const;
  void sort_entries();
  void find_missing_keys();
  void note(std::size_t entry);
  [[nodiscard]] Result<const File*> file_of(std::uint32_t number) const;

  std::string folder_;
  const store::BodyCoder* coder_;
  std::uint64_t pack_octets_;
  std::vector<std::string> problems_;
  std::vector<PackState> packs_;  // by number
  std::vector<PackEntry> entries_;
  // Positions in entries_. The first `sorted_` of them by name and by blob; what came since in
  // maps: a backup has millions of the former, and a run adds few.
  std::vector<std::uint32_t> by_name_;
  std::vector<std::uint32_t> by_blob_;
  std::unordered_multimap<std::uint64_t, std::uint32_t> new_by_name_;  // by the name's first octets
  std::unordered_map<store::BlobId, std::uint32_t> new_by_blob_;
  // Bodies that came under another number of the store: this run only.
  std::unordered_map<store::BlobId, std::uint32_t> also_;
  std::set<store::KeyId> missing_keys_;  // of entries
  File writing_file_;
  std::size_t writing_ = kNone;  // in packs_
  bool may_append_ = true;
  mutable std::unordered_map<std::uint32_t, File> files_;
  static constexpr std::size_t kNone = ~std::size_t{0};
};

}  // namespace twinpost::tools::backup
