#include "core/mail/charset.h"

#include <doctest/doctest.h>

#include "core/base/ascii.h"
#include "core/mail/unicode.h"
#include "tests/mail/support.h"

using namespace twinpost;
using namespace twinpost::mail;

namespace {

// Whole and octet by octet: both must be the same.
std::string decode(std::string_view charset, std::string_view octets) {
  const auto whole = to_utf8(charset, octets);
  if (!whole) return "unknown";
  auto decoder = CharsetDecoder::open(charset);
  REQUIRE(decoder);
  std::string pieces;
  for (const char c : octets) decoder->decode({&c, 1}, pieces);
  decoder->finish(pieces);
  CHECK(pieces == *whole);
  CHECK(ascii::is_utf8(*whole));
  return *whole;
}

}  // namespace

TEST_CASE("the charsets of mail are converted") {
  using namespace std::string_literals;
  CHECK(decode("utf-8", "grüß") == "grüß");
  CHECK(decode("UTF8", "grüß") == "grüß");
  CHECK(decode("iso-8859-1", "gr\xfc\xdf") == "grüß");
  CHECK(decode("ISO-8859-15", "\xa4") == "€");
  CHECK(decode("windows-1251", "\xcf\xf0\xe8\xe2\xe5\xf2") == "Привет");
  CHECK(decode("cp1252", "\x80\x93x\x94") == "€“x”");
  CHECK(decode("koi8-r", "\xf0\xd2\xc9\xd7\xc5\xd4") == "Привет");
  CHECK(decode("iso-2022-jp", "\x1b$B%F%9%H\x1b(B.") == "テスト.");
  CHECK(decode("shift_jis", "\x83\x65\x83\x58\x83\x67") == "テスト");
  CHECK(decode("euc-jp", "\xa5\xc6\xa5\xb9\xa5\xc8") == "テスト");
  CHECK(decode("gb18030", "\xc4\xe3\xba\xc3") == "你好");
  CHECK(decode("gb2312", "\xc4\xe3\xba\xc3") == "你好");
  CHECK(decode("big5", "\xa7\x41\xa6\x6e") == "你好");
  CHECK(decode("euc-kr", "\xb0\xa1") == "가");
  CHECK(decode("ks_c_5601-1987", "\xb0\xa1") == "가");
  CHECK(decode("utf-7", "gr+APwA3w-") == "grüß");
  CHECK(decode("unicode-1-1-utf-7", "gr+APwA3w-") == "grüß");
  CHECK(decode("utf-16", "\xfe\xff\x00g\x00\xfc"s) == "gü");
  CHECK(decode("utf-16le", "g\x00\xfc\x00"s) == "gü");
  CHECK(decode("utf-16be", "\xd8\x3d\xde\x00"s) == "😀");
}

TEST_CASE("names mean what mail programs mean by them") {
  CHECK(decode("iso-8859-1", "\x93x\x94") == "“x”");
  CHECK(decode("us-ascii", "grüß") == "grüß");
  CHECK(decode(" UTF-8 ", "x") == "x");
}

TEST_CASE("unknown charsets are unknown, and no name reaches the file system") {
  for (const char* name : {"x-unknown", "", "../../../etc/passwd", "/etc/passwd", "utf-8,swaplfnl",
                           "a b", "none", "\xff", "utf-8\n", "ibm-943_P15A-2003.cnv"}) {
    CAPTURE(name);
    if (std::string_view(name) == "utf-8\n") continue;  // trimmed: known
    CHECK_FALSE(to_utf8(name, "x"));
    CHECK_FALSE(CharsetDecoder::open(name));
    CHECK_FALSE(is_known_charset(name));
  }
  CHECK_FALSE(is_known_charset(std::string(100'000, 'x')));
  CHECK(is_known_charset("Windows-1252"));
}

TEST_CASE("bad octets become replacement characters and are counted as loss") {
  CHECK(decode("utf-8",
               "a\xff"
               "b") ==
        "a\xef\xbf\xbd"
        "b");
  CHECK(decode("utf-8", "a\xe2\x82") == "a\xef\xbf\xbd");
  CHECK(decode("euc-jp", "a\xa5").starts_with("a\xef\xbf\xbd"));
  auto decoder = CharsetDecoder::open("utf-8");
  REQUIRE(decoder);
  std::string out;
  decoder->decode("fine", out);
  CHECK_FALSE(decoder->lossy());
  decoder->decode("\xff", out);
  CHECK(decoder->lossy());
}

TEST_CASE("a decoder can be moved in the middle of a character") {
  auto decoder = CharsetDecoder::open("utf-8");
  REQUIRE(decoder);
  std::string out;
  decoder->decode("\xe2\x82", out);
  CharsetDecoder moved = std::move(*decoder);
  moved.decode("\xac", out);
  moved.finish(out);
  CHECK(out == "€");
}

TEST_CASE("big bodies convert piece by piece") {
  const std::string big = repeat("gr\xfc\xdf ", 200'000);
  CHECK(to_utf8("iso-8859-1", big)->size() == 7 * 200'000);
}

TEST_CASE("octets without a charset are UTF-8 or windows-1252") {
  CHECK(guess_utf8("grüß") == "grüß");
  CHECK(guess_utf8("gr\xfc\xdf \x80") == "grüß €");
}

TEST_CASE("casemap keys are equal where i;unicode-casemap says equal") {
  CHECK(unicode_casemap("Straße") != unicode_casemap("STRASSE"));  // simple mappings only
  CHECK(unicode_casemap("grün") == unicode_casemap("GRÜN"));
  CHECK(unicode_casemap("e\xcc\x81") == unicode_casemap("É"));
  CHECK(unicode_casemap("ПРИВЕТ") == unicode_casemap("привет"));
  CHECK(unicode_casemap("hello") == "HELLO");
  CHECK(unicode_casemap("ﬁ") == unicode_casemap("ﬁ"));
  CHECK(unicode_casemap("ＡＢＣ") == unicode_casemap("abc"));
  CHECK(unicode_casemap("a") != unicode_casemap("b"));
  CHECK(unicode_casemap("\xff") == "\xef\xbf\xbd");
  // A text longer than a piece, cut between characters.
  const std::string big = repeat("é", 1'000'001);
  CHECK(unicode_casemap(big) == repeat("E\xcc\x81", 1'000'001));
}

TEST_CASE("NFC composes, and refuses what is no UTF-8") {
  CHECK(normalize_nfc("e\xcc\x81") == "é");
  CHECK(normalize_nfc("plain") == "plain");
  CHECK(normalize_nfc("ﬁ") == "ﬁ");
  CHECK_FALSE(normalize_nfc("\xff"));
  CHECK(count_characters("aé€😀") == 4);
}
