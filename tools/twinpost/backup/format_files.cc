// The small files of a backup, backup.json and generation.json, and the names of generations.
#include <array>
#include <ctime>
#include <fmt/format.h>
#include <utility>

#include "core/base/ascii.h"
#include "tools/twinpost/backup/files.h"
#include "tools/twinpost/backup/format.h"
#include "tools/twinpost/backup/format_members.h"

namespace twinpost::tools::backup {

std::string encode_backup(const BackupInfo& info) {
  Ordered object;
  object["twinpost_backup"] = kFormatVersion;
  object["store_id"] = hex_number(info.store_id);
  object["encrypted"] = info.sealed;
  object["made_by"] = info.made_by;
  object["created"] = seconds_of(info.created);
  return line_of(object);
}

Result<BackupInfo> decode_backup(std::string_view text) {
  auto json = parse(text, "backup.json");
  if (!json) return tl::unexpected(json.error());
  if (!json->is_object() || !json->contains("twinpost_backup")) {
    return fail(ErrorCode::kInvalid, "backup.json is not of a Twinpost backup");
  }
  Members version_only(*json, "backup.json");
  const std::uint64_t version = version_only.number("twinpost_backup", 1, kMost);
  if (version > kFormatVersion) {
    return fail(ErrorCode::kNewerFormat,
                fmt::format("the backup has format {}, this version of Twinpost ({}) reads "
                            "formats up to {}",
                            version, TWINPOST_VERSION, kFormatVersion));
  }
  if (version > 0 && version < kFormatVersion) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("the backup has format {}, of a version of Twinpost before its first "
                            "release: back up to a new folder",
                            version));
  }
  Members members(*json, "backup.json");
  (void)members.number("twinpost_backup", 1, kMost);
  BackupInfo info;
  info.store_id = hex_member(members, "store_id");
  info.sealed = members.flag("encrypted");
  info.made_by = members.text("made_by");
  info.created = time_member(members, "created");
  if (auto good = finish(members); !good) return tl::unexpected(good.error());
  return info;
}

std::string to_string(const GenerationName& name) {
  return fmt::format("{}-{}", name.time, name.number);
}

std::optional<GenerationName> parse_generation_name(std::string_view text) {
  constexpr std::string_view kForm = "00000000T000000Z-";
  if (text.size() <= kForm.size() || text.size() > kForm.size() + 9) return std::nullopt;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const bool fits = kForm[i] == '0' ? ascii::is_digit(text[i]) : text[i] == kForm[i];
    if (!fits) return std::nullopt;
  }
  const std::string_view digits = text.substr(kForm.size());
  const auto number = ascii::parse_number<std::uint32_t>(digits);
  if (!number || *number == 0 || digits.front() == '0') return std::nullopt;
  return GenerationName{std::string(text.substr(0, kForm.size() - 1)), *number};
}

GenerationName next_generation(UnixTime now, const std::optional<GenerationName>& last) {
  const std::time_t seconds = seconds_of(now);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts);
  GenerationName name{text.data(), 1};
  if (last && name.time <= last->time) return {last->time, last->number + 1};
  return name;
}

std::string manifest_name(std::uint32_t number) { return fmt::format("manifest-{}", number); }

std::string encode_generation(const GenerationInfo& info) {
  Ordered object;
  object["version"] = kFormatVersion;
  object["generation"] = to_string(info.name);
  object["time"] = seconds_of(info.time);
  object["store_id"] = hex_number(info.store_id);
  object["made_by"] = info.made_by;
  object["encrypted"] = info.sealed;
  object["manifest"] = info.manifest;
  object["manifest_octets"] = info.manifest_octets;
  object["manifest_sha256"] = hex(info.manifest_sha256);
  object["index_offset"] = info.index_offset;
  object["index_octets"] = info.index_octets;
  object["index_sha256"] = hex(info.index_sha256);
  object["accounts"] = info.accounts;
  object["mailboxes"] = info.mailboxes;
  object["messages"] = info.messages;
  object["octets"] = info.octets;
  object["new_bodies"] = info.new_bodies;
  object["new_octets"] = info.new_octets;
  object["removed_meanwhile"] = info.removed_meanwhile;
  object["damaged"] = info.damaged;
  return line_of(object);
}

Result<GenerationInfo> decode_generation(std::string_view text) {
  auto json = parse(text, "generation.json");
  if (!json) return tl::unexpected(json.error());
  Members members(*json, "generation.json");
  const std::uint64_t version = members.number("version", 1, kMost);
  if (version > kFormatVersion) {
    return fail(ErrorCode::kNewerFormat,
                fmt::format("generation.json has format {}, known are those up to {}", version,
                            kFormatVersion));
  }
  GenerationInfo info;
  const auto name = parse_generation_name(members.text("generation"));
  if (!name) members.fault("generation", "is no name of one");
  info.name = name.value_or(GenerationName{});
  info.time = time_member(members, "time");
  info.store_id = hex_member(members, "store_id");
  info.made_by = members.text("made_by");
  info.sealed = members.flag("encrypted");
  info.manifest = static_cast<std::uint32_t>(members.number("manifest", 1, 999'999'999));
  info.manifest_octets = members.number("manifest_octets", 0, kMost);
  info.manifest_sha256 = digest_member(members, "manifest_sha256");
  info.index_offset = members.number("index_offset", 0, kMost);
  info.index_octets = members.number("index_octets", 0, kMost);
  info.index_sha256 = digest_member(members, "index_sha256");
  info.accounts = members.number("accounts", 0, kMost);
  info.mailboxes = members.number("mailboxes", 0, kMost);
  info.messages = members.number("messages", 0, kMost);
  info.octets = members.number("octets", 0, kMost);
  info.new_bodies = members.number("new_bodies", 0, kMost);
  info.new_octets = members.number("new_octets", 0, kMost);
  info.removed_meanwhile = members.number("removed_meanwhile", 0, kMost);
  info.damaged = members.number("damaged", 0, kMost);
  if (auto good = finish(members); !good) return tl::unexpected(good.error());
  return info;
}

}  // namespace twinpost::tools::backup
