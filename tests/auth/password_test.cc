#include "core/auth/password.h"

#include <doctest/doctest.h>
#include <string>

#include "core/base/ascii.h"

using namespace twinpost;
using namespace twinpost::auth;

namespace {

const std::string kPassword = "secret p\xc3\xa4ssword";

// Made by other programs: Dovecot's doveadm pw, Python's crypt and hashlib, openssl passwd.
const char* const kVectors[] = {
    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$k/AoIFTNxGjxBep47coKLw$"
    "qZA/VSVKavr3YGEKd6o2kEjz1qV17Zc4aLdMkKHfTUc",
    "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$1aAJRL1JnuL4ccZbGj+MYQ$"
    "39gFxTbnjyno+qido9Vnv8znCXeBzATd6YZfNUz+LLY",
    "{BLF-CRYPT}$2y$05$SlebJ7co4nBuKikeK6YkFu1qLTqAkPrgVQqypnLSgIOp7Jj3LyVnC",
    "{BLF-CRYPT}$2b$04$abcdefghijklmnopqrstuuySThTIQr7SDQ54jujiJ2SsUBj/ViGeS",
    "{BLF-CRYPT}$2a$04$abcdefghijklmnopqrstuuySThTIQr7SDQ54jujiJ2SsUBj/ViGeS",
    "{SHA512-CRYPT}$6$i8qPod1CqWKeXpJN$"
    "E7DslCX4WeNEPq3qftoVlF7OImL2IhaY7qB.Uq9vq9vrJOrC3VkAvur1zJw5JRTN0ppfrfBd7q6jROIDvuTL3.",
    "{SHA512-CRYPT}$6$saltstring$"
    "2Xoc6lhEV7.wSo88zzO6YgkDVmerKNn9/pKH367OsM4.P0YL3HJgARVHWDbl984.FSSlSCWN7fY3vKagGmyBc/",
    "{SHA512-CRYPT}$6$rounds=1000$saltstring$"
    "qDOhbT.eYB/d4L49w81YJHPmn8Znw2MSFK/lLsV7R0lxM3fDQWFUYM.uJBhTmZOhFtztiql3gQGGQKgm0H2VT1",
    "{SHA256-CRYPT}$5$xdyKVenNJNoCgryU$sT22ghLojrsfyl3MHNtF3hKEvfgRwiHNcOuBIUxfAp0",
    "{SHA256-CRYPT}$5$saltstring$7.eOwNPTsU2HdYhRaO5lQbnrY3z8RDfk6x.UIPiS7I/",
    "{YESCRYPT}$y$j9T$abcdefgh01234567890ab.$KzqhDHPWSiTgMau1xU9IA5BZXyDiLpqLDFVLsZs.NH7",
    "{CRYPT}$2y$05$Mq5BU0N/5TXg4osIhAplIOe0rdBhVze.vSqwS5Dl90CpQogavQrB.",
    "{CRYPT}$5$saltstring$7.eOwNPTsU2HdYhRaO5lQbnrY3z8RDfk6x.UIPiS7I/",
    "{SSHA512}ewKM9v2ureq0ENT9TNcI9VQnTi30Nm+kHdRjksB6+"
    "CItGB1lUfn9sXpfGbASlt5pfA/f116THHyKdxVwxnxdGpUSdNU=",
    "{SSHA512.HEX}0be02f8f2afa09c669bc2177706102a41077049cc906363307baa781ab160d9776c399e5065cce7a6"
    "31df4bb2918d473b72772755150ee2c5e2677fe1e8daae30af0d40c",
    "{SSHA512}oOIxE9UmJgGRLsDrBUluNBEkcAjklWbOdLxgQI/"
    "UiBzHOh3ezBMWJc+H57mwqB3uhbdr1GRdE6pzTNX6R3RFQwEC/wA=",
    "{SSHA256}JRK5tLXCnnILuFjr5VKrIZtv8A+PGd6FIQsesCbyPGpbN7LF",
    "{SSHA256.HEX}4a2da28800ed0ba3f145965c14703929dfcc981776c135001220d90137aaf808915e822d",
    "{SSHA256.b64}IH5Fh51eY6/qGnPoawAseEgQhUOXSV9bzsur8kImox8BAv8A",
    "{PBKDF2}$1$ZU0cLUO/F8UW288V$5000$8001a9995782b8fa0d2196fa4454cb37234423c7",
    "{PBKDF2}$1$abcdefghijklmnop$1000$5fed747e0c077c70dad32963b8a3b12b57f919d6",
    "{PBKDF2}$pbkdf2$1000$MDEyMzQ1Njc4OWFiY2RlZg$tDyxnETnmoxGTdp/1StCAgZKXNQ",
    "{PBKDF2}$pbkdf2-sha256$1000$MDEyMzQ1Njc4OWFiY2RlZg$"
    "3LIP6hlifYnSua.2Qs14WdjsoeNJThNJqd0tVcN.4xQ",
    "{PBKDF2}$pbkdf2-sha512$1000$MDEyMzQ1Njc4OWFiY2RlZg$"
    "eL8azXShVFN6SpSkaQ6aItB2DkntkCXrc11aICvnvQmYeubcPw7C.7cIrra5HnMRqCsFGJTNceAWzdwuMhni1g",
    "{PLAIN}secret p\xc3\xa4ssword",
    "{cleartext}secret p\xc3\xa4ssword",
    "{PLAIN.B64}c2VjcmV0IHDDpHNzd29yZA==",
};

std::string check_error(const std::string& stored) {
  const auto checked = check_stored_password(stored);
  return checked ? "" : checked.error().message;
}

}  // namespace

TEST_CASE("every scheme verifies what other programs hashed, and nothing else") {
  for (const std::string stored : kVectors) {
    CAPTURE(stored);
    CHECK(check_error(stored) == "");
    CHECK(verify_password(stored, kPassword) == true);
    CHECK(verify_password(stored, "secret password") == false);
    CHECK(verify_password(stored, "") == false);
    CHECK(verify_password(stored, kPassword + " ") == false);
    CHECK(verify_password(stored, kPassword + std::string("\0x", 2)) == false);
    CHECK(verify_password(stored, std::string(1'000'000, 'x')) == false);
  }
}

TEST_CASE("every offered scheme verifies what it hashed, with a new salt each time") {
  REQUIRE(password_schemes().front() == "ARGON2ID");
  CHECK(password_schemes().size() == 9);
  for (const std::string_view scheme : password_schemes()) {
    CAPTURE(scheme);
    const auto first = hash_password(ascii::lower(scheme), kPassword);
    const auto second = hash_password(scheme, kPassword);
    REQUIRE(first);
    REQUIRE(second);
    CHECK(first->starts_with('{' + std::string(scheme) + '}'));
    CHECK((*first == *second) == (scheme == "PLAIN"));
    CHECK(check_error(*first) == "");
    CHECK(verify_password(*first, kPassword) == true);
    CHECK(verify_password(*first, "wrong") == false);
  }
}

TEST_CASE("a hash that is changed by one character verifies no more") {
  const std::string stored = kVectors[6];
  for (std::size_t at = stored.find("$2Xoc") + 1; at < stored.size(); at += 7) {
    std::string changed = stored;
    changed[at] = changed[at] == 'a' ? 'b' : 'a';
    CHECK(verify_password(changed, kPassword) == false);
  }
}

TEST_CASE("new passwords must be some that protocols can carry and schemes can take") {
  CHECK_FALSE(hash_password("ARGON2ID", ""));
  CHECK_FALSE(hash_password("ARGON2ID", "two\nlines"));
  CHECK_FALSE(hash_password("ARGON2ID", std::string("nul\0nul", 7)));
  CHECK_FALSE(hash_password("ARGON2ID", std::string(kMaxPassword + 1, 'x')));
  CHECK_FALSE(hash_password("BLF-CRYPT", std::string(73, 'x')));
  CHECK_FALSE(hash_password("CRYPT", "x"));
  const std::string longest(kMaxPassword, 'x');
  for (const char* scheme : {"SHA256-CRYPT", "ARGON2ID", "SSHA512"}) {
    const auto stored = hash_password(scheme, longest);
    REQUIRE(stored);
    CHECK(verify_password(*stored, longest) == true);
    CHECK(verify_password(*stored, longest.substr(1)) == false);
  }
  CHECK(hash_password("ROT13", "x").error().message ==
        "unknown password scheme ROT13 (known: ARGON2ID, BLF-CRYPT, SHA512-CRYPT, SHA256-CRYPT, "
        "YESCRYPT, SSHA512, SSHA256, PBKDF2, PLAIN)");
}

TEST_CASE("what can't be used as a stored password is refused before any login") {
  const std::string salt_and_tag =
      "$MDEyMzQ1Njc4OWFiY2RlZg$qZA/VSVKavr3YGEKd6o2kEjz1qV17Zc4aLdMkKHfTUc";
  const std::pair<std::string, std::string> cases[] = {
      {"", "a stored password must begin with its {SCHEME}"},
      {"secret", "a stored password must begin with its {SCHEME}"},
      {"{PLAIN", "a stored password must begin with its {SCHEME}"},
      {"{PLAIN}", "PLAIN: it is empty"},
      {"{ARGON2ID}", "ARGON2ID: it does not begin with $argon2id$ or $argon2i$"},
      {"{ARGON2ID}$argon2d$v=19$m=65536,t=3,p=1" + salt_and_tag,
       "ARGON2ID: it does not begin with $argon2id$ or $argon2i$"},
      {"{ARGON2ID}$argon2id$v=20$m=65536,t=3,p=1" + salt_and_tag,
       "ARGON2ID: its Argon2 version is unknown"},
      {"{ARGON2ID}$argon2id$v=19$m=65536,t=3", "ARGON2ID: it is incomplete"},
      {"{ARGON2ID}$argon2id$v=19$m=x,t=3,p=1" + salt_and_tag,
       "ARGON2ID: its Argon2 parameters can't be read"},
      {"{ARGON2ID}$argon2id$v=19$m=65536,t=0,p=1" + salt_and_tag,
       "ARGON2ID: its Argon2 parameters can't be read"},
      {"{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$MDEyMzQ1Njc4OWFiY2RlZg$short",
       "ARGON2ID: its base64 is broken"},
      {"{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$MDEy$MDEyMzQ1Njc4OWFiY2RlZg",
       "ARGON2ID: its salt or its hash is too short or too long"},
      {"{BLF-CRYPT}$2y$05$tooshort", "BLF-CRYPT: it is not a bcrypt hash"},
      {"{BLF-CRYPT}$6$saltstring$2Xoc",
       "BLF-CRYPT: it does not begin as a hash of that scheme does"},
      {"{CRYPT}$1$abcdefgh$xxxxxxxxxxxxxxxxxxxxxx",
       "CRYPT: it does not begin as a hash of that scheme does"},
      {"{CRYPT}ab1234567890.", "CRYPT: it does not begin as a hash of that scheme does"},
      {"{SHA512-CRYPT}$6$saltstring", "SHA512-CRYPT: it is incomplete"},
      {"{SHA512-CRYPT}$6$salt:string$" + std::string(86, 'a'),
       "SHA512-CRYPT: its salt or its hash has a wrong length or character"},
      {"{SHA512-CRYPT}$6$saltstring$" + std::string(85, 'a'),
       "SHA512-CRYPT: its salt or its hash has a wrong length or character"},
      {"{SHA512-CRYPT}$6$rounds=10$saltstring$" + std::string(86, 'a'),
       "SHA512-CRYPT: its rounds can't be read"},
      {"{YESCRYPT}$y$x9T$abcdefgh01234567890ab.$" + std::string(43, 'a'),
       "YESCRYPT: its yescrypt parameters are not those of crypt_gensalt(3)"},
      {"{SSHA512}%%%", "SSHA512: its base64 is broken"},
      {"{SSHA512.HEX}xyz", "SSHA512: its hexadecimal is broken"},
      {"{SSHA256}c2hvcnQ=", "SSHA256: its salt or its hash is too short or too long"},
      {"{PBKDF2}$2$x", "PBKDF2: it does not begin with $1$ or $pbkdf2"},
      {"{PBKDF2}$1$salt$1000", "PBKDF2: it is incomplete"},
      {"{PBKDF2}$1$salt$0$5fed747e0c077c70dad32963b8a3b12b57f919d6",
       "PBKDF2: its rounds can't be read"},
      {"{PBKDF2}$1$$1000$5fed747e0c077c70dad32963b8a3b12b57f919d6", "PBKDF2: its salt is broken"},
      {"{PBKDF2}$1$salt$1000$5fed", "PBKDF2: its hash is broken"},
      {std::string("{PLAIN}a\0b", 10), "it contains NUL"},
  };
  for (const auto& [stored, error] : cases) {
    CAPTURE(stored);
    CHECK(check_error(stored) == error);
    const auto verified = verify_password(stored, "x");
    REQUIRE_FALSE(verified);
    CHECK(verified.error().message == error);
  }
  CHECK(check_error("{MD5}xxx").starts_with("unknown password scheme MD5 (known: ARGON2ID, "));
  CHECK(check_error("{ARGON2ID.HEX}00").starts_with("unknown password scheme ARGON2ID.HEX "));
  CHECK(check_error("{PLAIN.ROT13}x").starts_with("unknown password scheme PLAIN.ROT13 "));
}

TEST_CASE("a stored hash of hostile cost is an error at once, not a hang") {
  const std::string argon2 = "$MDEyMzQ1Njc4OWFiY2RlZg$qZA/VSVKavr3YGEKd6o2kEjz1qV17Zc4aLdMkKHfTUc";
  const std::string work = "it asks for more work than a login may cost";
  const std::string memory = "it asks for more than 1 GiB of memory";
  const std::string bcrypt(53, 'a');
  const std::pair<std::string, std::string> cases[] = {
      {"{ARGON2ID}$argon2id$v=19$m=1048577,t=1,p=1" + argon2, "ARGON2ID: " + memory},
      {"{ARGON2ID}$argon2id$v=19$m=4294967295,t=4294967295,p=1" + argon2, "ARGON2ID: " + memory},
      {"{ARGON2ID}$argon2id$v=19$m=1048576,t=5,p=1" + argon2, "ARGON2ID: " + work},
      {"{ARGON2ID}$argon2id$v=19$m=64,t=4294967295,p=1" + argon2, "ARGON2ID: " + work},
      {"{ARGON2ID}$argon2id$v=19$m=65536,t=1,p=17" + argon2, "ARGON2ID: " + work},
      {"{BLF-CRYPT}$2y$17$" + bcrypt, "BLF-CRYPT: " + work},
      {"{BLF-CRYPT}$2y$99$" + bcrypt, "BLF-CRYPT: " + work},
      {"{SHA512-CRYPT}$6$rounds=5000001$salt$" + std::string(86, 'a'), "SHA512-CRYPT: " + work},
      {"{SHA256-CRYPT}$5$rounds=999999999$salt$" + std::string(43, 'a'), "SHA256-CRYPT: " + work},
      {"{YESCRYPT}$y$jGT$abcdefgh01234567890ab.$" + std::string(43, 'a'), "YESCRYPT: " + memory},
      {"{YESCRYPT}$y$jZZ$abcdefgh01234567890ab.$" + std::string(43, 'a'), "YESCRYPT: " + memory},
      {"{PBKDF2}$1$salt$5000001$5fed747e0c077c70dad32963b8a3b12b57f919d6", "PBKDF2: " + work},
  };
  for (const auto& [stored, error] : cases) {
    CAPTURE(stored);
    CHECK(check_error(stored) == error);
    CHECK_FALSE(verify_password(stored, "x"));
  }
}

TEST_CASE(
    "APOP's digest is that of RFC 1939 section 7, and needs a password that is stored plainly") {
  const std::string challenge = "<1896.697170952@dbc.mtview.ca.us>";
  const std::string digest = "c4c9334bac560ecc979e58001b3e22fb";
  CHECK(verify_apop("{PLAIN}tanstaaf", challenge, digest));
  CHECK(verify_apop("{CLEARTEXT}tanstaaf", challenge, ascii::upper(digest)));
  CHECK_FALSE(verify_apop("{PLAIN}tanstaaf", "<1896.697170953@dbc.mtview.ca.us>", digest));
  CHECK_FALSE(verify_apop("{PLAIN}tanstaag", challenge, digest));
  CHECK_FALSE(verify_apop("{PLAIN}tanstaaf", challenge, digest.substr(0, 31)));
  CHECK_FALSE(verify_apop("{PLAIN}tanstaaf", challenge, ""));
  CHECK_FALSE(verify_apop("{PLAIN}tanstaaf", challenge, std::string(32, 'g')));
  CHECK_FALSE(verify_apop(kVectors[0], challenge, digest));
  CHECK(is_stored_plainly("{plain}x"));
  CHECK_FALSE(is_stored_plainly(kVectors[0]));
  CHECK_FALSE(is_stored_plainly("no scheme"));
}
