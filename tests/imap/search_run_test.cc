#include <doctest/doctest.h>
#include <string>

#include "imap/object_id.h"
#include "tests/imap/search_support.h"

using namespace twinpost;
using namespace twinpost::imap;
using namespace twinpost::imap::test;
using namespace std::chrono_literals;
using store::test::must;
using store::test::request_of;

namespace {

std::string letter(std::string_view fields, std::string_view body = "text\r\n") {
  return std::string(fields) + "\r\n" + std::string(body);
}

// Slices that end at once, pieces of a few octets: everything that can be interrupted is.
constexpr SearchSettings kTiny{0ns, 5};

store::AppendRequest dated(std::int64_t seconds, int zone_minutes, std::string_view octets) {
  auto request = request_of(octets);
  request.internal_date.time = UnixTime(std::chrono::seconds(seconds));
  request.internal_date.zone_minutes = static_cast<std::int16_t>(zone_minutes);
  return request;
}

}  // namespace

TEST_CASE("flags, keywords and sizes are searched in the records") {
  SearchWorld world;
  auto request = request_of(letter("Subject: a\r\n"));
  request.flags = store::bit(store::Flag::kSeen) | store::bit(store::Flag::kFlagged);
  request.keywords = {"$Junk", "Work"};
  world.add(request);
  request.flags = store::bit(store::Flag::kDraft) | store::bit(store::Flag::kAnswered);
  request.keywords = {"work"};
  world.add(request);
  request.flags = store::bit(store::Flag::kDeleted);
  request.keywords = {};
  request.message = store::test::prepared(letter("Subject: b\r\n", std::string(5000, 'x')));
  world.add(request);
  CHECK(world.search("ALL") == "1:3");
  CHECK(world.search("SEEN") == "1");
  CHECK(world.search("UNSEEN") == "2:3");
  CHECK(world.search("FLAGGED") == "1");
  CHECK(world.search("UNFLAGGED") == "2:3");
  CHECK(world.search("ANSWERED") == "2");
  CHECK(world.search("UNANSWERED") == "1,3");
  CHECK(world.search("DRAFT") == "2");
  CHECK(world.search("UNDRAFT") == "1,3");
  CHECK(world.search("DELETED") == "3");
  CHECK(world.search("UNDELETED") == "1:2");
  CHECK(world.search("KEYWORD WORK") == "1:2");
  CHECK(world.search("KEYWORD $junk") == "1");
  CHECK(world.search("UNKEYWORD $Junk") == "2:3");
  CHECK(world.search("KEYWORD never-seen") == "");
  CHECK(world.search("UNKEYWORD never-seen") == "1:3");
  CHECK(world.search("LARGER 4000") == "3");
  CHECK(world.search("SMALLER 4000") == "1:2");
  const auto size = must(world.store().read_now([&](const store::ReadView& view) {
                      return view.message(world.key(), store::Uid(1));
                    })).size;
  CHECK(world.search("LARGER " + std::to_string(size)) == "3");
  CHECK(world.search("LARGER " + std::to_string(size - 1)) == "1:3");
  CHECK(world.search("SMALLER " + std::to_string(size)) == "");
  CHECK(world.search("SMALLER " + std::to_string(size + 1)) == "1:2");
  CHECK(world.search("NOT SEEN NOT DRAFT") == "3");
  CHECK(world.search("OR SEEN DELETED") == "1,3");
  CHECK(world.search("(OR SEEN DRAFT) NOT (FLAGGED)") == "2");
  CHECK(world.search("NOT NOT SEEN", kTiny) == "1");
}

TEST_CASE("numbers, UIDs, recent messages and the saved result need no record") {
  SearchWorld world;
  for (int i = 0; i < 9; ++i) world.add(letter("Subject: n\r\n"));
  // The client has been told that 2 and 5 are gone: the numbers 1 to 7 are the UIDs 1 3 4 6 7 8 9.
  const std::vector<store::Uid> gone = {store::Uid(2), store::Uid(5)};
  world.expunge(gone);
  world.uids.remove(gone);
  world.saved.add(NumberRange{3, 8});
  world.recent_from = store::Uid(8);
  CHECK(world.search("1") == "1");
  CHECK(world.search("2:3") == "3:4");
  CHECK(world.search("4:6") == "6:8");
  CHECK(world.search("*") == "9");
  CHECK(world.search("6:*") == "8:9");
  CHECK(world.search("*:2") == "3:4,6:9");
  CHECK(world.search("1:7") == "1,3:4,6:9");
  CHECK(world.search("UID 2:6") == "3:4,6");
  CHECK(world.search("UID 8:*") == "8:9");
  CHECK(world.search("UID 100:*") == "9");
  CHECK(world.search("UID 100") == "");
  CHECK(world.search("$") == "3:4,6:8");
  CHECK(world.search("UID $") == "3:4,6:8");
  CHECK(world.search("1,$") == "1,3:4,6:8");
  CHECK(world.search("OR $ UID 1") == "1,3:4,6:8");
  CHECK(world.search("NOT $") == "1,9");
  CHECK(world.search("RECENT") == "8:9");
  CHECK(world.search("OLD") == "1,3:4,6:7");
  CHECK(world.search("NEW", kTiny) == "8:9");
  CHECK(world.search("SAVEDATESUPPORTED") == "1,3:4,6:9");
  CHECK(world.search("NOT 1:7") == "");
  CHECK(world.search("8") == "BAD There is no message 8, the mailbox has 7");
  CHECK(world.search("NOT (OR 1 2:8)") == "BAD There is no message 8, the mailbox has 7");
}

TEST_CASE("an empty mailbox has no messages of any number") {
  SearchWorld world;
  CHECK(world.search("ALL") == "");
  CHECK(world.search("1:*") == "");
  CHECK(world.search("UID 1:*") == "");
  CHECK(world.search("$") == "");
  CHECK(world.search("1") == "BAD There is no message 1, the mailbox has 0");
}

TEST_CASE("a message that is gone matches by its number only") {
  SearchWorld world;
  for (int i = 0; i < 6; ++i) world.add(letter("Subject: here\r\n"));
  world.expunge({store::Uid(1), store::Uid(4), store::Uid(6)});
  for (const SearchSettings settings : {SearchSettings{}, kTiny}) {
    CHECK(world.search("ALL", settings) == "1:6");
    CHECK(world.search("3:4", settings) == "3:4");
    CHECK(world.search("UNSEEN", settings) == "2:3,5");
    CHECK(world.search("NOT SEEN", settings) == "2:3,5");
    CHECK(world.search("NOT SUBJECT gone", settings) == "2:3,5");
    CHECK(world.search("OR 4:5 SEEN", settings) == "4:5");
    CHECK(world.search("OR 4 UNSEEN", settings) == "2:5");
    CHECK(world.search("NOT 2 UNSEEN", settings) == "3,5");
    CHECK(world.search("TEXT here", settings) == "2:3,5");
  }
  CHECK(world.unreadable == 0);
}

TEST_CASE("a message that arrived and was not told of is not found") {
  SearchWorld world;
  world.add(letter("Subject: told\r\n"));
  const auto request = request_of(letter("Subject: untold\r\n"));
  must(world.store().write_now(
      [&](store::WriteTxn& txn) { return txn.append(world.key(), request); }));
  CHECK(world.search("ALL") == "1");
  CHECK(world.search("UNSEEN") == "1");
  CHECK(world.search("UID 1:*") == "1");
}

TEST_CASE("a mailbox that is gone matches by numbers only") {
  SearchWorld world;
  world.add(letter("Subject: told\r\n"));
  const store::MailboxKey other =
      must(world.store().write_now([&](store::WriteTxn& txn) -> Result<store::MailboxKey> {
        auto made = txn.create_mailbox(world.key().account, "Gone", store::SpecialUse::kNone);
        if (!made) return tl::unexpected(made.error());
        return store::MailboxKey{world.key().account, store::MailboxId(9999)};
      }));
  const ParsedSearch parsed("OR 1 UNSEEN");
  auto plan = plan_search(parsed.search().key, {}, world.scope(), kNow);
  REQUIRE(plan);
  SearchRun run(std::move(*plan), world.scope(), other, {}, world.store());
  CHECK(must(world.store().read_now([&](const store::ReadView& view) { return run.slice(view); })));
  CHECK(run.take_found().to_string() == "1");
}

TEST_CASE("internal dates count by the day where they were given") {
  SearchWorld world;
  // 1-Feb-2023 00:30 in the zone +0100, which is 31-Jan in UTC; 31-Jan-2023 23:30 -0100, which is
  // 1-Feb in UTC.
  world.add(dated(1'675'207'800, 60, letter("Subject: a\r\n")));
  world.add(dated(1'675'211'400, -60, letter("Subject: b\r\n")));
  world.add(dated(-10, 0, letter("Subject: before 1970\r\n")));
  CHECK(world.search("ON 1-Feb-2023") == "1");
  CHECK(world.search("ON 31-Jan-2023") == "2");
  CHECK(world.search("BEFORE 1-Feb-2023") == "2:3");
  CHECK(world.search("SINCE 31-Jan-2023") == "1:2");
  CHECK(world.search("SINCE 1-Feb-2023") == "1");
  CHECK(world.search("ON 31-Dec-1969") == "3");
}

TEST_CASE("the Date field counts as it is written") {
  SearchWorld world;
  world.add(letter("Date: Wed, 1 Feb 2023 23:30:00 -0800\r\n"));
  world.add(letter("Date: Thu, 2 Feb 2023 00:30:00 +1400\r\n"));
  world.add(letter("Date: nonsense\r\n"));
  world.add(letter("Subject: no date\r\n"));
  CHECK(world.search("SENTON 1-Feb-2023") == "1");
  CHECK(world.search("SENTON 2-Feb-2023") == "2");
  CHECK(world.search("SENTSINCE 2-Feb-2023") == "2");
  CHECK(world.search("SENTBEFORE 2-Feb-2023") == "1");
  CHECK(world.search("SENTBEFORE 1-Jan-2100", kTiny) == "1:2");
  CHECK(world.search("NOT SENTBEFORE 1-Jan-2100") == "3:4");
}

TEST_CASE("OLDER and YOUNGER count to the second, both ends included") {
  SearchWorld world;
  const std::int64_t now = kNow.time_since_epoch().count();
  world.add(dated(now - 99, 0, letter("Subject: a\r\n")));
  world.add(dated(now - 100, 0, letter("Subject: b\r\n")));
  world.add(dated(now - 101, 0, letter("Subject: c\r\n")));
  world.add(dated(now + 1000, 0, letter("Subject: d\r\n")));
  CHECK(world.search("YOUNGER 100") == "1:2,4");
  CHECK(world.search("OLDER 100") == "2:3");
  CHECK(world.search("OLDER 4294967295") == "");
}

TEST_CASE("save dates are when a message came into the mailbox") {
  SearchWorld world;
  world.add(dated(0, 0, letter("Subject: old\r\n")));
  CHECK(world.search("SAVEDSINCE 1-Jan-2020") == "1");
  CHECK(world.search("SAVEDBEFORE 1-Jan-2020") == "");
  const auto days = std::chrono::floor<std::chrono::days>(
      must(world.store().read_now([&](const store::ReadView& view) {
        return view.message(world.key(), store::Uid(1));
      })).save_date);
  const std::chrono::year_month_day date{days};
  const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::string today = std::to_string(static_cast<unsigned>(date.day())) + "-" +
                            months[static_cast<unsigned>(date.month()) - 1] + "-" +
                            std::to_string(static_cast<int>(date.year()));
  CHECK(world.search("SAVEDON " + today) == "1");
  CHECK(world.search("SAVEDBEFORE " + today) == "");
}

TEST_CASE("modseqs and object ids are compared as numbers") {
  SearchWorld world;
  world.add(letter("Subject: a\r\n"));
  world.add(letter("Subject: b\r\n"));
  const auto second = must(world.store().read_now(
      [&](const store::ReadView& view) { return view.message(world.key(), store::Uid(2)); }));
  CHECK(world.search("MODSEQ " + std::to_string(second.modseq.value())) == "2");
  CHECK(world.search("MODSEQ 0") == "1:2");
  CHECK(world.search("MODSEQ 9223372036854775807") == "");
  CHECK(world.search("MODSEQ \"/flags/\\\\draft\" all 1") == "1:2");
  std::string email;
  append_email_id(email, second.email_id);
  std::string thread;
  append_thread_id(thread, second.thread_id);
  CHECK(world.search("EMAILID " + email) == "2");
  CHECK(world.search("THREADID " + thread) == "2");
  CHECK(world.search("NOT EMAILID " + email) == "1");
  CHECK(world.search("EMAILID nonsense") == "");
  CHECK(world.search("NOT EMAILID nonsense") == "1:2");
  CHECK(world.search("EMAILID M18446744073709551615") == "");
}

TEST_CASE("every slice gets on, however short it is") {
  SearchWorld world;
  for (int i = 0; i < 200; ++i) {
    auto request = request_of(letter("Subject: number " + std::to_string(i) + "\r\n"));
    if (i % 2 == 0) request.flags = store::bit(store::Flag::kSeen);
    world.add(request);
  }
  const std::string even = world.search("SEEN");
  CHECK(world.slices == 1);
  CHECK(world.search("SEEN", kTiny) == even);
  CHECK(world.slices > 2);
  CHECK(world.search("SUBJECT \"number 42\"", kTiny) == "43");
  CHECK(world.search("TEXT \"number 42\"", kTiny) == "43");
  CHECK(world.slices > 200);
}

TEST_CASE("a search stops when it has what is asked for") {
  SearchWorld world;
  for (int i = 0; i < 1000; ++i) {
    world.add(letter("Subject: " + std::string(i % 10 == 3 ? "hit" : "miss") + "\r\n"));
  }
  const auto limited = [&](std::string_view keys, bool from_end, std::uint64_t matches) {
    const ParsedSearch parsed(keys);
    return world.search(parsed.search(), {from_end, matches}, kTiny);
  };
  CHECK(limited("SUBJECT hit", false, 1) == "4");
  CHECK(world.slices < 100);
  CHECK(limited("SUBJECT hit", false, 3) == "4,14,24");
  const std::string latest = limited("SUBJECT hit", true, 1);
  CHECK(latest.ends_with("994"));
  CHECK(world.slices < 300);
  CHECK(limited("TEXT hit", true, 2).ends_with("984,994"));
  // As many as there are, and more.
  const std::string all = world.search("SUBJECT hit");
  CHECK(limited("SUBJECT hit", true, 100) == all);
  CHECK(limited("SUBJECT hit", true, 1'000'000) == all);
  CHECK(limited("SUBJECT hit", false, 1'000'000) == all);
  CHECK(limited("ALL", true, 1).ends_with("1000"));
  CHECK(limited("UNSEEN", true, 1000) == "1:1000");
  CHECK(limited("UID 5:7,900", true, 1).ends_with("900"));
}

TEST_CASE("a limit of messages takes the newest of those that were asked for") {
  SearchWorld world;
  for (int i = 0; i < 300; ++i) {
    world.add(letter("Subject: " + std::string(i % 2 == 0 ? "even" : "odd") + "\r\n"));
  }
  const auto limited = [&](std::string_view keys, std::uint64_t messages) {
    const ParsedSearch parsed(keys);
    auto plan = plan_search(parsed.search().key, {}, world.scope(), kNow);
    REQUIRE(plan);
    SearchExtent extent;
    extent.matches = 1;  // has no meaning from the front then
    extent.messages = messages;
    SearchRun run(std::move(*plan), world.scope(), world.key(), extent, world.store(), kTiny);
    while (!must(
        world.store().read_now([&](const store::ReadView& view) { return run.slice(view); }))) {
    }
    const auto cut = run.cut_at();
    return run.take_found().to_string() + (cut ? " cut at " + std::to_string(cut->value()) : "");
  };
  CHECK(limited("ALL", 3) == "298:300 cut at 298");
  CHECK(limited("SUBJECT odd", 5) == "296,298,300 cut at 296");
  CHECK(limited("SUBJECT none", 5) == " cut at 296");
  CHECK(limited("UID 1:10 SUBJECT odd", 4) == "8,10 cut at 7");
  CHECK(limited("UID 1:3,100,250", 2) == "100,250 cut at 100");
  CHECK(limited("UID 1:3,100,250", 3) == "3,100,250 cut at 3");
  CHECK(limited("UID 1:3,100,250", 5) == "1:3,100,250");
  CHECK(limited("UID 7 SUBJECT even", 1) == "7");
  CHECK(limited("ALL", 300) == "1:300");
  CHECK(limited("ALL", 299) == "2:300 cut at 2");
}

TEST_CASE("what happens between two slices is no error") {
  SearchWorld world;
  for (int i = 0; i < 50; ++i) {
    world.add(letter("Subject: s\r\n", std::string(4000, 'x') + "needle\r\n"));
  }
  std::uint32_t next = 50;
  world.between = [&] {
    if (next > 25) world.expunge({store::Uid(next--)});
  };
  const std::string found = world.search("BODY needle", {0ns, 100});
  CHECK(found.starts_with("1:"));
  CHECK(world.unreadable == 0);
  CHECK(world.slices > 25);
}

TEST_CASE("a message at work stays readable when it is removed and reaped") {
  SearchWorld world;
  world.store().set_retention(std::chrono::seconds(0));
  world.add(letter("Subject: s\r\n", std::string(200'000, 'x') + "needle\r\n"));
  bool removed = false;
  world.between = [&] {
    if (world.slices < 5 || removed) return;
    removed = true;
    world.expunge({store::Uid(1)});
    std::this_thread::sleep_for(50ms);
    world.executor().run_until_idle();
  };
  CHECK(world.search("BODY needle", {0ns, 1000}) == "1");
  CHECK(removed);
}

TEST_CASE("the search text is in the charset that the command names") {
  SearchWorld world;
  world.add(letter("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"));
  world.add(letter("Subject: =?koi8-r?b?7cHU2A==?=\r\n"));
  CHECK(world.search("SUBJECT \"grüße\"") == "1");
  CHECK(world.search("CHARSET UTF-8 SUBJECT \"GRÜßE\"") == "1");
  CHECK(world.search("CHARSET ISO-8859-1 SUBJECT {5}\r\nGR\xdc\xdf"
                     "E") == "1");
  CHECK(world.search("CHARSET koi8-r SUBJECT {4}\r\n\xcd\xc1\xd4\xd8") == "2");
  CHECK(world.search("CHARSET \"iso-2022-jp\" ALL") == "1:2");
  CHECK(world.search("CHARSET US-ASCII SUBJECT \"gr\"") == "1");
  CHECK(world.search("CHARSET US-ASCII SUBJECT \"grü\"") ==
        "BAD The search text is not valid US-ASCII");
  CHECK(world.search("SUBJECT {3}\r\nGR\xdc") == "BAD The search text is not valid UTF-8");
  CHECK(world.search("CHARSET UTF-8 (NOT (OR SEEN BODY {1}\r\n\xff))") ==
        "BAD The search text is not valid UTF-8");
  const std::string unknown = world.search("CHARSET x-none ALL");
  CHECK(unknown.starts_with("NO [BADCHARSET (UTF-8 US-ASCII "));
  CHECK(unknown.ends_with(")] Unknown charset x-none"));
  // What it lists is really known.
  std::string list = unknown.substr(unknown.find('(') + 1);
  list = list.substr(0, list.find(')')) + ' ';
  for (std::size_t at = 0; at < list.size(); at = list.find(' ', at) + 1) {
    const std::string name = list.substr(at, list.find(' ', at) - at);
    CHECK_MESSAGE(world.search("CHARSET " + name + " ALL") == "1:2", name);
  }
}
