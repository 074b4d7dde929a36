#include "tools/twinpost/transfer/imap_response.h"

#include <doctest/doctest.h>
#include <string>

#include "tools/twinpost/transfer/imap_listing.h"
#include "tools/twinpost/transfer/imap_octets.h"

namespace twinpost::tools {

namespace {

ImapResponse parsed(std::vector<std::string> lines, std::vector<std::string> literals = {}) {
  auto response = parse_imap_response({std::move(lines), std::move(literals)});
  REQUIRE(response);
  return *std::move(response);
}

ImapFetched fetched(std::vector<std::string> lines, std::vector<std::string> literals = {}) {
  auto result = read_fetch(parsed(std::move(lines), std::move(literals)));
  REQUIRE_MESSAGE(result, (result ? "" : result.error().message));
  return *std::move(result);
}

ErrorCode fetch_error(std::vector<std::string> lines, std::vector<std::string> literals = {}) {
  const auto result = read_fetch(parsed(std::move(lines), std::move(literals)));
  REQUIRE_FALSE(result);
  CHECK(result.error().message.find('\n') == std::string::npos);
  return result.error().code;
}

std::optional<LiteralMark> mark(std::string_view line, bool first = true) {
  const auto found = literal_mark(line, first);
  REQUIRE(found);
  return *found;
}

}  // namespace

TEST_CASE("a literal is announced at the end of a line of data only") {
  CHECK(mark("* 1 FETCH (BODY[] {12}")->octets == 12);
  CHECK(mark("* 1 FETCH (BODY[] {12}")->begin == 18);
  CHECK(mark("* 1 FETCH (BODY[] ~{12}")->begin == 18);
  CHECK(mark("* LIST () \"/\" {3+}")->octets == 3);
  CHECK(mark(" FLAGS () BODY[] {0}", false)->octets == 0);
  CHECK_FALSE(mark("* OK have some {12}"));
  CHECK_FALSE(mark("* ok have some {12}"));
  CHECK_FALSE(mark("T1 NO have some {12}"));
  CHECK_FALSE(mark("+ go on {12}"));
  CHECK_FALSE(mark("* LIST () \"/\" \"a {12}"));
  CHECK(mark("* LIST () \"/\\\"\" {12}"));
  CHECK_FALSE(mark("* 1 FETCH (BODY[] {12"));
  CHECK_FALSE(mark("* 1 FETCH (BODY[] {}"));
  CHECK_FALSE(mark("* 1 FETCH (BODY[] {-5}"));
  const auto huge = literal_mark("* 1 FETCH (BODY[] {99999999999999999999}", true);
  REQUIRE_FALSE(huge);
  CHECK(huge.error().code == ErrorCode::kTooLarge);
}

TEST_CASE("a status response has its code, its code's text and a line for people") {
  const auto ok = parsed({"* OK [UIDVALIDITY 123] UIDs valid"});
  CHECK(ok.is_status("OK"));
  CHECK(ok.tag.empty());
  CHECK(ok.code == "UIDVALIDITY");
  CHECK(ok.code_text == "123");
  CHECK(ok.text == "UIDs valid");
  const auto no = parsed({"T7 no"});
  CHECK(no.is_status("NO"));
  CHECK(no.tag == "T7");
  CHECK(parsed({"* OK [broken"}).code.empty());
  CHECK(parsed({"+"}).kind == ImapResponse::Kind::kContinuation);
  CHECK_FALSE(parse_imap_response({{""}, {}}));
  CHECK_FALSE(parse_imap_response({{"HTTP/1.1"}, {}}));
  CHECK_FALSE(parse_imap_response({{"T1 FETCH (UID 3)"}, {}}));
}

TEST_CASE("a FETCH response is read with its items in any order and its strings in any form") {
  const auto plain =
      fetched({"* 12 FETCH (FLAGS (\\Seen $Forwarded) UID 7 RFC822.SIZE 4294967296 INTERNALDATE "
               "\"17-Jul-1996 02:44:25 -0700\")"});
  CHECK(plain.sequence == 12);
  CHECK(plain.uid == 7U);
  CHECK(*plain.flags == std::vector<std::string>{"\\Seen", "$Forwarded"});
  CHECK(plain.size == 4294967296U);
  CHECK(plain.date->time == UnixTime(std::chrono::seconds(837596665)));
  CHECK(plain.date->zone_minutes == -420);

  const auto literals =
      fetched({"* 1 FETCH (X-GM-LABELS (\"\\\\Inbox\" ", " \"a \\\"b\\\"\") BODY[] ", " UID 9)"},
              {"la\"bel", std::string("octets\r\n)\0 {5}", 14)});
  CHECK(*literals.gmail_labels == std::vector<std::string>{"\\Inbox", "la\"bel", "a \"b\""});
  CHECK(*literals.octets == std::string("octets\r\n)\0 {5}", 14));
  CHECK(literals.uid == 9U);

  CHECK(*fetched({"* 1 FETCH (UID 1 BODY[] \"\")"}).octets == "");
  CHECK_FALSE(fetched({"* 1 FETCH (UID 1 BODY[] \"\")"}).no_octets);
  CHECK(fetched({"* 1 FETCH (UID 1 BODY[] NIL)"}).no_octets);
  CHECK(*fetched({"* 1 FETCH (UID 1 BODY[HEADER] \"a: b\")"}).header == "a: b");
}

TEST_CASE("what real servers send beside the grammar is taken") {
  CHECK(fetched({"*  3  fetch  ( UID  5   FLAGS  ( ) ) "}).uid == 5U);
  CHECK(fetched({"* 3 FETCH (uid 5 body[] \"\xe4\xf6 \\x\")"}).octets == "\xe4\xf6 x");
  CHECK(fetched({"* 3 FETCH (UID 5 ENVELOPE (NIL (((\"x\"))) NIL) MODSEQ (17))"}).uid == 5U);
  CHECK(fetched({"* 3 FETCH (BODY[HEADER.FIELDS (DATE \"(\")]<0> NIL UID 5)"}).uid == 5U);
  CHECK(fetched({"* 3 FETCH (UID 5 INTERNALDATE \" 1-Jan-2020 00:00:00 +0000\")"}).date);
  CHECK(fetched({"* 3 FETCH (UID 5 INTERNALDATE NIL SAVEDATE NIL)"}).save_date == std::nullopt);
  const auto odd = parsed({"* X-VENDOR ((unclosed"});
  CHECK(odd.name == "X-VENDOR");
  CHECK_FALSE(odd.fault.empty());
}

TEST_CASE("a FETCH response that could mix messages up is refused") {
  for (const char* line :
       {"* 1 FETCH (UID 0)", "* 1 FETCH (UID 4294967296)", "* 1 FETCH (UID x)", "* 1 FETCH (UID)",
        "* 1 FETCH (UID 1", "* 1 FETCH UID 1", "* 0 FETCH (UID 1)", "* 1 FETCH (UID 1 FLAGS x)",
        "* 1 FETCH (UID 1 BODY[] (x))", "* 1 FETCH (UID 1 BODY[] \"unended)", "* 1 FETCH ((x) 1)",
        "* 1 FETCH", "* 1 FETCH (UID 1) (UID 2)", "* 1 FETCH )(", "* FETCH (UID 1)"}) {
    CAPTURE(line);
    CHECK(fetch_error({line}) == ErrorCode::kInvalid);
  }
  CHECK(fetch_error({"* 1 FETCH " + std::string(100'000, '(')}) == ErrorCode::kInvalid);
  CHECK(fetch_error({"* 1 FETCH (UID 1 X " + std::string(60, '(') + std::string(60, ')') + ")"}) ==
        ErrorCode::kInvalid);
}

TEST_CASE("flags become bits and keywords; Recent and what is no keyword is left out") {
  MailItem item;
  std::size_t odd = 0;
  read_flags({"\\seen", "\\Answered", "\\FLAGGED", "\\Deleted", "\\Draft", "\\Recent", "\\*",
              "$Junk", "NonJunk", "bad{", "\xe4", ""},
             item, odd);
  CHECK(item.flags == 31);
  CHECK(item.keywords == std::vector<std::string>{"$Junk", "NonJunk"});
  CHECK(odd == 3);
}

TEST_CASE("lines end in CRLF, whatever the server sent") {
  CHECK(with_crlf("") == "");
  CHECK(with_crlf("a\r\nb\r\n") == "a\r\nb\r\n");
  CHECK(with_crlf("a\nb") == "a\r\nb\r\n");
  CHECK(with_crlf("\n\n") == "\r\n\r\n");
  CHECK(with_crlf("a\rb\r") == "a\rb\r\r\n");
}

TEST_CASE("a message's key is its folder's, its UIDVALIDITY's and its UID's") {
  MailFolder folder;
  folder.native_name = "INBOX";
  folder.uid_validity = store::UidValidity(5);
  const auto key = import_key(folder, store::Uid(7));
  CHECK(key == import_key(folder, store::Uid(7)));
  CHECK(key != import_key(folder, store::Uid(8)));
  folder.uid_validity = store::UidValidity(6);
  CHECK(key != import_key(folder, store::Uid(7)));
  folder.uid_validity = store::UidValidity(5);
  folder.native_name = "Work";
  CHECK(key != import_key(folder, store::Uid(7)));
}

TEST_CASE("a UID set names runs by their ends") {
  const std::vector<std::uint32_t> uids{1, 2, 3, 5, 7, 8, 4294967295};
  CHECK(uid_set(uids) == "1:3,5,7:8,4294967295");
  CHECK(uid_set({}).empty());
}

}  // namespace twinpost::tools
