#include "core/mail/casemap_stream.h"

#include <algorithm>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "core/base/ascii.h"
#include "core/mail/unicode.h"

namespace twinpost::mail {

namespace {

const icu::Normalizer2* decomposition() {
  static const icu::Normalizer2* const nfkd = [] {
    UErrorCode error = U_ZERO_ERROR;
    const icu::Normalizer2* found = icu::Normalizer2::getNFKDInstance(error);
    return U_SUCCESS(error) ? found : nullptr;
  }();
  return nfkd;
}

// Octets at the end of `text` that are the beginning of a character.
std::size_t cut_character(std::string_view text) {
  const std::size_t most = std::min<std::size_t>(text.size(), 3);
  for (std::size_t back = 1; back <= most; ++back) {
    const auto octet = static_cast<unsigned char>(text[text.size() - back]);
    if (octet < 0x80) return 0;
    if (octet < 0xC0) continue;  // in the middle of a character
    const std::size_t size = octet < 0xE0 ? 2 : octet < 0xF0 ? 3 : 4;
    return size > back ? back : 0;
  }
  return 0;
}

// How much of `text`, whole characters, no later text can change: up to the last place where no run
// of combining marks goes on.
std::size_t settled(std::string_view text) {
  if (text.empty() || !ascii::is_8bit(text.back())) return text.size();
  const icu::Normalizer2* nfkd = decomposition();
  if (nfkd == nullptr) return text.size();
  const auto* octets = reinterpret_cast<const std::uint8_t*>(text.data());
  std::size_t lowest =
      text.size() > CasemapStream::kMaxHeld ? text.size() - CasemapStream::kMaxHeld : 0;
  while (lowest > 0 && lowest < text.size() && U8_IS_TRAIL(octets[lowest])) ++lowest;
  // ICU counts in int32_t; only the end matters.
  const std::uint8_t* const base = octets + lowest;
  auto at = static_cast<std::int32_t>(text.size() - lowest);
  while (at > 0) {
    const std::int32_t end = at;
    UChar32 character = 0;
    U8_PREV_OR_FFFD(base, 0, at, character);
    character = u_totitle(character);
    if (nfkd->hasBoundaryAfter(character)) return lowest + static_cast<std::size_t>(end);
    if (nfkd->hasBoundaryBefore(character)) return lowest + static_cast<std::size_t>(at);
  }
  return lowest == 0 ? 0 : text.size();
}

}  // namespace

void CasemapStream::add(std::string_view utf8, std::string& key) {
  std::string joined;
  if (!held_.empty()) {
    joined = std::move(held_);
    joined += utf8;
    utf8 = joined;
  }
  const std::size_t whole = utf8.size() - cut_character(utf8);
  const std::size_t done = settled(utf8.substr(0, whole));
  key += unicode_casemap(utf8.substr(0, done));
  held_ = std::string(utf8.substr(done));
}

void CasemapStream::finish(std::string& key) {
  key += unicode_casemap(held_);
  held_.clear();
}

}  // namespace twinpost::mail
