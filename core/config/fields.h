// The schema language: fields bind keys of a JSON object to members of a struct. Internal to
// core/config.
//
//   const Fields<Limits>& limits_fields() {
//     static const Fields<Limits> fields = {
//         count("connections", &Limits::connections, {.max = 1'000}, "connections", "at once"),
//         size("message_size", &Limits::message_size, {}, "of one message"),
//     };
//     return fields;
//   }
//
// One table says all: what is read and shown, and the KeyInfo that documents it. Fields are read in
// the table's order, whatever their order in the file is.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/config/config.h"
#include "core/config/json_text.h"
#include "core/config/place.h"
#include "core/config/schema.h"
#include "core/config/values.h"

namespace twinpost::config {

template <class S>
struct Field {
  KeyInfo info;
  std::function<Result<void>(const Json&, S&, const Place&)> read;
  std::function<Json(const S&)> show;  // null hides the key
};

template <class S>
using Fields = std::vector<Field<S>>;

struct Bounds {
  std::uint64_t min = 0;
  std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
};

// An object must hold known keys only and all that are required: the checks that need no type.
[[nodiscard]] Result<void> check_keys(const Json& value, const KeyInfo& section,
                                      const Place& place);

template <class S>
[[nodiscard]] Result<void> read_section(const Json& value, const KeyInfo& info,
                                        const Fields<S>& fields, S& out, const Place& place) {
  if (auto known = check_keys(value, info, place); !known) return known;
  for (const Field<S>& field : fields) {
    const auto found = value.find(field.info.name);
    if (found == value.end()) continue;
    if (auto read = field.read(*found, out, place.key(field.info.name)); !read) return read;
  }
  return {};
}

template <class S>
[[nodiscard]] Json show_section(const Fields<S>& fields, const S& values) {
  Json out = Json::object();
  for (const Field<S>& field : fields) {
    Json shown = field.show(values);
    if (!shown.is_null()) out[field.info.name] = std::move(shown);
  }
  return out;
}

template <class S>
[[nodiscard]] std::vector<KeyInfo> infos(const Fields<S>& fields) {
  std::vector<KeyInfo> out;
  for (const Field<S>& field : fields) out.push_back(field.info);
  return out;
}

// A field whose value is one of the functions of values.h, kept in `member`.
template <class S, class T, class Read, class Show>
[[nodiscard]] Field<S> value_field(KeyInfo info, T S::*member, Read read, Show show) {
  if (!info.required) info.default_value = show(S{}.*member).dump();
  return Field<S>{info,
                  [=](const Json& value, S& out, const Place& place) -> Result<void> {
                    auto result = read(value, info, place);
                    if (!result) return tl::unexpected(result.error());
                    out.*member = std::move(*result);
                    return {};
                  },
                  [=](const S& values) -> Json { return show(values.*member); }};
}

[[nodiscard]] inline KeyInfo key_info(std::string_view name, KeyType type,
                                      std::string_view description) {
  KeyInfo info;
  info.name = name;
  info.type = type;
  info.description = description;
  return info;
}

template <class S>
[[nodiscard]] Field<S> flag(std::string_view name, bool S::*member, std::string_view description) {
  return value_field(key_info(name, KeyType::kFlag, description), member, read_flag,
                     [](bool value) { return Json(value); });
}

template <class S>
[[nodiscard]] Field<S> count(std::string_view name, std::uint64_t S::*member, Bounds bounds,
                             std::string_view unit, std::string_view description) {
  KeyInfo info = key_info(name, KeyType::kCount, description);
  info.unit = unit;
  info.min = bounds.min;
  info.max = bounds.max;
  return value_field(info, member, read_count, [](std::uint64_t value) { return Json(value); });
}

// At most `most` of them, ascending.
template <class S>
[[nodiscard]] Field<S> counts(std::string_view name, std::vector<std::uint64_t> S::*member,
                              Bounds bounds, std::size_t most, std::string_view unit,
                              std::string_view description) {
  KeyInfo info = key_info(name, KeyType::kCountList, description);
  info.unit = unit;
  info.min = bounds.min;
  info.max = bounds.max;
  info.most = most;
  return value_field(info, member, read_counts,
                     [](const std::vector<std::uint64_t>& values) { return Json(values); });
}

template <class S>
[[nodiscard]] Field<S> size(std::string_view name, std::uint64_t S::*member, Bounds bounds,
                            std::string_view description) {
  KeyInfo info = key_info(name, KeyType::kSize, description);
  info.unit = "octets";
  info.min = bounds.min;
  info.max = bounds.max;
  return value_field(info, member, read_size, show_size);
}

// Bounds in milliseconds.
template <class S>
[[nodiscard]] Field<S> duration(std::string_view name, std::chrono::milliseconds S::*member,
                                Bounds bounds, std::string_view description) {
  KeyInfo info = key_info(name, KeyType::kDuration, description);
  info.unit = "seconds";
  info.min = bounds.min;
  info.max = bounds.max;
  return value_field(info, member, read_duration, show_duration);
}

// A time for which 0 stands for kNoTimeLimit, so that every wait has an end all the same.
template <class S>
[[nodiscard]] Field<S> time_limit(std::string_view name, std::chrono::milliseconds S::*member,
                                  Bounds bounds, std::string_view description) {
  Field<S> field = duration(name, member, bounds, description);
  return Field<S>{field.info,
                  [=](const Json& value, S& out, const Place& place) -> Result<void> {
                    auto read = field.read(value, out, place);
                    if (read && (out.*member).count() == 0) out.*member = kNoTimeLimit;
                    return read;
                  },
                  [=](const S& values) -> Json {
                    return values.*member >= kNoTimeLimit ? Json(0) : field.show(values);
                  }};
}

[[nodiscard]] inline Json show_text(const std::string& text) { return Json(text); }

template <class S>
[[nodiscard]] Field<S> text(std::string_view name, std::string S::*member,
                            std::string_view description) {
  return value_field(key_info(name, KeyType::kText, description), member, read_text, show_text);
}

template <class S>
[[nodiscard]] Field<S> path(std::string_view name, std::string S::*member, Bounds length,
                            std::string_view description) {
  KeyInfo info = key_info(name, KeyType::kPath, description);
  info.min = length.min;
  return value_field(info, member, read_path, show_text);
}

template <class S>
[[nodiscard]] Field<S> required(Field<S> field) {
  field.info.required = true;
  field.info.default_value.clear();
  return field;
}

// A name and what it stands for.
template <class T>
using Choices = std::vector<std::pair<std::string, T>>;

// `set` and `get` where a choice is more than one member.
template <class S, class T>
[[nodiscard]] Field<S> choice(std::string_view name, std::function<T(const S&)> get,
                              std::function<void(S&, const T&)> set, const Choices<T>& choices,
                              std::string_view description) {
  KeyInfo info = key_info(name, KeyType::kChoice, description);
  for (const auto& [choice_name, value] : choices) info.choices.push_back(choice_name);
  auto show = [=](const S& values) -> Json {
    const T current = get(values);
    const auto found = std::find_if(choices.begin(), choices.end(),
                                    [&](const auto& one) { return one.second == current; });
    return found == choices.end() ? Json(nullptr) : Json(found->first);
  };
  info.default_value = show(S{}).dump();
  return Field<S>{info,
                  [=](const Json& value, S& out, const Place& place) -> Result<void> {
                    const auto index = read_choice(value, info, place);
                    if (!index) return tl::unexpected(index.error());
                    set(out, choices[*index].second);
                    return {};
                  },
                  show};
}

template <class S, class T>
[[nodiscard]] Field<S> choice(std::string_view name, T S::*member,
                              std::type_identity_t<Choices<T>> choices,
                              std::string_view description) {
  return choice<S, T>(
      name, [member](const S& values) { return values.*member; },
      [member](S& out, const T& value) { out.*member = value; }, choices, description);
}

template <class S>
[[nodiscard]] Field<S> texts(std::string_view name, std::vector<std::string> S::*member,
                             KeyType type, const TextCheck& check, std::string_view example,
                             std::string_view description) {
  const std::string sample(example);
  return value_field(
      key_info(name, type, description), member,
      [check, sample](const Json& value, const KeyInfo&, const Place& place) {
        return read_texts(value, check, sample, place);
      },
      [](const std::vector<std::string>& values) { return Json(values); });
}

// An object of its own struct.
template <class S, class T>
[[nodiscard]] Field<S> section(std::string_view name, T S::*member, const Fields<T>& fields,
                               std::string_view description) {
  KeyInfo info = key_info(name, KeyType::kSection, description);
  info.keys = infos(fields);
  return Field<S>{info,
                  [=](const Json& value, S& out, const Place& place) {
                    return read_section(value, info, fields, out.*member, place);
                  },
                  [=](const S& values) { return show_section(fields, values.*member); }};
}

// The same, where true and false are short for {"enabled": ...}.
template <class S, class T>
[[nodiscard]] Field<S> switched(std::string_view name, T S::*member, const Fields<T>& fields,
                                std::string_view description) {
  Field<S> field = section(name, member, fields, description);
  field.info.flag_stands_for_it = true;
  return Field<S>{
      field.info,
      [=, info = field.info](const Json& value, S& out, const Place& place) -> Result<void> {
        if (!value.is_boolean()) {
          return read_section(value, info, fields, out.*member, place);
        }
        (out.*member).enabled = value.get<bool>();
        return {};
      },
      field.show};
}

// An object in the file only: its keys are members of the struct around it.
template <class S>
[[nodiscard]] Field<S> group(std::string_view name, const Fields<S>& fields,
                             std::string_view description) {
  KeyInfo info = key_info(name, KeyType::kSection, description);
  info.keys = infos(fields);
  return Field<S>{info,
                  [=](const Json& value, S& out, const Place& place) {
                    return read_section(value, info, fields, out, place);
                  },
                  [=](const S& values) { return show_section(fields, values); }};
}

template <class S, class T>
[[nodiscard]] Field<S> section_list(std::string_view name, std::vector<T> S::*member,
                                    const Fields<T>& fields, std::string_view description) {
  KeyInfo info = key_info(name, KeyType::kSectionList, description);
  info.keys = infos(fields);
  info.default_value = "[]";
  return Field<S>{
      info,
      [=](const Json& value, S& out, const Place& place) -> Result<void> {
        if (!value.is_array()) {
          return place.fail("must be a list of objects, not " + std::string(type_name(value)));
        }
        for (std::size_t i = 0; i < value.size(); ++i) {
          T one;
          auto read = read_section(value[i], info, fields, one, place.element(i));
          if (!read) return read;
          (out.*member).push_back(std::move(one));
        }
        return {};
      },
      [=](const S& values) {
        Json list = Json::array();
        for (const T& one : values.*member) list.push_back(show_section(fields, one));
        return list;
      }};
}

// Both files are versioned; this is the only version so far. Reading checks nothing:
// check_version() comes first.
template <class S>
[[nodiscard]] Field<S> version() {
  KeyInfo info = key_info("version", KeyType::kCount, "of the file's format");
  info.min = 1;
  info.max = 1;
  info.default_value = "1";
  return Field<S>{info, [](const Json&, S&, const Place&) -> Result<void> { return {}; },
                  [](const S&) -> Json { return 1; }};
}

// A file of a newer version is refused for that reason, not for the keys that this version does not
// know.
[[nodiscard]] Result<void> check_version(const Json& file, const Place& place);

}  // namespace twinpost::config
