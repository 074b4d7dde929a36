// Message bodies, each stored once: adding, counting references, and taking away. Writer thread
// only, inside a transaction.
//
//   blob_names  name -> blob       while a new message may share it
//   blob_refs   blob -> row        while any of its octets are there
//   blobs       (blob, chunk)      octets, kChunkOctets in every chunk but the last
//   summaries   (blob, chunk)      likewise
//   reapable    blob -> commit     from the commit that took the last reference until the last
//                                  octet is gone, or a new message refers to it; so that a crash
//                                  leaks nothing
#pragma once

#include <cstdint>

#include "store/batch.h"
#include "store/prepare.h"
#include "store/queries.h"
#include "store/types.h"

namespace twinpost::store {

class Blobs {
 public:
  explicit Blobs(Batch& batch) : batch_(batch), queries_(batch.txn(), batch.tables()) {}

  // The blob of these octets with one reference more: one that is there, where name and size agree
  // (it keeps the form that it has), else a new one.
  [[nodiscard]] Result<BlobId> add(const PreparedMessage& message);
  [[nodiscard]] Result<void> add_reference(BlobId blob);
  // The last one makes it reapable.
  [[nodiscard]] Result<void> drop_reference(BlobId blob);

  struct Reaped {
    unsigned pages = 0;     // about how many were freed
    bool finished = false;  // nothing of it is left, `reapable` included
  };
  // Takes away up to `pages` pages of a reapable blob; the caller has seen that nobody can want it.
  // One that has references again is only taken off the list.
  [[nodiscard]] Result<Reaped> reap(BlobId blob, unsigned pages);

  // Keeps the same body in another form, under its id. `was` is its row when `form` was made of it:
  // false, and nothing is changed, where it has gone or is dying, or is kept in another form by now.
  [[nodiscard]] Result<bool> recode(BlobId blob, const BlobRow& was, const PreparedMessage& form);

 private:
  [[nodiscard]] Result<std::optional<BlobId>> share(const PreparedMessage& message);
  [[nodiscard]] Result<void> append_chunks(engine::Table table, BlobId blob,
                                           std::string_view octets);
  [[nodiscard]] Result<void> replace_chunks(engine::Table table, BlobId blob,
                                            std::string_view octets);
  [[nodiscard]] Result<void> put_row(BlobId blob, const BlobRow& row);
  [[nodiscard]] Result<void> erase_name(BlobId blob, const Sha256Digest& name);
  [[nodiscard]] Result<void> begin_dying(BlobId blob, BlobRow& row);

  Batch& batch_;
  Queries queries_;
};

}  // namespace twinpost::store
