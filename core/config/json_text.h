// JSON text to a tree that keeps the order of keys. Internal to core/config.
//
// RFC 8259, strict: no comments, no trailing commas, UTF-8 only, no key twice in one object
// (section 4 lets parsers do with those what they like, which is how settings get lost), at most
// kMaxDepth levels.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace twinpost::config {

using Json = nlohmann::ordered_json;

inline constexpr std::size_t kMaxDepth = 64;

// Errors say line and column: "SOURCE: line 3, column 7: not valid JSON: ...". They never quote the
// text, which may hold passwords.
[[nodiscard]] Result<Json> parse_json(std::string_view text, const std::string& source);

// "a string", "a list", ... for messages.
[[nodiscard]] std::string_view type_name(const Json& value);

}  // namespace twinpost::config
