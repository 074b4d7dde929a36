#include "store/blobs.h"

#include <limits>
#include <string>
#include <vector>

namespace twinpost::store {

namespace {

std::string_view as_key(const Sha256Digest& name) {
  return {reinterpret_cast<const char*>(name.data()), name.size()};
}

// What a prepared message says of its body's form.
void take_form(BlobRow& row, const PreparedMessage& message) {
  row.codec = message.body.codec;
  row.key = message.body.key;
  row.crc32c = message.crc32c;
  row.stored = message.body.octets.size();
  row.header_octets = message.header_octets;
  row.summary_octets = static_cast<std::uint32_t>(message.summary.size());
  row.name = message.name;
}

constexpr std::uint32_t kMostReferences = std::numeric_limits<std::uint32_t>::max();

}  // namespace

Result<void> Blobs::put_row(BlobId blob, const BlobRow& row) {
  const Key key = blob_key(blob);
  return batch_.txn().put(batch_.tables().blob_refs, key.view(), encode_blob(key.view(), row));
}

// Blob ids ascend, and so do chunks: every put is at its table's end.
Result<void> Blobs::append_chunks(engine::Table table, BlobId blob, std::string_view octets) {
  for (std::uint32_t chunk = 0; !octets.empty(); ++chunk) {
    const std::string_view piece = octets.substr(0, kChunkOctets);
    auto put = batch_.txn().append(table, chunk_key(blob, chunk).view(), piece);
    if (!put) return put;
    octets.remove_prefix(piece.size());
  }
  return {};
}

Result<void> Blobs::replace_chunks(engine::Table table, BlobId blob, std::string_view octets) {
  std::uint32_t chunk = 0;
  for (; !octets.empty(); ++chunk) {
    const std::string_view piece = octets.substr(0, kChunkOctets);
    auto put = batch_.txn().put(table, chunk_key(blob, chunk).view(), piece);
    if (!put) return put;
    octets.remove_prefix(piece.size());
  }
  // Those that the longer form had; a few, or as many as a large body has of them.
  std::vector<std::string> surplus;
  auto scanned = queries_.scan(table, blob_key(blob).view(), chunk_key(blob, chunk).view(),
                               [&](auto found, auto) -> Result<bool> {
                                 surplus.emplace_back(found);
                                 return true;
                               });
  if (!scanned) return scanned;
  for (const std::string& key : surplus) {
    auto erased = batch_.txn().erase(table, key);
    if (!erased) return failed(erased);
  }
  return {};
}

// A blob that is there and may be trusted to hold these very octets.
Result<std::optional<BlobId>> Blobs::share(const PreparedMessage& message) {
  const std::string_view name = as_key(message.name);
  auto value = batch_.txn().get(batch_.tables().blob_names, name);
  if (!value) return failed(value);
  if (!*value) return std::nullopt;
  auto id = decode_number(name, **value, "blob name");
  if (!id) return failed(id);
  const BlobId blob(*id);
  auto row = queries_.blob_row(blob);
  // A damaged row must not keep new mail out: the new copy takes its name over.
  if (!row && row.error().code != ErrorCode::kCorrupt && row.error().code != ErrorCode::kNotFound) {
    return failed(row);
  }
  const bool fits = row && !row->dying && row->name == message.name &&
                    row->size == message.octets.size() && row->references < kMostReferences;
  if (!fits) return std::nullopt;
  ++row->references;
  if (auto put = put_row(blob, *row); !put) return failed(put);
  if (row->references == 1) {
    auto erased = batch_.txn().erase(batch_.tables().reapable, blob_key(blob).view());
    if (!erased) return failed(erased);
  }
  return blob;
}

Result<BlobId> Blobs::add(const PreparedMessage& message) {
  const BodyCoder& coder = batch_.coder();
  // Else mail would silently be kept in plain, or with a key that the store does not remember.
  if (is_encrypted(message.body.codec) != coder.encrypts() ||
      (coder.encrypts() && message.body.key != coder.current_key())) {
    return fail(ErrorCode::kInternal, "a message was prepared with other keys than the store's");
  }
  auto shared = share(message);
  if (!shared) return failed(shared);
  if (*shared) return **shared;
  auto counters = batch_.counters();
  if (!counters) return failed(counters);
  const BlobId blob = (*counters)->next_blob;
  (*counters)->next_blob = blob.next();
  BlobRow row;
  row.references = 1;
  row.size = message.octets.size();
  take_form(row, message);
  const std::string_view name = as_key(message.name);
  const Tables& tables = batch_.tables();
  auto put = batch_.txn().put(tables.blob_names, name, encode_number(name, blob.value()));
  const Key key = blob_key(blob);
  if (put) put = batch_.txn().append(tables.blob_refs, key.view(), encode_blob(key.view(), row));
  if (put) put = append_chunks(tables.blobs, blob, message.body.octets);
  if (put) put = append_chunks(tables.summaries, blob, message.summary);
  if (!put) return failed(put);
  batch_.count_octets(message.body.octets.size() + message.summary.size());
  return blob;
}

Result<void> Blobs::add_reference(BlobId blob) {
  auto row = queries_.blob_row(blob);
  if (!row) return failed(row);
  if (row->dying || row->references == kMostReferences) {
    return fail(ErrorCode::kLimit,
                "blob " + std::to_string(blob.value()) + " can't take another reference");
  }
  ++row->references;
  return put_row(blob, *row);
}

Result<void> Blobs::drop_reference(BlobId blob) {
  auto row = queries_.blob_row(blob);
  if (!row) return failed(row);
  if (row->references == 0) {
    return fail(ErrorCode::kCorrupt,
                "blob " + std::to_string(blob.value()) + " has fewer references than messages");
  }
  --row->references;
  if (auto put = put_row(blob, *row); !put) return put;
  if (row->references > 0) return {};
  const Key key = blob_key(blob);
  return batch_.txn().put(batch_.tables().reapable, key.view(),
                          encode_number(key.view(), batch_.txn().id()));
}

// A name that another blob has taken over, or that is damaged, is not this blob's to erase.
Result<void> Blobs::erase_name(BlobId blob, const Sha256Digest& of_blob) {
  const std::string_view name = as_key(of_blob);
  auto value = batch_.txn().get(batch_.tables().blob_names, name);
  if (!value) return failed(value);
  if (!*value) return {};
  auto named = decode_number(name, **value, "blob name");
  if (!named || *named != blob.value()) return {};
  auto erased = batch_.txn().erase(batch_.tables().blob_names, name);
  if (!erased) return failed(erased);
  return {};
}

// From here on no new message can share it: some of its chunks may be gone.
Result<void> Blobs::begin_dying(BlobId blob, BlobRow& row) {
  if (auto erased = erase_name(blob, row.name); !erased) return erased;
  row.dying = true;
  return put_row(blob, row);
}

Result<bool> Blobs::recode(BlobId blob, const BlobRow& was, const PreparedMessage& form) {
  auto row = queries_.blob_row(blob);
  if (!row) {
    if (row.error().code == ErrorCode::kNotFound) return false;
    return failed(row);
  }
  const bool as_it_was = row->codec == was.codec && row->key == was.key &&
                         row->stored == was.stored && row->crc32c == was.crc32c &&
                         row->size == form.octets.size();
  if (row->dying || !as_it_was) return false;
  const Tables& tables = batch_.tables();
  auto done = replace_chunks(tables.blobs, blob, form.body.octets);
  if (done) done = replace_chunks(tables.summaries, blob, form.summary);
  if (done && row->name != form.name) {
    done = erase_name(blob, row->name);
    const std::string_view name = as_key(form.name);
    auto taken = batch_.txn().get(tables.blob_names, name);
    if (!taken) return failed(taken);
    // The same message may have come again meanwhile: that one keeps the name.
    if (done && !*taken) {
      done = batch_.txn().put(tables.blob_names, name, encode_number(name, blob.value()));
    }
  }
  take_form(*row, form);
  if (done) done = put_row(blob, *row);
  if (!done) return failed(done);
  batch_.count_octets(form.body.octets.size() + form.summary.size());
  return true;
}

Result<Blobs::Reaped> Blobs::reap(BlobId blob, unsigned pages) {
  const Tables& tables = batch_.tables();
  const Key key = blob_key(blob);
  auto row = queries_.blob_row(blob);
  if (!row) return failed(row);
  Reaped reaped;
  if (row->references == 0) {
    if (!row->dying) {
      if (auto begun = begin_dying(blob, *row); !begun) return failed(begun);
    }
    for (const engine::Table table : {tables.blobs, tables.summaries}) {
      std::vector<std::string> chunks;
      auto scanned =
          queries_.scan(table, key.view(), key.view(), [&](auto found, auto) -> Result<bool> {
            if (reaped.pages + chunks.size() >= pages) return false;
            chunks.emplace_back(found);
            return true;
          });
      if (!scanned) return failed(scanned);
      for (const std::string& chunk : chunks) {
        auto erased = batch_.txn().erase(table, chunk);
        if (!erased) return failed(erased);
      }
      reaped.pages += static_cast<unsigned>(chunks.size());
    }
    if (reaped.pages >= pages) return reaped;  // perhaps there is more
    auto erased = batch_.txn().erase(tables.blob_refs, key.view());
    if (!erased) return failed(erased);
  }
  auto erased = batch_.txn().erase(tables.reapable, key.view());
  if (!erased) return failed(erased);
  reaped.finished = true;
  return reaped;
}

}  // namespace twinpost::store
