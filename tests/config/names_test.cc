#include "core/config/names.h"

#include <doctest/doctest.h>
#include <string>

using namespace twinpost::config;

TEST_CASE("account names are addresses or user names, kept in lower case") {
  CHECK(normalize_account_name("Ann@Example.ORG") == "ann@example.org");
  CHECK(normalize_account_name("ann") == "ann");
  CHECK(normalize_account_name("o'brien+x=y@mail-1.example.org") ==
        "o'brien+x=y@mail-1.example.org");
  CHECK(normalize_account_name("j\xc3\xb6rg@m\xc3\xbcller.example") ==
        "j\xc3\xb6rg@m\xc3\xbcller.example");
  for (const std::string bad : {"",
                                "@",
                                "@example.org",
                                "ann@",
                                "a b@example.org",
                                "ann@exa mple.org",
                                "a..b@example.org",
                                ".a@example.org",
                                "a.@example.org",
                                "ann@example..org",
                                "ann@example.org.",
                                "ann@.org",
                                "\"a\"@example.org",
                                "a@b@example.org",
                                "a\tb",
                                "a\x7f",
                                "<ann@example.org>",
                                "ann,bob",
                                "a:b",
                                "ann@exam/ple",
                                "j\xf6rg"}) {
    CAPTURE(bad);
    CHECK_FALSE(normalize_account_name(bad));
  }
  CHECK(normalize_account_name(std::string(64, 'a') + "@example.org"));
  CHECK_FALSE(normalize_account_name(std::string(65, 'a') + "@example.org"));
  CHECK_FALSE(normalize_account_name("a@" + std::string(253, 'b')));
}

TEST_CASE("an alias may be a whole domain") {
  CHECK(normalize_alias("@Example.org") == "@example.org");
  CHECK(normalize_alias("Sales") == "sales");
  CHECK_FALSE(normalize_alias("@"));
  CHECK_FALSE(normalize_alias("@a b"));
  CHECK_FALSE(normalize_alias("@@example.org"));
}

TEST_CASE("addresses to listen on are numeric, with a port, or a Unix socket") {
  for (const std::string good :
       {"127.0.0.1:110", "0.0.0.0:0", "[::]:995", "[::1]:65535", "[2001:db8::1]:1", "*:110",
        "[::ffff:127.0.0.1]:5", "unix:/run/twinpost/lmtp.sock", "unix:/a b"}) {
    CAPTURE(good);
    CHECK(check_listen_address(good));
  }
  for (const std::string bad : {"",
                                ":110",
                                "127.0.0.1",
                                "127.0.0.1:",
                                "127.0.0.1:65536",
                                "127.0.0.1:-1",
                                "127.0.0.1:+1",
                                "127.0.0.1: 1",
                                "::1:110",
                                "[::1]",
                                "[::1]110",
                                "[127.0.0.1]:1",
                                "[::1",
                                "localhost:110",
                                "127.1:1",
                                "256.0.0.1:1",
                                "[fe80::1%eth0]:1",
                                "*",
                                "**:1",
                                "unix:",
                                "unix:relative",
                                "unix:/ends/",
                                "unix:/a\nb",
                                "/run/lmtp.sock"}) {
    CAPTURE(bad);
    CHECK_FALSE(check_listen_address(bad));
  }
  CHECK_FALSE(check_listen_address(std::string("127.0.0.1\0:1", 12)));
  CHECK(check_listen_address("unix:/" + std::string(106, 'x')));
  CHECK_FALSE(check_listen_address("unix:/" + std::string(107, 'x')));
  CHECK(check_listen_address("::1:110").error().message.find("needs brackets") !=
        std::string::npos);
}
