// Bodies of a damaged data file, put together from their chunks.
#include <algorithm>
#include <set>

#include "store/check_bodies.h"
#include "store/salvage.h"

namespace twinpost::store {

namespace {

// How often one body is put together from other candidates, and of how many octets in all.
constexpr unsigned kMostAttempts = 256;
constexpr std::uint64_t kMostOctets = std::uint64_t{256} << 20;

tl::unexpected<Error> corrupt(const char* what) { return fail(ErrorCode::kCorrupt, what); }

bool by_blob(const FoundChunk& chunk, std::uint64_t blob) { return chunk.blob < blob; }

}  // namespace

Salvage::Places Salvage::places_of(std::uint64_t blob) const {
  Places places;
  const auto& chunks = index_->chunks;
  for (auto at = std::lower_bound(chunks.begin(), chunks.end(), blob, by_blob);
       at != chunks.end() && at->blob == blob; ++at) {
    // More of them than a body can have are none.
    if (std::uint64_t{at->chunk} * kChunkOctets > kLargestBody) break;
    // Chunks are of no use behind so many that are missing.
    if (places.size() <= at->chunk) places.resize(at->chunk + std::size_t{1});
    places[at->chunk].push_back(at->place);
  }
  return places;
}

// Tries what may be its chunks against the checksum, the ones that were found first at first.
Result<std::string> Salvage::stored_octets(const BlobRow& row, const Places& places) const {
  if (row.stored > kLargestBody) return corrupt("its record makes no sense");
  const std::size_t count = (row.stored + kChunkOctets - 1) / kChunkOctets;
  if (places.size() < count) return corrupt("a part of its octets is lost");
  std::vector<std::vector<std::string>> candidates(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t wanted =
        std::min<std::uint64_t>(kChunkOctets, row.stored - std::uint64_t{i} * kChunkOctets);
    for (const engine::ValuePlace& place : places[i]) {
      std::string octets;
      if (place.octets != wanted || !file_.read(place, octets)) continue;
      auto& same = candidates[i];
      if (std::find(same.begin(), same.end(), octets) == same.end())
        same.push_back(std::move(octets));
    }
    if (candidates[i].empty()) return corrupt("a part of its octets is lost");
  }
  std::vector<std::size_t> choice(count, 0);
  std::uint64_t octets_tried = 0;
  for (unsigned attempt = 0; attempt < kMostAttempts && octets_tried <= kMostOctets; ++attempt) {
    std::uint32_t crc = 0;
    for (std::size_t i = 0; i < count; ++i) crc = crc32c(crc, candidates[i][choice[i]]);
    octets_tried += row.stored;
    if (crc == row.crc32c) {
      std::string octets;
      octets.reserve(row.stored);
      for (std::size_t i = 0; i < count; ++i) octets += candidates[i][choice[i]];
      return octets;
    }
    std::size_t digit = 0;
    while (digit < count && ++choice[digit] == candidates[digit].size()) choice[digit++] = 0;
    if (digit == count) break;
  }
  return corrupt("its octets do not match their checksum");
}

// Without a record: its chunks in order, which a name may prove.
Result<std::string> Salvage::unrecorded_body(std::uint64_t blob, bool& verified) const {
  std::string octets;
  verified = false;
  for (const auto& places : places_of(blob)) {
    if (places.empty() || octets.size() % kChunkOctets != 0) break;
    if (auto read = file_.read(places.front(), octets); !read) break;
  }
  if (octets.empty()) return corrupt("its octets are lost");
  for (const Codec codec : {Codec::kPlain, Codec::kZstd}) {
    std::string plain = octets;
    if (codec != Codec::kPlain) {
      auto decoded = coder_.decode_whole(codec, KeyId{}, octets, kLargestBody);
      if (!decoded) continue;
      plain = std::move(*decoded);
    }
    Sha256 hash;
    hash.update(plain);
    const auto name = coder_.name_of(hash.finish(), codec, KeyId{});
    if (!name) continue;
    const auto known = index_->blob_names.find(*name);
    verified = known != index_->blob_names.end() && known->second == blob;
    if (verified || codec != Codec::kPlain) return plain;
  }
  return octets;
}

Result<Salvage::Body> Salvage::read_body(BlobId blob) const {
  const auto forms = index_->blobs.find(blob.value());
  Error error{ErrorCode::kCorrupt, "its record is lost"};
  if (forms != index_->blobs.end()) {
    const Places places = places_of(blob.value());
    for (const BlobRow& row : forms->second) {
      auto stored = stored_octets(row, places);
      auto plain = stored ? verified_body(row, coder_, std::move(*stored)) : std::move(stored);
      if (plain) return Body{std::move(*plain), true};
      if (error.code != ErrorCode::kPermission) error = plain.error();
    }
    // One whose form is known is not to be had otherwise; one whose record was only guessed may be.
  }
  if (error.code == ErrorCode::kPermission) return tl::unexpected(error);
  Body body;
  auto octets = unrecorded_body(blob.value(), body.verified);
  const bool usable = octets && (body.verified || forms == index_->blobs.end());
  if (!usable) return tl::unexpected(error);
  body.octets = std::move(*octets);
  return body;
}

Result<std::string> Salvage::read(const Message& message) const {
  const MessageRecord& record = message.record;
  // Its flags and its own header fields may be wrong, and so may be the body that it names.
  if (message.certainty == Certainty::kGuessed) {
    return corrupt("its record does not match its checksum");
  }
  auto body = read_body(record.blob);
  if (!body) return failed(body);
  if (!body->verified) return corrupt("nothing tells whether its octets are what they were");
  if (record.size != record.prefix.size() + body->octets.size()) {
    return corrupt("its record and its body disagree about its size");
  }
  return record.prefix + body->octets;
}

std::string Salvage::readable_part(const MessageRecord& record) const {
  std::string out = record.prefix;
  const auto lost = [&out](std::uint64_t from, std::uint64_t to) {
    out += "\r\n[octets " + std::to_string(from) + " to " + std::to_string(to) +
           " of this message could not be read]\r\n";
  };
  const std::uint64_t plain_size =
      record.size > record.prefix.size() ? record.size - record.prefix.size() : 0;
  const Places places = places_of(record.blob.value());
  const auto forms = index_->blobs.find(record.blob.value());
  BlobRow row;
  row.size = row.stored = std::min(plain_size, kLargestBody);
  if (forms != index_->blobs.end()) row = forms->second.front();
  if (row.size > kLargestBody || row.stored > kLargestBody) {
    lost(0, plain_size);
    return out;
  }
  const BodyCoder::Fetch fetch = [&](std::uint64_t offset, std::uint64_t length,
                                     std::string& into) -> Result<void> {
    while (length > 0) {
      const std::size_t chunk = offset / kChunkOctets;
      const std::uint64_t skip = offset % kChunkOctets;
      std::string octets;
      const bool there = chunk < places.size() && !places[chunk].empty() &&
                         file_.read(places[chunk].front(), octets) && octets.size() > skip;
      if (!there) return corrupt("lost");
      const std::uint64_t take = std::min<std::uint64_t>(length, octets.size() - skip);
      into.append(octets, skip, take);
      offset += take;
      length -= take;
    }
    return {};
  };
  // The smallest that can be read by itself.
  const std::uint64_t piece = row.codec == Codec::kPlain ? kChunkOctets : BodyCoder::kFrameOctets;
  std::optional<std::uint64_t> lost_from;
  for (std::uint64_t offset = 0; offset < row.size; offset += piece) {
    const std::uint64_t length = std::min(piece, row.size - offset);
    const auto read =
        row.codec == Codec::kPlain
            ? fetch(offset, length, out)
            : coder_.decode(row.codec, row.key, row.size, row.stored, offset, length, fetch, out);
    if (!read && !lost_from) lost_from = offset;
    if (read && lost_from) {
      // It was appended already: the gap belongs before it.
      const std::string good = out.substr(out.size() - length);
      out.resize(out.size() - length);
      lost(*lost_from, offset);
      out += good;
      lost_from.reset();
    }
  }
  if (lost_from) lost(*lost_from, row.size);
  return out;
}

std::vector<BlobId> Salvage::unclaimed() const {
  std::set<std::uint64_t> named = index_->removed_blobs;
  for (const auto& [at, found] : index_->messages) named.insert(found.blob.value());
  std::vector<BlobId> found;
  // One that nothing refers to was removed, and is only waiting to be freed.
  for (const auto& [blob, forms] : index_->blobs) {
    const bool wanted = std::any_of(forms.begin(), forms.end(), [](const BlobRow& row) {
      return !row.dying && row.references > 0;
    });
    if (wanted && !named.contains(blob)) found.emplace_back(blob);
    named.insert(blob);
  }
  std::uint64_t last = 0;
  for (const FoundChunk& chunk : index_->chunks) {
    if (chunk.blob == last || named.contains(chunk.blob)) continue;
    last = chunk.blob;
    found.emplace_back(chunk.blob);
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace twinpost::store
