// Making and reading the JSON objects of a backup: what the files of format.h share. Internal to
// them.
//
// What is read is read by server::Members, which keeps the first fault and gives empty values until
// it is asked.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/server/commands/request.h"
#include "tools/twinpost/backup/format.h"

namespace twinpost::tools::backup {

using server::Members;
// The objects are made in the order of the format's drawing, so that a person finds their way.
using Ordered = nlohmann::ordered_json;

inline constexpr std::uint32_t kLastUid = std::numeric_limits<std::uint32_t>::max();
inline constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();

[[nodiscard]] std::string line_of(const Ordered& object);
void put_text(Ordered& object, const char* name, const std::string& text);
void put_texts(Ordered& object, const char* name, const std::vector<std::string>& texts);
[[nodiscard]] std::optional<std::string> optional_octets(Members& members, const char* name,
                                                         const char* encoded_name);
[[nodiscard]] std::string octets(Members& members, const char* name, const char* encoded_name);
[[nodiscard]] std::vector<std::string> octets_list(Members& members, const char* name,
                                                   const char* encoded_name);
[[nodiscard]] std::uint32_t number32(Members& members, const char* name);
[[nodiscard]] UnixTime time_member(Members& members, const char* name);
[[nodiscard]] std::uint64_t hex_member(Members& members, const char* name);
[[nodiscard]] Sha256Digest digest_member(Members& members, const char* name);
[[nodiscard]] std::int64_t seconds_of(UnixTime time);
[[nodiscard]] Result<Json> parse(std::string_view text, const char* what);
[[nodiscard]] Result<void> finish(Members& members);

}  // namespace twinpost::tools::backup
