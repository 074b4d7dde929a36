#include "imap/uid_list.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <random>

using namespace twinpost;
using imap::SequenceNumber;
using imap::UidList;
using store::Uid;

namespace {

std::vector<Uid> uids(std::initializer_list<std::uint32_t> values) {
  std::vector<Uid> made;
  for (const std::uint32_t value : values) made.emplace_back(value);
  return made;
}

}  // namespace

TEST_CASE("sequence numbers count from 1 over gaps in the UIDs") {
  const UidList list(uids({3, 4, 5, 9, 20, 21}));
  CHECK(list.size() == 6);
  CHECK(list.runs() == 3);
  CHECK(list.uid_at(1) == Uid(3));
  CHECK(list.uid_at(4) == Uid(9));
  CHECK(list.uid_at(6) == Uid(21));
  CHECK(list.number_of(Uid(20)) == 5);
  CHECK_FALSE(list.number_of(Uid(6)));
  CHECK_FALSE(list.number_of(Uid(22)));
  CHECK(list.count_below(Uid(1)) == 0);
  CHECK(list.count_below(Uid(5)) == 2);
  CHECK(list.count_below(Uid(8)) == 3);
  CHECK(list.count_below(Uid(100)) == 6);
  CHECK_THROWS(static_cast<void>(list.uid_at(0)));
  CHECK_THROWS(static_cast<void>(list.uid_at(7)));
}

TEST_CASE("each removal tells the number that the message has at that moment") {
  UidList list(uids({1, 2, 3, 4, 5}));
  std::vector<SequenceNumber> told;
  list.remove(uids({2, 3, 5, 9}), [&](Uid, SequenceNumber number) { told.push_back(number); });
  CHECK(told == std::vector<SequenceNumber>{2, 2, 3});
  CHECK(list.size() == 2);
  CHECK(list.uid_at(2) == Uid(4));
}

TEST_CASE("a million messages in a row are one run") {
  UidList list;
  for (std::uint32_t i = 1; i <= 1'000'000; ++i) list.append(Uid(i));
  CHECK(list.runs() == 1);
  CHECK(list.number_of(Uid(777'777)) == 777'777);
}

TEST_CASE("random removals agree with a plain vector") {
  std::mt19937 random(20260131);
  for (int round = 0; round < 200; ++round) {
    std::vector<Uid> plain;
    std::uint32_t next = 1;
    for (int i = 0; i < 60; ++i) {
      const auto gap = static_cast<std::uint32_t>(random() % 4 == 0 ? random() % 5 : 0);
      plain.emplace_back(next += 1 + gap);
    }
    UidList list(plain);
    while (!plain.empty()) {
      std::vector<Uid> gone;
      for (std::uint32_t uid = 1; uid <= next + 2; ++uid) {
        if (random() % 3 == 0) gone.emplace_back(uid);
      }
      list.remove(gone, [&](Uid uid, SequenceNumber number) {
        REQUIRE(number <= plain.size());
        REQUIRE(plain[number - 1] == uid);
        plain.erase(plain.begin() + (number - 1));
      });
      std::erase_if(plain,
                    [&](Uid uid) { return std::binary_search(gone.begin(), gone.end(), uid); });
      REQUIRE(list.size() == plain.size());
      for (std::size_t i = 0; i < plain.size(); ++i) {
        REQUIRE(list.uid_at(static_cast<SequenceNumber>(i + 1)) == plain[i]);
        REQUIRE(list.number_of(plain[i]) == i + 1);
      }
    }
  }
}
