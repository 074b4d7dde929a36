// What the two configuration files may hold: every key with its type, default, unit, range and
// meaning.
//
// One table per file drives the checking, the defaults and the "did you mean"; the same description
// serves documentation (man page, JSON Schema). Immutable; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace twinpost::config {

enum class KeyType : std::uint8_t {
  kSection,      // an object with the keys of `keys`
  kSectionList,  // a list of such objects
  kSectionMap,   // an object whose keys are names, each with such an object
  kFlag,         // true or false
  kCount,        // a whole number
  kCountList,    // a list of whole numbers, each larger than the one before it
  kSize,         // octets: a whole number, or "50 MiB"
  kDuration,     // seconds: a whole number, or "10 min"; the bounds are milliseconds
  kText,         // a string
  kPath,    // a file or folder; a relative one is relative to the folder of the configuration file
  kChoice,  // one of `choices`
  kAddressList,  // a list of "HOST:PORT", "[V6]:PORT", "*:PORT", "unix:/PATH"
  kNameList,     // a list of mail addresses, user names and "@domain"
};

struct KeyInfo {
  std::string name;
  KeyType type = KeyType::kText;
  std::string description;
  std::string unit;           // "octets", "days", ...; empty where there is none
  std::string default_value;  // as JSON; empty where there is none (sections, required keys)
  bool required = false;
  bool flag_stands_for_it = false;  // kSection: true and false are short for {"enabled": ...}
  std::vector<std::string> choices;
  std::uint64_t min = 0;  // of numbers, in lists too; of texts and paths the least length
  std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
  std::size_t most = std::numeric_limits<std::size_t>::max();  // kCountList: how many there may be
  std::vector<KeyInfo> keys;
};

// The whole file as one section without a name.
[[nodiscard]] const KeyInfo& server_schema();
[[nodiscard]] const KeyInfo& accounts_schema();

// How many octets must be changed, added, removed or swapped with their neighbour to get from one
// to the other.
[[nodiscard]] std::size_t edit_distance(std::string_view left, std::string_view right);

// The one of `known` that `unknown` was probably meant to be, or empty where none is near.
[[nodiscard]] std::string nearest(std::string_view unknown, const std::vector<std::string>& known);

// What an unknown key of `section` was probably meant to be: a near name there, or the path of that
// name elsewhere in the file. Empty where nothing is near.
[[nodiscard]] std::string suggest_key(std::string_view unknown, const KeyInfo& section,
                                      const KeyInfo& file);

// A key as paths in messages show it: bare where it is a plain word, else in quotes.
[[nodiscard]] std::string path_component(std::string_view key);
// accounts."ann@example.org"
[[nodiscard]] std::string account_path(std::string_view account_name);

}  // namespace twinpost::config
