// What FETCH says of a message beside its octets: exact texts.
#include <doctest/doctest.h>

#include "tests/imap/fetch_rig.h"

using namespace twinpost;
using namespace twinpost::imap;
using imap::test::FetchRig;

namespace {

constexpr std::string_view kMessage =
    "From: Fred <fred@example.org>\n"
    "Subject: afternoon meeting\n"
    "Date: Mon, 7 Feb 1994 21:52:25 -0800\n"
    "Message-Id: <B27397-0100000@example.org>\n"
    "\n"
    "Hello Joe, do you think we can meet at 3:30 tomorrow?\n";

}  // namespace

TEST_CASE("FETCH gives each item of the record in the words of the RFC") {
  FetchRig rig;
  rig.deliver("Subject: other\n\nx\n");
  rig.deliver(kMessage, "Return-Path: <fred@example.org>\r\n",
              store::bit(store::Flag::kSeen) | store::bit(store::Flag::kDraft), {"$Junk", "work"});
  rig.select();
  const auto record = rig.fixture.message(rig.fixture.inbox, store::Uid(2));
  CHECK(rig.fetch("FETCH 2 UID") == "* 2 FETCH (UID 2)\r\n");
  CHECK(rig.fetch("FETCH 2 FLAGS") == "* 2 FETCH (FLAGS (\\Seen \\Draft $Junk work))\r\n");
  CHECK(rig.fetch("FETCH 2 INTERNALDATE") ==
        "* 2 FETCH (INTERNALDATE \"14-Nov-2023 22:13:20 +0000\")\r\n");
  CHECK(rig.fetch("FETCH 2 RFC822.SIZE") ==
        "* 2 FETCH (RFC822.SIZE " + std::to_string(record.size) + ")\r\n");
  CHECK(rig.fetch("FETCH 2 MODSEQ") ==
        "* 2 FETCH (MODSEQ (" + std::to_string(record.modseq.value()) + "))\r\n");
  CHECK(rig.fetch("FETCH 2 EMAILID") ==
        "* 2 FETCH (EMAILID (M" + std::to_string(record.email_id.value()) + "))\r\n");
  CHECK(rig.fetch("FETCH 2 THREADID") ==
        "* 2 FETCH (THREADID (T" + std::to_string(record.thread_id.value()) + "))\r\n");
  CHECK(rig.item("SAVEDATE", 2).ends_with(" +0000"));
}

TEST_CASE("FETCH gives what the summary says: envelope, structures, preview") {
  FetchRig rig;
  rig.deliver(kMessage);
  rig.select();
  CHECK(rig.fetch("FETCH 1 ENVELOPE") ==
        "* 1 FETCH (ENVELOPE (\"Mon, 7 Feb 1994 21:52:25 -0800\" \"afternoon meeting\" "
        "((\"Fred\" NIL \"fred\" \"example.org\")) ((\"Fred\" NIL \"fred\" \"example.org\")) "
        "((\"Fred\" NIL \"fred\" \"example.org\")) NIL NIL NIL NIL "
        "\"<B27397-0100000@example.org>\"))\r\n");
  CHECK(
      rig.fetch("FETCH 1 BODY") ==
      "* 1 FETCH (BODY (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 55 1))\r\n");
  CHECK(rig.fetch("FETCH 1 BODYSTRUCTURE") ==
        "* 1 FETCH (BODYSTRUCTURE (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
        "55 1 NIL NIL NIL NIL))\r\n");
  CHECK(rig.fetch("FETCH 1 PREVIEW") ==
        "* 1 FETCH (PREVIEW \"Hello Joe, do you think we can meet at 3:30 tomorrow?\")\r\n");
  CHECK(rig.fetch("FETCH 1 (PREVIEW (LAZY))") == rig.fetch("FETCH 1 PREVIEW"));
}

TEST_CASE("a message without text has an empty preview, never NIL") {
  FetchRig rig;
  rig.deliver("Content-Type: image/png\n\nxxxx\n");
  rig.select();
  CHECK(rig.fetch("FETCH 1 PREVIEW") == "* 1 FETCH (PREVIEW \"\")\r\n");
}

TEST_CASE("a preview in UTF-8 goes in a literal to a client that does not take UTF-8") {
  FetchRig rig;
  rig.deliver("Content-Type: text/plain; charset=utf-8\n\ncaf\xc3\xa9\n");
  rig.select();
  CHECK(rig.fetch("FETCH 1 PREVIEW") == "* 1 FETCH (PREVIEW {5}\r\ncaf\xc3\xa9)\r\n");
  rig.style.utf8 = true;
  CHECK(rig.fetch("FETCH 1 PREVIEW") == "* 1 FETCH (PREVIEW \"caf\xc3\xa9\")\r\n");
}

TEST_CASE("the macros stand for their items, in one response") {
  FetchRig rig;
  rig.deliver(kMessage);
  rig.select();
  const auto names = [&](std::string_view macro) {
    std::string text;
    for (const auto& [name, value] : rig.one("FETCH 1 " + std::string(macro)).items) {
      text += name + " ";
    }
    return text;
  };
  CHECK(names("FAST") == "FLAGS INTERNALDATE RFC822.SIZE ");
  CHECK(names("ALL") == "ENVELOPE FLAGS INTERNALDATE RFC822.SIZE ");
  CHECK(names("FULL") == "BODY ENVELOPE FLAGS INTERNALDATE RFC822.SIZE ");
}

TEST_CASE("what is asked for twice is given once") {
  FetchRig rig;
  rig.deliver(kMessage);
  rig.select();
  CHECK(rig.fetch("UID FETCH 1 (UID FLAGS UID FLAGS)") == "* 1 FETCH (UID 1 FLAGS ())\r\n");
  const auto response = rig.one("FETCH 1 (BODY.PEEK[TEXT] BODY[TEXT] BODY.PEEK[TEXT]<0.3>)");
  CHECK(response.at("FLAGS") == "(\\Seen)");  // unasked: the fetch has set it
  CHECK(response.items.size() == 3);
  CHECK(rig.unseen == std::vector<std::uint32_t>{1});  // one of the two was no PEEK
}

TEST_CASE("UID FETCH gives the UID unasked") {
  FetchRig rig;
  rig.deliver(kMessage);
  rig.select();
  CHECK(rig.fetch("UID FETCH 1 (FLAGS)") == "* 1 FETCH (UID 1 FLAGS ())\r\n");
}

TEST_CASE("Recent is shown to this session, but not to an IMAP4rev2 one") {
  FetchRig rig;
  rig.deliver(kMessage, {}, store::bit(store::Flag::kSeen));
  rig.deliver(kMessage);
  rig.select();
  rig.selected.recent_from = store::Uid(2);
  CHECK(rig.fetch("FETCH 1:2 FLAGS") ==
        "* 1 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (FLAGS (\\Recent))\r\n");
  rig.style.rev2 = true;
  CHECK(rig.fetch("FETCH 1:2 FLAGS") == "* 1 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (FLAGS ())\r\n");
}

TEST_CASE("a keyword that the client was not told the name of is not shown") {
  FetchRig rig;
  rig.deliver(kMessage, {}, 0, {"first"});
  rig.select();
  rig.deliver(kMessage, {}, 0, {"first", "second"});
  const auto told = rig.selected.keywords;
  rig.select();
  rig.selected.keywords = told;
  CHECK(rig.fetch("FETCH 2 FLAGS") == "* 2 FETCH (FLAGS (first))\r\n");
}

TEST_CASE("dates at the ends of time fit the grammar") {
  FetchRig rig;
  store::AppendRequest request = store::test::request_of("Subject: x\r\n\r\n");
  request.internal_date = {UnixTime(std::chrono::seconds(-1'000'000'000'000)), -720};
  rig.fixture.append(rig.fixture.inbox, request);
  request.internal_date = {UnixTime(std::chrono::seconds(1'000'000'000'000)), 840};
  rig.fixture.append(rig.fixture.inbox, request);
  rig.select();
  for (const auto& response : test::parse_responses(rig.fetch("FETCH 1:2 INTERNALDATE"))) {
    CHECK(response.at("INTERNALDATE").size() == 26);
  }
}
