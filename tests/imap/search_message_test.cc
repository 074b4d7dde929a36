#include <doctest/doctest.h>
#include <string>

#include "core/base/encoding.h"
#include "tests/imap/search_support.h"
#include "tests/support/transcript_faults.h"

using namespace twinpost;
using namespace twinpost::imap;
using namespace twinpost::imap::test;
using namespace std::chrono_literals;

namespace {

// One message; `has` searches it in one slice, and again in the smallest slices and pieces.
class OneMessage {
 public:
  explicit OneMessage(std::string_view octets, std::string prefix = {}) {
    auto request = store::test::request_of(octets);
    request.prefix = std::move(prefix);
    world_.add(request);
  }
  bool has(std::string_view keys) {
    const std::string whole = world_.search(keys);
    const std::string pieces = world_.search(keys, {0ns, 3});
    CHECK_MESSAGE(whole == pieces, keys);
    CHECK_MESSAGE((whole.empty() || whole == "1"), keys, ": ", whole);
    CHECK(world_.unreadable == 0);
    return whole == "1";
  }

 private:
  SearchWorld world_;
};

std::string lines(std::initializer_list<std::string_view> texts) {
  std::string out;
  for (const auto text : texts) {
    out += text;
    out += "\r\n";
  }
  return out;
}

std::string literal(std::string_view text) {
  return '{' + std::to_string(text.size()) + "}\r\n" + std::string(text);
}

}  // namespace

TEST_CASE("headers are searched unfolded and decoded") {
  OneMessage mail(
      lines({"From: =?utf-8?q?J=C3=B6rg?= Smith <joerg@example.org>", "To: a@example.net,",
             "\tb@example.net", "To: second@example.net", "Cc: \"Doe, Jane\" <jane@example.com>",
             "Bcc: hidden@example.com", "Subject: =?iso-8859-1?q?caf=E9?= =?iso-8859-1?q?_au_?=",
             " =?utf-8?b?bGFpdA==?=", "X-Empty:", "X-8bit: na\xefve", "Message-ID: <1@example.org>",
             "", "the body"}));
  CHECK(mail.has("FROM \"jörg\""));
  CHECK(mail.has("FROM \"JÖRG SMITH <JOERG@\""));
  CHECK_FALSE(mail.has("FROM =?utf-8"));
  CHECK(mail.has("TO \"a@example.net, b@\""));
  CHECK(mail.has("TO \"a@example.net,\tb@\""));
  CHECK(mail.has("TO second"));
  CHECK_FALSE(mail.has("TO \"b@example.net second\""));
  CHECK_FALSE(mail.has("TO jane"));
  CHECK(mail.has("CC \"doe, jane\""));
  CHECK(mail.has("BCC hidden"));
  CHECK(mail.has("SUBJECT \"CAFÉ au lait\""));
  CHECK(mail.has("SUBJECT \"cafe\xcc\x81 AU\""));  // decomposed
  CHECK(mail.has("HEADER subject lait"));
  CHECK(mail.has("HEADER Message-Id \"<1@example.org>\""));
  CHECK_FALSE(mail.has("HEADER Message-Id Subject"));
  CHECK(mail.has("HEADER x-EMPTY \"\""));
  CHECK_FALSE(mail.has("HEADER X-Empty a"));
  CHECK_FALSE(mail.has("HEADER X-None \"\""));
  CHECK_FALSE(mail.has("HEADER \"\" \"\""));
  CHECK(mail.has("HEADER X-8bit \"naïve\""));
  CHECK(mail.has("FROM \"\""));
  CHECK(mail.has("SUBJECT \"\""));
  CHECK(mail.has("NOT HEADER X-None \"\" TO second NOT TO third"));
  CHECK(mail.has("TEXT \"Subject: café au lait\""));
  CHECK(mail.has("TEXT \"hidden@example.com\""));
  CHECK(mail.has("TEXT " + literal("x-empty:\r\nx-8bit: naïve\r\n")));
  CHECK_FALSE(mail.has("BODY \"jörg\""));
  CHECK(mail.has("BODY \"the body\""));
  CHECK(mail.has("TEXT \"the body\""));
  CHECK(mail.has("BODY \"\" TEXT \"\""));
}

TEST_CASE("a message without the field has no empty one either") {
  OneMessage mail("\r\nonly a body\r\n");
  CHECK_FALSE(mail.has("SUBJECT \"\""));
  CHECK_FALSE(mail.has("FROM \"\""));
  CHECK(mail.has("NOT SUBJECT x"));
  CHECK(mail.has("TEXT only"));
}

TEST_CASE("every Subject field counts, also beside the one in the envelope") {
  OneMessage mail(lines({"Subject: first", "Subject: second", "", "text"}));
  CHECK(mail.has("SUBJECT first"));
  CHECK(mail.has("HEADER Subject second"));
  CHECK_FALSE(mail.has("SUBJECT third"));
}

TEST_CASE("what the store put before a message is part of its header") {
  OneMessage mail(lines({"Subject: s", "", "text"}),
                  "Return-Path: <joe@example.com>\r\nDelivered-To: ann@example.org\r\n");
  CHECK(mail.has("HEADER Return-Path joe"));
  CHECK(mail.has("HEADER delivered-to \"\""));
  CHECK(mail.has("TEXT joe@example.com"));
  CHECK(mail.has("SUBJECT s"));
  CHECK(mail.has("TEXT " + literal("example.org\r\nsubject: s\r\n")));
  CHECK_FALSE(mail.has("BODY joe"));
  CHECK(mail.has("BODY text"));
}

TEST_CASE("bodies are searched decoded, over line ends, in their charset") {
  OneMessage quoted(lines({"Content-Type: text/plain; charset=iso-8859-1",
                           "Content-Transfer-Encoding: quoted-printable", "",
                           "Gr=FC=DFe aus M=", "=FCnchen=20", "und Wien"}));
  CHECK(quoted.has("BODY \"GRÜßE aus München\""));
  CHECK(quoted.has("BODY " + literal("MÜNCHEN \r\nund wien")));
  CHECK_FALSE(quoted.has("BODY " + literal("MÜNCHEN und wien")));
  CHECK(quoted.has("TEXT \"münchen\""));
  CHECK_FALSE(quoted.has("BODY =FC"));

  const std::string text = "Привет, мир! И ещё одна строка, которая длиннее.";
  std::string base64 = base64_encode(text);
  for (std::size_t at = 20; at < base64.size(); at += 22) base64.insert(at, "\r\n");
  OneMessage encoded(lines({"Content-Type: text/plain; charset=utf-8",
                            "Content-Transfer-Encoding: base64", "", base64}));
  CHECK(encoded.has("BODY \"ПРИВЕТ, МИР!\""));
  CHECK(encoded.has("BODY \"ещё одна строка\""));
  CHECK_FALSE(encoded.has("BODY " + base64.substr(0, 10)));
}

TEST_CASE("damaged encodings give what can be read of them") {
  OneMessage cut(lines({"Content-Type: text/plain; charset=utf-8",
                        "Content-Transfer-Encoding: base64", "", "aGVsbG8gd29y!!bGQ"}));
  CHECK(cut.has("BODY \"hello world\""));
  OneMessage wrong(lines({"Content-Type: text/plain; charset=utf-8", "", "caf\xe9 cr\xe8me"}));
  CHECK(wrong.has("BODY \"café crème\""));
  OneMessage unknown(lines({"Content-Type: text/plain; charset=x-unknown-9", "", "na\xc3\xafve"}));
  CHECK(unknown.has("BODY \"naïve\""));
  OneMessage strange(
      lines({"Content-Type: text/plain", "Content-Transfer-Encoding: x-strange", "", "as it is"}));
  CHECK(strange.has("BODY \"as it is\""));
  OneMessage words(
      lines({"Subject: =?utf-8?b?w6k?= =?utf-8?q?=C3?= =?bogus?q?x?= =?utf-8?q?open", "", "text"}));
  CHECK(words.has("SUBJECT \"é\""));
  CHECK(words.has("SUBJECT \"=?bogus?q?x?=\""));
  CHECK(words.has("SUBJECT \"=?utf-8?q?open\""));
}

TEST_CASE("HTML is searched with its tags and as it is read") {
  OneMessage mail(lines({"Content-Type: text/html; charset=utf-8", "",
                         "<html><head><title>hidden</title></head><body>Fish &amp; <b>chi</b>ps,",
                         "caf&eacute;</body></html>"}));
  CHECK(mail.has("BODY \"<b>chi</b>ps\""));
  CHECK(mail.has("BODY chips"));
  CHECK(mail.has("BODY \"fish & chips\""));
  CHECK(mail.has("BODY \"café\""));
  CHECK(mail.has("BODY &eacute;"));
  CHECK(mail.has("BODY <title>hidden"));
}

TEST_CASE("of a multipart the text parts are searched, and their headers by TEXT") {
  OneMessage mail(lines({"Subject: top",
                         "Content-Type: multipart/mixed; boundary=b",
                         "",
                         "the preamble",
                         "--b",
                         "Content-Type: text/plain; name=\"=?utf-8?q?Gr=C3=BC=C3=9Fe?=.txt\"",
                         "",
                         "one",
                         "--b",
                         "Content-Type: application/octet-stream",
                         "Content-Disposition: attachment; filename=x.bin",
                         "",
                         "secret binary",
                         "--b",
                         "Content-Type: text/plain; charset=utf-8",
                         "Content-Transfer-Encoding: base64",
                         "",
                         base64_encode("two"),
                         "--b--",
                         "the epilogue"}));
  CHECK(mail.has("BODY one BODY two"));
  CHECK_FALSE(mail.has("BODY " + literal("one\r\ntwo")));
  CHECK_FALSE(mail.has("TEXT secret"));
  CHECK_FALSE(mail.has("TEXT preamble"));
  CHECK_FALSE(mail.has("TEXT epilogue"));
  CHECK(mail.has("TEXT x.bin"));
  CHECK_FALSE(mail.has("BODY x.bin"));
  CHECK(mail.has("TEXT \"Grüße.txt\""));
  CHECK(mail.has("TEXT \"Subject: top\" NOT BODY top"));
}

TEST_CASE("a message in a message belongs to the body, its header too") {
  OneMessage mail(lines({"Subject: outer", "Content-Type: multipart/mixed; boundary=b", "", "--b",
                         "Content-Type: message/rfc822", "X-Part: mime", "",
                         "Subject: =?utf-8?q?inn=C3=A9r?=", "From: deep@example.org",
                         "Content-Type: text/plain", "", "inner text", "--b--"}));
  CHECK(mail.has("BODY \"innér\""));
  CHECK(mail.has("BODY deep@example.org"));
  CHECK(mail.has("BODY \"inner text\""));
  CHECK(mail.has("TEXT \"Subject: innér\""));
  CHECK_FALSE(mail.has("BODY outer"));
  CHECK_FALSE(mail.has("BODY mime"));
  CHECK(mail.has("TEXT \"x-part: mime\""));
  // The keys of fields are about the message itself.
  CHECK_FALSE(mail.has("FROM deep"));
  CHECK_FALSE(mail.has("SUBJECT \"innér\""));
  OneMessage bounce(lines({"Content-Type: multipart/report; boundary=b", "", "--b",
                           "Content-Type: message/delivery-status", "",
                           "Reporting-MTA: dns; mx.example.org", "--b--"}));
  CHECK(bounce.has("BODY mx.example.org"));
}

TEST_CASE("what can't be taken apart is searched as it is") {
  OneMessage no_boundary(lines({"Content-Type: multipart/mixed", "", "--x", "needle"}));
  CHECK(no_boundary.has("BODY needle"));
  OneMessage never_found(lines({"Content-Type: multipart/mixed; boundary=zz", "", "the needle"}));
  CHECK(never_found.has("TEXT needle"));
  OneMessage headless("just text without any header\r\n");
  CHECK(headless.has("TEXT \"without any header\""));
  OneMessage empty("");
  CHECK_FALSE(empty.has("TEXT a"));
  CHECK(empty.has("TEXT \"\""));
  OneMessage nul(std::string("Subject: a\0b\r\n\r\nc\0d\r\n", 20));
  CHECK(nul.has("BODY d"));
  CHECK(nul.has("SUBJECT b"));
}

TEST_CASE("deep nesting is searched to its end") {
  std::string octets = "Subject: s\r\n";
  for (int i = 0; i < 150; ++i) {
    octets += "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "\r\n\r\n--b" +
              std::to_string(i) + "\r\n";
  }
  octets += "Content-Type: text/plain\r\n\r\nneedle\r\n";
  OneMessage mail(octets);
  CHECK(mail.has("BODY needle"));
  CHECK_FALSE(mail.has("BODY nothing"));
}

TEST_CASE("a header beyond all sense is searched to its end") {
  std::string octets = "Subject: s\r\n";
  while (octets.size() < 1'500'000) octets += "X-Fill: " + std::string(900, 'f') + "\r\n";
  octets += "X-Late: needle\r\n\r\nbody\r\n";
  SearchWorld world;
  world.add(octets);
  CHECK(world.search("TEXT needle") == "1");
  CHECK(world.search("BODY needle") == "");
  CHECK(world.search("BODY body") == "1");
  CHECK(world.search("HEADER X-Fill fff") == "1");
  // The fields are those that the parser sees: of the first mebibyte.
  CHECK(world.search("HEADER X-Late needle") == "");
}

TEST_CASE("a match across the pieces of a body is found at every offset") {
  SearchWorld world;
  for (std::size_t offset = 0; offset < 24; ++offset) {
    world.add("Subject: s\r\n\r\n" + std::string(offset, 'x') + "Needle in Häy\r\n");
  }
  for (std::size_t piece = 1; piece <= 17; ++piece) {
    const SearchSettings settings{1s, piece};
    CHECK(world.search("BODY \"needle in häy\"", settings) == "1:24");
    CHECK(world.search("BODY \"needle in hay\"", settings) == "");
    CHECK(world.search("BODY \"xxxxxneedle\"", settings) == "6:24");
  }
}

TEST_CASE("many keys at once are each answered, and stop where the answer is known") {
  OneMessage mail(lines({"Subject: s", "", "alpha beta gamma"}));
  std::string keys;
  for (int i = 0; i < 60; ++i) keys += "OR BODY no" + std::to_string(i) + " ";
  CHECK(mail.has(keys + "BODY gamma"));
  CHECK_FALSE(mail.has(keys + "BODY delta"));
  CHECK(mail.has("BODY alpha TEXT beta NOT BODY delta OR (BODY x BODY y) (TEXT gamma SUBJECT s)"));
  CHECK_FALSE(mail.has("BODY alpha NOT TEXT gamma"));
}

TEST_CASE("a damaged message does not match and does not spoil the others") {
  SearchWorld world;
  world.add("Subject: a\r\n\r\n" + std::string(3000, 'x') + "needle\r\n");
  world.add("Subject: b\r\n\r\nneedle\r\n");
  testing::Faults faults;
  testing::FaultyStore store(world.store(), world.executor(), faults);
  const auto search = [&](std::string_view keys, ErrorCode code) -> std::string {
    testing::Faults::Plan faulty;
    faulty.messages = code;
    faulty.from = 1000;  // the first message is longer
    faults.set(faulty);
    const ParsedSearch parsed(keys);
    auto plan = plan_search(parsed.search().key, {}, world.scope(), kNow);
    REQUIRE(plan);
    SearchRun run(std::move(*plan), world.scope(), world.key(), {}, store);
    const auto ended = store.read_now([&](const store::ReadView& view) { return run.slice(view); });
    if (!ended) return "error " + std::string(to_string(ended.error().code));
    REQUIRE(*ended);
    return run.take_found().to_string() + " without " + std::to_string(run.unreadable());
  };
  CHECK(search("BODY needle", ErrorCode::kCorrupt) == "2 without 1");
  CHECK(search("NOT BODY other", ErrorCode::kCorrupt) == "2 without 1");
  CHECK(search("SUBJECT a", ErrorCode::kCorrupt) == "1 without 0");
  CHECK(search("OR UNSEEN BODY needle", ErrorCode::kCorrupt) == "1:2 without 0");
  CHECK(search("HEADER Subject b TEXT needle", ErrorCode::kCorrupt) == "2 without 0");
  // A disk that does not answer is no single message's trouble.
  CHECK(search("BODY needle", ErrorCode::kIo) == "error " + std::string(to_string(ErrorCode::kIo)));
}
