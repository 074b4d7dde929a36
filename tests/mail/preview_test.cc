#include <doctest/doctest.h>

#include "core/mail/message.h"
#include "tests/mail/invariants.h"
#include "tests/mail/support.h"

using namespace twinpost::mail;

namespace {

Message parse(std::string_view octets) {
  Message message = parse_message(octets);
  CHECK(broken_invariant(octets, message) == "");
  return message;
}

}  // namespace

TEST_CASE("previews are decoded, folded and never longer than 256 characters") {
  CHECK(parse(crlf("Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: "
                   "quoted-printable\n\n  gr=FC=DF \t\n\n  Gott=\n!=00\n"))
            .preview == "grüß Gott!");
  CHECK(parse(crlf("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
                   "8J+YgA==\n"))
            .preview == "😀");
  const Message big = parse("Subject: x\r\n\r\n" + repeat("€", 1000));
  CHECK(big.preview == repeat("€", 256));
  const Message words = parse("Subject: x\r\n\r\n" + repeat("a ", 1000));
  CHECK(words.preview == repeat("a ", 127) + "a");
  CHECK(parse("Subject: x\r\n\r\n \r\n\t\r\n").preview.empty());
  CHECK(parse("Subject: x\r\nContent-Type: text/plain; charset=x-none\r\n\r\nabc").preview ==
        "abc");
  CHECK(parse("Subject: x\r\nContent-Type: image/png\r\n\r\nabc").preview.empty());
  CHECK(parse("Subject: x\r\n\r\na\xff"
              "b")
            .preview ==
        "a\xef\xbf\xbd"
        "b");
}

TEST_CASE("previews come from text that is shown, plain before HTML") {
  const auto two_parts = [](std::string_view first, std::string_view second) {
    return parse(crlf("Content-Type: multipart/alternative; boundary=b\n\n--b\n" +
                      std::string(first) + "\n--b\n" + std::string(second) + "\n--b--\n"))
        .preview;
  };
  CHECK(two_parts("Content-Type: text/html\n\n<p>html</p>", "Content-Type: text/plain\n\nplain") ==
        "plain");
  CHECK(two_parts("Content-Type: text/plain\n\n \n", "Content-Type: text/html\n\n<p>html</p>") ==
        "html");
  CHECK(two_parts("Content-Type: text/plain\nContent-Disposition: attachment\n\nfile",
                  "Content-Type: text/plain\n\ntext") == "text");
}

TEST_CASE("the preview of HTML has its text and nothing else") {
  const auto html = [](std::string_view text) {
    return parse("Content-Type: text/html; charset=utf-8\r\n\r\n" + std::string(text)).preview;
  };
  CHECK(html("<html><head><title>T</title><style>p { a: b }</style></head><body><p>One</p><p>two "
             "&amp; "
             "three</p></body></html>") == "One two & three");
  CHECK(html("a<br>b<b>c</b>d<!-- no --><script>if (a<b) \"x\"</script>e") == "a bcd e");
  CHECK(html("&lt;&#228;&#xE4;&auml;&nbsp;&hellip;&nonsense;&amp;amp; & x &copy y") ==
        "<äää …&nonsense;&amp; & x © y");
  CHECK(html("<a href=\"x>y\" title='>'>link</a>") == "link");
  CHECK(html("<div>a</div\n><div>b") == "a b");
  CHECK(html("<p>&#0;&#x110000;&#xD800;</p>") == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  CHECK(html("1 < 2 <3") == "1 < 2 <3");
  CHECK(html("<head><meta x><body>text") == "text");
  CHECK(html("pre\xe2\x80\x8b\xc2\xadview\xcd\x8f") == "preview");
  CHECK(html(repeat("<p>", 100'000) + "x") == "x");
  CHECK(html("<!---->a<!-- b -- > c -->d<?php e ?>f<!doctype g>h") == "adfh");
}
