// Which keys a store is encrypted with: the record "keys" of `meta`, a proof of each, so that a store that lacks its
// keys, or is given others, is refused when it is opened and not when somebody reads mail.
//
// A key is remembered before the first body is encrypted with it, and forgotten once no body is (recode.h). Any
// thread, inside a transaction. Errors: those of the engine, kCorrupt, kNewerFormat.
#pragma once

#include <set>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "store/engine/engine.h"
#include "store/keyring.h"

namespace twinpost::store {

inline constexpr std::string_view kKeysKey = "keys";

// kPermission, in words for the admin, where a remembered key is not in `keys` (null: no key file) or is another one
// there.
[[nodiscard]] Result<void> check_keys(const engine::ReadTxn& txn, engine::Table meta,
                                      const Keyring* keys);
// Remembers the current key; writes nothing where it is known.
[[nodiscard]] Result<void> remember_keys(engine::WriteTxn& txn, engine::Table meta,
                                         const Keyring& keys);
// Forgets all but `used`; writes nothing where there are no others. Returns those that were forgotten.
[[nodiscard]] Result<std::vector<KeyId>> forget_keys(engine::WriteTxn& txn, engine::Table meta,
                                                     const std::set<KeyId>& used);
[[nodiscard]] Result<std::vector<KeyId>> remembered_keys(const engine::ReadTxn& txn,
                                                         engine::Table meta);

}  // namespace twinpost::store
