// The walk over a set of messages: slices, what others remove meanwhile, what can't be read.
#include <doctest/doctest.h>

#include "imap/fetch_vanished.h"
#include "tests/imap/fetch_rig.h"
#include "tests/support/transcript_faults.h"

using namespace twinpost;
using namespace twinpost::imap;
using imap::test::FetchRig;

namespace {

std::string numbers(std::string_view octets) {
  std::string text;
  for (const auto& response : imap::test::parse_responses(octets)) {
    text += (text.empty() ? "" : " ") + std::to_string(response.number);
  }
  return text;
}

// With messages of UIDs 1 to `count`.
struct Rig : FetchRig {
  explicit Rig(unsigned count, std::size_t body_octets = 20) {
    for (unsigned i = 1; i <= count; ++i) deliver_octets(store::test::mail_text(i, body_octets));
    select();
  }
};

std::string vanished(FetchRig& rig, std::string_view set, std::uint64_t since) {
  const SequenceSet parsed = store::test::must(SequenceSet::parse(set));
  return rig.fixture
      .read([&](const store::ReadView& view) {
        return find_vanished(view, rig.selected, parsed, store::ModSeq(since));
      })
      .to_string();
}

}  // namespace

TEST_CASE("slices glued together are what one slice would give, however small they are") {
  Rig rig(30, 3000);
  const std::string items =
      " (UID FLAGS ENVELOPE BODY.PEEK[] BODY.PEEK[TEXT]<10.2500> BINARY.PEEK[1])";
  rig.slices.time = std::chrono::minutes(1);
  rig.slices.octets = 100'000'000;
  const std::string whole = rig.fetch("FETCH 1:*" + items);
  CHECK(rig.slice_octets.size() == 1);
  for (const std::size_t octets : {1, 100, 5000, 20'000, 100'000}) {
    rig.slices.octets = octets;
    CHECK(rig.fetch("FETCH 1:*" + items) == whole);
    CHECK(rig.slice_octets.size() > whole.size() / (octets + 40'000));
  }
  rig.slices.octets = 100'000'000;
  rig.slices.time = Duration(0);
  CHECK(rig.fetch("FETCH 1:*" + items) == whole);
  CHECK(rig.slice_octets.size() >= 30);
}

TEST_CASE("a large literal goes out in slices of a bounded size") {
  FetchRig rig;
  rig.deliver_octets(store::test::mail_text(1, 5'000'000));
  rig.select();
  const std::string text = rig.fixture.text(rig.fixture.inbox, store::Uid(1));
  rig.slices.time = std::chrono::minutes(1);
  CHECK(rig.item("BODY[]") == text);
  CHECK(rig.slice_octets.size() >= 5'000'000 / (256 * 1024));
  CHECK(*std::max_element(rig.slice_octets.begin(), rig.slice_octets.end()) < 300 * 1024);
  CHECK(rig.unseen == std::vector<std::uint32_t>{1});
}

TEST_CASE("numbers are those of the session, in sets with holes too") {
  Rig rig(300);
  std::vector<std::uint32_t> gone;
  for (std::uint32_t uid = 2; uid <= 300; uid += 2) gone.push_back(uid);
  rig.expunge(gone);
  rig.select();
  CHECK(rig.selected.uids->size() == 150);
  std::string expected;
  for (unsigned number = 1; number <= 150; ++number) {
    expected +=
        "* " + std::to_string(number) + " FETCH (UID " + std::to_string(2 * number - 1) + ")\r\n";
  }
  CHECK(rig.fetch("FETCH 1:* UID") == expected);
  CHECK(rig.fetch("UID FETCH 1:* UID") == expected);
  CHECK(rig.fetch("UID FETCH 3,7,297:300,100,120 UID") ==
        "* 2 FETCH (UID 3)\r\n* 4 FETCH (UID 7)\r\n* 149 FETCH (UID 297)\r\n* 150 FETCH (UID "
        "299)\r\n");
  CHECK(rig.fetch("UID FETCH 1,299 UID") == "* 1 FETCH (UID 1)\r\n* 150 FETCH (UID 299)\r\n");
  CHECK(rig.fetch("UID FETCH 2,4,6 UID").empty());
  CHECK_FALSE(rig.troubles.missing);
}

TEST_CASE(
    "PARTIAL takes its share of the messages there are, and CHANGEDSINCE its share of those") {
  Rig rig(10);
  rig.expunge({4});
  rig.select();
  CHECK(numbers(rig.fetch("UID FETCH 2:9 FLAGS (PARTIAL 1:3)")) == "2 3 4");
  CHECK(numbers(rig.fetch("UID FETCH 2:9 FLAGS (PARTIAL -1:-2)")) == "7 8");
  CHECK(numbers(rig.fetch("UID FETCH 2:9 FLAGS (PARTIAL 100:200)")).empty());
  const auto since = rig.fixture.info(rig.fixture.inbox).highest_modseq;
  rig.set_flags({3, 8, 9}, store::bit(store::Flag::kFlagged));
  CHECK(numbers(rig.fetch("UID FETCH 2:9 FLAGS (PARTIAL -1:-2 CHANGEDSINCE " +
                          std::to_string(since.value()) + ")")) == "7 8");
  CHECK(numbers(rig.fetch("UID FETCH 2:9 FLAGS (CHANGEDSINCE " + std::to_string(since.value()) +
                          " PARTIAL 1:4)")) == "3");
}

TEST_CASE("CHANGEDSINCE gives what changed later, with its MODSEQ") {
  Rig rig(3);
  const auto since = rig.fixture.info(rig.fixture.inbox).highest_modseq.value();
  rig.set_flags({2}, store::bit(store::Flag::kSeen));
  CHECK(rig.fetch("FETCH 1:* (FLAGS) (CHANGEDSINCE " + std::to_string(since) + ")") ==
        "* 2 FETCH (FLAGS (\\Seen) MODSEQ (" + std::to_string(since + 1) + "))\r\n");
  CHECK(rig.fetch("FETCH 1:* (FLAGS) (CHANGEDSINCE " + std::to_string(since + 1) + ")").empty());
  CHECK(numbers(rig.fetch("FETCH 1:* (BODY.PEEK[]) (CHANGEDSINCE 0)")) == "1 2 3");
}

TEST_CASE("a message that another session expunged can be fetched until the client is told") {
  Rig rig(5);
  const std::string before = rig.fetch("FETCH 1:* (UID FLAGS BODY.PEEK[])");
  rig.expunge({1, 3, 5});
  CHECK(rig.fetch("FETCH 1:* (UID FLAGS BODY.PEEK[])") == before);
  CHECK_FALSE(rig.troubles.missing);
  CHECK(rig.fetch("UID FETCH 3 (BODY[TEXT])").starts_with("* 3 FETCH (UID 3 BODY[TEXT] {"));
  CHECK(rig.unseen.empty());  // \Seen can't be set any more
}

TEST_CASE("a message that is gone for good is left out, and that is remembered") {
  FetchRig rig;
  for (unsigned i = 1; i <= 3; ++i) rig.deliver_octets(store::test::mail_text(i));
  rig.select();
  UidList more = *rig.selected.uids;
  more.append(store::Uid(9));
  rig.selected.uids = std::make_shared<const UidList>(more);
  CHECK(numbers(rig.fetch("FETCH 1:4 (FLAGS)")) == "1 2 3");
  CHECK(rig.troubles.missing);
  CHECK(numbers(rig.fetch("FETCH 1:3 (FLAGS)")) == "1 2 3");
  CHECK_FALSE(rig.troubles.missing);
  CHECK(rig.fetch("FETCH 4 (BODY[])").empty());
  CHECK(rig.troubles.missing);
}

TEST_CASE("the messages of a deleted mailbox can be fetched until the client is told") {
  FetchRig rig;
  const auto key = rig.fixture.create("Lists");
  rig.fixture.append(key, store::test::request_of("Subject: x\r\n\r\nbody\r\n"));
  rig.selected.key = key;
  UidList uids;
  uids.append(store::Uid(1));
  rig.selected.uids = std::make_shared<const UidList>(uids);
  rig.fixture.write([&](store::WriteTxn& txn) { return txn.delete_mailbox(key, {}); });
  CHECK(rig.item("BODY[TEXT]") == "body\r\n");
}

TEST_CASE("what sets Seen names the messages that lacked it, once their data is complete") {
  Rig rig(4);
  rig.set_flags({2}, store::bit(store::Flag::kSeen));
  const auto after = [&](std::string_view command) {
    rig.fetch(command);
    return rig.unseen;
  };
  using Uids = std::vector<std::uint32_t>;
  for (const char* item :
       {"BODY[]", "BODY[TEXT]", "RFC822", "RFC822.TEXT", "BINARY[1]", "BODY[]<0.1>"}) {
    CHECK(after("FETCH 1:3 " + std::string(item)) == Uids{1, 3});
  }
  for (const char* item : {"BODY.PEEK[]", "RFC822.HEADER", "BINARY.PEEK[1]", "BINARY.SIZE[1]",
                           "BODY", "BODYSTRUCTURE", "ENVELOPE", "FLAGS", "PREVIEW"}) {
    CHECK(after("FETCH 1:3 " + std::string(item)).empty());
  }
  rig.selected.read_only = true;
  CHECK(after("FETCH 1:3 BODY[]").empty());
}

TEST_CASE("FLAGS asked together with what sets Seen show it, but not after EXAMINE") {
  Rig rig(1);
  CHECK(rig.one("FETCH 1 (FLAGS BODY[TEXT])").at("FLAGS") == "(\\Seen)");
  CHECK(rig.one("FETCH 1 (FLAGS BODY.PEEK[TEXT])").at("FLAGS") == "()");
  rig.selected.read_only = true;
  CHECK(rig.one("FETCH 1 (FLAGS BODY[TEXT])").at("FLAGS") == "()");
}

TEST_CASE("a part in an unknown encoding is left out, the rest is given") {
  FetchRig rig;
  rig.deliver("Content-Transfer-Encoding: x-odd\n\nbody\n");
  rig.deliver("Subject: well\n\nbody\n");
  rig.select();
  CHECK(rig.fetch("FETCH 1:2 (UID BINARY[1])") ==
        "* 1 FETCH (UID 1)\r\n* 2 FETCH (FLAGS (\\Seen) UID 2 BINARY[1] {6}\r\nbody\r\n)\r\n");
  CHECK(rig.troubles.unknown_encoding);
  CHECK(rig.unseen == std::vector<std::uint32_t>{2});
  CHECK(rig.fetch("FETCH 1 BINARY.SIZE[1]").empty());
  CHECK(rig.troubles.unknown_encoding);
  rig.fetch("FETCH 1 BODY[1]");
  CHECK_FALSE(rig.troubles.unknown_encoding);
}

TEST_CASE("a message that can't be read is left out before its first octet") {
  Rig rig(3, 2000);
  testing::Faults faults;
  testing::FaultyStore store(*rig.fixture.store, rig.fixture.executor, faults);
  testing::Faults::Plan plan;
  plan.messages = ErrorCode::kIo;
  plan.from = 1000;
  faults.set(plan);
  CHECK(rig.fetch_from(store, "FETCH 1:3 (UID BODY[])").empty());
  CHECK(rig.troubles.count_left_out == 3);
  CHECK(rig.troubles.left_out.at(1).first == store::Uid(2));
  CHECK_FALSE(rig.broken);
  CHECK(numbers(rig.fetch_from(store, "FETCH 1:3 (UID BODY[]<0.900>)")) == "1 2 3");
  CHECK_FALSE(rig.troubles.unreadable);
}

TEST_CASE("a read error in the middle of a literal breaks the response off") {
  FetchRig rig;
  rig.deliver_octets(store::test::mail_text(1, 1'000'000));
  rig.deliver_octets(store::test::mail_text(2, 100));
  rig.select();
  testing::Faults faults;
  testing::FaultyStore store(*rig.fixture.store, rig.fixture.executor, faults);
  testing::Faults::Plan plan;
  plan.messages = ErrorCode::kIo;
  plan.from = 600'000;
  faults.set(plan);
  const std::string sent = rig.fetch_from(store, "FETCH 1:2 (BODY[])");
  CHECK(rig.broken);
  CHECK(sent.starts_with("* 1 FETCH (FLAGS (\\Seen) BODY[] {"));
  CHECK(sent.size() < 700'000);
}

TEST_CASE("a large message whose octets changed on the disk is not sent to its end") {
  FetchRig rig;
  rig.deliver_octets(store::test::mail_text(1, 1'000'000), "Return-Path: <a@example.org>\r\n");
  rig.select();
  testing::Faults faults;
  testing::FaultyStore store(*rig.fixture.store, rig.fixture.executor, faults);
  testing::Faults::Plan plan;
  plan.flipped_octet = 300'000;
  faults.set(plan);
  const std::string sent = rig.fetch_from(store, "FETCH 1 (BODY[])");
  REQUIRE(rig.broken);
  CHECK(rig.broken->code == ErrorCode::kCorrupt);
  CHECK(sent.size() < 1'000'000);
}

TEST_CASE(
    "VANISHED names what went since, of what was asked for, and nothing the client still counts") {
  Rig rig(10);
  const auto since = rig.fixture.info(rig.fixture.inbox).highest_modseq.value();
  rig.expunge({2, 3, 9, 10});
  rig.select();
  rig.expunge({5});  // not told yet
  CHECK(vanished(rig, "1:*", since) == "2:3,9:10");
  CHECK(vanished(rig, "3:9", since) == "3,9");
  CHECK(vanished(rig, "1,4:8", since).empty());
  CHECK(vanished(rig, "1:4294967295", since) == "2:3,9:10");
  CHECK(vanished(rig, "1:*", since + 1).empty());
  CHECK(vanished(rig, "*", since) == "10");
}

TEST_CASE("VANISHED tells an empty mailbox's client of everything") {
  Rig rig(4);
  const auto since = rig.fixture.info(rig.fixture.inbox).highest_modseq.value();
  rig.expunge({1, 2, 3, 4});
  rig.select();
  CHECK(vanished(rig, "1:*", since) == "1:4");
  FetchRig never_used;
  CHECK(vanished(never_used, "1:*", 0).empty());
}
