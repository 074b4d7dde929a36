#include "tools/twinpost/transfer/maildir_uidl.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/base/ascii.h"

namespace twinpost::tools {

namespace {

constexpr std::string_view kVariables = "uvfgm";
constexpr std::string_view kChanges = "XLU";
constexpr std::size_t kWidest = 255;  // of a field: a UIDL is no longer

std::size_t take_number(std::string_view text, std::size_t& at) {
  std::size_t value = 0;
  while (at < text.size() && ascii::is_digit(text[at])) {
    value = std::min<std::size_t>(value * 10 + static_cast<std::size_t>(text[at] - '0'), 1000);
    ++at;
  }
  return value;
}

std::string value_of(char variable, const UidlParts& parts) {
  switch (variable) {
    case 'u': return parts.uid.value() == 0 ? "" : std::to_string(parts.uid.value());
    case 'v':
      return parts.uid_validity.value() == 0 ? "" : std::to_string(parts.uid_validity.value());
    case 'f': return parts.base_name;
    case 'g': return parts.guid;
    case 'm': return parts.header_md5;
    default: return "";
  }
}

std::string changed(std::string value, char change) {
  switch (change) {
    case 'L': return ascii::lower(value);
    case 'U': return ascii::upper(value);
    case 'X': {
      const auto number = ascii::parse_number<std::uint64_t>(value);
      return number ? fmt::format("{:x}", *number) : std::string("0");
    }
    default: return value;
  }
}

}  // namespace

Result<UidlFormat> UidlFormat::parse(std::string_view text) {
  UidlFormat made;
  if (text == "auto") return made;
  if (text == "none" || text == "courier") {
    made.kind_ = text == "none" ? Kind::kNone : Kind::kCourier;
    return made;
  }
  const auto wrong = [text](std::string_view what) {
    return fail(ErrorCode::kInvalid,
                fmt::format("UIDL format \"{}\": {} (auto, none, courier, or a format of %u %v %f "
                            "%g %m as %08Xu%08Xv)",
                            ascii::printable(text), what));
  };
  made.kind_ = Kind::kDovecot;
  Field field;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '%') {
      field.literal += text[at++];
      continue;
    }
    if (++at < text.size() && text[at] == '%') {
      field.literal += text[at++];
      continue;
    }
    const bool backwards = at < text.size() && text[at] == '-';
    if (backwards) ++at;
    field.zero_padded = at < text.size() && text[at] == '0';
    field.width = take_number(text, at);
    if (at < text.size() && text[at] == '.') {
      field.offset = static_cast<int>(field.width) * (backwards ? -1 : 1);
      field.zero_padded = ++at < text.size() && text[at] == '0';
      field.width = take_number(text, at);
    }
    if (field.width > kWidest) return wrong("a field that wide is no part of a UIDL");
    while (at < text.size() && kChanges.find(text[at]) != std::string_view::npos) {
      field.changes += text[at++];
    }
    if (at == text.size() || kVariables.find(text[at]) == std::string_view::npos) {
      return wrong(at == text.size()
                       ? std::string("ends within a field")
                       : fmt::format("%{} is not known", ascii::printable(text.substr(at, 1))));
    }
    field.variable = text[at++];
    made.fields_.push_back(std::move(field));
    field = Field();
  }
  if (made.fields_.empty()) return wrong("every message would have the same UIDL");
  if (!field.literal.empty()) made.fields_.push_back(std::move(field));
  return made;
}

UidlFormat UidlFormat::dovecot_default() { return *parse("%08Xu%08Xv"); }

bool UidlFormat::uses(char variable) const {
  return std::any_of(fields_.begin(), fields_.end(),
                     [&](const Field& field) { return field.variable == variable; });
}

std::string UidlFormat::format(const UidlParts& parts) const {
  std::string uidl;
  for (const Field& field : fields_) {
    uidl += field.literal;
    if (field.variable == 0) continue;
    std::string value = value_of(field.variable, parts);
    if (value.empty()) return {};
    for (const char change : field.changes) value = changed(std::move(value), change);
    if (field.offset >= 0) {
      value.erase(0, static_cast<std::size_t>(field.offset));
    } else if (value.size() > static_cast<std::size_t>(-field.offset)) {
      value.erase(0, value.size() - static_cast<std::size_t>(-field.offset));
    }
    if (field.zero_padded) {
      if (value.size() < field.width) uidl.append(field.width - value.size(), '0');
    } else if (field.width > 0) {
      value.resize(std::min(value.size(), field.width));
    }
    uidl += value;
  }
  return uidl;
}

std::string courier_uidl(std::string_view base_name) {
  std::string uidl;
  for (const char c : base_name) {
    if (c < 0x21 || c > 0x7e || c == '\'' || c == '"' || c == '+') {
      uidl += fmt::format("+{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      uidl += c;
    }
  }
  return uidl;
}

bool is_usable_uidl(std::string_view uidl) {
  return !uidl.empty() && uidl.size() <= 255 &&
         std::all_of(uidl.begin(), uidl.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace twinpost::tools
