#include "tools/twinpost/backup/format_members.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/encoding.h"

namespace twinpost::tools::backup {

namespace {

// What every JSON reader can hold (RFC 8259 section 6).
constexpr std::int64_t kLatestTime = std::int64_t{1} << 53;

}  // namespace

std::string hex_number(std::uint64_t number) { return fmt::format("{:016x}", number); }

std::string line_of(const Ordered& object) { return object.dump() + "\n"; }

// JSON is UTF-8 only.
void put_text(Ordered& object, const char* name, const std::string& text) {
  if (ascii::is_utf8(text)) {
    object[name] = text;
  } else {
    object[std::string(name) + "_base64"] = base64_encode(text);
  }
}

void put_texts(Ordered& object, const char* name, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  const bool readable = std::all_of(texts.begin(), texts.end(),
                                    [](const std::string& text) { return ascii::is_utf8(text); });
  Ordered list = Ordered::array();
  for (const std::string& text : texts) list.push_back(readable ? text : base64_encode(text));
  object[readable ? name : std::string(name) + "_base64"] = std::move(list);
}

std::optional<std::string> optional_octets(Members& members, const char* name,
                                           const char* encoded_name) {
  auto text = members.optional_text(name);
  const auto encoded = members.optional_text(encoded_name);
  if (!encoded) return text;
  auto octets = base64_decode(*encoded);
  if (!octets) members.fault(encoded_name, "must be Base64");
  return octets;
}

std::string octets(Members& members, const char* name, const char* encoded_name) {
  auto found = optional_octets(members, name, encoded_name);
  if (!found) members.fault(name, "is missing");
  return found.value_or("");
}

std::vector<std::string> octets_list(Members& members, const char* name, const char* encoded_name) {
  auto texts = members.texts(name);
  for (const std::string& encoded : members.texts(encoded_name)) {
    auto decoded = base64_decode(encoded);
    if (!decoded) members.fault(encoded_name, "must be Base64");
    texts.push_back(std::move(decoded).value_or(""));
  }
  return texts;
}

std::uint32_t number32(Members& members, const char* name) {
  return static_cast<std::uint32_t>(members.number(name, 0, kLastUid));
}

UnixTime time_member(Members& members, const char* name) {
  const auto seconds = members.optional_signed(name, -kLatestTime, kLatestTime);
  if (!seconds) members.fault(name, "is missing");
  return UnixTime(std::chrono::seconds(seconds.value_or(0)));
}

std::uint64_t hex_member(Members& members, const char* name) {
  const auto text = members.optional_hex(name, 8);
  if (!text) members.fault(name, "is missing");
  std::uint64_t number = 0;
  for (const char c : text.value_or("")) number = (number << 8) | static_cast<unsigned char>(c);
  return number;
}

Sha256Digest digest_member(Members& members, const char* name) {
  Sha256Digest digest{};
  const auto found = members.optional_hex(name, digest.size());
  if (!found) members.fault(name, "is missing");
  if (found) std::copy(found->begin(), found->end(), digest.begin());
  return digest;
}

std::int64_t seconds_of(UnixTime time) { return time.time_since_epoch().count(); }

Result<Json> parse(std::string_view text, const char* what) {
  if (text.size() > kLargestLine) {
    return fail(ErrorCode::kTooLarge, fmt::format("{}: a line is longer than any can be", what));
  }
  auto json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return fail(ErrorCode::kCorrupt, fmt::format("{}: no JSON", what));
  return json;
}

// What does not fit the format is damage, however the reader of members calls it.
Result<void> finish(Members& members) {
  if (auto good = members.finish(); !good) {
    return fail(ErrorCode::kCorrupt, std::move(good.error().message));
  }
  return {};
}

}  // namespace twinpost::tools::backup
