// Stored bodies as a check and a repair read them: chunk by chunk, verified, whatever their record
// says.
#pragma once

#include <string>

#include "store/body_codec.h"
#include "store/engine/engine.h"
#include "store/records.h"
#include "store/tables.h"

namespace twinpost::store {

// Larger ones are no bodies.
inline constexpr std::uint64_t kLargestBody = std::uint64_t{4} << 30;
inline constexpr std::uint64_t kLargestSummary = std::uint64_t{64} << 20;

// Appends octets [out.size(), at most `most` more) of a run of `size` octets to `out`, whose length
// is a multiple of kChunkOctets; out.size() == size where it is the end. kCorrupt where chunks are
// missing or of the wrong length.
[[nodiscard]] Result<void> read_chunks(const engine::ReadTxn& txn, engine::Table table, BlobId blob,
                                       std::uint64_t size, std::uint64_t most, std::string& out);

// The plain octets of a stored body. kCorrupt where it does not match its record's checksum, size
// or name; kPermission where its key is not here.
[[nodiscard]] Result<std::string> verified_body(const BlobRow& row, const BodyCoder& coder,
                                                std::string stored);
// The summary, plain or not, decoded and compared with the record.
[[nodiscard]] Result<void> verify_summary(const BlobRow& row, const BodyCoder& coder,
                                          std::string_view stored);

}  // namespace twinpost::store
