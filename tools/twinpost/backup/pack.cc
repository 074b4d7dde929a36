#include "tools/twinpost/backup/pack.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <numeric>

#include "core/base/ascii.h"
#include "tools/twinpost/backup/pack_format.h"

namespace twinpost::tools::backup {

namespace {

constexpr std::string_view kPackSuffix = ".pack";
constexpr std::string_view kIndexSuffix = ".index";
constexpr std::size_t kNumberDigits = 6;
constexpr std::size_t kMostOpenFiles = 64;
constexpr std::uint32_t kLastPack = 999'999;

std::optional<std::uint32_t> number_of(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix) || name.size() != kNumberDigits + suffix.size()) return std::nullopt;
  const auto number = ascii::parse_number<std::uint32_t>(name.substr(0, kNumberDigits));
  if (!number || *number == 0) return std::nullopt;
  return number;
}

std::uint64_t first_octets(const BodyName& name) {
  std::uint64_t octets = 0;
  std::memcpy(&octets, name.data(), sizeof(octets));
  return octets;
}

}  // namespace

std::string Packs::pack_path(std::uint32_t number) const {
  return fmt::format("{}/{:06}{}", folder_, number, kPackSuffix);
}

std::string Packs::index_path(std::uint32_t number) const {
  return fmt::format("{}/{:06}{}", folder_, number, kIndexSuffix);
}

Result<Packs> Packs::open(const std::string& folder, const store::BodyCoder& coder, bool writable,
                          std::uint64_t pack_octets) {
  Packs packs(folder, coder, pack_octets);
  auto names = names_in(folder);
  if (!names) return tl::unexpected(names.error());
  for (const std::string& name : *names) {
    if (const auto number = number_of(name, kPackSuffix)) {
      if (auto loaded = packs.load(*number, writable); !loaded) {
        return tl::unexpected(loaded.error());
      }
      continue;
    }
    const auto index = number_of(name, kIndexSuffix);
    const bool leftover = name.ends_with(".new") || (index && !exists(packs.pack_path(*index)));
    if (!leftover || !writable) continue;
    if (auto gone = remove_tree(folder + "/" + name); !gone) return tl::unexpected(gone.error());
  }
  packs.sort_entries();
  packs.find_missing_keys();
  return packs;
}

// The index is read before the pack's size: a run that goes on meanwhile writes them the other way
// round.
Result<void> Packs::load(std::uint32_t number, bool writable) {
  auto file = File::open(pack_path(number), writable ? O_RDWR : O_RDONLY);
  if (!file) return tl::unexpected(file.error());
  auto id = read_pack_id(*file);
  if (!id && id.error().code != ErrorCode::kCorrupt) return tl::unexpected(id.error());
  auto index = id ? read_index(index_path(number), *id) : PackIndex{};
  const auto size = file->size();
  if (!size) return tl::unexpected(size.error());
  PackState state{number, *size, false};
  // A run may have been interrupted before the pack had anything in it.
  if (!id && *size > kPackHeaderOctets) problems_.push_back(id.error().message);
  if (!index) {
    const ErrorCode code = index.error().code;
    if (code != ErrorCode::kNotFound && code != ErrorCode::kCorrupt) {
      return tl::unexpected(index.error());
    }
    if (code == ErrorCode::kCorrupt) problems_.push_back(index.error().message);
    index = PackIndex{};
  }
  const bool is_headless = !id && writable && *size > kPackHeaderOctets;
  if (is_headless) {
    // Under another name than the index knows: what the pack has is found by itself.
    if (auto begun = file->write_at(0, new_pack_header()); !begun) return begun;
    id = read_pack_id(*file);
    if (!id) return tl::unexpected(id.error());
  }
  const bool cut_short = index->covered > *size;
  if (cut_short) {
    problems_.push_back(fmt::format("{} is cut short: it had {} octets, now {}", file->path(),
                                    index->covered, *size));
    std::erase_if(index->entries, [&](const PackEntry& entry) { return entry.end() > *size; });
  }
  state.can_grow = id && (!cut_short || writable);
  if (cut_short && id && writable) {
    state.octets = kPackHeaderOctets;
    for (const PackEntry& entry : index->entries)
      state.octets = std::max(state.octets, entry.end());
    if (auto cut = file->truncate(state.octets); !cut) return cut;
  }
  if (index->covered < *size) {
    auto scan = scan_pack(*file, index->covered);
    if (!scan) return tl::unexpected(scan.error());
    if (scan->skipped > 0) {
      problems_.push_back(
          fmt::format("{} has {} octets that can't be read", file->path(), scan->skipped));
      state.can_grow = false;
    }
    index->entries.insert(index->entries.end(), scan->entries.begin(), scan->entries.end());
    if (id) state.octets = scan->end;
    if (writable && id && scan->end < *size) {
      if (auto cut = file->truncate(scan->end); !cut) return cut;
    }
  }
  const bool behind = id && index->covered != state.octets;
  for (PackEntry& entry : index->entries) {
    entry.pack = number;
    entries_.push_back(entry);
  }
  packs_.push_back(state);
  if (!writable || !behind) return {};
  if (auto synced = file->sync(); !synced) return synced;
  return write_index(state);
}

void Packs::sort_entries() {
  by_name_.resize(entries_.size());
  std::iota(by_name_.begin(), by_name_.end(), 0U);
  by_blob_ = by_name_;
  std::sort(by_name_.begin(), by_name_.end(), [this](std::uint32_t left, std::uint32_t right) {
    return entries_[left].name < entries_[right].name;
  });
  std::sort(by_blob_.begin(), by_blob_.end(), [this](std::uint32_t left, std::uint32_t right) {
    return entries_[left].blob < entries_[right].blob;
  });
}

// The manifest would give them out as there, and nobody could read them.
void Packs::find_missing_keys() {
  std::set<store::KeyId> known;
  for (const PackEntry& entry : entries_) {
    if (!store::is_encrypted(entry.codec) || !known.insert(entry.key).second) continue;
    if (!coder_->name_of(Sha256Digest{}, entry.codec, entry.key)) missing_keys_.insert(entry.key);
  }
}

bool Packs::has_key_of(const PackEntry& entry) const {
  return !store::is_encrypted(entry.codec) || !missing_keys_.contains(entry.key);
}

const PackEntry* Packs::find_blob(store::BlobId blob) const {
  if (const auto found = new_by_blob_.find(blob); found != new_by_blob_.end()) {
    return &entries_[found->second];
  }
  if (const auto found = also_.find(blob); found != also_.end()) return &entries_[found->second];
  auto at = std::lower_bound(
      by_blob_.begin(), by_blob_.end(), blob,
      [this](std::uint32_t entry, store::BlobId wanted) { return entries_[entry].blob < wanted; });
  // Written again under another key, it has the old entry too.
  for (; at != by_blob_.end() && entries_[*at].blob == blob; ++at) {
    if (has_key_of(entries_[*at])) return &entries_[*at];
  }
  return nullptr;
}

std::vector<const PackEntry*> Packs::find_all(const BodyName& name) const {
  std::vector<const PackEntry*> found;
  const auto [first, last] = new_by_name_.equal_range(first_octets(name));
  for (auto at = first; at != last; ++at) {
    if (entries_[at->second].name == name) found.push_back(&entries_[at->second]);
  }
  auto at = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                             [this](std::uint32_t entry, const BodyName& wanted) {
                               return entries_[entry].name < wanted;
                             });
  for (; at != by_name_.end() && entries_[*at].name == name; ++at) found.push_back(&entries_[*at]);
  return found;
}

const PackEntry* Packs::find(const BodyName& name) const {
  for (const PackEntry* entry : find_all(name)) {
    if (has_key_of(*entry)) return entry;
  }
  return nullptr;
}

Result<const File*> Packs::file_of(std::uint32_t number) const {
  if (const auto found = files_.find(number); found != files_.end()) return &found->second;
  if (files_.size() >= kMostOpenFiles) files_.clear();
  auto file = File::open(pack_path(number), O_RDONLY);
  if (!file) return tl::unexpected(file.error());
  return &files_.emplace(number, *std::move(file)).first->second;
}

Result<void> Packs::check_header(const PackEntry& entry) const {
  auto file = file_of(entry.pack);
  if (!file) return tl::unexpected(file.error());
  std::string header;
  if (auto read = (*file)->read_at(entry.offset, kEntryHeaderOctets, header); !read) return read;
  if (header == encode_entry(entry)) return {};
  return fail(ErrorCode::kCorrupt,
              fmt::format("the header of body {} in {} is damaged (the body is not)",
                          hex(entry.name), pack_path(entry.pack)));
}

Result<std::string> Packs::read_stored(const PackEntry& entry) const {
  auto file = file_of(entry.pack);
  if (!file) return tl::unexpected(file.error());
  std::string stored;
  auto read = (*file)->read_at(entry.offset + kEntryHeaderOctets,
                               static_cast<std::size_t>(entry.stored_octets), stored);
  if (!read) return tl::unexpected(read.error());
  if (crc32c(0, stored) != entry.crc32c) {
    return fail(ErrorCode::kCorrupt, fmt::format("body {} in {} does not match its checksum",
                                                 hex(entry.name), pack_path(entry.pack)));
  }
  return stored;
}

Result<std::string> Packs::read(const PackEntry& entry) const {
  auto stored = read_stored(entry);
  if (!stored) return stored;
  if (entry.codec != store::Codec::kPlain) {
    auto plain = coder_->decode_whole(entry.codec, entry.key, *stored, entry.plain_octets);
    if (!plain) return plain;
    stored = std::move(plain);
  }
  const auto name = coder_->name_of(sha256(*stored), entry.codec, entry.key);
  if (!name) return tl::unexpected(name.error());
  if (stored->size() != entry.plain_octets || *name != entry.name) {
    return fail(ErrorCode::kCorrupt, fmt::format("body {} in {} is not the one of that name",
                                                 hex(entry.name), pack_path(entry.pack)));
  }
  return stored;
}

Result<std::string> Packs::read(const BodyName& name) const {
  Result<std::string> result =
      fail(ErrorCode::kNotFound, fmt::format("body {} is in no pack", hex(name)));
  for (const PackEntry* entry : find_all(name)) {
    result = read(*entry);
    if (result) break;
  }
  return result;
}

Result<Packs::Added> Packs::add(store::BlobId blob, std::string_view plain, bool distrust) {
  const BodyName name = coder_->name_of(sha256(plain));
  const PackEntry* known = find(name);
  if (known != nullptr && distrust && !read(name)) known = nullptr;
  if (known != nullptr) {
    also_[blob] = static_cast<std::uint32_t>(known - entries_.data());
    return Added{name, 0};
  }
  if (plain.size() > kLargestBody) {
    return fail(ErrorCode::kTooLarge, "the message is larger than 4 GiB");
  }
  auto encoded = coder_->encode(plain);
  if (!encoded) return tl::unexpected(encoded.error());
  PackEntry entry;
  entry.name = name;
  entry.blob = blob;
  entry.plain_octets = plain.size();
  entry.codec = encoded->codec;
  entry.key = encoded->key;
  if (auto done = append(entry, encoded->octets); !done) return tl::unexpected(done.error());
  also_.erase(blob);
  return Added{name, kEntryHeaderOctets + encoded->octets.size()};
}

Result<void> Packs::copy(const PackEntry& entry) {
  auto stored = read_stored(entry);
  if (!stored) return tl::unexpected(stored.error());
  return append(entry, *stored);
}

Result<void> Packs::append(PackEntry entry, std::string_view stored) {
  if (auto open = open_pack_for(kEntryHeaderOctets + stored.size()); !open) return open;
  PackState& pack = packs_[writing_];
  entry.pack = pack.number;
  entry.offset = pack.octets;
  entry.stored_octets = stored.size();
  entry.crc32c = crc32c(0, stored);
  auto done = writing_file_.write_at(pack.octets, encode_entry(entry));
  if (done) done = writing_file_.write_at(pack.octets + kEntryHeaderOctets, stored);
  if (!done) return done;
  pack.octets = entry.end();
  entries_.push_back(entry);
  note(entries_.size() - 1);
  return {};
}

void Packs::note(std::size_t entry) {
  const auto position = static_cast<std::uint32_t>(entry);
  new_by_name_.emplace(first_octets(entries_[entry].name), position);
  new_by_blob_[entries_[entry].blob] = position;
}

Result<void> Packs::open_pack_for(std::uint64_t octets) {
  if (writing_ != kNone && packs_[writing_].octets + octets <= pack_octets_) return {};
  if (auto done = finish(); !done) return done;
  const bool room = may_append_ && !packs_.empty() && packs_.back().can_grow &&
                    packs_.back().octets + octets <= pack_octets_;
  if (room) {
    auto file = File::open(pack_path(packs_.back().number), O_RDWR);
    if (!file) return tl::unexpected(file.error());
    writing_file_ = *std::move(file);
    writing_ = packs_.size() - 1;
    return {};
  }
  const std::uint32_t number = packs_.empty() ? 1 : packs_.back().number + 1;
  if (number > kLastPack) return fail(ErrorCode::kLimit, "the backup has as many packs as it can");
  auto file = File::open(pack_path(number), O_RDWR | O_CREAT | O_EXCL);
  if (!file) return tl::unexpected(file.error());
  if (auto begun = file->write_at(0, new_pack_header()); !begun) return begun;
  writing_file_ = *std::move(file);
  packs_.push_back({number, kPackHeaderOctets, true});
  writing_ = packs_.size() - 1;
  return {};
}

Result<void> Packs::start_new_pack() {
  may_append_ = false;
  return finish();
}

Result<void> Packs::finish() {
  if (writing_ == kNone) return {};
  auto done = writing_file_.sync();
  if (done) done = write_index(packs_[writing_]);
  if (!done) return done;
  writing_file_ = File();
  writing_ = kNone;
  return {};
}

Result<void> Packs::write_index(const PackState& pack) const {
  auto file = File::open(pack_path(pack.number), O_RDONLY);
  if (!file) return tl::unexpected(file.error());
  const auto id = read_pack_id(*file);
  if (!id) return tl::unexpected(id.error());
  PackIndex index;
  index.covered = pack.octets;
  for (const PackEntry& entry : entries_) {
    if (entry.pack == pack.number) index.entries.push_back(entry);
  }
  const std::string path = index_path(pack.number);
  auto written = File::open(path + ".new", O_WRONLY | O_CREAT | O_TRUNC);
  if (!written) return tl::unexpected(written.error());
  auto done = written->write_at(0, encode_index(*id, index));
  if (done) done = written->sync();
  if (done) done = rename_file(path + ".new", path);
  if (done) done = sync_folder(folder_);
  return done;
}

Result<void> Packs::remove_pack(std::uint32_t number) {
  files_.erase(number);
  auto done = remove_tree(index_path(number));
  if (done) done = sync_folder(folder_);
  if (done) done = remove_tree(pack_path(number));
  if (!done) return done;
  std::erase_if(packs_, [number](const PackState& pack) { return pack.number == number; });
  return {};
}

}  // namespace twinpost::tools::backup
