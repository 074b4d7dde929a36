// Every example command of RFC 9051, RFC 3501 and RFC 7162, and of the extensions, as the parser takes it.
#include <doctest/doctest.h>

#include "tests/imap/command_text.h"

namespace twinpost::imap {
namespace {

struct Example {
  std::string_view line;   // without its CRLF
  std::string_view means;  // see command_text.h
};

// The same command with every quoted string sent as a literal.
std::string with_literals(std::string_view line, bool synchronizing) {
  std::string out;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (line[at] != '"') {
      out += line[at];
      continue;
    }
    std::string text;
    while (line[++at] != '"') text += line[at] == '\\' ? line[++at] : line[at];
    out += "{" + std::to_string(text.size()) + (synchronizing ? "}\r\n" : "+}\r\n") + text;
  }
  return out;
}

void check(std::initializer_list<Example> examples) {
  for (const Example& example : examples) {
    CAPTURE(example.line);
    CHECK(play(std::string(example.line) + "\r\n") == example.means);
    // The date-time of APPEND is always quoted.
    if (example.line.find("APPEND") != std::string_view::npos) continue;
    CHECK(play(with_literals(example.line, true) + "\r\n") == example.means);
    CHECK(play(with_literals(example.line, false) + "\r\n") == example.means);
  }
}

TEST_CASE("RFC 9051 6.1 and 6.2: commands of any state and before login") {
  check({
      {"abcd CAPABILITY", "abcd CAPABILITY"},
      {"a002 NOOP", "a002 NOOP"},
      {"A023 LOGOUT", "A023 LOGOUT"},
      {"a002 STARTTLS", "a002 STARTTLS"},
      {"a000 starttls", "a000 STARTTLS"},
      {"a004 AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=",
       "a004 AUTHENTICATE PLAIN 'dGVzdAB0ZXN0AHRlc3Q='"},
      {"A001 AUTHENTICATE GSSAPI", "A001 AUTHENTICATE GSSAPI"},
      {"A01 AUTHENTICATE EXTERNAL =", "A01 AUTHENTICATE EXTERNAL ''"},
      {"A001 AUTHENTICATE SCRAM-SHA-256 biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8=",
       "A001 AUTHENTICATE SCRAM-SHA-256 'biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8='"},
      {"a001 LOGIN SMITH SESAME", "a001 LOGIN 'SMITH' 'SESAME'"},
      {"a004 LOGIN joe password", "a004 LOGIN 'joe' 'password'"},
      {"b LOGIN \"fred\" \"foo\"", "b LOGIN 'fred' 'foo'"},
      {"e login \"fred\" \"foo\"", "e LOGIN 'fred' 'foo'"},
      {"t2 ENABLE CONDSTORE X-GOOD-IDEA", "t2 ENABLE CONDSTORE X-GOOD-IDEA"},
      {"a1 ENABLE CONDSTORE", "a1 ENABLE CONDSTORE"},
  });
}

TEST_CASE("RFC 9051 6.3: mailboxes") {
  check({
      {"A142 SELECT INBOX", "A142 SELECT 'INBOX'"},
      {"A143 SELECT Drafts", "A143 SELECT 'Drafts'"},
      {"k1 select \"/archive/projects/experiment-iv\"",
       "k1 SELECT '/archive/projects/experiment-iv'"},
      {"A932 EXAMINE blurdybloop", "A932 EXAMINE 'blurdybloop' read-only"},
      {"A003 CREATE owatagusiam/", "A003 CREATE 'owatagusiam/'"},
      {"A004 CREATE owatagusiam/blurdybloop", "A004 CREATE 'owatagusiam/blurdybloop'"},
      {"A002 CREATE \"INBOX.Sent Mail\"", "A002 CREATE 'INBOX.Sent Mail'"},
      {"A006 CREATE \"#mh/Deleted Items\"", "A006 CREATE '#mh/Deleted Items'"},
      {"l create \"///////\"", "l CREATE '///////'"},
      {"A683 DELETE blurdybloop", "A683 DELETE 'blurdybloop'"},
      {"A685 DELETE foo/bar", "A685 DELETE 'foo/bar'"},
      {"A683 RENAME blurdybloop sarasoop", "A683 RENAME 'blurdybloop' 'sarasoop'"},
      {"Z433 RENAME INBOX old-mail", "Z433 RENAME 'INBOX' 'old-mail'"},
      {"A002 SUBSCRIBE #news.comp.mail.mime", "A002 SUBSCRIBE '#news.comp.mail.mime'"},
      {"A002 UNSUBSCRIBE #news.comp.mail.mime", "A002 UNSUBSCRIBE '#news.comp.mail.mime'"},
      {"A001 NAMESPACE", "A001 NAMESPACE"},
      {"A042 STATUS blurdybloop (UIDNEXT MESSAGES)", "A042 STATUS 'blurdybloop' messages,uidnext"},
      {"k2 status \"/archive/projects/experiment-iv\" (messages)",
       "k2 STATUS '/archive/projects/experiment-iv' messages"},
      {"A002 IDLE", "A002 IDLE"},
  });
}

TEST_CASE("RFC 9051 6.3.9 and RFC 3501 6.3.8, 6.3.9: LIST and LSUB") {
  check({
      {"A682 LIST \"\" *", "A682 LIST '' '*'"},
      {"A101 LIST \"\" \"\"", "A101 LIST '' ''"},
      {"A102 LIST #news.comp.mail.misc \"\"", "A102 LIST '#news.comp.mail.misc' ''"},
      {"A103 LIST /usr/staff/jones \"\"", "A103 LIST '/usr/staff/jones' ''"},
      {"A202 LIST ~/Mail/ %", "A202 LIST '~/Mail/' '%'"},
      {"A02 LIST (SUBSCRIBED) \"\" \"*\"", "A02 LIST extended +subscribed '' '*'"},
      {"A03 LIST () \"\" \"%\" RETURN (CHILDREN)", "A03 LIST extended '' '%' return:children"},
      {"A04 LIST (REMOTE) \"\" \"%\" RETURN (CHILDREN)",
       "A04 LIST extended +remote '' '%' return:children"},
      {"A05 LIST (REMOTE SUBSCRIBED) \"\" \"*\"", "A05 LIST extended +subscribed +remote '' '*'"},
      {"A06 LIST (REMOTE) \"\" \"*\" RETURN (SUBSCRIBED)",
       "A06 LIST extended +remote '' '*' return:subscribed"},
      {"C04 LIST (SUBSCRIBED RECURSIVEMATCH) \"\" \"%\" RETURN (CHILDREN)",
       "C04 LIST extended +subscribed +recursivematch '' '%' return:children"},
      {"D03 LIST (RECURSIVEMATCH SUBSCRIBED) \"\" \"*2\"",
       "D03 LIST extended +subscribed +recursivematch '' '*2'"},
      {"a1 LIST \"\" (\"foo\")", "a1 LIST extended '' 'foo'"},
      {"a3 LIST (SUBSCRIBED RECURSIVEMATCH) \"\" foo RETURN (CHILDREN)",
       "a3 LIST extended +subscribed +recursivematch '' 'foo' return:children"},
      {"a3.1 LIST \"\" (% music/rock)", "a3.1 LIST extended '' '%' 'music/rock'"},
      {"A01 LIST \"\" % RETURN (STATUS (MESSAGES UNSEEN))",
       "A01 LIST extended '' '%' return:status:messages,unseen"},
      {"A02 LIST (SUBSCRIBED RECURSIVEMATCH) \"\" % RETURN (STATUS (MESSAGES))",
       "A02 LIST extended +subscribed +recursivematch '' '%' return:status:messages"},
      {"A002 LIST (SPECIAL-USE) \"\" \"*\"", "A002 LIST extended +special-use '' '*'"},
      {"A003 LSUB \"#news.\" \"comp.%\"", "A003 LSUB '#news.' 'comp.%'"},
      // RFC 5258, BNF only
      {"BBB LIST \"\" (\"INBOX\" \"Drafts\" \"Sent/%\")",
       "BBB LIST extended '' 'INBOX' 'Drafts' 'Sent/%'"},
      // RFC 6154
      {"t3 list (special-use) \"\" \"*\" return (special-use)",
       "t3 LIST extended +special-use '' '*' return:special-use"},
  });
}

TEST_CASE("RFC 9051 6.4: messages") {
  check({
      {"A341 CLOSE", "A341 CLOSE"},
      {"A342 UNSELECT", "A342 UNSELECT"},
      {"FXXZ CHECK", "FXXZ CHECK"},
      {"A202 EXPUNGE", "A202 EXPUNGE"},
      {". UID EXPUNGE 3000:3002", ". UID EXPUNGE 3000:3002"},
      {"A003 FETCH 4 ALL", "A003 FETCH 4 flags date size envelope"},
      {"a FETCH 4 FAST", "a FETCH 4 flags date size"},
      {"a FETCH 4 full", "a FETCH 4 flags date size envelope body"},
      {"A654 FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])",
       "A654 FETCH 2:4 flags section[HEADER.FIELDS (DATE FROM)]"},
      {"A999 UID FETCH 4827313:4828442 FLAGS", "A999 UID FETCH 4827313:4828442 flags"},
      {"A283 FETCH $ (UID INTERNALDATE FLAGS BODY.PEEK[HEADER])",
       "A283 FETCH $ uid date flags peek[HEADER]"},
      {"A003 STORE 2:4 +FLAGS (\\Deleted)", "A003 STORE 2:4 add [\\Deleted]"},
      {"F284 STORE $ +FLAGS.Silent (\\Deleted)", "F284 STORE $ add silent [\\Deleted]"},
      {"m STORE 42 FLAGS f1 f2 f3 f4 f5 f250", "m STORE 42 replace [f1 f2 f3 f4 f5 f250]"},
      {"A003 COPY 2:4 MEETING", "A003 COPY 2:4 'MEETING'"},
      {"A005 UID COPY 305:310 meeting", "A005 UID COPY 305:310 'meeting'"},
      {"E283 COPY $ \"Other Messages\"", "E283 COPY $ 'Other Messages'"},
      {"n1 uid copy 1:* oldmail", "n1 UID COPY 1:* 'oldmail'"},
      {"a UID MOVE 42:69 foo", "a UID MOVE 42:69 'foo'"},
  });
}

TEST_CASE("RFC 9051 6.4.4: SEARCH") {
  check({
      {"A282 SEARCH RETURN (MIN COUNT) FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
       "A282 SEARCH extended min count and(\\Flagged date>=1994-02-01 not(from:'Smith'))"},
      {"A283 SEARCH RETURN () FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
       "A283 SEARCH extended all and(\\Flagged date>=1994-02-01 not(from:'Smith'))"},
      {"A284 SEARCH TEXT \"string not in mailbox\"", "A284 SEARCH text:'string not in mailbox'"},
      {"A285 SEARCH CHARSET UTF-8 TEXT {12}\r\n\xd0\xbe\xd1\x82\xd0\xbf\xd1\x83\xd1\x81\xd0\xba",
       "A285 SEARCH charset:UTF-8 text:'\xd0\xbe\xd1\x82\xd0\xbf\xd1\x83\xd1\x81\xd0\xba'"},
      {"A284 SEARCH RETURN (MIN) UNSEEN", "A284 SEARCH extended min !\\Seen"},
      {"A285 UID SEARCH RETURN (MIN MAX) 1:5000", "A285 UID SEARCH extended min max 1:5000"},
      {"A286 SEARCH RETURN (COUNT) DELETED", "A286 SEARCH extended count \\Deleted"},
      {"A301 UID SEARCH UID $ SMALLER 4096", "A301 UID SEARCH and(uid:$ size<4096)"},
      {"P283 SEARCH CHARSET UTF-8 (OR $ 1,3000:3021) TEXT {8+}\r\n\xd0\xbc\xd0\xb0\xd1\x82\xd1\x8c",
       "P283 SEARCH charset:UTF-8 and(or($ 1,3000:3021) text:'\xd0\xbc\xd0\xb0\xd1\x82\xd1\x8c')"},
      {"B283 SEARCH RETURN (SAVE) CHARSET KOI8-R (OR $ 1,3000:3021) TEXT {4}\r\nXXXX",
       "B283 SEARCH extended save charset:KOI8-R and(or($ 1,3000:3021) text:'XXXX')"},
      {"F282 SEARCH RETURN (SAVE) KEYWORD $Junk", "F282 SEARCH extended save $Junk"},
      {"G283 SEARCH RETURN (ALL) SINCE 28-Oct-2006 FROM \"Eric\"",
       "G283 SEARCH extended all and(date>=2006-10-28 from:'Eric')"},
      {"C286 SEARCH RETURN (MAX SAVE MIN COUNT) SINCE 12-Feb-2006 NOT FROM \"Smith\"",
       "C286 SEARCH extended min max count save and(date>=2006-02-12 not(from:'Smith'))"},
      {"h search from maria@example.com", "h SEARCH from:'maria@example.com'"},
      {"A284 SEARCH CHARSET UTF-8 TEXT {6}\r\nXXXXXX", "A284 SEARCH charset:UTF-8 text:'XXXXXX'"},
  });
}

TEST_CASE("every search key of both RFCs and the extensions") {
  check({
      {"a SEARCH ALL ANSWERED UNANSWERED DELETED UNDELETED DRAFT UNDRAFT FLAGGED UNFLAGGED SEEN "
       "UNSEEN",
       "a SEARCH and(all \\Answered !\\Answered \\Deleted !\\Deleted \\Draft !\\Draft \\Flagged "
       "!\\Flagged \\Seen !\\Seen)"},
      {"a SEARCH NEW", "a SEARCH and(recent !\\Seen)"},
      {"a SEARCH OLD RECENT", "a SEARCH and(not(recent) recent)"},
      {"a SEARCH KEYWORD x UNKEYWORD $y", "a SEARCH and(x !$y)"},
      {"a SEARCH BCC a CC b FROM c SUBJECT d TO e",
       "a SEARCH and(bcc:'a' cc:'b' from:'c' subject:'d' to:'e')"},
      {"a SEARCH BODY a TEXT b", "a SEARCH and(body:'a' text:'b')"},
      {"a SEARCH HEADER Message-ID \"\"", "a SEARCH Message-ID:''"},
      {"a SEARCH BEFORE 1-Jan-2020 ON 02-Jan-2020 SINCE \"3-Jan-2020\"",
       "a SEARCH and(date<2020-01-01 date=2020-01-02 date>=2020-01-03)"},
      {"a SEARCH SENTBEFORE 1-jan-2020 SENTON 29-Feb-2020 SENTSINCE 3-JAN-2020",
       "a SEARCH and(sent<2020-01-01 sent=2020-02-29 sent>=2020-01-03)"},
      {"a SEARCH LARGER 1 SMALLER 9223372036854775807",
       "a SEARCH and(size>1 size<9223372036854775807)"},
      {"a SEARCH NOT NOT SEEN", "a SEARCH not(not(\\Seen))"},
      {"a SEARCH OR (SEEN 1) (2:* UID 3)", "a SEARCH or(and(\\Seen 1) and(2:* uid:3))"},
      {"a SEARCH ((((SEEN))))", "a SEARCH \\Seen"},
      {"a SEARCH OLDER 3600 YOUNGER 60", "a SEARCH and(age>=3600 age<=60)"},
      {"a SEARCH SAVEDBEFORE 1-Jan-2020 SAVEDON 1-Jan-2020 SAVEDSINCE 1-Jan-2020 SAVEDATESUPPORTED",
       "a SEARCH and(saved<2020-01-01 saved=2020-01-01 saved>=2020-01-01 savedatesupported)"},
      {"a SEARCH EMAILID M6d99ac3275bb4e THREADID T64b478a75b7ea9",
       "a SEARCH and(emailid:M6d99ac3275bb4e threadid:T64b478a75b7ea9)"},
      {"a SEARCH RETURN (PARTIAL -1:-100 SAVE) UNDELETED",
       "a SEARCH extended save partial:-1:-100 !\\Deleted"},
      {"A01 UID SEARCH RETURN (PARTIAL 23500:24000) UNDELETED UNKEYWORD $Junk",
       "A01 UID SEARCH extended partial:23500:24000 and(!\\Deleted !$Junk)"},
  });
}

TEST_CASE("RFC 7162: CONDSTORE and QRESYNC") {
  check({
      {"a103 UID STORE 6,4,8 (UNCHANGEDSINCE 12121230045) +FLAGS.SILENT (\\Deleted)",
       "a103 UID STORE 6,4,8 unchanged:12121230045 add silent [\\Deleted]"},
      {"a104 STORE * (UNCHANGEDSINCE 12121230045) +FLAGS.SILENT (\\Deleted $Processed)",
       "a104 STORE * unchanged:12121230045 add silent [\\Deleted $Processed]"},
      {"c101 STORE 50 (UNCHANGEDSINCE 12121230045) -FLAGS.SILENT (\\Deleted)",
       "c101 STORE 50 unchanged:12121230045 remove silent [\\Deleted]"},
      {"a102 STORE 12 (UNCHANGEDSINCE 0) +FLAGS.SILENT ($MDNSent)",
       "a102 STORE 12 unchanged:0 add silent [$MDNSent]"},
      {"B001 STORE 1:7 (UNCHANGEDSINCE 320172338) +FLAGS (\\SEEN)",
       "B001 STORE 1:7 unchanged:320172338 add [\\Seen]"},
      {"A150 STORE 1:2 (UNCHANGEDSINCE 96) +FLAGS.SILENT \\Seen",
       "A150 STORE 1:2 unchanged:96 add silent [\\Seen]"},
      {"A330 STORE 7 -FLAGS.SILENT (\\Answered \\Seen)",
       "A330 STORE 7 remove silent [\\Answered \\Seen]"},
      {"s100 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)", "s100 UID FETCH 1:* flags changed:12345"},
      {"s100 UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)",
       "s100 UID FETCH 300:500 flags changed:12345 vanished"},
      {"a FETCH 1:3 (MODSEQ)", "a FETCH 1:3 modseq"},
      {"a SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338",
       "a SEARCH modseq>=620162338/flags/\\draft"},
      {"t SEARCH OR NOT MODSEQ 720162338 LARGER 50000",
       "t SEARCH or(not(modseq>=720162338) size>50000)"},
      {"A042 STATUS blurdybloop (UIDNEXT MESSAGES HIGHESTMODSEQ)",
       "A042 STATUS 'blurdybloop' messages,uidnext,highestmodseq"},
      {"A142 SELECT INBOX (CONDSTORE)", "A142 SELECT 'INBOX' condstore"},
      {"a SEARCH RETURN (ALL) MODSEQ 1234", "a SEARCH extended all modseq>=1234"},
      {"A02 SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541))",
       "A02 SELECT 'INBOX' qresync 67890007 20050715194045000 41,43:211,214:541"},
      {"A03 SELECT INBOX (QRESYNC (67890007 90060115194045000))",
       "A03 SELECT 'INBOX' qresync 67890007 90060115194045000"},
      {"B04 SELECT INBOX (QRESYNC (67890007 90060115194045000 1:29997 (5000,7500,9000,9990:9999 "
       "15000,22500,27000,29970,29973,29976,29979,29982,29985,29988,29991,29994,29997)))",
       "B04 SELECT 'INBOX' qresync 67890007 90060115194045000 1:29997 match "
       "5000,7500,9000,9990:9999 "
       "15000,22500,27000,29970,29973,29976,29979,29982,29985,29988,29991,29994,29997"},
      {"B05 SELECT INBOX (QRESYNC (7 9 (1 5)) CONDSTORE)",
       "B05 SELECT 'INBOX' condstore qresync 7 9 match 1 5"},
      {"A142 EXAMINE INBOX (QRESYNC (3857529045 20010715194032001 1:198))",
       "A142 EXAMINE 'INBOX' read-only qresync 3857529045 20010715194032001 1:198"},
  });
}

TEST_CASE("FETCH items of every kind") {
  check({
      {"a FETCH 1 BODY", "a FETCH 1 body"},
      {"a FETCH 1 BODY[]", "a FETCH 1 section[]"},
      {"a FETCH 1 BODY[]<0.2048>", "a FETCH 1 section[]<0.2048>"},
      {"a FETCH 1 BODY.PEEK[1.2.TEXT]<5.1>", "a FETCH 1 peek[1.2.TEXT]<5.1>"},
      {"a FETCH 1 (BODYSTRUCTURE ENVELOPE RFC822.SIZE RFC822 RFC822.HEADER RFC822.TEXT)",
       "a FETCH 1 bodystructure envelope size rfc822 rfc822.header rfc822.text"},
      {"a FETCH 1 body[4.2.header.fields.not (to \"x y\")]",
       "a FETCH 1 section[4.2.HEADER.FIELDS.NOT (to \"x y\")]"},
      {"a FETCH 1 (BODY[1.MIME] BODY[3] BODY[HEADER] BODY[TEXT])",
       "a FETCH 1 section[1.MIME] section[3] section[HEADER] section[TEXT]"},
      {"a FETCH 1 (BODY[HEADER.FIELDS ({2+}\r\nTo Cc)])",
       "a FETCH 1 section[HEADER.FIELDS (To Cc)]"},
      {"a FETCH 1 (BINARY[] BINARY.PEEK[1.2]<0.10> BINARY.SIZE[3])",
       "a FETCH 1 binary[] binary.peek[1.2]<0.10> binary.size[3]"},
      {"a FETCH 1 (EMAILID THREADID SAVEDATE)", "a FETCH 1 emailid threadid savedate"},
      {"A1 FETCH 1 (PREVIEW)", "A1 FETCH 1 preview"},
      {"A1 FETCH 1 (PREVIEW (LAZY) FLAGS)", "A1 FETCH 1 preview(lazy) flags"},
      {"10 UID FETCH 25900:26600 (UID FLAGS) (PARTIAL -1:-3)",
       "10 UID FETCH 25900:26600 uid flags partial:-1:-3"},
      {"101 UID FETCH 25900:26600 (UID FLAGS ) (PARTIAL -1:-30 CHANGEDSINCE 98305)",
       "101 UID FETCH 25900:26600 uid flags changed:98305 partial:-1:-30"},
  });
}

TEST_CASE("RFC 9208: GETQUOTA, GETQUOTAROOT, SETQUOTA and the items of STATUS") {
  check({
      {"G0001 GETQUOTA \"!partition/sda4\"", "G0001 GETQUOTA '!partition/sda4'"},
      {"G0001 GETQUOTA \"\"", "G0001 GETQUOTA ''"},
      {"G0001 getquota {15}\r\n!partition/sda4", "G0001 GETQUOTA '!partition/sda4'"},
      {"G0002 GETQUOTAROOT INBOX", "G0002 GETQUOTAROOT 'INBOX'"},
      {"S0001 SETQUOTA \"#user/alice\" (STORAGE 510)", "S0001 SETQUOTA '#user/alice' STORAGE=510"},
      {"S0002 SETQUOTA \"!partition/sda4\" (STORAGE 99999999)",
       "S0002 SETQUOTA '!partition/sda4' STORAGE=99999999"},
      {"S SETQUOTA x ()", "S SETQUOTA 'x'"},
      {"S SETQUOTA x (STORAGE 9223372036854775807 x-y 0)",
       "S SETQUOTA 'x' STORAGE=9223372036854775807 x-y=0"},
      {"S0003 STATUS INBOX (MESSAGES DELETED DELETED-STORAGE)",
       "S0003 STATUS 'INBOX' messages,deleted,deleted-storage"},
  });
}

TEST_CASE("the other extensions") {
  check({
      {"a023 ID (\"name\" \"sodr\" \"version\" \"19.34\" \"vendor\" NIL)",
       "a023 ID name='sodr' version='19.34' vendor=nil"},
      {"a042 ID NIL", "a042 ID nil"},
      {"a042 ID ()", "a042 ID empty"},
      {"a COMPRESS DEFLATE", "a COMPRESS DEFLATE"},
      {"A UNAUTHENTICATE", "A UNAUTHENTICATE"},
      {"t2 CREATE MySpecial (USE (\\Drafts \\Sent))", "t2 CREATE 'MySpecial' \\Drafts \\Sent"},
      {"a STATUS x (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE APPENDLIMIT "
       "HIGHESTMODSEQ MAILBOXID)",
       "a STATUS 'x' "
       "messages,recent,uidnext,uidvalidity,unseen,deleted,size,appendlimit,highestmodseq,"
       "mailboxid"},
  });
}

TEST_CASE(
    "RFC 9051 6.3.12, RFC 3502, RFC 3516, RFC 6855, RFC 8508: APPEND and REPLACE announce their "
    "messages") {
  const std::string mail = "Subject: x\r\n\r\n";  // 14 octets
  check({
      {"A003 APPEND saved-messages (\\Seen) {14}\r\n" + mail,
       "message 'saved-messages' 0 [\\Seen] {14} | A003 APPEND 'saved-messages' 1"},
      {"A003 APPEND saved-messages (\\Seen) {14+}\r\n" + mail,
       "message 'saved-messages' 0 [\\Seen] {14} | A003 APPEND 'saved-messages' 1"},
      {"A003 APPEND {14}\r\nsaved-messages {14}\r\n" + mail,
       "message 'saved-messages' 0 [] {14} | A003 APPEND 'saved-messages' 1"},
      {"A003 APPEND \"a \\\"b\\\"\" (\\Seen x) \"17-Jul-1996 02:44:25 -0700\" {14}\r\n" + mail,
       "message 'a \"b\"' 0 [\\Seen x] \"17-Jul-1996 02:44:25 -0700\" {14} | A003 APPEND 'a \"b\"' "
       "1"},
      {"A003 APPEND m (\\Seen) \" 7-Jul-1996 02:44:25 +0000\" {14}\r\n" + mail +
           " (\\Draft y) {14+}\r\n" + mail + " {14}\r\n" + mail,
       "message 'm' 0 [\\Seen] \" 7-Jul-1996 02:44:25 +0000\" {14} | message 'm' 1 [\\Draft y] "
       "{14} | "
       "message 'm' 2 [] {14} | A003 APPEND 'm' 3"},
      {"A003 APPEND m \"7-Jul-1996 02:44:25 +0000\" ~{14}\r\n" + mail,
       "message 'm' 0 [] \" 7-Jul-1996 02:44:25 +0000\" binary {14} | A003 APPEND 'm' 1"},
      {"A003 APPEND m UTF8 (~{14}\r\n" + mail + ")",
       "message 'm' 0 [] binary utf8 {14} | A003 APPEND 'm' 1"},
      {"A003 APPEND m UTF8 (~{14}\r\n" + mail + ") (\\Seen) UTF8 (~{14+}\r\n" + mail + ")",
       "message 'm' 0 [] binary utf8 {14} | message 'm' 1 [\\Seen] binary utf8 {14} | A003 APPEND "
       "'m' 2"},
      {"A003 REPLACE 4 Drafts (\\Seen \\Draft) {14}\r\n" + mail,
       "replace 4 'Drafts' 0 [\\Seen \\Draft] {14} | A003 REPLACE 4 'Drafts'"},
      {"A003 UID REPLACE 2000 Drafts (\\Seen \\Draft) {14}\r\n" + mail,
       "replace 2000 'Drafts' 0 [\\Seen \\Draft] {14} | A003 UID REPLACE 2000 'Drafts'"},
  });
}

TEST_CASE("RFC 9051 7.7: LOGIN by literals") {
  check({{"A001 LOGIN {11}\r\nFRED FOOBAR {7}\r\nfat man", "A001 LOGIN 'FRED FOOBAR' 'fat man'"}});
}

}  // namespace
}  // namespace twinpost::imap
