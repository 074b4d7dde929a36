#include "core/config/values.h"

#include <array>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include "core/base/ascii.h"

namespace twinpost::config {

namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::uint64_t kKibi = 1024;
constexpr std::array<Unit, 9> kSizeUnits{{{"B", 1},
                                          {"KiB", kKibi},
                                          {"MiB", kKibi* kKibi},
                                          {"GiB", kKibi* kKibi* kKibi},
                                          {"TiB", kKibi* kKibi* kKibi* kKibi},
                                          {"KB", 1000},
                                          {"MB", 1'000'000},
                                          {"GB", 1'000'000'000},
                                          {"TB", 1'000'000'000'000}}};
// Milliseconds. The first name of each is the one that is shown.
constexpr std::array<Unit, 15> kTimeUnits{{{"ms", 1},
                                           {"s", 1000},
                                           {"min", 60'000},
                                           {"h", 3'600'000},
                                           {"days", 86'400'000},
                                           {"day", 86'400'000},
                                           {"d", 86'400'000},
                                           {"sec", 1000},
                                           {"second", 1000},
                                           {"seconds", 1000},
                                           {"minute", 60'000},
                                           {"minutes", 60'000},
                                           {"hour", 3'600'000},
                                           {"hours", 3'600'000},
                                           {"milliseconds", 1}}};

std::string in_quotes(std::string_view text) { return '"' + ascii::printable(text, 60) + '"'; }

tl::unexpected<Error> wrong_type(const Json& value, std::string_view wanted, const Place& place) {
  return place.fail("must be " + std::string(wanted) + ", not " + std::string(type_name(value)));
}

// 2^64 as a double, which nothing whole that fits reaches.
constexpr double kTooLarge = 18446744073709551616.0;

Result<std::uint64_t> whole_number(const Json& value, const Place& place) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (value.is_number_integer()) {
    const auto number = value.get<std::int64_t>();
    if (number < 0) return place.fail("must not be negative");
    return static_cast<std::uint64_t>(number);
  }
  const auto number = value.get<double>();
  if (number >= kTooLarge) return place.fail("is too large");
  if (number < 0) return place.fail("must not be negative");
  return place.fail("must be a whole number");
}

std::optional<std::uint64_t> multiply(std::uint64_t number, std::uint64_t factor) {
  if (factor != 0 && number > std::numeric_limits<std::uint64_t>::max() / factor) return {};
  return number * factor;
}

// "50 MiB" in the smallest unit.
Result<std::uint64_t> number_with_unit(std::string_view text, std::span<const Unit> units,
                                       std::string_view wanted, const Place& place) {
  std::size_t digits = 0;
  while (digits < text.size() && ascii::is_digit(text[digits])) ++digits;
  const std::string_view unit_name = ascii::trim(text.substr(digits));
  for (const Unit& unit : units) {
    if (digits == 0 || !ascii::equals_ignore_case(unit.name, unit_name)) continue;
    const auto number = ascii::parse_number<std::uint64_t>(text.substr(0, digits));
    const auto product = number ? multiply(*number, unit.factor) : std::nullopt;
    if (!product) return place.fail("is too large");
    return *product;
  }
  return place.fail("must be " + std::string(wanted) + ", not " + in_quotes(text));
}

std::string shown(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

Result<std::uint64_t> within(std::uint64_t number, const KeyInfo& info, const Place& place,
                             const std::function<Json(std::uint64_t)>& show) {
  if (number < info.min) return place.fail("must be at least " + shown(show(info.min)));
  if (number > info.max) return place.fail("must be at most " + shown(show(info.max)));
  return number;
}

Json show_in(std::uint64_t number, std::span<const Unit> units) {
  for (std::size_t i = units.size(); i-- > 0 && number != 0;) {
    if (number % units[i].factor != 0) continue;
    return std::to_string(number / units[i].factor) + ' ' + std::string(units[i].name);
  }
  return number;
}

// "a", "b" or "c"
std::string listed(const std::vector<std::string>& choices) {
  std::string out;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) out += i + 1 == choices.size() ? " or " : ", ";
    out += '"' + choices[i] + '"';
  }
  return out;
}

constexpr std::size_t kMaxText = 4096;

}  // namespace

Result<bool> read_flag(const Json& value, const KeyInfo&, const Place& place) {
  if (!value.is_boolean()) return wrong_type(value, "true or false", place);
  return value.get<bool>();
}

Result<std::uint64_t> read_count(const Json& value, const KeyInfo& info, const Place& place) {
  if (!value.is_number()) return wrong_type(value, "a whole number", place);
  auto number = whole_number(value, place);
  if (!number) return number;
  return within(*number, info, place, [](std::uint64_t bound) { return Json(bound); });
}

Result<std::vector<std::uint64_t>> read_counts(const Json& value, const KeyInfo& info,
                                               const Place& place) {
  if (!value.is_array()) {
    return wrong_type(value, "a list of whole numbers, like " + info.default_value, place);
  }
  if (value.size() > info.most) {
    return place.fail("must have at most " + std::to_string(info.most) + " numbers");
  }
  std::vector<std::uint64_t> counts;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const Place here = place.element(i);
    const auto number = read_count(value[i], info, here);
    if (!number) return tl::unexpected(number.error());
    if (!counts.empty() && *number <= counts.back()) {
      return here.fail("must be larger than the one before it (" + std::to_string(counts.back()) +
                       ')');
    }
    counts.push_back(*number);
  }
  return counts;
}

Result<std::uint64_t> read_size(const Json& value, const KeyInfo& info, const Place& place) {
  constexpr std::string_view kWanted = "a number of octets or a size like \"50 MiB\"";
  if (!value.is_number() && !value.is_string()) return wrong_type(value, kWanted, place);
  auto octets = value.is_number() ? whole_number(value, place)
                                  : number_with_unit(value.get_ref<const std::string&>(),
                                                     kSizeUnits, kWanted, place);
  if (!octets) return octets;
  return within(*octets, info, place, show_size);
}

Result<std::chrono::milliseconds> read_duration(const Json& value, const KeyInfo& info,
                                                const Place& place) {
  constexpr std::string_view kWanted = "a number of seconds or a time like \"10 min\"";
  constexpr std::uint64_t kPerSecond = 1000;
  if (!value.is_number() && !value.is_string()) return wrong_type(value, kWanted, place);
  Result<std::uint64_t> number =
      value.is_number()
          ? whole_number(value, place)
          : number_with_unit(value.get_ref<const std::string&>(), kTimeUnits, kWanted, place);
  if (number && value.is_number()) {
    const auto product = multiply(*number, kPerSecond);
    if (!product) return place.fail("is too large");
    number = *product;
  }
  if (number) {
    number = within(*number, info, place, [](std::uint64_t bound) {
      return show_duration(std::chrono::milliseconds(bound));
    });
  }
  if (!number) return tl::unexpected(number.error());
  return std::chrono::milliseconds(*number);
}

Result<std::string> read_text(const Json& value, const KeyInfo& info, const Place& place) {
  if (!value.is_string()) return wrong_type(value, "a string", place);
  const auto& text = value.get_ref<const std::string&>();
  if (text.size() < info.min) return place.fail("must not be empty");
  if (text.size() > kMaxText) {
    return place.fail("is longer than " + std::to_string(kMaxText) + " octets");
  }
  for (const char c : text) {
    if (ascii::is_control(c)) return place.fail("must not contain control characters");
  }
  return text;
}

Result<std::string> read_path(const Json& value, const KeyInfo& info, const Place& place) {
  auto text = read_text(value, info, place);
  if (!text || text->empty() || text->front() == '/' || place.file().folder.empty()) return text;
  return (std::filesystem::path(place.file().folder) / *text).lexically_normal().string();
}

Result<std::size_t> read_choice(const Json& value, const KeyInfo& info, const Place& place) {
  const std::string wanted = listed(info.choices);
  if (!value.is_string()) return wrong_type(value, wanted, place);
  const auto& text = value.get_ref<const std::string&>();
  for (std::size_t i = 0; i < info.choices.size(); ++i) {
    if (info.choices[i] == text) return i;
  }
  std::string what = "must be " + wanted + ", not " + in_quotes(text);
  const std::string near = nearest(text, info.choices);
  if (!near.empty()) what += " (did you mean \"" + near + "\"?)";
  return place.fail(what);
}

Result<std::vector<std::string>> read_texts(const Json& value, const TextCheck& check,
                                            std::string_view example, const Place& place) {
  if (!value.is_array()) {
    return wrong_type(value, "a list, like " + std::string(example), place);
  }
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const Place here = place.element(i);
    if (!value[i].is_string()) return wrong_type(value[i], "a string", here);
    auto checked = check(value[i].get_ref<const std::string&>());
    if (!checked) return here.fail(checked.error().message);
    texts.push_back(std::move(*checked));
  }
  return texts;
}

// Binary units only: they come first in the table.
Json show_size(std::uint64_t octets) {
  return show_in(octets, std::span(kSizeUnits).subspan(1, 4));
}

Json show_duration(std::chrono::milliseconds duration) {
  constexpr std::size_t kShownUnits = 5;
  return show_in(static_cast<std::uint64_t>(duration.count()),
                 std::span(kTimeUnits).first(kShownUnits));
}

}  // namespace twinpost::config
