// The record "keys", sealed as codec.h has it: for each key u32 id and the 16 octets of Keyring::proof(), oldest first.
#include "store/key_proofs.h"

#include <algorithm>
#include <string>

#include "store/codec.h"

namespace twinpost::store {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kProofOctets = 16;
// The record is one value of the engine.
constexpr std::size_t kMostKeys =
    (engine::kMaxValueOctets - kSealOctets) / (sizeof(std::uint32_t) + kProofOctets);

struct Remembered {
  KeyId id;
  std::string proof;
};

Result<std::vector<Remembered>> read(const engine::ReadTxn& txn, engine::Table meta) {
  std::vector<Remembered> keys;
  auto value = txn.get(meta, kKeysKey);
  if (!value) return failed(value);
  if (!*value) return keys;
  auto body = unseal(kKeysKey, **value, kVersion, "keys");
  if (!body) return failed(body);
  Reader in(*body);
  while (in.left() > 0) {
    const KeyId id(in.u32());
    keys.push_back({id, std::string(in.octets(kProofOctets))});
  }
  if (!in.at_end()) return malformed("keys");
  return keys;
}

Result<void> write(engine::WriteTxn& txn, engine::Table meta, const std::vector<Remembered>& keys) {
  Record out(kVersion);
  for (const Remembered& key : keys) out.u32(key.id.value()).octets(key.proof);
  return txn.put(meta, kKeysKey, out.seal(kKeysKey));
}

}  // namespace

Result<void> check_keys(const engine::ReadTxn& txn, engine::Table meta, const Keyring* keys) {
  auto remembered = read(txn, meta);
  if (!remembered) return failed(remembered);
  for (const Remembered& key : *remembered) {
    const std::string id = to_string(key.id);
    if (keys == nullptr) {
      return fail(ErrorCode::kPermission,
                  "the store is encrypted (with key " + id + "), and storage.key_file is not set");
    }
    if (keys->find(key.id) == nullptr) {
      return fail(ErrorCode::kPermission, "the store is encrypted with key " + id + ", which " +
                                              keys->source() + " does not have");
    }
    auto proof = keys->proof(key.id);
    if (!proof) return failed(proof);
    if (!constant_time_equal(*proof, key.proof)) {
      return fail(ErrorCode::kPermission,
                  "the key " + id + " in " + keys->source() +
                      " is another key than the one of that id that the store is encrypted with");
    }
  }
  return {};
}

Result<void> remember_keys(engine::WriteTxn& txn, engine::Table meta, const Keyring& keys) {
  auto remembered = read(txn, meta);
  if (!remembered) return failed(remembered);
  const KeyId current = keys.current();
  const auto known = std::find_if(remembered->begin(), remembered->end(),
                                  [current](const Remembered& key) { return key.id == current; });
  if (known != remembered->end()) return {};
  if (remembered->size() >= kMostKeys) {
    return fail(ErrorCode::kLimit,
                "the store is encrypted with " + std::to_string(kMostKeys) +
                    " keys already: run twinpost reencrypt with one of them first");
  }
  auto proof = keys.proof(current);
  if (!proof) return failed(proof);
  remembered->push_back({current, std::move(*proof)});
  return write(txn, meta, *remembered);
}

Result<std::vector<KeyId>> forget_keys(engine::WriteTxn& txn, engine::Table meta,
                                       const std::set<KeyId>& used) {
  auto remembered = read(txn, meta);
  if (!remembered) return failed(remembered);
  std::vector<Remembered> kept;
  std::vector<KeyId> forgotten;
  for (Remembered& key : *remembered) {
    if (used.contains(key.id)) {
      kept.push_back(std::move(key));
    } else {
      forgotten.push_back(key.id);
    }
  }
  if (forgotten.empty()) return forgotten;
  if (auto written = write(txn, meta, kept); !written) return failed(written);
  return forgotten;
}

Result<std::vector<KeyId>> remembered_keys(const engine::ReadTxn& txn, engine::Table meta) {
  auto remembered = read(txn, meta);
  if (!remembered) return failed(remembered);
  std::vector<KeyId> ids;
  for (const Remembered& key : *remembered) ids.push_back(key.id);
  return ids;
}

}  // namespace twinpost::store
