#include "tools/twinpost/backup/pack_format.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>

#include "store/codec.h"

namespace twinpost::tools::backup {

namespace {

constexpr std::string_view kPackMagic = "TPPACK01";
constexpr std::string_view kIndexMagic = "TPINDX01";
constexpr std::string_view kEntryMagic = "BODY";
constexpr std::size_t kIndexHeaderOctets = 32;
constexpr std::size_t kIndexEntryOctets = 8 + kEntryHeaderOctets;
constexpr std::size_t kDigestOctets = 32;
constexpr std::size_t kWindow = 1024 * 1024;

template <class T>
void put(std::string& out, T value) {
  const T stored = store::little_endian(value);
  out.append(reinterpret_cast<const char*>(&stored), sizeof(stored));
}

template <class T>
T get(std::string_view octets, std::size_t at) {
  T value;
  std::memcpy(&value, octets.data() + at, sizeof(value));
  return store::little_endian(value);
}

// Where the next entry may begin at or after `from`; the pack's end where none does.
Result<std::uint64_t> find_magic(const File& pack, std::uint64_t from, std::uint64_t end) {
  std::string window;
  while (from + kEntryHeaderOctets <= end) {
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(kWindow, end - from));
    if (auto read = pack.read_at(from, length, window); !read) return tl::unexpected(read.error());
    const auto found = window.find(kEntryMagic);
    if (found != std::string::npos) return from + found;
    from += length - (kEntryMagic.size() - 1);
  }
  return end;
}

Result<bool> is_intact(const File& pack, const PackEntry& entry) {
  std::string window;
  std::uint32_t crc = 0;
  const std::uint64_t end = entry.end();
  for (std::uint64_t at = entry.offset + kEntryHeaderOctets; at < end;) {
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(kWindow, end - at));
    if (auto read = pack.read_at(at, length, window); !read) return tl::unexpected(read.error());
    crc = crc32c(crc, window);
    at += length;
  }
  return crc == entry.crc32c;
}

}  // namespace

std::uint64_t PackEntry::end() const { return offset + kEntryHeaderOctets + stored_octets; }

std::string new_pack_header() {
  std::array<std::byte, 8> id{};
  random_octets(id);
  return std::string(kPackMagic) + std::string(reinterpret_cast<const char*>(id.data()), id.size());
}

Result<std::string> read_pack_id(const File& pack) {
  std::string header;
  if (auto read = pack.read_at(0, kPackHeaderOctets, header); !read) {
    return tl::unexpected(read.error());
  }
  if (!header.starts_with(kPackMagic)) {
    return fail(ErrorCode::kCorrupt, pack.path() + " does not begin as a pack does");
  }
  return header.substr(kPackMagic.size());
}

std::string encode_entry(const PackEntry& entry) {
  std::string rest;
  rest.append(reinterpret_cast<const char*>(entry.name.data()), entry.name.size());
  put(rest, entry.blob.value());
  put(rest, entry.plain_octets);
  put(rest, entry.stored_octets);
  put(rest, entry.key.value());
  put(rest, entry.crc32c);
  rest += static_cast<char>(entry.codec);
  rest.append(3, '\0');
  std::string header(kEntryMagic);
  put(header, crc32c(0, rest));
  return header + rest;
}

std::optional<PackEntry> decode_entry(std::string_view header) {
  if (header.size() < kEntryHeaderOctets || !header.starts_with(kEntryMagic)) return std::nullopt;
  const std::string_view rest = header.substr(8, kEntryHeaderOctets - 8);
  if (get<std::uint32_t>(header, 4) != crc32c(0, rest)) return std::nullopt;
  PackEntry entry;
  std::memcpy(entry.name.data(), rest.data(), entry.name.size());
  entry.blob = store::BlobId(get<std::uint64_t>(rest, 32));
  entry.plain_octets = get<std::uint64_t>(rest, 40);
  entry.stored_octets = get<std::uint64_t>(rest, 48);
  entry.key = store::KeyId(get<std::uint32_t>(rest, 56));
  entry.crc32c = get<std::uint32_t>(rest, 60);
  const auto codec = static_cast<std::uint8_t>(rest[64]);
  // Frames add little; a stored run is never larger than that.
  const bool possible = entry.plain_octets <= Packs::kLargestBody &&
                        entry.stored_octets <= 2 * Packs::kLargestBody && codec <= 3 &&
                        (codec != 0 || entry.plain_octets == entry.stored_octets);
  if (!possible) return std::nullopt;
  entry.codec = static_cast<store::Codec>(codec);
  return entry;
}

std::string encode_index(std::string_view pack_id, const PackIndex& index) {
  std::string out(kIndexMagic);
  out.reserve(kIndexHeaderOctets + index.entries.size() * kIndexEntryOctets + kDigestOctets);
  out += pack_id;
  put(out, index.covered);
  put(out, static_cast<std::uint64_t>(index.entries.size()));
  for (const PackEntry& entry : index.entries) {
    put(out, entry.offset);
    out += encode_entry(entry);
  }
  const Sha256Digest digest = sha256(out);
  out.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  return out;
}

Result<PackIndex> read_index(const std::string& path, std::string_view pack_id) {
  auto file = File::open(path, O_RDONLY);
  if (!file) return tl::unexpected(file.error());
  const auto size = file->size();
  if (!size) return tl::unexpected(size.error());
  const auto bad = fail(ErrorCode::kCorrupt, path + " does not match its pack or its checksum");
  if (*size < kIndexHeaderOctets + kDigestOctets) return bad;
  std::string octets;
  auto read = file->read_at(0, static_cast<std::size_t>(*size), octets);
  if (!read) return tl::unexpected(read.error());
  const std::string_view body = std::string_view(octets).substr(0, octets.size() - kDigestOctets);
  const Sha256Digest digest = sha256(body);
  if (std::memcmp(digest.data(), octets.data() + body.size(), kDigestOctets) != 0) return bad;
  if (!body.starts_with(kIndexMagic) || body.substr(8, 8) != pack_id) return bad;
  PackIndex index;
  index.covered = get<std::uint64_t>(body, 16);
  const auto count = get<std::uint64_t>(body, 24);
  const std::string_view rest = body.substr(kIndexHeaderOctets);
  if (rest.size() % kIndexEntryOctets != 0 || count != rest.size() / kIndexEntryOctets) return bad;
  std::uint64_t end = kPackHeaderOctets;
  index.entries.reserve(static_cast<std::size_t>(count));
  for (std::size_t at = 0; at < rest.size(); at += kIndexEntryOctets) {
    auto entry = decode_entry(rest.substr(at + 8));
    if (!entry) return bad;
    entry->offset = get<std::uint64_t>(rest, at);
    if (entry->offset < end || entry->offset > index.covered || entry->end() > index.covered) {
      return bad;
    }
    end = entry->end();
    index.entries.push_back(*entry);
  }
  return index;
}

Result<PackScan> scan_pack(const File& pack, std::uint64_t from) {
  const auto size = pack.size();
  if (!size) return tl::unexpected(size.error());
  PackScan scan;
  std::uint64_t at = std::max<std::uint64_t>(from, kPackHeaderOctets);
  scan.end = at;
  std::string header;
  while (at + kEntryHeaderOctets <= *size) {
    auto read = pack.read_at(at, kEntryHeaderOctets, header);
    if (!read) return tl::unexpected(read.error());
    auto entry = decode_entry(header);
    if (entry) {
      entry->offset = at;
      bool intact = entry->end() <= *size;
      if (intact) {
        auto checked = is_intact(pack, *entry);
        if (!checked) return tl::unexpected(checked.error());
        intact = *checked;
      }
      if (intact) {
        scan.skipped += at - scan.end;
        at = scan.end = entry->end();
        scan.entries.push_back(*entry);
        continue;
      }
    }
    auto next = find_magic(pack, at + 1, *size);
    if (!next) return tl::unexpected(next.error());
    at = *next;
  }
  return scan;
}

}  // namespace twinpost::tools::backup
