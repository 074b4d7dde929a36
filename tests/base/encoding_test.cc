#include "core/base/encoding.h"

#include <doctest/doctest.h>

using namespace twinpost;

TEST_CASE("base64 follows RFC 4648 section 10 and refuses everything else") {
  CHECK(base64_encode("") == "");
  CHECK(base64_encode("f") == "Zg==");
  CHECK(base64_encode("foobar") == "Zm9vYmFy");
  CHECK(base64_decode("Zm9vYg==") == "foob");
  CHECK(base64_decode("") == "");
  CHECK_FALSE(base64_decode("Zm9vYg="));
  CHECK_FALSE(base64_decode("Zm9v Yg=="));
  CHECK_FALSE(base64_decode("Zm9vYg==\n"));
  CHECK_FALSE(base64_decode("===="));
}

TEST_CASE("hexadecimal goes there and back") {
  CHECK(hex_encode(std::string_view("\x00\xff\x10", 3)) == "00ff10");
  CHECK(hex_decode("00FF10") == std::string("\x00\xff\x10", 3));
  CHECK_FALSE(hex_decode("0"));
  CHECK_FALSE(hex_decode("0g"));
}

TEST_CASE("CRC-32C gives RFC 3720's values, whole or in pieces") {
  CHECK(crc32c(0, std::string(32, '\0')) == 0x8A9136AA);
  CHECK(crc32c(0, std::string(32, '\xff')) == 0x62A8AB43);
  CHECK(crc32c(0, "123456789") == 0xE3069283);
  CHECK(crc32c(crc32c(0, "12345"), "6789") == 0xE3069283);
}

TEST_CASE("SHA-256 of pieces is that of the whole") {
  Sha256 hash;
  hash.update("a");
  hash.update("bc");
  const Sha256Digest digest = hash.finish();
  CHECK(hex_encode({reinterpret_cast<const char*>(digest.data()), digest.size()}) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("secrets are compared and wiped") {
  CHECK(constant_time_equal("abc", "abc"));
  CHECK_FALSE(constant_time_equal("abc", "abd"));
  CHECK_FALSE(constant_time_equal("abc", "ab"));
  std::string secret = "hunter2";
  wipe(secret);
  CHECK(secret.empty());
}
