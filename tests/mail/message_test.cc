#include "core/mail/message.h"

#include <doctest/doctest.h>

#include "tests/mail/invariants.h"
#include "tests/mail/support.h"

using namespace twinpost::mail;

namespace {

// "multipart/mixed(text/plain,image/png)"
std::string shape(const Part& part) {
  std::string out = part.type + "/" + part.subtype;
  if (part.children.empty()) return out;
  out += '(';
  for (const Part& child : part.children) out += (out.back() == '(' ? "" : ",") + shape(child);
  return out + ')';
}

Message parse(std::string_view octets, const MessageLimits& limits = {}) {
  Message message = parse_message(octets, limits);
  CHECK(broken_invariant(octets, message, limits) == "");
  return message;
}

}  // namespace

TEST_CASE("a simple message has an envelope, a body and a preview (RFC 5322 A.1.1)") {
  const std::string octets = crlf(R"(From: John Doe <jdoe@machine.example>
Sender: Michael Jones <mjones@machine.example>
To: Mary Smith <mary@example.net>
Subject: Saying Hello
Date: Fri, 21 Nov 1997 09:55:06 -0600
Message-ID: <1234@local.machine.example>

This is a message just to say hello.
So, "Hello".
)");
  const Message message = parse(octets);
  CHECK(message.defects == 0);
  CHECK(message.envelope.subject == "Saying Hello");
  CHECK(message.envelope.date == "Fri, 21 Nov 1997 09:55:06 -0600");
  CHECK(message.envelope.message_id == "<1234@local.machine.example>");
  CHECK_FALSE(message.envelope.in_reply_to);
  CHECK(message.date == 880127706);
  REQUIRE(message.envelope.from.size() == 1);
  CHECK(message.envelope.from[0] == Address{"John Doe", std::nullopt, "jdoe", "machine.example"});
  CHECK(message.envelope.sender[0].mailbox == "mjones");
  CHECK(message.envelope.reply_to.empty());
  CHECK(shape(message.root) == "text/plain");
  CHECK(message.root.encoding == "7bit");
  CHECK(body_of(octets, message.root) ==
        "This is a message just to say hello.\r\nSo, \"Hello\".\r\n");
  CHECK(message.root.body_lines == 2);
  CHECK(message.preview == "This is a message just to say hello. So, \"Hello\".");
  REQUIRE(message.fields.size() == 6);
  CHECK(message.fields[3].name == "subject");
  CHECK(octets.substr(message.fields[3].field.begin, message.fields[3].field.size()) ==
        "Subject: Saying Hello\r\n");
}

TEST_CASE("the obsolete header of RFC 5322 A.6.3 is read") {
  const Message message = parse(crlf(R"(From  : John Doe <jdoe@machine(comment).  example>
To    : Mary Smith
  
          <mary@example.net>
Subject     : Saying Hello
Date  : Fri, 21 Nov 1997 09(comment):   55  :  06 -0600
Message-ID  : <1234   @   local(blah)  .machine .example>

This is a message just to say hello.
)"));
  CHECK(message.envelope.from[0].host == "machine.example");
  CHECK(message.envelope.to[0].mailbox == "mary");
  CHECK(message.envelope.subject == "Saying Hello");
  CHECK(message.date == 880127706);
}

TEST_CASE("fields that are empty are not absent") {
  const Message message = parse("Subject:\r\nMessage-ID: \r\nTo: \r\n\r\n");
  CHECK(message.envelope.subject == "");
  CHECK(message.envelope.message_id == "");
  CHECK_FALSE(message.envelope.in_reply_to);
  CHECK_FALSE(message.envelope.date);
}

TEST_CASE("of fields that may be there once the first counts") {
  const Message message = parse(crlf("Subject: one\nSubject: two\nTo: a@b\nTo: c@d\n\n"));
  CHECK(message.envelope.subject == "one");
  CHECK(message.envelope.to.size() == 1);
  CHECK(has(message, Defect::kDuplicateField));
  CHECK(message.fields.size() == 4);
}

TEST_CASE("the multipart of RFC 2046 5.1.1 has two parts, the first without its last line end") {
  const std::string octets = crlf(R"(From: Nathaniel Borenstein <nsb@bellcore.com>
To: Ned Freed <ned@innosoft.com>
Date: Sun, 21 Mar 1993 23:56:48 -0800 (PST)
Subject: Sample message
MIME-Version: 1.0
Content-type: multipart/mixed; boundary="simple boundary"

This is the preamble.  It is to be ignored, though it
is a handy place for composition agents to include an
explanatory note to non-MIME conformant readers.

--simple boundary

This is implicitly typed plain US-ASCII text.
It does NOT end with a linebreak.
--simple boundary
Content-type: text/plain; charset=us-ascii

This is explicitly typed plain US-ASCII text.
It DOES end with a linebreak.

--simple boundary--

This is the epilogue.  It is also to be ignored.
)");
  const Message message = parse(octets);
  CHECK(message.defects == 0);
  REQUIRE(shape(message.root) == "multipart/mixed(text/plain,text/plain)");
  const Part& first = message.root.children[0];
  CHECK(first.header.size() == 2);
  CHECK(body_of(octets, first) ==
        "This is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak.");
  CHECK(first.body_lines == 1);
  const Part& second = message.root.children[1];
  CHECK(body_of(octets, second) ==
        "This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n");
  CHECK(second.body_lines == 2);
  REQUIRE(second.parameters.size() == 1);
  CHECK(second.parameters[0].value == "us-ascii");
  CHECK(message.preview.starts_with("This is implicitly typed plain US-ASCII text. It does NOT"));
}

TEST_CASE("the digest of RFC 2046 5.1.5 holds messages without saying so") {
  const std::string octets = crlf(R"(From: Moderator-Address
To: Recipient-List
Date: Mon, 22 Mar 1994 13:34:51 +0000
Subject: Internet Digest, volume 42
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="---- main boundary ----"

------ main boundary ----

  ...Introductory text or table of contents...

------ main boundary ----
Content-Type: multipart/digest; boundary="---- next message ----"

------ next message ----

From: someone-else
Date: Fri, 26 Mar 1993 11:13:32 +0200
Subject: my opinion

 ...body goes here ...

------ next message ----

From: someone-else-again
Date: Fri, 26 Mar 1993 10:07:13 -0500
Subject: my different opinion

 ... another body goes here ...

------ next message ------

------ main boundary ------
)");
  const Message message = parse(octets);
  REQUIRE(shape(message.root) ==
          "multipart/mixed(text/plain,multipart/digest(message/rfc822(text/plain),"
          "message/rfc822(text/plain)))");
  const Part& digest = message.root.children[1];
  CHECK(digest.children[0].envelope->subject == "my opinion");
  CHECK(digest.children[1].envelope->subject == "my different opinion");
  CHECK(body_of(octets, digest.children[0].children[0]) == " ...body goes here ...\r\n");
}

TEST_CASE("the complex message of RFC 2049 appendix A has the structure that it draws") {
  const std::string octets = crlf(R"(MIME-Version: 1.0
From: Nathaniel Borenstein <nsb@nsb.fv.com>
To: Ned Freed <ned@innosoft.com>
Date: Fri, 07 Oct 1994 16:15:05 -0700 (PDT)
Subject: A multipart example
Content-Type: multipart/mixed;
              boundary=unique-boundary-1

This is the preamble area of a multipart message.
Mail readers that understand multipart format
should ignore this preamble.

If you are reading this text, you might want to
consider changing to a mail reader that understands
how to properly display multipart messages.

--unique-boundary-1

  ... Some text appears here ...

[Note that the blank between the boundary and the start
 of the text in this part means no header fields were
 given and this is text in the US-ASCII character set.
 It could have been done with explicit typing as in the
 next part.]

--unique-boundary-1
Content-type: text/plain; charset=US-ASCII

This could have been part of the previous part, but
illustrates explicit versus implicit typing of body
parts.

--unique-boundary-1
Content-Type: multipart/parallel; boundary=unique-boundary-2

--unique-boundary-2
Content-Type: audio/basic
Content-Transfer-Encoding: base64

  ... base64-encoded 8000 Hz single-channel
      mu-law-format audio data goes here ...

--unique-boundary-2
Content-Type: image/jpeg
Content-Transfer-Encoding: base64

  ... base64-encoded image data goes here ...

--unique-boundary-2--

--unique-boundary-1
Content-type: text/enriched

This is <bold><italic>enriched.</italic></bold>
<smaller>as defined in RFC 1896</smaller>

Isn't it
<bigger><bigger>cool?</bigger></bigger>

--unique-boundary-1
Content-Type: message/rfc822

From: (mailbox in US-ASCII)
To: (address in US-ASCII)
Subject: (subject in US-ASCII)
Content-Type: Text/plain; charset=ISO-8859-1
Content-Transfer-Encoding: Quoted-printable

  ... Additional text in ISO-8859-1 goes here ...

--unique-boundary-1--
)");
  const Message message = parse(octets);
  CHECK(message.defects == 0);
  REQUIRE(shape(message.root) ==
          "multipart/mixed(text/plain,text/plain,multipart/parallel(audio/basic,image/jpeg),"
          "text/enriched,message/rfc822(text/plain))");
  const Part& parallel = message.root.children[2];
  CHECK(parallel.children[0].encoding == "base64");
  CHECK(parallel.children[0].body_lines == 2);
  const Part& inner = message.root.children[4];
  REQUIRE(inner.envelope);
  CHECK(inner.envelope->subject == "(subject in US-ASCII)");
  CHECK(inner.envelope->from.empty());
  CHECK(inner.children[0].encoding == "quoted-printable");
  CHECK(inner.children[0].parameters[0].value == "ISO-8859-1");
  // The inner message's lines: its six header lines with the blank one, and one of text; the blank
  // line before the boundary ends the text.
  CHECK(inner.body_lines == 7);
  CHECK(message.preview.starts_with("... Some text appears here ... [Note that the blank"));
}

TEST_CASE("every Content field of a part is taken in") {
  const std::string octets = crlf(R"(Content-Type: multipart/mixed; boundary="foo
 bar"

--foo bar
Content-Type: text/x-myown; charset=us-ascii; foo="quoted\"string"
Content-ID: <foo@example.com>
Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==
Content-Disposition: inline; foo=bar
Content-Description: hello
 description
Content-Language: en, fi, se (Sami)
Content-Location: http://example.com/
 test.txt
Content-Transfer-Encoding: X-Strange (really)

hello

--foo bar--
)");
  const Message message = parse(octets);
  REQUIRE(shape(message.root) == "multipart/mixed(text/x-myown)");
  const Part& part = message.root.children[0];
  CHECK(part.parameters[1] == Parameter{"foo", "quoted\"string", "", ""});
  CHECK(part.id == "<foo@example.com>");
  CHECK(part.md5 == "Q2hlY2sgSW50ZWdyaXR5IQ==");
  CHECK(part.disposition == "inline");
  CHECK(part.disposition_parameters[0] == Parameter{"foo", "bar", "", ""});
  CHECK(part.description == "hello description");
  CHECK(part.languages == std::vector<std::string>{"en", "fi", "se"});
  CHECK(part.location == "http://example.com/test.txt");
  CHECK(part.encoding == "x-strange");
  CHECK(part.body.size() == 7);
  CHECK(part.body_lines == 1);
  CHECK(has(message, Defect::kBadEncoding));
}

TEST_CASE("bare line feeds give the same structure") {
  const std::string wire = crlf(
      "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: "
      "message/rfc822\n\n"
      "Subject: in\n\ntwo\n--b--\n");
  std::string unix_text = wire;
  std::erase(unix_text, '\r');
  const Message a = parse(wire);
  const Message b = parse(unix_text);
  CHECK(shape(a.root) == shape(b.root));
  CHECK(body_of(unix_text, b.root.children[0]) == "one");
  CHECK(b.root.children[1].envelope->subject == "in");
  CHECK(b.root.children[1].body_lines == a.root.children[1].body_lines);
  CHECK(a.defects == b.defects);
}

TEST_CASE("headers that a delimiter cuts off leave empty parts") {
  const std::string octets =
      "Content-Type: multipart/mixed; boundary=\":foo\"\n\n--:foo\n--:foo\nContent-Type: "
      "text/plain\n"
      "--:foo\nContent-Type: text/plain\r\n--:foo\nContent-Type: text/html\n--:foo--\n";
  const Message message = parse(octets);
  REQUIRE(shape(message.root) == "multipart/mixed(text/plain,text/plain,text/plain,text/html)");
  CHECK(message.root.children[0].header.size() == 0);
  CHECK(message.root.children[1].header.size() == 24);
  CHECK(message.root.children[2].header.size() == 24);
  CHECK(message.root.children[3].header.size() == 23);
  for (const Part& part : message.root.children) CHECK(part.body.size() == 0);
  CHECK(has(message, Defect::kHeaderWithoutEnd));
}

TEST_CASE("a message part that a delimiter cuts off still holds a message") {
  const Message message =
      parse(crlf("Content-Type: multipart/digest; boundary=b\n\n--b\n--b\n"
                 "Content-Type: message/rfc822\n--b\n\nSubject: x\n--b--\n"));
  CHECK(shape(message.root) ==
        "multipart/digest(message/rfc822(text/plain),"
        "message/rfc822(text/plain),message/rfc822(text/plain))");
  CHECK(message.root.children[2].envelope->subject == "x");
  CHECK(message.root.children[2].body.size() == 10);
}

TEST_CASE("an outer delimiter ends inner multiparts that were not closed") {
  const std::string octets = crlf(
      "Content-Type: multipart/mixed; boundary=outer\n\n--outer\nContent-Type: multipart/mixed; "
      "boundary=inner\n\n--inner\n\none\n--outer\n\ntwo\n--outer--\n");
  const Message message = parse(octets);
  CHECK(shape(message.root) == "multipart/mixed(multipart/mixed(text/plain),text/plain)");
  CHECK(body_of(octets, message.root.children[0].children[0]) == "one");
  CHECK(has(message, Defect::kBoundaryNotClosed));
}

TEST_CASE("of boundaries that begin alike the longest is meant, of equal ones the innermost") {
  const std::string longer_inside = crlf(
      "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; "
      "boundary=ab\n\n"
      "--ab\n\none\n--ab--\n--a\n\ntwo\n--a--\n");
  CHECK(shape(parse(longer_inside).root) ==
        "multipart/mixed(multipart/mixed(text/plain),text/plain)");
  const std::string longer_outside = crlf(
      "Content-Type: multipart/mixed; boundary=ab\n\n--ab\nContent-Type: multipart/mixed; "
      "boundary=a\n\n"
      "--a\n\none\n--a--\n--ab\n\ntwo\n--ab--\n");
  CHECK(shape(parse(longer_outside).root) ==
        "multipart/mixed(multipart/mixed(text/plain),text/plain)");
  const std::string equal = crlf(
      "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; "
      "boundary=a\n\n"
      "--a\n\none\n--a--\n--a\n\ntwo\n--a--\n");
  CHECK(shape(parse(equal).root) == "multipart/mixed(multipart/mixed(text/plain),text/plain)");
}

TEST_CASE("a delimiter line may go on behind the boundary (RFC 2046 5.1.1)") {
  const Message message =
      parse(crlf("Content-Type: multipart/mixed; boundary=b\n\n--b \t\n\none\n--bx\n\ntwo\n--b-- "
                 "end\n--b\nmore\n"));
  CHECK(shape(message.root) == "multipart/mixed(text/plain,text/plain)");
  CHECK(message.defects == 0);
}

TEST_CASE("the line end of a closing delimiter belongs to the multipart it closes") {
  const std::string octets = crlf(
      "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; "
      "boundary=i\n\n"
      "--i\n\nx\n--i--\n--o--\n");
  const Message message = parse(octets);
  CHECK(body_of(octets, message.root.children[0]) == "--i\r\n\r\nx\r\n--i--\r\n");
  const std::string spaced = crlf(
      "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; "
      "boundary=i\n\n"
      "--i\n\nx\n--i--\n\n--o--\n");
  CHECK(body_of(spaced, parse(spaced).root.children[0]) == "--i\r\n\r\nx\r\n--i--\r\n");
}

TEST_CASE("a multipart without a usable boundary, or without parts, has no children") {
  const std::string none = crlf("Content-Type: multipart/mixed\n\n--x\n\nbody\n");
  CHECK(has(parse(none), Defect::kMissingBoundary));
  CHECK(parse(none).root.children.empty());
  CHECK(parse(none).root.body.size() == 13);
  const std::string empty = crlf("Content-Type: multipart/mixed; boundary=\" \"\n\n-- \n\nbody\n");
  CHECK(has(parse(empty), Defect::kMissingBoundary));
  const std::string absent = crlf("Content-Type: multipart/mixed; boundary=b\n\nno parts\n");
  CHECK(has(parse(absent), Defect::kBoundaryNotFound));
  CHECK(parse(absent).root.children.empty());
}

TEST_CASE("a multipart that just ends gives its last part all that is left") {
  const std::string octets =
      crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\nthree\n");
  const Message message = parse(octets);
  CHECK(body_of(octets, message.root.children[1]) == "two\r\nthree\r\n");
  CHECK(has(message, Defect::kBoundaryNotClosed));
}

TEST_CASE("messages in messages are looked into") {
  const std::string octets = crlf(
      "Content-Type: message/rfc822\n\nSubject: one\nContent-Type: message/global\n\nSubject: "
      "two\n\nend\n");
  const Message message = parse(octets);
  REQUIRE(shape(message.root) == "message/rfc822(message/global(text/plain))");
  CHECK(message.root.envelope->subject == "one");
  CHECK(message.root.children[0].envelope->subject == "two");
  CHECK_FALSE(message.envelope.subject);
  CHECK(body_of(octets, message.root.children[0].children[0]) == "end\r\n");
  CHECK(message.preview == "end");
}

TEST_CASE("content fields count without MIME-Version, and a broken type is text") {
  CHECK(shape(parse(crlf("Content-Type: text/html\n\nx")).root) == "text/html");
  const Message broken = parse(crlf("Content-Type: :-)\n\nx"));
  CHECK(shape(broken.root) == "text/plain");
  CHECK(has(broken, Defect::kBadContentType));
}

TEST_CASE("what is wrong with a message is said") {
  using namespace std::string_literals;
  CHECK(has(parse(""), Defect::kNoHeader));
  CHECK(has(parse("\r\nbody"), Defect::kNoHeader));
  CHECK(has(parse("just text\r\nSubject: x\r\n\r\n"), Defect::kNoHeader));
  CHECK(has(parse("just text\r\n\r\n"), Defect::kMalformedField));
  CHECK(has(parse("Subject: x\r\n"), Defect::kHeaderWithoutEnd));
  CHECK(has(parse("Subject: x\r\n\r\na\0b"s), Defect::kNul));
  CHECK(has(parse("Subject: x\r\n\r\na\rb"), Defect::kBareCr));
  CHECK(has(parse("Subject: x\r\n\r\na\r"), Defect::kBareCr));
  CHECK(has(parse("Subject: gr\xfc\xdf\r\n\r\n"), Defect::kUnencoded8Bit));
  CHECK_FALSE(has(parse("Subject: grüß\r\n\r\ngr\xfc\xdf"), Defect::kUnencoded8Bit));
  CHECK(has(parse("Date: soon\r\n\r\n"), Defect::kBadDate));
  CHECK(has(parse("To: no address here\r\n\r\n"), Defect::kBadAddress));
  CHECK(has(parse("Content-Type: text/plain; charset\r\n\r\n"), Defect::kBadParameter));
  CHECK(parse("Subject: x\r\n\r\nfine\r\n").defects == 0);
}

TEST_CASE("a header without a body leaves the body empty at its end") {
  const Message message = parse("Subject: x");
  CHECK(message.root.header.end == 10);
  CHECK(message.root.body == Span{10, 10});
  CHECK(message.envelope.subject == "x");
}

TEST_CASE("the same octets parse to the same message") {
  const std::string octets =
      crlf("To: a@b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n");
  CHECK(parse_message(octets) == parse_message(octets));
}
