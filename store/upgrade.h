// Stores of older formats, brought up to this version's. Start-up only, before there is a writer.
//
// An upgrade is one transaction: a crash in it leaves the old format, which the next start upgrades.
#pragma once

#include <cstdint>

#include "core/base/error.h"
#include "store/engine/engine.h"
#include "store/tables.h"

namespace twinpost::store {

// In `meta`: four octets, big-endian, the version of the whole layout. Its own form never changes, so that every
// version can say which one it found.
inline constexpr std::string_view kFormatKey = "format";
[[nodiscard]] std::string encode_format(std::uint32_t version);

// From `format`, which is below kFormatVersion, in the caller's transaction, which is not committed here.
[[nodiscard]] Result<void> upgrade(engine::WriteTxn& txn, const Tables& tables,
                                   std::uint32_t format);

}  // namespace twinpost::store
