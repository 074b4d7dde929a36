#include "store/check_bodies.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <vector>

#include "store/check_census.h"
#include "store/summary.h"

namespace twinpost::store {

namespace {

using Clock = std::chrono::steady_clock;

// One read transaction: so long, and about so much.
constexpr std::chrono::milliseconds kSlice{20};
constexpr std::uint64_t kPiece = 64 * kChunkOctets;

tl::unexpected<Error> corrupt(const char* what) { return fail(ErrorCode::kCorrupt, what); }

bool same_octets(const BlobRow& a, const BlobRow& b) {
  return a.codec == b.codec && a.key == b.key && a.crc32c == b.crc32c && a.stored == b.stored &&
         a.size == b.size && a.summary_octets == b.summary_octets;
}

// What of one body has been read so far.
struct Reading {
  BlobId blob;
  std::optional<BlobRow> row;
  std::string body;
  std::string summary;
  bool summary_read = false;
  Result<void> body_good;
  Result<void> summary_good;

  [[nodiscard]] bool done() const {
    return summary_read && (!body_good || body.size() == row->stored);
  }
};

class BodiesCheck {
 public:
  explicit BodiesCheck(Census& census) : census_(census), tables_(census.access.tables) {
    for (const CountedBlob& blob : census.blobs.all()) {
      if (wanted(blob)) total_ += blob.size;
    }
  }

  Result<BlobSet> run() {
    std::vector<CountedBlob>& blobs = census_.blobs.all();
    while (at_ < blobs.size()) {
      if (!census_.step("bodies", done_, total_)) break;
      if (auto read = slice(blobs); !read) return failed(read);
      // Outside the transaction: hashing and decompressing take longer than reading.
      for (Reading& reading : finished_) judge(reading);
      finished_.clear();
    }
    census_.step("bodies", total_, total_);
    return std::move(unreadable_);
  }

 private:
  [[nodiscard]] bool wanted(const CountedBlob& blob) const {
    return blob.readable && !blob.dying && (census_.whole || blob.found > 0);
  }

  Result<void> slice(const std::vector<CountedBlob>& blobs) {
    auto txn = census_.access.environment.begin_read();
    if (!txn) return failed(txn);
    const auto end = Clock::now() + kSlice;
    std::uint64_t held = 0;
    while (at_ < blobs.size() && Clock::now() < end && held < 16 * kPiece) {
      if (!wanted(blobs[at_])) {
        ++at_;
        continue;
      }
      if (!begin(**txn, BlobId(blobs[at_].id))) {
        reading_ = Reading{};
        ++at_;
        continue;
      }
      const std::size_t before = reading_.body.size();
      read_piece(**txn);
      held += reading_.body.size() - before + reading_.summary.size();
      if (!reading_.done()) continue;
      finished_.push_back(std::move(reading_));
      reading_ = Reading{};
      ++at_;
    }
    return {};
  }

  // False where the body has gone, or is going. One that was rewritten meanwhile is begun anew.
  bool begin(const engine::ReadTxn& txn, BlobId blob) {
    const Key key = blob_key(blob);
    const auto value = txn.get(tables_.blob_refs, key.view());
    if (!value || !*value) return false;
    auto row = decode_blob(key.view(), **value);
    if (!row || row->dying) return false;
    if (reading_.row && same_octets(*reading_.row, *row)) return true;
    reading_ = Reading{};
    reading_.blob = blob;
    reading_.row = std::move(*row);
    return true;
  }

  void read_piece(const engine::ReadTxn& txn) {
    Reading& r = reading_;
    if (!r.summary_read) {
      r.summary_read = true;
      r.summary_good = r.row->summary_octets > kLargestSummary
                           ? corrupt("its summary is too large to be one")
                           : read_chunks(txn, tables_.summaries, r.blob, r.row->summary_octets,
                                         r.row->summary_octets, r.summary);
    }
    if (!r.body_good) return;
    if (r.row->stored > kLargestBody || r.row->size > kLargestBody) {
      r.body_good = corrupt("it is too large to be a body");
      return;
    }
    r.body_good = read_chunks(txn, tables_.blobs, r.blob, r.row->stored, kPiece, r.body);
  }

  void judge(Reading& r) {
    const std::string where = "blob " + std::to_string(r.blob.value());
    done_ += r.row->size;
    Error error;
    if (r.body_good) {
      auto plain = verified_body(*r.row, census_.access.coder, std::move(r.body));
      // Without its key the checksum of what is stored says enough.
      if (plain || plain.error().code == ErrorCode::kPermission) {
        census_.report.body_octets += r.row->size;
      } else {
        r.body_good = tl::unexpected(plain.error());
      }
    }
    if (!r.body_good) {
      unreadable_.insert(r.blob.value());
      census_.findings.add(Severity::kMessage, where, r.body_good.error().message);
    }
    if (r.summary_good) {
      r.summary_good = verify_summary(*r.row, census_.access.coder, r.summary);
    }
    if (!r.summary_good && r.summary_good.error().code != ErrorCode::kPermission) {
      census_.findings.add(Severity::kDerived, where,
                           "its summary can't be read: " + r.summary_good.error().message,
                           RepairUnit::of_blob(RepairUnit::Kind::kSummary, r.blob.value()));
    }
  }

  Census& census_;
  const Tables& tables_;
  std::size_t at_ = 0;
  Reading reading_;
  std::vector<Reading> finished_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
  BlobSet unreadable_;
};

}  // namespace

Result<void> read_chunks(const engine::ReadTxn& txn, engine::Table table, BlobId blob,
                         std::uint64_t size, std::uint64_t most, std::string& out) {
  if (size == out.size() || most == 0) return {};
  const std::uint64_t last_chunk = (size - 1) / kChunkOctets;
  if (last_chunk > std::numeric_limits<std::uint32_t>::max())
    return corrupt("it has an impossible size");
  auto cursor = txn.cursor(table);
  if (!cursor) return failed(cursor);
  auto chunk = static_cast<std::uint32_t>(out.size() / kChunkOctets);
  std::vector<std::string_view> window;
  std::uint64_t taken = 0;
  auto found = (*cursor)->seek(chunk_key(blob, chunk).view());
  for (; chunk <= last_chunk && taken < most; ++chunk, found = (*cursor)->next()) {
    if (!found) return failed(found);
    if (!*found || (*cursor)->key() != chunk_key(blob, chunk).view()) {
      return corrupt("it lacks a part of its octets");
    }
    const std::uint64_t begin = std::uint64_t{chunk} * kChunkOctets;
    if ((*cursor)->value().size() != std::min<std::uint64_t>(kChunkOctets, size - begin)) {
      return corrupt("a part of it has the wrong length");
    }
    window.push_back((*cursor)->value());
    taken += window.back().size();
  }
  if (window.size() > 8) txn.will_read(window);
  for (const std::string_view piece : window) out.append(piece);
  return {};
}

Result<std::string> verified_body(const BlobRow& row, const BodyCoder& coder, std::string stored) {
  if (stored.size() != row.stored) return corrupt("its octets are not as many as its record says");
  if (crc32c(0, stored) != row.crc32c) return corrupt("its octets do not match their checksum");
  Result<std::string> plain = std::move(stored);
  if (row.codec != Codec::kPlain) {
    plain = coder.decode_whole(row.codec, row.key, *plain, row.size);
    if (!plain) return plain;
  }
  if (plain->size() != row.size) return corrupt("its octets are not as many as its record says");
  Sha256 hash;
  hash.update(*plain);
  const auto name = coder.name_of(hash.finish(), row.codec, row.key);
  if (!name) return tl::unexpected(name.error());
  if (*name != row.name) return corrupt("its octets are not those that it was stored with");
  return plain;
}

Result<void> verify_summary(const BlobRow& row, const BodyCoder& coder, std::string_view stored) {
  std::string plain;
  const Codec codec = summary_codec(row.codec);
  if (codec != Codec::kPlain) {
    auto decoded = coder.decode_whole(codec, row.key, stored, kLargestSummary);
    if (!decoded) return failed(decoded);
    plain = std::move(*decoded);
    stored = plain;
  }
  const auto summary = decode_summary(stored);
  if (!summary) {
    // One of another version is made anew by whoever reads it.
    if (summary.error().code == ErrorCode::kUnsupported) return {};
    return tl::unexpected(summary.error());
  }
  const std::uint64_t header = std::min<std::uint64_t>(summary->message.root.header.end,
                                                       std::numeric_limits<std::uint32_t>::max());
  if (header != row.header_octets) return corrupt("it and the record disagree about the header");
  return {};
}

Result<BlobSet> check_bodies(Census& census) { return BodiesCheck(census).run(); }

}  // namespace twinpost::store
