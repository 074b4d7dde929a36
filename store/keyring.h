// The keys of encryption at rest.
//
// A key file is text, one key a line, the last one is current; older ones still read what they wrote:
//
//   # comment
//   twinpost-key-1 4f1c9a20 <base64 of 32 octets>
//
// The file must be readable by its owner only (kPermission says so). Key octets are wiped when the ring goes.
// Errors are one line with the file and the line in it; they never quote what could be a key.
// Immutable; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/strong_id.h"

namespace twinpost::store {

// Names a key: eight hexadecimal digits in the file. 0 is none.
using KeyId = StrongId<struct KeyIdTag, std::uint32_t>;

class Keyring;
using KeyringPtr = std::shared_ptr<const Keyring>;

class Keyring {
 public:
  static constexpr std::size_t kKeyOctets = 32;
  using Secret = std::array<std::uint8_t, kKeyOctets>;

  [[nodiscard]] static Result<KeyringPtr> load(const std::string& path);
  // The text of a key file; `source` names it in errors.
  [[nodiscard]] static Result<KeyringPtr> parse(std::string_view text, const std::string& source);
  // Appends a new current key to the file, which is made (0600) where it is missing. Returns its id. The file is
  // replaced at once: whoever opens it sees the old one or the new one, on the disk, and its owner stays.
  [[nodiscard]] static Result<KeyId> add_key(const std::string& path);

  ~Keyring();
  Keyring(const Keyring&) = delete;
  Keyring& operator=(const Keyring&) = delete;

  [[nodiscard]] const std::string& source() const { return source_; }  // the file, for messages
  [[nodiscard]] KeyId current() const { return keys_.back().id; }
  [[nodiscard]] const Secret* find(KeyId id) const;  // null where it is not here
  [[nodiscard]] std::vector<KeyId> ids() const;
  // Sixteen octets that only who has the key can make, and that say nothing of it: what a store remembers, so that
  // another key of the same id is noticed when it is opened.
  [[nodiscard]] Result<std::string> proof(KeyId id) const;

 private:
  struct Key {
    KeyId id;
    Secret secret;
  };
  explicit Keyring(std::string source) : source_(std::move(source)) {}
  [[nodiscard]] Result<void> add_line(std::string_view line, const std::string& place);

  std::string source_;
  std::vector<Key> keys_;  // at least one
};

[[nodiscard]] std::string to_string(KeyId id);  // eight hexadecimal digits

}  // namespace twinpost::store
