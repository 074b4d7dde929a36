#include "core/mail/encoded_word.h"

#include <doctest/doctest.h>
#include <sstream>

#include "core/base/ascii.h"
#include "tests/mail/support.h"

using namespace twinpost;
using namespace twinpost::mail;

TEST_CASE("the examples of RFC 2047 section 8 decode as it says") {
  CHECK(decode_words("=?US-ASCII?Q?Keith_Moore?=") == "Keith Moore");
  CHECK(decode_words("=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=") == "Keld Jørn Simonsen");
  CHECK(decode_words("=?ISO-8859-1?Q?Andr=E9?= Pirard") == "André Pirard");
  CHECK(decode_words("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= "
                     "=?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=") ==
        "If you can read this you understand the example.");
  CHECK(decode_words("=?ISO-8859-1?Q?Olle_J=E4rnefors?=") == "Olle Järnefors");
  CHECK(decode_words("=?ISO-8859-1?Q?Patrik_F=E4ltstr=F6m?=") == "Patrik Fältström");
  CHECK(decode_words("(=?iso-8859-8?b?7eXs+SDv4SDp7Oj08A==?=)") == "(םולש ןב ילטפנ)");
  CHECK(decode_words("(=?ISO-8859-1?Q?a?=)") == "(a)");
  CHECK(decode_words("(=?ISO-8859-1?Q?a?= b)") == "(a b)");
  CHECK(decode_words("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)") == "(ab)");
  CHECK(decode_words("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)") == "(ab)");
  CHECK(decode_words("(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)") == "(ab)");
  CHECK(decode_words("(=?ISO-8859-1?Q?a_b?=)") == "(a b)");
  CHECK(decode_words("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)") == "(a b)");
}

TEST_CASE("the language suffix of RFC 2231 section 5 is accepted") {
  CHECK(decode_words("=?US-ASCII*EN?Q?Keith_Moore?=") == "Keith Moore");
}

TEST_CASE("a character that is split over words of one charset is whole again") {
  CHECK(decode_words("=?utf-8?Q?gr=C3?= =?utf-8?Q?=BC=C3=9F?=") == "grüß");
  CHECK(decode_words("=?UTF-8?B?w7w=?= =?utf-8?Q?=C3?= =?utf-8?B?nw==?=") == "üß");
  // Another charset between them: they cannot be joined.
  CHECK(decode_words("=?utf-8?Q?=C3?= =?iso-8859-1?Q?a?=") ==
        "\xef\xbf\xbd"
        "a");
}

TEST_CASE("words in charsets with states and wide units decode") {
  CHECK(decode_words("=?ISO-2022-JP?B?GyRCJUYlOSVIGyhC?= =?ISO-2022-JP?B?GyRCJUYlOSVIGyhC?=") ==
        "テストテスト");
  CHECK(decode_words("=?gb2312?B?xOO6ww==?=") == "你好");
  CHECK(decode_words("=?koi8-r?Q?=F0=D2=C9=D7=C5=D4?=") == "Привет");
}

TEST_CASE("what is no encoded word stays as it is") {
  for (const char* text : {"=?", "=?=", "=?\?=", "=?utf-8?Q?", "=?utf-8?Q?abc", "=?utf-8?Q?abc?",
                           "=?utf-8?X?abc?=", "=??Q?abc?=", "=?utf-8?Qabc?=", "a =? b ?= c",
                           "=?utf 8?Q?a?=", "?==?", "=?utf-8?", "=?utf-8"}) {
    CHECK(decode_words(text) == text);
  }
}

TEST_CASE("a word in an unknown charset stays as it is, and the words beside it do not") {
  CHECK(decode_words("=?x-no-such?Q?a=62?=") == "=?x-no-such?Q?a=62?=");
  CHECK(decode_words("=?utf-8?Q?a?= =?x-no-such?Q?b?= =?utf-8?Q?c?=") == "a=?x-no-such?Q?b?=c");
  CHECK(decode_words("=?../../etc/passwd?Q?b?=") == "=?../../etc/passwd?Q?b?=");
}

TEST_CASE("broken words are read as far as they go") {
  CHECK(decode_words("=?utf-8?Q?a=4?=") == "a=4");
  CHECK(decode_words("=?utf-8?Q?a=ZZb?=") == "a=ZZb");
  CHECK(decode_words("=?utf-8?B?YWJj=?=") == "abc");
  CHECK(decode_words("=?utf-8?B?YWI?=") == "ab");
  CHECK(decode_words("=?utf-8?B?\?=") == "");
  CHECK(decode_words("=?utf-8?Q?\?=") == "");
  CHECK(decode_words("=?utf-8?Q?=41?=") == "A");
  CHECK(decode_words("=?utf-8?Q?hello world?=") == "hello world");
  CHECK(decode_words("x=?utf-8?Q?a?=y") == "xay");
  CHECK(decode_words("=?utf-8?Q?a =?utf-8?Q?b?=") == "=?utf-8?Q?a b");
}

TEST_CASE("octets outside words are UTF-8 or guessed") {
  CHECK(decode_words("gr\xc3\xbc\xc3\x9f =?utf-8?Q?=C3=A4?=") == "grüß ä");
  CHECK(decode_words("gr\xfc\xdf =?utf-8?Q?=C3=A4?=") == "grüß ä");
}

TEST_CASE("a text full of beginnings is read in one pass") {
  const std::string text = repeat("=?a?q?", 200'000);
  CHECK(decode_words(text) == text);
  const std::string closed = repeat("=?a?q?", 100'000) + "?=";
  CHECK(decode_words(closed).size() >= 6 * 99'999);
  CHECK(decode_words(repeat("=?utf-8?q?a?= ", 100'000)).size() == 100'000 + 1);
}

TEST_CASE("encoding leaves plain text alone and goes round otherwise") {
  CHECK(encode_words("plain text!", WordContext::kText) == "plain text!");
  CHECK(encode_words("a grün field", WordContext::kText) == "=?UTF-8?Q?a_gr=C3=BCn_field?=");
  CHECK(encode_words("a field that is \"grün\"", WordContext::kPhrase) ==
        "=?UTF-8?Q?a_field_that_is_=22gr=C3=BCn=22?=");
  CHECK(encode_words("=?utf-8?Q?a?=", WordContext::kText) != "=?utf-8?Q?a?=");
  CHECK(encode_words("日本語", WordContext::kText) == "=?UTF-8?B?5pel5pys6Kqe?=");
  for (const std::string& text :
       {std::string("日本語のとても長い題名です。") + repeat("長い", 40), repeat("grüße ", 50),
        repeat("x", 100) + "ü", std::string("=?utf-8?Q?a?="), std::string("tab\tand\r\nline")}) {
    for (const WordContext context : {WordContext::kText, WordContext::kPhrase}) {
      const std::string encoded = encode_words(text, context);
      CHECK(decode_words(encoded) == text);
      std::istringstream words(encoded);
      for (std::string word; words >> word;) {
        CHECK(word.size() <= 75);
        CHECK(ascii::is_utf8(decode_words(word)));
        CHECK(decode_words(word).find("\xef\xbf\xbd") == std::string::npos);
      }
    }
  }
}

TEST_CASE("octets that are not UTF-8 are encoded as replacement characters") {
  CHECK(decode_words(encode_words("a\xff", WordContext::kText)) == "a\xef\xbf\xbd");
}
