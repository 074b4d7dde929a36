// Bodies: a record is made anew only where the octets prove it, references are only raised.
#include <algorithm>
#include <limits>

#include "core/mail/message.h"
#include "store/blobs.h"
#include "store/check_bodies.h"
#include "store/damaged_records.h"
#include "store/repair.h"

namespace twinpost::store {

namespace {

std::string_view as_key(const Sha256Digest& name) {
  return {reinterpret_cast<const char*>(name.data()), name.size()};
}

// All chunks there are, one after the other.
Result<std::string> all_chunks(Batch& batch, engine::Table table, BlobId blob,
                               std::uint64_t limit) {
  std::string octets;
  std::uint32_t next = 0;
  const Key prefix = blob_key(blob);
  auto scanned =
      Queries(batch.txn(), batch.tables())
          .scan(table, prefix.view(), prefix.view(), [&](auto key, auto value) -> Result<bool> {
            const bool follows = key == chunk_key(blob, next).view() &&
                                 octets.size() % kChunkOctets == 0 &&
                                 value.size() <= limit - octets.size();
            if (!follows) return fail(ErrorCode::kCorrupt, "chunks are missing");
            ++next;
            octets.append(value);
            return true;
          });
  if (!scanned) return failed(scanned);
  return octets;
}

// What the octets are, if this codec and key are theirs: a row that they prove by its name.
Result<BlobRow> prove(Batch& batch, BlobId blob, const BlobRow& guess, const std::string& stored) {
  const BodyCoder& coder = batch.coder();
  BlobRow row = guess;
  row.stored = stored.size();
  row.crc32c = crc32c(0, stored);
  std::string plain = stored;
  if (row.codec != Codec::kPlain) {
    auto decoded = coder.decode_whole(row.codec, row.key, stored, kLargestBody);
    if (!decoded) return failed(decoded);
    plain = std::move(*decoded);
  }
  row.size = plain.size();
  Sha256 hash;
  hash.update(plain);
  auto name = coder.name_of(hash.finish(), row.codec, row.key);
  if (!name) return failed(name);
  auto named = batch.txn().get(batch.tables().blob_names, as_key(*name));
  if (!named) return failed(named);
  const bool listed =
      *named && decode_number(as_key(*name), **named, "blob name").value_or(0) == blob.value();
  if (!listed && guess.name != *name) {
    return fail(ErrorCode::kCorrupt, "nothing tells whether the octets are what they were");
  }
  row.name = *name;
  const std::uint64_t header = mail::parse_message(plain).root.header.end;
  row.header_octets = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(header, std::numeric_limits<std::uint32_t>::max()));
  return row;
}

Result<void> put_row(Batch& batch, BlobId blob, const BlobRow& row) {
  const Key key = blob_key(blob);
  return batch.txn().put(batch.tables().blob_refs, key.view(), encode_blob(key.view(), row));
}

// So that new mail can share it, unless a newer body has the name.
Result<void> list_name(Batch& batch, BlobId blob, const BlobRow& row) {
  const std::string_view name = as_key(row.name);
  auto value = batch.txn().get(batch.tables().blob_names, name);
  if (!value) return failed(value);
  if (*value && decode_number(name, **value, "blob name")) return {};
  return batch.txn().put(batch.tables().blob_names, name, encode_number(name, blob.value()));
}

Result<void> list_for_reaper(Batch& batch, BlobId blob, bool listed) {
  const Key key = blob_key(blob);
  auto value = batch.txn().get(batch.tables().reapable, key.view());
  if (!value) return failed(value);
  if (!listed) {
    auto erased = batch.txn().erase(batch.tables().reapable, key.view());
    if (!erased) return failed(erased);
    return {};
  }
  if (*value && decode_number(key.view(), **value, "reaper's list")) return {};
  batch.note_removal();
  return batch.txn().put(batch.tables().reapable, key.view(),
                         encode_number(key.view(), batch.txn().id()));
}

}  // namespace

Result<bool> repair_blob_row(Repair& repair, BlobId blob) {
  Batch& batch = repair.batch;
  const Key key = blob_key(blob);
  auto value = batch.txn().get(batch.tables().blob_refs, key.view());
  if (!value) return failed(value);
  std::vector<BlobRow> guesses;
  if (*value) {
    auto row = decode_blob(key.view(), **value);
    if (row) return true;
    if (row.error().code == ErrorCode::kNewerFormat) return false;
    if (auto guess = guess_blob(key.view(), **value)) guesses.push_back(*guess);
  }
  for (const Codec codec : {Codec::kPlain, Codec::kZstd}) {
    guesses.emplace_back();
    guesses.back().codec = codec;
  }
  auto stored = all_chunks(batch, batch.tables().blobs, blob, kLargestBody);
  if (!stored) return false;
  const auto summary = all_chunks(batch, batch.tables().summaries, blob, kLargestSummary);
  // A body of no octets proves nothing.
  if (stored->empty()) return false;
  for (const BlobRow& guess : guesses) {
    auto row = prove(batch, blob, guess, *stored);
    if (!row) continue;
    const CountedBlob* counted = repair.census.blobs.find(blob.value());
    // Kept at least as an orphan: a message that is lost may have been its only one.
    row->references = std::max<std::uint32_t>(counted != nullptr ? counted->found : 1, 1);
    row->dying = false;
    row->summary_octets = summary ? static_cast<std::uint32_t>(summary->size()) : 0;
    auto done = put_row(batch, blob, *row);
    if (done) done = list_name(batch, blob, *row);
    if (done) done = list_for_reaper(batch, blob, false);
    if (!done) return failed(done);
    return true;
  }
  return false;
}

Result<bool> repair_blob(Repair& repair, BlobId blob) {
  Batch& batch = repair.batch;
  const Key key = blob_key(blob);
  auto value = batch.txn().get(batch.tables().blob_refs, key.view());
  if (!value) return failed(value);
  if (!*value) {
    auto off = list_for_reaper(batch, blob, false);
    if (!off) return failed(off);
    return true;
  }
  auto row = decode_blob(key.view(), **value);
  if (!row) return false;
  // Changes since the check have added to both sides alike: what was missing then is missing now.
  const CountedBlob* counted = repair.census.blobs.find(blob.value());
  if (counted != nullptr && counted->readable && counted->found > counted->references) {
    const std::uint32_t missing = counted->found - counted->references;
    if (row->references > std::numeric_limits<std::uint32_t>::max() - missing) return false;
    row->references += missing;
  }
  if (row->references > 0 && row->dying) {
    auto stored = all_chunks(batch, batch.tables().blobs, blob, kLargestBody);
    const bool whole = stored && stored->size() == row->stored && crc32c(0, *stored) == row->crc32c;
    row->dying = !whole;
  }
  auto done = put_row(batch, blob, *row);
  if (done && !row->dying) done = list_name(batch, blob, *row);
  if (done) done = list_for_reaper(batch, blob, row->references == 0);
  if (!done) return failed(done);
  return row->references == 0 || !row->dying;
}

// A new form of the whole body under its id: its summary comes with it.
Result<bool> repair_summary(Census& census, BlobId blob) {
  const CheckAccess& access = census.access;
  std::string stored;
  BlobRow row;
  {
    auto txn = access.environment.begin_read();
    if (!txn) return failed(txn);
    auto found = Queries(**txn, access.tables, &access.coder).blob_row(blob);
    if (!found && found.error().code == ErrorCode::kNotFound) {
      bool good = false;
      auto written = access.write([&](Batch& batch) -> Result<void> {
        good = true;
        std::vector<std::string> keys;
        const Key prefix = blob_key(blob);
        auto scanned = Queries(batch.txn(), batch.tables())
                           .scan(batch.tables().summaries, prefix.view(), prefix.view(),
                                 [&](auto key, auto) -> Result<bool> {
                                   keys.emplace_back(key);
                                   return true;
                                 });
        if (!scanned) return scanned;
        for (const std::string& key : keys) {
          auto erased = batch.txn().erase(batch.tables().summaries, key);
          if (!erased) return failed(erased);
        }
        return {};
      });
      if (!written) return failed(written);
      return good;
    }
    if (!found) return failed(found);
    row = std::move(*found);
    if (row.stored > kLargestBody) return false;
    auto read = read_chunks(**txn, access.tables.blobs, blob, row.stored, row.stored, stored);
    if (!read) return failed(read);
  }
  auto plain = verified_body(row, access.coder, std::move(stored));
  if (!plain) return failed(plain);
  Spool spool(access.spool_folder, 0);
  if (auto kept = spool.append(*plain); !kept) return failed(kept);
  if (auto finished = spool.finish(); !finished) return failed(finished);
  auto shared = std::make_shared<const Spool>(std::move(spool));
  auto form = prepare_message(shared, *plain, access.coder);
  if (!form) return failed(form);
  bool good = false;
  auto written = access.write([&](Batch& batch) -> Result<void> {
    auto recoded = Blobs(batch).recode(blob, row, **form);
    if (!recoded) return failed(recoded);
    good = *recoded;
    return {};
  });
  if (!written) return failed(written);
  return good;
}

}  // namespace twinpost::store
