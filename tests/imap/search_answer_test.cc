#include "imap/search_answer.h"

#include <doctest/doctest.h>
#include <string>

#include "imap/search_modseq.h"
#include "tests/imap/search_support.h"

using namespace twinpost;
using namespace twinpost::imap;
using namespace twinpost::imap::test;

namespace {

NumberSet set_of(std::initializer_list<NumberRange> ranges) {
  return NumberSet(std::vector<NumberRange>(ranges));
}

const NumberSet kFound = set_of({{2, 2}, {10, 15}, {21, 21}});

std::string answer_to(std::string_view command, const NumberSet& found, std::uint64_t modseq = 0,
                      bool rev2 = false, std::size_t piece = 1'000'000) {
  const ParsedSearch parsed(command);
  const Search& search = parsed.search();
  if (is_silent(search)) return "";
  SearchAnswer answer(search, "A1", search.extended || rev2, found, modseq);
  std::string all;
  std::string out;
  while (answer.next(out, piece)) {
    CHECK(out.size() <= piece + 80);
    all += out;
    out.clear();
  }
  CHECK_FALSE(answer.next(out, piece));
  return all;
}

std::string chosen(std::string_view command, const NumberSet& found = kFound) {
  const ParsedSearch parsed(command);
  return chosen_by(parsed.search(), found).to_string();
}

std::string extent(std::string_view command) {
  const ParsedSearch parsed(command);
  const SearchExtent wanted = extent_of(parsed.search());
  if (wanted.matches == 0) return "all";
  return (wanted.from_end ? "last " : "first ") + std::to_string(wanted.matches);
}

}  // namespace

TEST_CASE("a SEARCH answer has every number by itself") {
  CHECK(answer_to("ALL", {}) == "* SEARCH\r\n");
  CHECK(answer_to("ALL", kFound) == "* SEARCH 2 10 11 12 13 14 15 21\r\n");
  CHECK(answer_to("MODSEQ 1", kFound, 77) == "* SEARCH 2 10 11 12 13 14 15 21 (MODSEQ 77)\r\n");
  CHECK(answer_to("MODSEQ 1", {}, 0) == "* SEARCH\r\n");
  CHECK(answer_to("ALL", set_of({{4294967294, 4294967295}})) ==
        "* SEARCH 4294967294 4294967295\r\n");
}

TEST_CASE("an ESEARCH answer has what was asked for") {
  CHECK(answer_to("ALL", kFound, 0, true) == "* ESEARCH (TAG \"A1\") ALL 2,10:15,21\r\n");
  CHECK(answer_to("ALL", {}, 0, true) == "* ESEARCH (TAG \"A1\")\r\n");
  CHECK(answer_to("RETURN () ALL", kFound) == "* ESEARCH (TAG \"A1\") ALL 2,10:15,21\r\n");
  CHECK(answer_to("RETURN (MIN COUNT) ALL", kFound) == "* ESEARCH (TAG \"A1\") MIN 2 COUNT 8\r\n");
  CHECK(answer_to("RETURN (COUNT) ALL", {}) == "* ESEARCH (TAG \"A1\") COUNT 0\r\n");
  CHECK(answer_to("RETURN (MIN MAX ALL) ALL", {}) == "* ESEARCH (TAG \"A1\")\r\n");
  CHECK(answer_to("RETURN (MAX SAVE MIN) ALL", kFound) ==
        "* ESEARCH (TAG \"A1\") MIN 2 MAX 21\r\n");
  CHECK(answer_to("RETURN (ALL SAVE MIN) ALL", kFound) ==
        "* ESEARCH (TAG \"A1\") MIN 2 ALL 2,10:15,21\r\n");
  CHECK(answer_to("RETURN (SAVE) ALL", kFound).empty());
  CHECK(answer_to("RETURN (ALL) MODSEQ 1", kFound, 5) ==
        "* ESEARCH (TAG \"A1\") ALL 2,10:15,21 MODSEQ 5\r\n");
  CHECK(answer_to("RETURN (MIN) MODSEQ 1", kFound, 5) ==
        "* ESEARCH (TAG \"A1\") MIN 2 MODSEQ 5\r\n");
  CHECK(answer_to("RETURN (PARTIAL 2:3) ALL", kFound) ==
        "* ESEARCH (TAG \"A1\") PARTIAL (2:3 10:11)\r\n");
  CHECK(answer_to("RETURN (PARTIAL -1:-2 COUNT) MODSEQ 1", kFound, 9) ==
        "* ESEARCH (TAG \"A1\") COUNT 8 PARTIAL (-1:-2 15,21) MODSEQ 9\r\n");
  CHECK(answer_to("RETURN (PARTIAL 9:10) ALL", kFound) ==
        "* ESEARCH (TAG \"A1\") PARTIAL (9:10 NIL)\r\n");
}

TEST_CASE("a long answer is one line, written in pieces") {
  std::vector<NumberRange> ranges;
  for (std::uint32_t i = 1; i < 200'000; i += 2) ranges.push_back({i, i});
  const NumberSet odd(ranges);
  const NumberSet block = set_of({{1, 300'000}});
  const std::string whole = answer_to("RETURN (ALL) ALL", odd);
  CHECK(whole.size() > 500'000);
  CHECK(answer_to("RETURN (ALL) ALL", odd, 0, false, 1000) == whole);
  const std::string numbers = answer_to("ALL", block);
  CHECK(numbers.size() > 1'900'000);
  CHECK(answer_to("ALL", block, 0, false, 777) == numbers);
  CHECK(answer_to("MODSEQ 1", block, 8, false, 1).ends_with(" 299999 300000 (MODSEQ 8)\r\n"));
}

TEST_CASE("the saved result is what the tables of RFC 9051 and RFC 9394 say") {
  CHECK(chosen("RETURN (SAVE) ALL") == "2,10:15,21");
  CHECK(chosen("RETURN (SAVE MIN) ALL") == "2");
  CHECK(chosen("RETURN (SAVE MAX) ALL") == "21");
  CHECK(chosen("RETURN (SAVE MIN MAX) ALL") == "2,21");
  CHECK(chosen("RETURN (SAVE ALL MIN) ALL") == "2,10:15,21");
  CHECK(chosen("RETURN (SAVE COUNT MAX) ALL") == "2,10:15,21");
  CHECK(chosen("RETURN (SAVE PARTIAL 2:4) ALL") == "10:12");
  CHECK(chosen("RETURN (SAVE PARTIAL 2:4 MIN) ALL") == "2,10:12");
  CHECK(chosen("RETURN (SAVE PARTIAL 2:4 MAX) ALL") == "10:12,21");
  CHECK(chosen("RETURN (SAVE PARTIAL -2:-3 MIN MAX) ALL") == "2,14:15,21");
  CHECK(chosen("RETURN (SAVE PARTIAL 2:4 COUNT) ALL") == "2,10:15,21");
  CHECK(chosen("RETURN (SAVE PARTIAL 90:99) ALL").empty());
  CHECK(chosen("RETURN (SAVE MIN MAX) ALL", {}).empty());
  CHECK(chosen("ALL") == "2,10:15,21");
}

TEST_CASE("no more is searched than is asked for") {
  CHECK(extent("ALL") == "all");
  CHECK(extent("RETURN () ALL") == "all");
  CHECK(extent("RETURN (SAVE) ALL") == "all");
  CHECK(extent("RETURN (MIN) ALL") == "first 1");
  CHECK(extent("RETURN (MIN SAVE) ALL") == "first 1");
  CHECK(extent("RETURN (MAX) ALL") == "last 1");
  CHECK(extent("RETURN (MIN MAX) ALL") == "all");
  CHECK(extent("RETURN (MIN COUNT) ALL") == "all");
  CHECK(extent("RETURN (PARTIAL 101:200) ALL") == "first 200");
  CHECK(extent("RETURN (PARTIAL 101:200 MIN) ALL") == "first 200");
  CHECK(extent("RETURN (PARTIAL 101:200 MAX) ALL") == "all");
  CHECK(extent("RETURN (PARTIAL -1:-100) ALL") == "last 100");
  CHECK(extent("RETURN (PARTIAL -1:-100 MAX) ALL") == "last 100");
  CHECK(extent("RETURN (PARTIAL -1:-100 MIN) ALL") == "all");
  CHECK(extent("RETURN (PARTIAL -1:-100 COUNT) ALL") == "all");
}

TEST_CASE("found UIDs become numbers, and neighbours one range") {
  UidList uids;
  for (const std::uint32_t uid : {3U, 4U, 9U, 20U, 21U, 30U}) uids.append(store::Uid(uid));
  CHECK(numbers_of(set_of({{3, 4}, {9, 9}, {21, 21}, {30, 30}}), uids).to_string() == "1:3,5:6");
  CHECK(numbers_of({}, uids).empty());
}

TEST_CASE("the highest modseq is that of the messages that are still there") {
  SearchWorld world;
  for (int i = 0; i < 600; ++i) world.add("Subject: s\r\n\r\n");
  const auto modseq_of = [&](std::uint32_t uid) {
    return store::test::must(world.store().read_now([&](const store::ReadView& view) {
             return view.message(world.key(), store::Uid(uid));
           }))
        .modseq.value();
  };
  const auto highest = [&](const NumberSet& set, std::chrono::nanoseconds slice) {
    HighestModSeq work(world.key(), set, slice);
    while (!store::test::must(
        world.store().read_now([&](const store::ReadView& view) { return work.slice(view); }))) {
    }
    return work.value();
  };
  for (const auto slice : {std::chrono::nanoseconds(0), std::chrono::nanoseconds(1'000'000'000)}) {
    CHECK(highest(set_of({{1, 600}}), slice) == modseq_of(600));
    CHECK(highest(set_of({{1, 1}, {300, 310}}), slice) == modseq_of(310));
    CHECK(highest(set_of({{5, 5}}), slice) == modseq_of(5));
    CHECK(highest({}, slice) == 0);
  }
  world.expunge({store::Uid(310), store::Uid(5)});
  CHECK(highest(set_of({{1, 1}, {300, 310}}), std::chrono::nanoseconds(0)) == modseq_of(309));
  CHECK(highest(set_of({{5, 5}}), std::chrono::nanoseconds(0)) == 0);
}
