#include "imap/mailbox_name.h"

#include <chrono>
#include <doctest/doctest.h>
#include <random>

#include "core/base/ascii.h"

namespace twinpost::imap {
namespace {

TEST_CASE("modified UTF-7: the vectors of RFC 3501 5.1.3 and RFC 2152") {
  const std::pair<std::string_view, std::string_view> pairs[] = {
      {"~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
       "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
      {"\xe2\x98\xba!", "&Jjo-!"},
      {"\xe5\x8f\xb0\xe5\x8c\x97\xe6\x97\xa5", "&U,BTF2XlZyyKng-"},
      {"R&D", "R&-D"},
      {"&", "&-"},
      {"", ""},
      {"caf\xc3\xa9", "caf&AOk-"},
      {"\xf0\x9f\x93\xa7", "&2D3c5w-"},  // a character beyond the BMP
      {"a\tb", "a&AAk-b"},
      {"Entw\xc3\xbcrfe", "Entw&APw-rfe"},
  };
  for (const auto& [utf8, wire] : pairs) {
    CAPTURE(wire);
    if (wire != "&U,BTF2XlZyyKng-") {
      CHECK(utf7_encode(utf8) == wire);
      CHECK(utf7_decode(wire) == utf8);
    }
  }
  CHECK(utf7_decode("&U,BTF2XlZyyKng-") ==
        "\xe5\x8f\xb0\xe5\x8c\x97\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
}

TEST_CASE("modified UTF-7 that is not canonical is refused") {
  for (const char* wire : {
           "&Jjo!",               // not ended (RFC 3501 5.1.3)
           "&U,BTFw-&ZeVnLIqe-",  // a superfluous shift (RFC 3501 5.1.3)
           "&",
           "a&",
           "&AOk",  // not ended
           "&A-",
           "&AO-",      // half a character
           "&AOl-",     // padding bits that are not zero
           "&AOkA-",    // too much padding
           "&AEE-",     // a printable letter encoded
           "&AOkAQQ-",  // likewise, after another
           "&2D0-",
           "&3Oc-",
           "&2D3YPQ-",
           "&3Ofc5w-",  // lone surrogates
           "&AO/k-",
           "&AO=-",  // not the alphabet
           "caf\xc3\xa9",
           "\x01",
           "a\x7f",
       }) {
    CAPTURE(wire);
    CHECK_FALSE(utf7_decode(wire).has_value());
  }
}

TEST_CASE(
    "modified UTF-7 round trips for random text, and decodes nothing that it would not encode") {
  std::mt19937 random(11);
  const auto pick = [&](std::uint32_t below) {
    return std::uniform_int_distribution<std::uint32_t>(0, below - 1)(random);
  };
  const std::string_view pieces[] = {
      "a", "&", "-", "+", ",", "\xc3\xa9", "\xe5\x8f\xb0", "\xf0\x9f\x93\xa7", "\x01", "/"};
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (std::uint32_t n = pick(12); n > 0; --n) text += pieces[pick(std::size(pieces))];
    CHECK(utf7_decode(utf7_encode(text)) == text);
  }
  constexpr std::string_view kWire = "&-AOkDJ,+a2cw59/";
  for (int round = 0; round < 20'000; ++round) {
    std::string wire;
    for (std::uint32_t n = pick(10); n > 0; --n) wire += kWire[pick(kWire.size())];
    const auto text = utf7_decode(wire);
    if (!text) continue;
    CAPTURE(wire);
    CHECK(ascii::is_utf8(*text));
    CHECK(utf7_encode(*text) == wire);
  }
}

std::string name_of(std::string_view wire, bool utf8 = false, NameUse use = NameUse::kNew) {
  auto name = mailbox_from_wire(wire, utf8, use);
  return name ? *name : "error: " + name.error().message;
}

TEST_CASE("mailbox names from the wire") {
  CHECK(name_of("foo/bar") == "foo/bar");
  CHECK(name_of("foo/") == "foo");
  CHECK(name_of("&AOk-t&AOk-") == "\xc3\xa9t\xc3\xa9");
  CHECK(name_of("e&AwE-") == "\xc3\xa9");  // NFC
  CHECK(name_of("e\xcc\x81", true) == "\xc3\xa9");
  CHECK(name_of("R&D", true) == "R&D");
  CHECK(name_of("R&-D", true) == "R&-D");
  CHECK(name_of("R&D") == "error: The mailbox name is not valid modified UTF-7");
  CHECK(name_of("caf\xe9", true) == "error: The mailbox name is not valid UTF-8");
  CHECK(name_of("caf\xc3\xa9") == "error: The mailbox name is not valid modified UTF-7");
}

TEST_CASE("INBOX is INBOX in any case, also above others") {
  for (const char* wire : {"inbox", "Inbox", "INBOX", "iNbOx/"}) CHECK(name_of(wire) == "INBOX");
  CHECK(name_of("inbox/work") == "INBOX/work");
  CHECK(name_of("inbox/Inbox") == "INBOX/Inbox");
  CHECK(name_of("inboxes") == "inboxes");
  CHECK(name_of("work/inbox") == "work/inbox");
}

TEST_CASE("names that are none") {
  CHECK(name_of("") == "error: The mailbox name is empty");
  CHECK(name_of("/") == "error: The mailbox name has an empty part");
  CHECK(name_of("/foo") == "error: The mailbox name has an empty part");
  CHECK(name_of("foo//bar") == "error: The mailbox name has an empty part");
  CHECK(name_of("foo//") == "error: The mailbox name has an empty part");
  CHECK(name_of("a&AAo-b") == "error: The mailbox name has control characters in it");
  CHECK(name_of("a\xc2\x85", true) == "error: The mailbox name has control characters in it");
  CHECK(name_of("a\xe2\x80\xa8", true) == "error: The mailbox name has control characters in it");
  CHECK(name_of(std::string("a\0b", 3), true) ==
        "error: The mailbox name has control characters in it");
  CHECK(name_of("a*") == "error: '*' and '%' are not allowed in a new mailbox name");
  CHECK(name_of("a*", false, NameUse::kExisting) == "a*");
  CHECK(name_of(std::string(255, 'x')) == std::string(255, 'x'));
  CHECK(name_of(std::string(256, 'x')) ==
        "error: A part of the mailbox name is longer than 255 octets");
  std::string deep = "a";
  for (int i = 1; i < 50; ++i) deep += "/a";
  CHECK(name_of(deep) == deep);
  CHECK(name_of(deep + "/a") == "error: The mailbox name has more than 50 levels");
}

TEST_CASE("mailbox names to the wire") {
  CHECK(mailbox_to_wire("\xc3\xa9t\xc3\xa9/R&D", false) == "&AOk-t&AOk-/R&-D");
  CHECK(mailbox_to_wire("\xc3\xa9t\xc3\xa9/R&D", true) == "\xc3\xa9t\xc3\xa9/R&D");
}

TEST_CASE("LIST patterns") {
  const auto matches = [](std::string_view pattern, std::string_view name) {
    return ListPattern(pattern).matches(name);
  };
  CHECK(matches("*", "foo"));
  CHECK(matches("*", "foo/bar"));
  CHECK(matches("%", "foo"));
  CHECK_FALSE(matches("%", "foo/bar"));
  CHECK(matches("foo/%", "foo/bar"));
  CHECK_FALSE(matches("foo/%", "foo/bar/baz"));
  CHECK_FALSE(matches("foo/%", "foo"));
  CHECK(matches("foo/*", "foo/bar/baz"));
  CHECK(matches("foo*", "foo"));
  CHECK(matches("%/%", "a/b"));
  CHECK(matches("%o%/b*r", "foo/bar/xr"));
  CHECK(matches("*b", "a/b"));
  CHECK(matches("%%%", "abc"));
  CHECK(matches("*%*", "a/b"));
  CHECK(matches("*2", "foo2"));
  CHECK_FALSE(matches("*2", "foo2/bar"));
  CHECK(matches("", ""));
  CHECK_FALSE(matches("", "a"));
  CHECK_FALSE(matches("FOO", "foo"));
  CHECK(matches("inbox", "INBOX"));
  CHECK(matches("iNb%", "INBOX"));
  CHECK(matches("inbox/%", "INBOX/x"));
  CHECK_FALSE(matches("inbox/X", "INBOX/x"));
  CHECK_FALSE(matches("inboxes", "INBOXES"));
  CHECK(ListPattern::from_wire("foo/", "%", false)->matches("foo/bar"));
  CHECK(ListPattern::from_wire("", "&AOk-*", false)->matches("\xc3\xa9t\xc3\xa9"));
  CHECK_FALSE(ListPattern::from_wire("", "&AOk", false).has_value());
}

// The definition, word for word, for short inputs.
bool matches_slowly(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] == '*' || pattern[0] == '%') {
    for (std::size_t n = 0; n <= name.size(); ++n) {
      if (matches_slowly(pattern.substr(1), name.substr(n))) return true;
      if (pattern[0] == '%' && n < name.size() && name[n] == '/') return false;
    }
    return false;
  }
  return !name.empty() && name[0] == pattern[0] &&
         matches_slowly(pattern.substr(1), name.substr(1));
}

TEST_CASE("LIST patterns agree with their definition") {
  std::mt19937 random(5);
  const auto text = [&](std::string_view alphabet, std::size_t most) {
    std::string out;
    for (auto n = std::uniform_int_distribution<std::size_t>(0, most)(random); n > 0; --n) {
      out += alphabet[std::uniform_int_distribution<std::size_t>(0, alphabet.size() - 1)(random)];
    }
    return out;
  };
  for (int round = 0; round < 20'000; ++round) {
    const std::string pattern = text("ab/*%", 8);
    const std::string name = text("ab/", 8);
    CAPTURE(pattern);
    CAPTURE(name);
    CHECK(ListPattern(pattern).matches(name) == matches_slowly(pattern, name));
  }
}

TEST_CASE("hostile LIST patterns take no longer than their size") {
  std::string stars;
  std::string percents;
  for (int i = 0; i < 3000; ++i) {
    stars += "*a";
    percents += "%a*";
  }
  const std::string name(12'000, 'a');
  const auto begin = std::chrono::steady_clock::now();
  CHECK_FALSE(ListPattern(stars + "b").matches(name));
  CHECK_FALSE(ListPattern(percents + "b").matches(name));
  CHECK_FALSE(ListPattern(std::string(60'000, '*') + "b").matches(name));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(60));
}

}  // namespace
}  // namespace twinpost::imap
