// Message bytes and summaries: read chunk by chunk.
#include <algorithm>

#include "core/mail/message.h"
#include "store/queries.h"

namespace twinpost::store {

namespace {

// How many chunks' addresses are collected before they are asked for together: a cold page fault
// each would cost far more than the copying (a cold megabyte: 3 ms so, 22 ms one by one).
constexpr std::uint32_t kChunksTogether = 256;
constexpr std::size_t kWorthAsking = 8;

tl::unexpected<Error> damaged(BlobId blob, const char* how) {
  return fail(ErrorCode::kCorrupt, "blob " + std::to_string(blob.value()) + " " + how);
}

// An error that may not say where.
tl::unexpected<Error> of_blob(BlobId blob, Error error) {
  const std::string where = "blob " + std::to_string(blob.value());
  if (!error.message.starts_with(where)) error.message = where + ": " + error.message;
  return tl::unexpected(std::move(error));
}

}  // namespace

Result<BlobRow> Queries::blob_row(BlobId blob) const {
  const Key key = blob_key(blob);
  auto value = txn_.get(tables_.blob_refs, key.view());
  if (!value) return failed(value);
  if (!*value) {
    return fail(ErrorCode::kNotFound, "no blob " + std::to_string(blob.value()));
  }
  return decode_blob(key.view(), **value);
}

Result<BlobInfo> Queries::blob_info(BlobId blob) const {
  auto row = blob_row(blob);
  if (!row) return failed(row);
  BlobInfo info;
  info.size = row->size;
  info.references = row->references;
  if (row->codec == Codec::kPlain) info.crc32c = row->crc32c;
  info.header_octets = row->header_octets;
  return info;
}

// Appends [offset, offset + length) of a chunked run of `size` octets; the range lies inside it.
Result<void> Queries::append_chunks(engine::Table table, BlobId blob, std::uint64_t size,
                                    std::uint64_t offset, std::uint64_t length,
                                    std::string& out) const {
  if (length == 0) return {};
  const std::uint64_t last_chunk = (offset + length - 1) / kChunkOctets;
  if (last_chunk > ~std::uint32_t{0}) return damaged(blob, "has an impossible size");
  auto cursor = txn_.cursor(table);
  if (!cursor) return failed(cursor);
  auto chunk = static_cast<std::uint32_t>(offset / kChunkOctets);
  auto found = (*cursor)->seek(chunk_key(blob, chunk).view());
  std::vector<std::string_view> window;
  while (chunk <= last_chunk) {
    window.clear();
    const std::uint32_t window_first = chunk;
    while (chunk <= last_chunk && window.size() < kChunksTogether) {
      if (!found) return failed(found);
      if (!*found || (*cursor)->key() != chunk_key(blob, chunk).view()) {
        return damaged(blob, "lacks a chunk");
      }
      const std::uint64_t begin = std::uint64_t{chunk} * kChunkOctets;
      const std::string_view value = (*cursor)->value();
      if (value.size() != std::min<std::uint64_t>(kChunkOctets, size - begin)) {
        return damaged(blob, "has a chunk of the wrong length");
      }
      window.push_back(value);
      ++chunk;
      found = (*cursor)->next();
    }
    if (window.size() > kWorthAsking) txn_.will_read(window);
    for (std::size_t i = 0; i < window.size(); ++i) {
      const std::uint64_t begin = (std::uint64_t{window_first} + i) * kChunkOctets;
      const std::uint64_t from = offset > begin ? offset - begin : 0;
      const std::uint64_t to = std::min<std::uint64_t>(window[i].size(), offset + length - begin);
      out.append(window[i].substr(from, to - from));
    }
  }
  return {};
}

Result<void> Queries::read_body(BlobId blob, const BlobRow& row, std::uint64_t offset,
                                std::uint64_t length, std::string& out) const {
  if (offset >= row.size) return {};
  const std::uint64_t take = std::min(length, row.size - offset);
  if (row.codec != Codec::kPlain) return read_encoded(blob, row, offset, take, out);
  if (row.stored != row.size) return damaged(blob, "has two sizes");
  const std::size_t before = out.size();
  auto read = append_chunks(tables_.blobs, blob, row.size, offset, take, out);
  if (read && take == row.size && crc32c(0, std::string_view(out).substr(before)) != row.crc32c) {
    read = damaged(blob, "does not match its checksum");
  }
  return read;
}

Result<void> Queries::read_encoded(BlobId blob, const BlobRow& row, std::uint64_t offset,
                                   std::uint64_t length, std::string& out) const {
  const BodyCoder& coder = coder_ != nullptr ? *coder_ : BodyCoder::plain();
  std::uint64_t checked = 0;  // stored octets from the first on, without a gap
  std::uint32_t crc = 0;
  const BodyCoder::Fetch fetch = [&](std::uint64_t from, std::uint64_t count,
                                     std::string& octets) -> Result<void> {
    const std::size_t before = octets.size();
    auto fetched = append_chunks(tables_.blobs, blob, row.stored, from, count, octets);
    if (fetched && from == checked) {
      crc = crc32c(crc, std::string_view(octets).substr(before));
      checked += count;
    }
    return fetched;
  };
  auto read = coder.decode(row.codec, row.key, row.size, row.stored, offset, length, fetch, out);
  if (!read) return of_blob(blob, std::move(read.error()));
  if (checked == row.stored && crc != row.crc32c) {
    return damaged(blob, "does not match its checksum");
  }
  return {};
}

Result<void> Queries::read_message(const MessageRecord& record, std::uint64_t offset,
                                   std::uint64_t length, std::string& out) const {
  auto row = blob_row(record.blob);
  if (!row) return failed(row);
  const std::uint64_t prefix_octets = record.prefix.size();
  if (record.size != prefix_octets + row->size) {
    return damaged(record.blob, "and a message disagree about its size");
  }
  if (offset >= record.size) return {};
  length = std::min(length, record.size - offset);
  const std::size_t before = out.size();
  if (offset < prefix_octets) out.append(record.prefix, offset, length);
  const std::uint64_t done = out.size() - before;
  auto read = read_body(record.blob, *row, offset + done - prefix_octets, length - done, out);
  if (!read) out.resize(before);
  return read;
}

Result<Summary> Queries::stored_summary(BlobId blob, const BlobRow& row) const {
  std::string octets;
  const std::uint64_t size = row.summary_octets;
  auto read = append_chunks(tables_.summaries, blob, size, 0, size, octets);
  if (!read) return failed(read);
  if (is_encrypted(row.codec)) {
    const BodyCoder& coder = coder_ != nullptr ? *coder_ : BodyCoder::plain();
    // Not compressed, so there is less in it than it takes.
    auto plain = coder.decode_whole(summary_codec(row.codec), row.key, octets, size);
    if (!plain) return of_blob(blob, std::move(plain.error()));
    octets = std::move(*plain);
  }
  return decode_summary(octets);
}

Result<Summary> Queries::summary(BlobId blob) const {
  auto row = blob_row(blob);
  if (!row) return failed(row);
  auto stored = stored_summary(blob, *row);
  const bool can_make_anew = !stored && (stored.error().code == ErrorCode::kCorrupt ||
                                         stored.error().code == ErrorCode::kUnsupported);
  if (!can_make_anew) return stored;
  std::string octets;
  if (auto body = read_body(blob, *row, 0, row->size, octets); !body) return failed(body);
  return Summary{mail::parse_message(octets)};
}

}  // namespace twinpost::store
