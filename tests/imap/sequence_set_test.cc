#include "imap/sequence_set.h"

#include <doctest/doctest.h>
#include <random>
#include <set>

namespace twinpost::imap {
namespace {

std::string resolved(std::string_view text, std::uint32_t largest) {
  const auto set = SequenceSet::parse(text);
  return set ? set->resolve(largest).to_string() : "error: " + set.error().message;
}

TEST_CASE("a sequence set is put in order and merged (the examples of RFC 9051 section 9)") {
  CHECK(resolved("2,4:7,9,12:*", 15) == "2,4:7,9,12:15");
  CHECK(resolved("*:4,5:7", 10) == "4:10");
  CHECK(resolved("2:4", 9) == "2:4");
  CHECK(resolved("4:2", 9) == "2:4");
  CHECK(resolved("3291:*", 100) == "100:3291");
  CHECK(resolved("*", 7) == "7");
  CHECK(resolved("*:*", 7) == "7");
  CHECK(resolved("1,2,3,3,2", 7) == "1:3");
  CHECK(resolved("4294967295,4294967294", 7) == "4294967294:4294967295");
  CHECK(resolved("1:4294967295,5", 7) == "1:4294967295");
}

TEST_CASE("a star in an empty mailbox means nothing") {
  CHECK(resolved("*", 0).empty());
  CHECK(resolved("1:*", 0).empty());
  CHECK(resolved("1:*,5", 0) == "5");
}

TEST_CASE("the saved result may stand alone or in a list") {
  const auto set = SequenceSet::parse("$");
  REQUIRE(set);
  CHECK(set->saved);
  CHECK(set->items.empty());
  CHECK(SequenceSet::parse("1,$")->saved);
  CHECK(SequenceSet::parse("5:1,*")->to_string() == "5:1,*");
  CHECK(SequenceSet::parse("5:1,*")->has_star());
  CHECK(SequenceSet::parse("5:10,*,7")->largest_written() == 10);
}

TEST_CASE("malformed sequence sets") {
  for (const char* text : {"",
                           ",",
                           "1,",
                           ",1",
                           "1,,2",
                           "0",
                           "1:0",
                           "1:",
                           ":1",
                           "1:2:3",
                           "a",
                           "-1",
                           "+1",
                           " 1",
                           "1 ",
                           "4294967296",
                           "99999999999999999999",
                           "$:1",
                           "1:$",
                           "**",
                           "1;2"}) {
    CAPTURE(text);
    CHECK_FALSE(SequenceSet::parse(text).has_value());
  }
}

TEST_CASE("a number set agrees with a plain set of numbers") {
  std::mt19937 random(7);
  const auto pick = [&](std::uint32_t most) {
    return std::uniform_int_distribution<std::uint32_t>(1, most)(random);
  };
  for (int round = 0; round < 500; ++round) {
    NumberSet set;
    std::vector<NumberRange> ranges;
    std::set<std::uint32_t> plain;
    for (int i = 0; i < 12; ++i) {
      const std::uint32_t first = pick(60);
      const NumberRange range{first, first + pick(6) - 1};
      ranges.push_back(range);
      set.add(range);
      for (std::uint32_t n = range.first; n <= range.last; ++n) plain.insert(n);
    }
    CHECK(set == NumberSet(ranges));
    CHECK(set.count() == plain.size());
    CHECK(set.lowest() == *plain.begin());
    CHECK(set.highest() == *plain.rbegin());
    for (std::uint32_t n = 1; n < 70; ++n) CHECK(set.contains(n) == plain.contains(n));
    CHECK(SequenceSet::parse(set.to_string())->resolve(0) == set);
    for (std::size_t i = 1; i < set.ranges().size(); ++i) {
      CHECK(set.ranges()[i - 1].last + 1 < set.ranges()[i].first);
    }
  }
}

TEST_CASE("a long set is said in pieces") {
  NumberSet set;
  for (std::uint32_t n = 1; n < 2000; n += 2) set.add(n);
  std::string joined;
  for (const std::string& piece : set.to_pieces(100)) {
    CHECK(piece.size() <= 100);
    if (!joined.empty()) joined += ',';
    joined += piece;
  }
  CHECK(joined == set.to_string());
  CHECK(NumberSet().to_pieces(100).empty());
  CHECK(set.to_pieces(1).size() == 1000);
}

TEST_CASE("PARTIAL takes from the oldest or the newest (RFC 9394 section 3.1)") {
  const NumberSet found = SequenceSet::parse("1:3,10,20:25")->resolve(0);
  const auto select = [&](std::string_view range) {
    return PartialRange::parse(range)->select(found).to_string();
  };
  CHECK(select("1:2") == "1:2");
  CHECK(select("2:1") == "1:2");
  CHECK(select("3:5") == "3,10,20");
  CHECK(select("-1:-2") == "24:25");
  CHECK(select("-2:-1") == "24:25");
  CHECK(select("-6:-8") == "3,10,20");
  CHECK(select("10:20") == "25");
  CHECK(select("-10:-20") == "1");
  CHECK(select("11:20").empty());
  CHECK(select("1:4294967295") == found.to_string());
  CHECK(PartialRange::parse("-5:-1")->to_string() == "-1:-5");
  for (const char* text :
       {"", "1", "1:", ":1", "0:1", "1:0", "-1:2", "1:-2", "*:1", "--1:-2", "1:2:3"}) {
    CAPTURE(text);
    CHECK_FALSE(PartialRange::parse(text).has_value());
  }
}

}  // namespace
}  // namespace twinpost::imap
