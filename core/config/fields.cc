#include "core/config/fields.h"

namespace twinpost::config {

namespace {

std::string unknown_key(std::string_view key, const KeyInfo& section, const Place& place) {
  const std::string meant = suggest_key(key, section, *place.file().schema);
  if (!meant.empty()) return "unknown key (did you mean \"" + meant + "\"?)";
  std::string known;
  for (const KeyInfo& one : section.keys) known += (known.empty() ? "" : ", ") + one.name;
  return "unknown key (known here: " + known + ")";
}

}  // namespace

Result<void> check_keys(const Json& value, const KeyInfo& section, const Place& place) {
  if (!value.is_object()) {
    const std::string_view wanted =
        section.flag_stands_for_it ? "true, false or an object" : "an object";
    return place.fail("must be " + std::string(wanted) + ", not " + std::string(type_name(value)));
  }
  for (const auto& item : value.items()) {
    const bool known = std::any_of(section.keys.begin(), section.keys.end(),
                                   [&](const KeyInfo& one) { return one.name == item.key(); });
    if (!known) return place.key(item.key()).fail(unknown_key(item.key(), section, place));
  }
  for (const KeyInfo& one : section.keys) {
    if (one.required && !value.contains(one.name)) return place.key(one.name).fail("is missing");
  }
  return {};
}

Result<void> check_version(const Json& file, const Place& place) {
  if (!file.is_object())
    return place.fail("must be an object, not " + std::string(type_name(file)));
  const auto found = file.find("version");
  if (found == file.end()) return {};
  const Place here = place.key("version");
  KeyInfo info;
  info.min = 1;
  const auto number = read_count(*found, info, here);
  if (!number) return tl::unexpected(number.error());
  if (*number == 1) return {};
  return here.fail("written for a newer Twinpost (this one reads version 1, not " +
                       std::to_string(*number) + ")",
                   ErrorCode::kNewerFormat);
}

}  // namespace twinpost::config
