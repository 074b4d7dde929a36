// Keyrings for tests.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "core/base/encoding.h"
#include "store/keyring.h"
#include "tests/store/support.h"

namespace twinpost::store::test {

// A line of a key file; `seed` makes other keys of the same id.
inline std::string key_line(std::uint32_t id, unsigned seed = 0) {
  const std::string secret(Keyring::kKeyOctets, static_cast<char>(id * 7 + seed + 1));
  return "twinpost-key-1 " + to_string(KeyId(id)) + " " + base64_encode(secret) + "\n";
}

inline KeyringPtr keyring(std::initializer_list<std::uint32_t> ids, unsigned seed = 0) {
  std::string text;
  for (const std::uint32_t id : ids) text += key_line(id, seed);
  return must(Keyring::parse(text, "test.keys"));
}

}  // namespace twinpost::store::test
