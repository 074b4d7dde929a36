#include "imap/search_text.h"

#include <doctest/doctest.h>
#include <random>
#include <string>

#include "core/mail/casemap_stream.h"
#include "core/mail/unicode.h"

using namespace twinpost;
using namespace twinpost::imap;
using namespace std::chrono_literals;

namespace {

// Characters that make trouble: cased in odd ways, composed, decomposed, compatibility forms,
// combining marks of several classes, beyond the BMP, octets that are no UTF-8.
const std::vector<std::string> kPieces = {"a",
                                          "Z",
                                          " ",
                                          "\r\n",
                                          "é",
                                          "e\xcc\x81",
                                          "\xcc\x81",
                                          "\xcc\xa3",
                                          "ß",
                                          "ǆ",
                                          "ﬁ",
                                          "\xef\xb7\xba",
                                          "İ",
                                          "ı",
                                          "한",
                                          "日本",
                                          "😀",
                                          "Å",
                                          "\xe2\x84\xab",
                                          "ŉ",
                                          "ͅ",
                                          "\xff",
                                          "\xc3",
                                          "\xe2\x82",
                                          "ñ",
                                          "\xd8\xa7\xd9\x8b"};

std::string random_text(std::mt19937& random, std::size_t pieces) {
  std::string text;
  for (std::size_t i = 0; i < pieces; ++i) text += kPieces[random() % kPieces.size()];
  return text;
}

// Feeds `text` in pieces of `size` octets; true where `key` is found.
bool found_in_pieces(std::string_view text, std::string_view needle_text, std::size_t size,
                     std::chrono::nanoseconds slice = 1h) {
  const std::string key = mail::unicode_casemap(needle_text);
  std::vector<Needle> needles(1);
  needles[0].key = needles[0].header_key = key;
  TextWindow window;
  window.begin(TextPlace::kBody);
  const auto search = [&] {
    while (!window.search(needles, SliceTimer(slice))) {
    }
  };
  while (!text.empty()) {
    window.add(text.substr(0, size));
    search();
    text.remove_prefix(std::min(size, text.size()));
  }
  window.end();
  search();
  return needles[0].found;
}

}  // namespace

TEST_CASE("the casemap of a text that comes in pieces is that of the whole") {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    const std::string text = random_text(random, random() % 12);
    const std::string whole = mail::unicode_casemap(text);
    for (std::size_t size = 1; size <= 4; ++size) {
      mail::CasemapStream stream;
      std::string key;
      for (std::size_t at = 0; at < text.size(); at += size) {
        stream.add(std::string_view(text).substr(at, size), key);
      }
      stream.finish(key);
      if (key != whole) CHECK_MESSAGE(false, "differs: ", text, " in pieces of ", size);
    }
  }
}

TEST_CASE("endless combining marks are cut, not gathered") {
  mail::CasemapStream stream;
  std::string key;
  std::string marks = "a";
  for (int i = 0; i < 100'000; ++i) marks += "\xcc\x81";
  for (std::size_t at = 0; at < marks.size(); at += 64) {
    stream.add(std::string_view(marks).substr(at, 64), key);
    CHECK(at + 64 - std::min(key.size(), at + 64) <= mail::CasemapStream::kMaxHeld + 64);
  }
  stream.finish(key);
  CHECK(key.size() == marks.size());
}

TEST_CASE("a needle is found at every offset, however the text is cut") {
  const std::string needle = "Straße ñandú";
  for (std::size_t offset = 0; offset < 40; ++offset) {
    const std::string text = std::string(offset, 'x') + "stRASSE straße NandÚ STRAßE ÑANDÚ" +
                             std::string(offset % 7, 'y');
    for (std::size_t size = 1; size < 20; ++size) {
      CHECK(found_in_pieces(text, needle, size));
      CHECK_FALSE(found_in_pieces(text, "straße ñandu x", size));
    }
  }
}

TEST_CASE("a needle longer than any piece is found") {
  std::string needle;
  for (int i = 0; i < 3000; ++i) needle += std::to_string(i) + ' ';
  const std::string text = "before " + needle + "after";
  for (const std::size_t size : {1UL, 5UL, 100UL, 7000UL}) {
    CHECK(found_in_pieces(text, needle, size));
    CHECK_FALSE(found_in_pieces(text, needle + "x", size));
  }
}

TEST_CASE("what almost matches does not hide what does") {
  CHECK(found_in_pieces("aaaaaaaaab", "aaab", 1));
  CHECK(found_in_pieces("abababac", "ababac", 2));
  CHECK_FALSE(found_in_pieces("aaaaaaaaaa", "aaab", 3));
}

TEST_CASE("pieces and the whole agree about random needles in random texts") {
  std::mt19937 random(11);
  int found = 0;
  for (int round = 0; round < 4000; ++round) {
    const std::string text = random_text(random, 3 + random() % 20);
    const std::string needle = random_text(random, 1 + random() % 2);
    const std::string key = mail::unicode_casemap(needle);
    const bool expected =
        mail::unicode_casemap(text).find(key) != std::string::npos || needle.empty();
    found += expected ? 1 : 0;
    const std::size_t size = 1 + random() % 6;
    if (found_in_pieces(text, needle, size) != expected) {
      CHECK_MESSAGE(false, needle, " in ", text, " in pieces of ", size);
    }
  }
  CHECK(found > 200);
  CHECK(found < 3800);
}

TEST_CASE("a search that has no time goes on where it stopped, with every needle") {
  std::vector<std::string> keys;
  for (int i = 0; i < 1000; ++i) keys.push_back("N" + std::to_string(i) + "E");
  std::vector<Needle> needles(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) needles[i].key = needles[i].header_key = keys[i];
  TextWindow window;
  window.begin(TextPlace::kBody);
  window.add("n0e n500e n999e");
  int calls = 0;
  while (!window.search(needles, SliceTimer(0ns))) ++calls;
  CHECK(calls >= 50);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    CHECK(needles[i].found == (i == 0 || i == 500 || i == 999));
  }
}

TEST_CASE("mislabelled octets are read as people see them") {
  const auto read = [](std::string_view charset, std::string_view octets, std::size_t size) {
    TextDecoder decoder(charset);
    std::string utf8;
    for (std::size_t at = 0; at < octets.size(); at += size) {
      decoder.decode(octets.substr(at, size), utf8);
    }
    decoder.finish(utf8);
    return utf8;
  };
  for (std::size_t size = 1; size < 6; ++size) {
    CHECK(read("us-ascii", "caf\xc3\xa9", size) == "café");
    CHECK(read("", "caf\xe9 \x80", size) == "café €");
    CHECK(read("utf-8",
               "gr\xfc\xdf"
               "e 日本",
               size) == "grüße 日本");
    CHECK(read("x-no-such-charset", "na\xc3\xafve", size) == "naïve");
    CHECK(read("utf-8", "cut \xe6\x97", size) == "cut æ—");
    CHECK(read("iso-8859-1", "caf\xc3\xa9", size) == "cafÃ©");
    CHECK(read("koi8-r", "\xed\xc1\xd4\xd8", size) == "Мать");
    CHECK(read("iso-2022-jp", "\x1b$BF|K\\\x1b(B", size) == "日本");
    CHECK(read("utf-8", "\xed\xa0\x80", size).size() > 3);  // a surrogate is no character
  }
}

TEST_CASE("a header field is one line, its words decoded") {
  const auto read = [](std::string_view raw) {
    FieldText field;
    field.begin(raw);
    std::string text;
    while (field.next(text)) {
    }
    return text;
  };
  CHECK(read("Subject: one\r\n two\r\n\tthree\r\n") == "Subject: one two three");
  CHECK(read(" =?utf-8?Q?Gr=C3?=\r\n =?utf-8?Q?=BC=C3=9Fe?= ") == "Grüße");
  CHECK(read("=?utf-8?b?w6k=?= =?iso-8859-1?q?=E9?=") == "éé");
  CHECK(read("=?utf-8?b?broken") == "=?utf-8?b?broken");
  CHECK(read("=?nope?q?x?=") == "=?nope?q?x?=");
  CHECK(read("caf\xe9") == "café");
  CHECK(read("") == "");
}

TEST_CASE("a huge field is read in pieces without losing anything") {
  std::string raw = "To:";
  std::string expected = "To:";
  for (int i = 0; i < 20'000; ++i) {
    raw += "\r\n =?utf-8?q?J=C3=B6rg_" + std::to_string(i) + "?= <j@example.org>,";
    expected += " Jörg " + std::to_string(i) + " <j@example.org>,";
  }
  FieldText field;
  field.begin(raw);
  std::string text;
  int pieces = 0;
  while (field.next(text)) ++pieces;
  CHECK(pieces > 10);
  CHECK(text == expected);
  const std::string blankless(300'000, 'x');
  field.begin(blankless);
  text.clear();
  while (field.next(text)) {
  }
  CHECK(text == blankless);
}
