#include "core/mail/unicode.h"

#include <algorithm>
#include <limits>
#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include "core/base/ascii.h"

namespace twinpost::mail {

namespace {

// ICU counts in int32_t: longer texts go through piece by piece.
constexpr std::size_t kPiece = std::size_t{1} << 20;

bool is_ascii(std::string_view text) {
  return std::none_of(text.begin(), text.end(), ascii::is_8bit);
}

// Where to cut so that a piece ends between two characters.
std::size_t piece_size(std::string_view text) {
  if (text.size() <= kPiece) return text.size();
  std::size_t size = kPiece;
  for (int back = 0; back < 3 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80; ++back) {
    --size;
  }
  return size;
}

void casemap_piece(std::string_view piece, std::string& out) {
  const auto text = icu::UnicodeString::fromUTF8(
      icu::StringPiece(piece.data(), static_cast<std::int32_t>(piece.size())));
  icu::UnicodeString titled;
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    titled.append(u_totitle(text.char32At(i)));
  }
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfkd = icu::Normalizer2::getNFKDInstance(error);
  if (U_FAILURE(error)) return;
  const icu::UnicodeString decomposed = nfkd->normalize(titled, error);
  decomposed.toUTF8String(out);
}

}  // namespace

std::string unicode_casemap(std::string_view utf8) {
  if (is_ascii(utf8)) return ascii::upper(utf8);
  std::string out;
  out.reserve(utf8.size());
  while (!utf8.empty()) {
    const std::size_t size = piece_size(utf8);
    casemap_piece(utf8.substr(0, size), out);
    utf8.remove_prefix(size);
  }
  return out;
}

std::optional<std::string> normalize_nfc(std::string_view utf8) {
  if (is_ascii(utf8)) return std::string(utf8);
  if (utf8.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()) ||
      !ascii::is_utf8(utf8)) {
    return std::nullopt;
  }
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(error);
  if (U_FAILURE(error)) return std::nullopt;
  std::string out;
  icu::StringByteSink<std::string> sink(&out);
  nfc->normalizeUTF8(0, icu::StringPiece(utf8.data(), static_cast<std::int32_t>(utf8.size())), sink,
                     nullptr, error);
  if (U_FAILURE(error)) return std::nullopt;
  return out;
}

std::size_t count_characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace twinpost::mail
