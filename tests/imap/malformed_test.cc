// Every kind of mistake has its own clear line.
#include <doctest/doctest.h>
#include <string>

#include "tests/imap/command_text.h"

namespace twinpost::imap {
namespace {

struct Mistake {
  std::string line;
  std::string_view answer;
};

void check(std::initializer_list<Mistake> mistakes) {
  for (const Mistake& mistake : mistakes) {
    CAPTURE(mistake.line);
    CHECK(play(mistake.line + "\r\n") == mistake.answer);
  }
}

TEST_CASE("a line without a tag or a command") {
  check({
      {"", "* BAD Empty command line"},
      {" NOOP", "* BAD Invalid tag"},
      {"a+b NOOP", "* BAD Invalid tag"},
      {"\"a\" NOOP", "* BAD Invalid tag"},
      {"{5} NOOP", "* BAD Invalid tag"},
      {"a001", "a001 BAD Missing command after the tag"},
      {"a001 ", "a001 BAD Missing command after the tag"},
      {"a001 (NOOP)", "a001 BAD Expected command name near \"(NOOP)\""},
      {"A442 XPIG-LATIN", "A442 BAD Unknown command XPIG-LATIN"},
      {"a UID", "a BAD Missing argument after UID"},
      {"a UID NOOP", "a BAD Unknown command UID NOOP"},
      {"a UID UID FETCH 1 FLAGS", "a BAD Unknown command UID UID"},
      {"a SORT RETURN (ALL) (DATE) UTF-8 MODSEQ 1234", "a BAD Unknown command SORT"},
      {std::string("a NOOP\0", 7), "a BAD NOOP: Unexpected text after the command near \"\\x00\""},
      {"a NOOP x", "a BAD NOOP: Unexpected text after the command near \"x\""},
  });
}

TEST_CASE("wrong arguments before login show nothing of a password") {
  check({
      {"a LOGIN", "a BAD LOGIN: Missing argument after LOGIN"},
      {"a LOGIN user", "a BAD LOGIN: Missing argument after the user name"},
      {"a LOGIN user secret more", "a BAD LOGIN: Unexpected text after the password"},
      {"a LOGIN user \"secret", "a BAD LOGIN: Missing '\"' at the end of the quoted password"},
      {"a LOGIN user \"sec\\ret\"", "a BAD LOGIN: Invalid escape in the quoted password"},
      {"a LOGIN user \"sec\"ret", "a BAD LOGIN: Unexpected text after the password"},
      {"a LOGIN user (secret)", "a BAD LOGIN: Expected password"},
      {"a LOGIN user \"\xff\"", "a BAD LOGIN: The quoted password is not UTF-8"},
      {std::string("a LOGIN user {3+}\r\na\0b", 22),
       "a BAD LOGIN: NUL is not allowed in the literal for the password"},
      {"a AUTHENTICATE", "a BAD AUTHENTICATE: Missing argument after AUTHENTICATE"},
      {"a AUTHENTICATE PLAIN ab&d", "a BAD AUTHENTICATE: The initial response is not base64"},
      {"a ENABLE", "a BAD ENABLE: Missing argument after ENABLE"},
      {"a ID", "a BAD ID: Missing argument after ID"},
      {"a ID (\"name\")", "a BAD ID: Missing space after the field name near \")\""},
      {"a ID (\"name\" x)", "a BAD ID: Expected field value near \"x)\""},
      {"a ID (\"" + std::string(31, 'x') + "\" NIL)",
       "a BAD ID: A field name may have 30 octets and a value 1024 (RFC 2971)"},
  });
  std::string many = "a ID (";
  for (int i = 0; i < 31; ++i) many += "\"f\" \"v\" ";
  check({{many + ")", "a BAD ID: More than 30 fields (RFC 2971)"}});
}

TEST_CASE("wrong mailbox arguments") {
  check({
      {"a SELECT", "a BAD SELECT: Missing argument after the command"},
      {"a SELECT foo*",
       "a BAD SELECT: The mailbox name must be quoted, or sent as a literal near \"*\""},
      {"a SELECT foo bar", "a BAD SELECT: Expected '(' before the parameters near \"bar\""},
      {"a SELECT foo (BAR)", "a BAD SELECT: Unknown parameter: CONDSTORE and QRESYNC are known"},
      {"a SELECT foo (CONDSTORE", "a BAD SELECT: Missing ')' after the parameters"},
      {"a SELECT foo (QRESYNC (0 1))", "a BAD SELECT: The UIDVALIDITY must not be zero"},
      {"a SELECT foo (QRESYNC (1 0))", "a BAD SELECT: The mod-sequence must not be zero"},
      {"a SELECT foo (QRESYNC (1 2 1:*))",
       "a BAD SELECT: \"*\" and \"$\" are not allowed in QRESYNC"},
      {"a SELECT foo (QRESYNC (1 2 1:3 (1:2 7)))",
       "a BAD SELECT: The known sequence set and the known UID set differ in length"},
      {"a SELECT foo (QRESYNC (1 9223372036854775808))",
       "a BAD SELECT: The mod-sequence is too large near \"9223372036854775808\""},
      {"a SELECT \"\xc3\xa9\"",
       "a BAD SELECT: 8-bit octets in the quoted mailbox name: send a literal, or ENABLE "
       "UTF8=ACCEPT"},
      {"a SELECT ~{3+}\r\nabc",
       "skip 3 | a BAD SELECT: A literal8 is allowed for messages only (RFC 3516)"},
      {"a CREATE foo (BAR)", "a BAD CREATE: Unknown parameter: USE is known"},
      {"a CREATE foo (USE (\\))",
       "a BAD CREATE: Expected flag name after the backslash near \"))\""},
      {"a RENAME foo", "a BAD RENAME: Missing argument after the mailbox name"},
      {"a STATUS foo", "a BAD STATUS: Missing argument after the mailbox name"},
      {"a STATUS foo ()", "a BAD STATUS: Expected status item near \")\""},
      {"a STATUS foo (MESSAGES BAR)", "a BAD STATUS: Unknown status item BAR"},
      {"a LIST \"\"", "a BAD LIST: Missing argument after the reference name"},
      {"a LIST (RECURSIVEMATCH) \"\" *",
       "a BAD LIST: RECURSIVEMATCH needs SUBSCRIBED or SPECIAL-USE beside it"},
      {"a LIST (FOO) \"\" *", "a BAD LIST: Unknown LIST selection option FOO"},
      {"a LIST () \"\" ()", "a BAD LIST: Expected mailbox pattern near \")\""},
      {"a LIST \"\" * RETURN", "a BAD LIST: Missing argument after RETURN"},
      {"a LIST \"\" * RETURN (FOO)", "a BAD LIST: Unknown LIST return option FOO"},
      {"a LIST \"\" * FOO", "a BAD LIST: Expected RETURN after the pattern"},
      {"a LIST (SUBSCRIBED)\"\" *",
       "a BAD LIST: Missing space after the selection options near \"\"\" *\""},
  });
}

TEST_CASE("LIST patterns are bounded in number") {
  std::string many = "a LIST \"\" (";
  for (int i = 0; i < 101; ++i) many += "% ";
  check({{many + ")", "a BAD LIST: Too many patterns"}});
}

TEST_CASE("wrong message arguments") {
  check({
      {"a FETCH", "a BAD FETCH: Missing argument after FETCH"},
      {"a FETCH 0 FLAGS", "a BAD FETCH: Invalid sequence set near \"0\""},
      {"a FETCH 1, FLAGS", "a BAD FETCH: Empty element in the sequence set"},
      {"a FETCH 1:2:3 FLAGS", "a BAD FETCH: Invalid sequence set near \"1:2:3\""},
      {"a FETCH 4294967296 FLAGS", "a BAD FETCH: Invalid sequence set near \"4294967296\""},
      {"a FETCH x FLAGS", "a BAD FETCH: Expected sequence set near \"x FLAGS\""},
      {"a FETCH 1 FOO", "a BAD FETCH: Unknown data item FOO"},
      {"a FETCH 1 ()", "a BAD FETCH: Expected data item near \")\""},
      {"a FETCH 1 (ALL)", "a BAD FETCH: The macro ALL must stand alone"},
      {"a FETCH 1 (FLAGS", "a BAD FETCH: Missing ')' after the data items"},
      {"a FETCH 1 FLAGS UID", "a BAD FETCH: Expected '(' before the FETCH modifiers near \"UID\""},
      {"a FETCH 1 BODY[",
       "a BAD FETCH: Unknown section: HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT and MIME are "
       "known"},
      {"a FETCH 1 BODY[0]", "a BAD FETCH: The part number must not be zero"},
      {"a FETCH 1 BODY[MIME]", "a BAD FETCH: MIME needs a part number before it"},
      {"a FETCH 1 BODY[1", "a BAD FETCH: Missing ']' after the section"},
      {"a FETCH 1 BODY[HEADER.FIELDS]",
       "a BAD FETCH: Missing space after HEADER.FIELDS near \"]\""},
      {"a FETCH 1 BODY[HEADER.FIELDS ()]", "a BAD FETCH: Expected header field name near \")]\""},
      {"a FETCH 1 BODY.PEEK", "a BAD FETCH: Missing '[' after BODY.PEEK"},
      {"a FETCH 1 BODY[]<0>", "a BAD FETCH: Missing '.' in the partial range"},
      {"a FETCH 1 BODY[]<0.0>", "a BAD FETCH: The partial length must not be zero"},
      {"a FETCH 1 BODY[]<0.1", "a BAD FETCH: Missing '>' after the partial range"},
      {"a FETCH 1 BINARY[HEADER]",
       "a BAD FETCH: A BINARY section is a part number only (RFC 3516)"},
      {"a FETCH 1 PREVIEW (FAST)", "a BAD FETCH: Unknown PREVIEW modifier: LAZY is known"},
      {"a FETCH 1 FLAGS (VANISHED)", "a BAD FETCH: VANISHED is allowed in UID FETCH only"},
      {"a UID FETCH 1 FLAGS (VANISHED)", "a BAD FETCH: VANISHED needs CHANGEDSINCE beside it"},
      {"a FETCH 1 FLAGS (PARTIAL 1:2)", "a BAD FETCH: PARTIAL is allowed in UID FETCH only"},
      {"a UID FETCH 1 FLAGS (PARTIAL 1:-2)", "a BAD FETCH: Invalid PARTIAL range \"1:-2\""},
      {"a STORE 1 FOO (\\Seen)",
       "a BAD STORE: Unknown data item: FLAGS, +FLAGS and -FLAGS are known, each with .SILENT"},
      {"a STORE 1 FLAGS", "a BAD STORE: Missing argument after the data item"},
      {"a STORE 1 FLAGS (\\Recent)", "a BAD STORE: Flag \\Recent can't be set"},
      {"a STORE 1 FLAGS (a\"b)", "a BAD STORE: Expected space or ')' in the flags near \"\"b)\""},
      {"a STORE 1 (FOO 1) FLAGS ()",
       "a BAD STORE: Unknown STORE modifier: UNCHANGEDSINCE is known"},
      {"a STORE 1 (UNCHANGEDSINCE 1 UNCHANGEDSINCE 2) FLAGS ()",
       "a BAD STORE: UNCHANGEDSINCE was given twice"},
      {"a COPY 1", "a BAD COPY: Missing argument after the sequence set"},
      {"a UID EXPUNGE", "a BAD EXPUNGE: Missing argument after UID EXPUNGE"},
      {"a EXPUNGE 1", "a BAD EXPUNGE: Unexpected text after the command near \"1\""},
      {"a APPEND", "a BAD APPEND: Missing argument after APPEND"},
      {"a APPEND m (\\Seen)", "a BAD APPEND: Missing argument after the flags"},
      {"a APPEND m \"1-Foo-2020 00:00:00 +0000\" {1+}\r\nx",
       "skip 1 | a BAD APPEND: Invalid date-time \" 1-Foo-2020 00:00:00 +0000\": expected "
       "\"17-Jul-1996 02:44:25 -0700\""},
      {"a APPEND m CATENATE (URL \"x\")", "a BAD APPEND: CATENATE is not supported"},
      {"a APPEND m UTF8 ({1}", "a BAD APPEND: UTF8 needs a literal8 (RFC 6855)"},
      {"a APPEND m {1+}\r\nx y",
       "message 'm' 0 [] {1} | a BAD APPEND: Expected message literal near \"y\""},
      {"a APPEND m {1+}\r\nx)",
       "message 'm' 0 [] {1} | a BAD APPEND: Missing space after the message near \")\""},
      {"a APPEND m UTF8 (~{1+}\r\nx",
       "message 'm' 0 [] binary utf8 {1} | a BAD APPEND: Missing ')' after the UTF8 message"},
      {"a REPLACE 4 m {1+}\r\nx {1+}\r\nx",
       "replace 4 'm' 0 [] {1} | skip 1 | a BAD REPLACE: One message only is allowed"},
  });
}

TEST_CASE("wrong search keys") {
  check({
      {"a SEARCH", "a BAD SEARCH: Missing argument after SEARCH"},
      {"a SEARCH FOO", "a BAD SEARCH: Unknown search key FOO"},
      {"a SEARCH ()", "a BAD SEARCH: Expected search key near \")\""},
      {"a SEARCH (SEEN", "a BAD SEARCH: Missing ')' after the search keys"},
      {"a SEARCH SEEN)", "a BAD SEARCH: Missing space after the search key near \")\""},
      {"a SEARCH NOT", "a BAD SEARCH: Missing argument after NOT"},
      {"a SEARCH OR SEEN", "a BAD SEARCH: Missing argument after the first key of OR"},
      {"a SEARCH FROM", "a BAD SEARCH: Missing argument after FROM"},
      {"a SEARCH SINCE 30-Feb-2020",
       "a BAD SEARCH: Invalid date \"30-Feb-2020\": expected 1-Feb-1994"},
      {"a SEARCH LARGER x", "a BAD SEARCH: Expected size near \"x\""},
      {"a SEARCH OLDER 0", "a BAD SEARCH: The interval must not be zero"},
      {"a SEARCH KEYWORD \\Seen", "a BAD SEARCH: Expected keyword near \"\\x5cSeen\""},
      {"a SEARCH UID", "a BAD SEARCH: Missing argument after UID"},
      {"a SEARCH MODSEQ \"/x/\" all 1",
       "a BAD SEARCH: The entry name must begin with \"/flags/\" (RFC 7162)"},
      {"a SEARCH MODSEQ \"/flags/x\" mine 1",
       "a BAD SEARCH: The entry type must be priv, shared or all (RFC 7162)"},
      {"a SEARCH EMAILID a.b", "a BAD SEARCH: Invalid object id \"a.b\""},
      {"a SEARCH RETURN (FOO) ALL", "a BAD SEARCH: Unknown SEARCH return option FOO"},
      {"a SEARCH RETURN (PARTIAL 1:2 ALL) ALL", "a BAD SEARCH: PARTIAL and ALL exclude each other"},
      {"a SEARCH RETURN (ALL)", "a BAD SEARCH: Missing argument after the return options"},
      {"a SEARCH CHARSET UTF-8", "a BAD SEARCH: Missing argument after the charset"},
  });
}

TEST_CASE("search keys are bounded in depth and number") {
  const auto nested = [](int depth) {
    return "a SEARCH " + std::string(static_cast<std::size_t>(depth), '(') + "SEEN" +
           std::string(static_cast<std::size_t>(depth), ')');
  };
  check({{nested(99), "a SEARCH \\Seen"},
         {nested(100), "a BAD SEARCH: Search keys are nested deeper than 100"}});
  std::string nots = "a SEARCH ";
  for (int i = 0; i < 5000; ++i) nots += "NOT ";
  check({{nots + "SEEN", "a BAD SEARCH: Search keys are nested deeper than 100"}});
  std::string many = "a SEARCH";
  for (int i = 0; i < 10'001; ++i) many += " 1";
  check({{many, "a BAD SEARCH: More than 10000 search keys"}});
}

TEST_CASE("what widespread clients send beyond the grammar is taken") {
  check({
      {"a  NOOP ", "a NOOP"},
      {"a SELECT  INBOX ", "a SELECT 'INBOX'"},
      {"a FETCH 1 ( FLAGS  UID )", "a FETCH 1 flags uid"},
      {"a LOGIN user p%ss*w\\rd]", "a LOGIN 'user' 'p%ss*w\\rd]'"},
      {"a LOGIN \"us\xc3\xa9r\" \"p\xc3\xa4ss\"", "a LOGIN 'us\xc3\xa9r' 'p\xc3\xa4ss'"},
  });
}

}  // namespace
}  // namespace twinpost::imap
