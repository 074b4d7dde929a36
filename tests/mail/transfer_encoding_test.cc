#include "core/mail/transfer_encoding.h"

#include <doctest/doctest.h>

#include "core/base/encoding.h"
#include "tests/mail/support.h"

using namespace twinpost;
using namespace twinpost::mail;

namespace {

constexpr auto kBase64 = TransferEncoding::kBase64;
constexpr auto kQp = TransferEncoding::kQuotedPrintable;
constexpr auto kUu = TransferEncoding::kUuencode;

// Whole and octet by octet: both must be the same.
std::string decode(TransferEncoding encoding, std::string_view text) {
  const std::string whole = decode_transfer(encoding, text);
  TransferDecoder decoder(encoding);
  std::string pieces;
  for (const char c : text) decoder.decode({&c, 1}, pieces);
  decoder.finish(pieces);
  CHECK(pieces == whole);
  return whole;
}

bool damaged(TransferEncoding encoding, std::string_view text) {
  TransferDecoder decoder(encoding);
  std::string out;
  decoder.decode(text, out);
  decoder.finish(out);
  return decoder.damaged();
}

}  // namespace

TEST_CASE("encodings are known by their names") {
  CHECK(transfer_encoding("BASE64") == kBase64);
  CHECK(transfer_encoding(" Quoted-Printable ") == kQp);
  CHECK(transfer_encoding("7bit") == TransferEncoding::kIdentity);
  CHECK(transfer_encoding("") == TransferEncoding::kIdentity);
  CHECK(transfer_encoding("x-uuencode") == kUu);
  CHECK(transfer_encoding("8-bit") == TransferEncoding::kUnknown);
  CHECK(decode(TransferEncoding::kUnknown, "a=41") == "a=41");
}

TEST_CASE("base64 decodes over line ends, with and without padding") {
  CHECK(decode(kBase64, "aGVs\r\nbG8g\nd29y bGQ=\r\n") == "hello world");
  CHECK(decode(kBase64, "aGVsbG8") == "hello");
  CHECK(decode(kBase64, "") == "");
  CHECK(decode(kBase64, "YQ==") == "a");
  CHECK(decode(kBase64, "YQ") == "a");
  CHECK_FALSE(damaged(kBase64, "aGVs\r\nbG8=\r\n"));
}

TEST_CASE("base64 goes on after padding and over octets that do not belong there") {
  CHECK(decode(kBase64, "YQ==\r\nYg==\r\n") == "ab");
  CHECK(decode(kBase64, "a!G*V.s-b_G8=") == "hello");
  CHECK(damaged(kBase64, "a!GVsbG8="));
  CHECK(decode(kBase64, "aGVsb") == "hel");
  CHECK(damaged(kBase64, "aGVsb"));
}

TEST_CASE("every octet goes through base64") {
  std::string octets;
  for (int i = 0; i < 256; ++i) octets += static_cast<char>(i);
  CHECK(decode(kBase64, base64_encode(octets)) == octets);
}

TEST_CASE("quoted-printable decodes the example of RFC 2045 6.7") {
  CHECK(decode(kQp, "Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.") ==
        "Now's the time for all folk to come to the aid of their country.");
}

TEST_CASE("quoted-printable takes either case, soft breaks with blanks, and bare line feeds") {
  CHECK(decode(kQp, "=c3=BC") == "ü");
  CHECK(decode(kQp, "a= \t\r\nb") == "ab");
  CHECK(decode(kQp, "a=\nb") == "ab");
  CHECK(decode(kQp, "a=20\r\nb") == "a \r\nb");
  CHECK(decode(kQp, "a=") == "a");
  CHECK(decode(kQp, "a= ") == "a");
  CHECK(decode(kQp, "a=\r") == "a");
}

TEST_CASE("quoted-printable drops blanks at line ends, and only there") {
  CHECK(decode(kQp, "a \t \r\nb  c\n") == "a\r\nb  c\n");
  CHECK(decode(kQp, "a  ") == "a");
  CHECK(decode(kQp, "a \rb") == "a \rb");
  CHECK(decode(kQp, "a \r \r\n") == "a \r\r\n");
  CHECK_FALSE(damaged(kQp, "a  \r\n=20\r\n"));
}

TEST_CASE("quoted-printable keeps what encodes nothing") {
  CHECK(decode(kQp, "a=XYb") == "a=XYb");
  CHECK(decode(kQp, "a=4") == "a=4");
  CHECK(decode(kQp, "a=4Gb") == "a=4Gb");
  CHECK(decode(kQp, "a==41") == "a=A");
  CHECK(decode(kQp, "1+1=2") == "1+1=2");
  CHECK(decode(kQp, "a= b") == "a= b");
  CHECK(damaged(kQp, "a=XY"));
}

TEST_CASE("runs of blanks without end cost no memory and are not lost") {
  const std::string blanks(1'000'000, ' ');
  const std::string text = "a" + blanks + "b";
  CHECK(decode(kQp, text) == text);
  CHECK(decode(kQp, "a=" + blanks + "b").size() >= 1'000'000);
}

TEST_CASE("uuencode decodes between begin and end") {
  CHECK(decode(kUu, "intro\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\nafter\r\n") == "Cat");
  CHECK(decode(kUu, "begin 644 x\n%:&5L;&\\\n \nend\n") == "hello");
  CHECK(decode(kUu, "no begin\n#0V%T\n") == "");
  CHECK(damaged(kUu, "begin 644 x\n#0V%T\n"));
  CHECK(damaged(kUu, "begin 644 x\nM\nend\n"));
  CHECK(decode(kUu, "begin 644 x\n" + repeat("A", 1'000'000) + "\n#0V%T\nend\n") == "Cat");
}
