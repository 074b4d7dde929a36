#include "tools/twinpost/transfer/pop3_match.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <string>
#include <vector>

namespace twinpost::tools {

namespace {

constexpr std::uint32_t kValidity = 1700000123;

std::string uidl_of(PopUidlFormat format, std::uint32_t uid, std::uint32_t validity = kValidity) {
  switch (format) {
    case PopUidlFormat::kDovecot: return fmt::format("{:08x}{:08x}", uid, validity);
    case PopUidlFormat::kDovecotReverse: return fmt::format("{:08x}{:08x}", validity, uid);
    case PopUidlFormat::kCyrus: return fmt::format("{}.{}", validity, uid);
    case PopUidlFormat::kCourier: return fmt::format("UID{}-{}", uid, validity);
    case PopUidlFormat::kCyrusCourier: return fmt::format("{}-{}", validity, uid);
    case PopUidlFormat::kStalwart: return fmt::format("{}{}", validity, uid);
    case PopUidlFormat::kUidOnly: return std::to_string(uid);
  }
  return {};
}

struct Side {
  std::vector<PopMessage> pop;
  std::vector<InboxMessage> inbox;
};

// Ten messages with gaps in their UIDs and sizes of their own.
Side ten(PopUidlFormat format) {
  Side side;
  for (std::uint32_t i = 1; i <= 10; ++i) {
    side.inbox.push_back({i * 3, 100 + i * 7});
    side.pop.push_back({i, 100 + i * 7, uidl_of(format, i * 3)});
  }
  return side;
}

Side opaque() {
  Side side = ten(PopUidlFormat::kDovecot);
  for (PopMessage& message : side.pop) message.uidl = fmt::format("opaque{}", message.number);
  return side;
}

std::size_t right_ones(const PopMatch& match, const std::vector<InboxMessage>& expected) {
  std::size_t right = 0;
  for (std::size_t i = 0; i < match.pop().size(); ++i) {
    if (const auto at = match.matched()[i]) {
      CHECK(match.inbox()[*at].uid == expected[i].uid);
      ++right;
    }
  }
  return right;
}

std::string header(std::string_view id, std::string_view more = "") {
  return fmt::format("{}Message-ID: <{}@x>\r\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\n\r\n", more,
                     id);
}

}  // namespace

TEST_CASE("every known format of UIDLs gives its UID, of the right UIDVALIDITY only") {
  for (const PopUidlFormat format : kPopUidlFormats) {
    CAPTURE(name_of(format));
    CHECK(uid_in(uidl_of(format, 4321), format, kValidity) == 4321U);
    CHECK_FALSE(uid_in(uidl_of(format, 0), format, kValidity));
    CHECK_FALSE(uid_in(uidl_of(format, 4321) + "x", format, kValidity));
    CHECK_FALSE(uid_in("", format, kValidity));
    if (format != PopUidlFormat::kUidOnly)
      CHECK_FALSE(uid_in(uidl_of(format, 4321, kValidity + 1), format, kValidity));
    const Side side = ten(format);
    PopMatch match(side.pop, side.inbox, kValidity);
    REQUIRE(match.by_format() == format);
    CHECK(right_ones(match, side.inbox) == 10);
    CHECK(match.pop_left().empty());
    CHECK(match.inbox_left().empty());
  }
}

TEST_CASE("UIDLs of another UIDVALIDITY are no format, also where their UIDs would fit") {
  for (const PopUidlFormat format : kPopUidlFormats) {
    if (format == PopUidlFormat::kUidOnly) continue;
    Side side = ten(format);
    PopMatch match(side.pop, side.inbox, kValidity - 1);
    CHECK_FALSE(match.by_format());
    CHECK(match.pop_left().size() == 10);
  }
}

TEST_CASE("a bare number is taken for a UID only where all of them are there with equal sizes") {
  Side side = ten(PopUidlFormat::kUidOnly);
  side.pop[4].size += 1;
  CHECK_FALSE(PopMatch(side.pop, side.inbox, kValidity).by_format());
  side = ten(PopUidlFormat::kUidOnly);
  side.pop[4].uidl = "5";
  CHECK_FALSE(PopMatch(side.pop, side.inbox, kValidity).by_format());
}

TEST_CASE("messages that one side lacks do not spoil a format") {
  Side side = ten(PopUidlFormat::kDovecot);
  const auto expected = side.inbox;
  side.pop.push_back({11, 500, uidl_of(PopUidlFormat::kDovecot, 99)});
  side.inbox.erase(side.inbox.begin());
  PopMatch match(side.pop, side.inbox, kValidity);
  CHECK(match.by_format() == PopUidlFormat::kDovecot);
  CHECK_FALSE(match.matched()[0]);
  CHECK_FALSE(match.matched()[10]);
  for (std::size_t i = 1; i < 10; ++i)
    CHECK(match.inbox()[*match.matched()[i]].uid == expected[i].uid);
}

TEST_CASE("a maildrop of two formats is matched by the one and what is left by its order") {
  Side side = ten(PopUidlFormat::kDovecot);
  for (std::size_t i = 0; i < 4; ++i) side.pop[i].uidl = fmt::format("migrated{}", i);
  PopMatch match(side.pop, side.inbox, kValidity);
  CHECK(match.by_format() == PopUidlFormat::kDovecot);
  CHECK(match.pop_left().size() == 4);
  match.accept(match.guess_by_order());
  CHECK(right_ones(match, side.inbox) == 10);
}

TEST_CASE("the order counts only where all sizes agree") {
  Side side = opaque();
  PopMatch match(side.pop, side.inbox, kValidity);
  CHECK_FALSE(match.by_format());
  CHECK(match.counts_agree());
  match.accept(match.guess_by_order());
  CHECK(right_ones(match, side.inbox) == 10);

  side.pop[5].size += 1;
  CHECK(PopMatch(side.pop, side.inbox, kValidity).guess_by_order().empty());
  side = opaque();
  std::swap(side.inbox[2].size, side.inbox[3].size);
  CHECK(PopMatch(side.pop, side.inbox, kValidity).guess_by_order().empty());
  side = opaque();
  side.inbox[9].size = kSizeNotKnown;
  CHECK(PopMatch(side.pop, side.inbox, kValidity).guess_by_order().empty());
  side = opaque();
  side.inbox.pop_back();
  CHECK_FALSE(PopMatch(side.pop, side.inbox, kValidity).counts_agree());
  CHECK(PopMatch(side.pop, side.inbox, kValidity).guess_by_order().size() == 9);
}

TEST_CASE("headers find messages in any order, copies by their number, and never guess") {
  const auto prints = [](const std::vector<std::string>& headers) {
    std::vector<PopMatch::HeaderPrint> result;
    for (const std::string& text : headers) result.push_back(PopMatch::print_of(text));
    return result;
  };
  // POP3: a, b, b's copy, c, d, e. IMAP: e with a server's field, c of another size, a, b, b's
  // copy, f.
  const std::vector<PopMessage> pop{{1, 10, "a"}, {2, 20, "b"}, {3, 20, "bb"},
                                    {4, 30, "c"}, {5, 40, "d"}, {6, 50, "e"}};
  const std::vector<InboxMessage> inbox{{1, 50}, {2, 31}, {3, 10}, {4, 20}, {5, 20}, {6, 60}};
  PopMatch match(pop, inbox, kValidity);
  match.by_headers(
      prints({header("a"), header("b"), header("b"), header("c"), header("d"), header("e")}),
      prints({header("e", "X-Spam: no\r\n"), header("c", "Status: RO\r\n"), header("a"),
              header("b"), header("b"), header("f")}));
  const auto uid = [&](std::size_t i) {
    return match.matched()[i] ? inbox[*match.matched()[i]].uid : 0;
  };
  CHECK(uid(0) == 3);
  CHECK(uid(1) == 4);
  CHECK(uid(2) == 5);
  CHECK(uid(3) == 2);
  CHECK(uid(4) == 0);
  CHECK(uid(5) == 1);

  // Two that share Message-ID and Date but differ otherwise are left alone.
  PopMatch doubtful({{1, 10, "a"}, {2, 20, "b"}}, {{1, 11}, {2, 21}}, kValidity);
  doubtful.by_headers(prints({header("s", "A: 1\r\n"), header("s", "A: 2\r\n")}),
                      prints({header("s", "A: 3\r\n"), header("s", "A: 4\r\n")}));
  CHECK(doubtful.pop_left().size() == 2);
  // Headers that could not be had match nothing.
  PopMatch unknown({{1, 10, "a"}}, {{1, 10}}, kValidity);
  unknown.by_headers({{}}, {{}});
  CHECK(unknown.pop_left().size() == 1);
}

TEST_CASE("UIDLs that POP3 does not allow, or that two messages share, are never given") {
  Side side = opaque();
  side.pop[0].uidl = "with blank";
  side.pop[1].uidl = "";
  side.pop[2].uidl = std::string(256, 'x');
  side.pop[3].uidl = "\xe4";
  side.pop[4].uidl = "twice";
  side.pop[5].uidl = "twice";
  side.pop[6].uidl = std::string(255, 'y');
  PopMatch match(side.pop, side.inbox, kValidity);
  CHECK(match.unusable() == 6);
  match.accept(match.guess_by_order());
  CHECK(right_ones(match, side.inbox) == 4);
  CHECK_FALSE(match.matched()[4]);
  CHECK(match.matched()[6]);
}

}  // namespace twinpost::tools
