#include "core/mail/charset.h"

#include <algorithm>
#include <array>
#include <unicode/ucnv.h>
#include <unicode/ucnv_cb.h>

#include "core/base/ascii.h"

namespace twinpost::mail {

namespace {

struct Meaning {
  std::string_view name;
  const char* read_as;
};
// What is written, and the superset that is meant (as the WHATWG Encoding Standard and mail
// programs have it).
constexpr std::array kMeanings = {
    Meaning{"us-ascii", "UTF-8"},          Meaning{"ascii", "UTF-8"},
    Meaning{"ansi_x3.4-1968", "UTF-8"},    Meaning{"iso-8859-1", "windows-1252"},
    Meaning{"iso8859-1", "windows-1252"},  Meaning{"iso_8859-1", "windows-1252"},
    Meaning{"latin1", "windows-1252"},     Meaning{"gb2312", "gb18030"},
    Meaning{"gb_2312-80", "gb18030"},      Meaning{"gbk", "gb18030"},
    Meaning{"x-gbk", "gb18030"},           Meaning{"ks_c_5601-1987", "windows-949"},
    Meaning{"euc-kr", "windows-949"},      Meaning{"shift_jis", "windows-31j"},
    Meaning{"shift-jis", "windows-31j"},   Meaning{"x-sjis", "windows-31j"},
    Meaning{"iso-8859-8-i", "iso-8859-8"}, Meaning{"iso-8859-9", "windows-1254"},
    Meaning{"unicode-1-1-utf-7", "UTF-7"}, Meaning{"unicode-1-1-utf-8", "UTF-8"},
    Meaning{"cp-1252", "windows-1252"},    Meaning{"tis-620", "windows-874"},
};

constexpr UChar kReplacement = 0xFFFD;

// The name that ICU shall open, or nullopt. ICU takes an unknown name for a file's and looks for
// that, and reads options behind a comma: neither may come from a message.
std::optional<std::string> icu_name(std::string_view charset) {
  charset = ascii::trim(charset);
  constexpr std::size_t kMaxName = 64;
  if (charset.empty() || charset.size() > kMaxName) return std::nullopt;
  if (!std::all_of(charset.begin(), charset.end(), [](char c) {
        return ascii::is_alnum(c) || std::string_view("-_.:+()").find(c) != std::string_view::npos;
      })) {
    return std::nullopt;
  }
  for (const Meaning& meaning : kMeanings) {
    if (ascii::equals_ignore_case(meaning.name, charset)) return meaning.read_as;
  }
  std::string name(charset);
  UErrorCode error = U_ZERO_ERROR;
  if (ucnv_countAliases(name.c_str(), &error) == 0 || U_FAILURE(error)) return std::nullopt;
  return name;
}

void on_bad_octets(const void* context, UConverterToUnicodeArgs* args, const char* /*octets*/,
                   std::int32_t /*length*/, UConverterCallbackReason reason, UErrorCode* error) {
  if (reason == UCNV_IRREGULAR) {
    // ISO-2022 and HZ: a shift to a character set and back with nothing between, which joined
    // encoded words have.
    *error = U_ZERO_ERROR;
    return;
  }
  if (reason != UCNV_UNASSIGNED && reason != UCNV_ILLEGAL) return;
  *const_cast<bool*>(static_cast<const bool*>(context)) = true;
  *error = U_ZERO_ERROR;
  ucnv_cbToUWriteUChars(args, &kReplacement, 1, 0, error);
}

}  // namespace

struct CharsetDecoder::Impl {
  UConverter* source = nullptr;
  UConverter* utf8 = nullptr;
  bool lossy = false;
  std::array<UChar, 1024> pivot{};
  UChar* pivot_source = pivot.data();
  UChar* pivot_target = pivot.data();

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (source != nullptr) ucnv_close(source);
    if (utf8 != nullptr) ucnv_close(utf8);
  }

  void convert(std::string_view octets, bool flush, std::string& out) {
    const char* at = octets.data();
    const char* const end = at + octets.size();
    std::array<char, 4096> buffer;
    UErrorCode error = U_BUFFER_OVERFLOW_ERROR;
    while (error == U_BUFFER_OVERFLOW_ERROR) {
      char* target = buffer.data();
      error = U_ZERO_ERROR;
      ucnv_convertEx(utf8, source, &target, buffer.data() + buffer.size(), &at, end, pivot.data(),
                     &pivot_source, &pivot_target, pivot.data() + pivot.size(), /*reset=*/0,
                     static_cast<UBool>(flush), &error);
      out.append(buffer.data(), target);
    }
    if (!U_FAILURE(error)) return;
    // Only what the callback does not see gets here: a sequence cut short at the very end.
    out += "\xef\xbf\xbd";
    lossy = true;
  }
};

CharsetDecoder::CharsetDecoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CharsetDecoder::~CharsetDecoder() = default;
CharsetDecoder::CharsetDecoder(CharsetDecoder&&) noexcept = default;
CharsetDecoder& CharsetDecoder::operator=(CharsetDecoder&&) noexcept = default;

std::optional<CharsetDecoder> CharsetDecoder::open(std::string_view charset) {
  const auto name = icu_name(charset);
  if (!name) return std::nullopt;
  auto impl = std::make_unique<Impl>();
  UErrorCode error = U_ZERO_ERROR;
  impl->source = ucnv_open(name->c_str(), &error);
  impl->utf8 = ucnv_open("UTF-8", &error);
  if (U_FAILURE(error)) return std::nullopt;
  ucnv_setToUCallBack(impl->source, on_bad_octets, &impl->lossy, nullptr, nullptr, &error);
  if (U_FAILURE(error)) return std::nullopt;
  return CharsetDecoder(std::move(impl));
}

void CharsetDecoder::decode(std::string_view octets, std::string& utf8) {
  if (!octets.empty()) impl_->convert(octets, false, utf8);
}

void CharsetDecoder::finish(std::string& utf8) {
  impl_->convert("", true, utf8);  // ICU wants a pointer even to nothing
}

bool CharsetDecoder::lossy() const { return impl_->lossy; }

bool is_known_charset(std::string_view charset) { return icu_name(charset).has_value(); }

std::optional<std::string> to_utf8(std::string_view charset, std::string_view octets) {
  const auto name = icu_name(charset);
  if (!name) return std::nullopt;
  if (*name == "UTF-8" && ascii::is_utf8(octets)) return std::string(octets);
  auto decoder = CharsetDecoder::open(*name);
  if (!decoder) return std::nullopt;
  std::string out;
  out.reserve(octets.size());
  decoder->decode(octets, out);
  decoder->finish(out);
  return out;
}

std::string guess_utf8(std::string_view octets) {
  if (ascii::is_utf8(octets)) return std::string(octets);
  return to_utf8("windows-1252", octets).value_or(std::string());
}

}  // namespace twinpost::mail
