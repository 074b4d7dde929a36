#include "tools/twinpost/shown.h"

#include <cstdint>

#include "core/base/ascii.h"
#include "core/mail/unicode.h"

namespace twinpost::tools {

namespace {

struct Character {
  std::size_t octets = 1;
  std::uint32_t code = 0;
};

// The first of well-formed text.
Character first_character(std::string_view text) {
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t lead = octet(0);
  const std::size_t octets = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  std::uint32_t code = octets == 1 ? lead : lead & (0xFFU >> (octets + 1));
  for (std::size_t i = 1; i < octets; ++i) code = code << 6 | (octet(i) & 0x3FU);
  return {octets, code};
}

bool is_harmless(std::uint32_t code) {
  if (code < 0x20 || (code >= 0x7F && code < 0xA0)) return false;
  // U+200E and U+200F marks, U+2028 and U+2029 separators, U+202A to U+202E and U+2066 to U+2069
  // directions, U+061C, U+FEFF.
  return code != 0x061C && code != 0x200E && code != 0x200F &&
         !(code >= 0x2028 && code <= 0x202E) && !(code >= 0x2066 && code <= 0x2069) &&
         code != 0xFEFF;
}

}  // namespace

std::string shown(std::string_view text, std::size_t characters) {
  std::string clean;
  std::size_t count = 0;
  while (!text.empty()) {
    // Up to the next octet that is no UTF-8, one character after the other.
    const std::size_t most = text.size() < 4 ? text.size() : 4;
    std::size_t octets = 1;
    while (octets <= most && !ascii::is_utf8(text.substr(0, octets))) ++octets;
    const bool good = octets <= most;
    if (characters != 0 && count == characters) {
      // There is more than fits: the last that was kept makes room.
      while (!clean.empty() && (static_cast<unsigned char>(clean.back()) & 0xC0) == 0x80)
        clean.pop_back();
      if (!clean.empty()) clean.pop_back();
      return clean + "…";
    }
    const Character character = good ? first_character(text) : Character{};
    if (good && is_harmless(character.code)) {
      clean.append(text.substr(0, character.octets));
    } else {
      clean += '?';
    }
    text.remove_prefix(good ? character.octets : 1);
    ++count;
  }
  return clean;
}

std::string column(std::string_view text, std::size_t characters) {
  std::string padded = shown(text, characters);
  const std::size_t count = mail::count_characters(padded);
  if (count < characters) padded.append(characters - count, ' ');
  return padded;
}

}  // namespace twinpost::tools
