// BDAT (RFC 3030): chunks of exact octets. Over real sockets.

#include <doctest/doctest.h>
#include <string>

#include "tests/lmtp/test_server.h"

using namespace twinpost;
using namespace twinpost::lmtp_test;

TEST_CASE(
    "chunks join to the message octet for octet, with one reply each and one per recipient at the "
    "last") {
  TestServer server;
  Client client(server.tcp());
  client.hello();
  begin(client, {"ann@example.org", "bob@example.org"});
  client.send("BDAT 10\r\nS: x\r\n\r\n.\r");
  CHECK(code_of(client.line()) == "250 2.0.0");
  client.send("BDAT 1\r\n\nBDAT 0\r\n");
  CHECK(code_of(client.line()) == "250 2.0.0");
  CHECK(code_of(client.line()) == "250 2.0.0");
  client.send("BDAT 14 LAST\r\n.\r\nQUIT\r\n..end");
  CHECK(code_of(client.line()) == "250 2.1.5");
  CHECK(code_of(client.line()) == "250 2.1.5");
  CHECK(server.only_body("ann@example.org") == "S: x\r\n\r\n.\r\n.\r\nQUIT\r\n..end\r\n");
  CHECK(code_of(client.say("NOOP")) == "250 2.0.0");
}

TEST_CASE("BDAT 0 LAST alone is an empty message") {
  TestServer server;
  Client client(server.tcp());
  client.hello();
  begin(client, {"ann@example.org"});
  CHECK(code_of(client.say("BDAT 0 LAST")) == "250 2.1.5");
  CHECK(server.only_body("ann@example.org").empty());
}

TEST_CASE("a chunk without a transaction or recipients is swallowed, then refused") {
  TestServer server;
  Client client(server.tcp());
  client.hello();
  client.send("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n");
  CHECK(code_of(client.line()) == "503 5.5.1");
  CHECK(code_of(client.line()) == "250 2.0.0");
  client.send(
      "MAIL FROM:<>\r\nRCPT TO:<nobody@example.org>\r\nBDAT 6\r\nQUIT\r\nBDAT 6 "
      "LAST\r\nQUIT\r\nNOOP\r\n");
  for (const char* expected : {"250 2.1.0", "550 5.1.1", "503 5.5.1", "503 5.5.1", "250 2.0.0"}) {
    CHECK(code_of(client.line()) == expected);
  }
  // The last chunk ended the transaction.
  CHECK(code_of(client.say("MAIL FROM:<>")) == "250 2.1.0");
}

TEST_CASE(
    "chunks over the message size are swallowed and refused, also the pipelined ones behind them") {
  Setup setup = two_accounts();
  setup.limits.message_size = 100;
  TestServer server(setup);
  Client client(server.tcp());
  client.hello();
  begin(client, {"ann@example.org", "bob@example.org"});
  client.send("BDAT 60\r\n" + std::string(60, 'x') + "BDAT 41\r\n" + std::string(41, 'x') +
              "BDAT 1\r\nx" + "BDAT 2 LAST\r\n\r\nNOOP\r\n");
  for (const char* expected :
       {"250 2.0.0", "552 5.3.4", "552 5.3.4", "552 5.3.4", "552 5.3.4", "250 2.0.0"}) {
    CHECK(code_of(client.line()) == expected);
  }
  CHECK(server.inbox("ann@example.org").empty());
  begin(client, {"ann@example.org"});
  client.send("BDAT 100 LAST\r\n" + std::string(98, 'x') + "\r\n");
  CHECK(code_of(client.line()) == "250 2.1.5");
}

TEST_CASE("a claim of 2^64 octets allocates nothing and is not believed") {
  TestServer server;
  Client client(server.tcp());
  client.hello();
  begin(client, {"ann@example.org"});
  const std::size_t before = anonymous_kib();
  client.send("BDAT 18446744073709551615 LAST\r\n" + std::string(100'000, 'x'));
  CHECK(client.is_silent_for(100));
  if (kMemoryIsMeasurable) CHECK(anonymous_kib() < before + 4 * 1024);
  client.half_close();
  CHECK(client.line() == "<closed>");
}

TEST_CASE("a chunk size that can't be read ends the session before its octets pass for commands") {
  TestServer server;
  Client client(server.tcp());
  client.hello();
  begin(client, {"ann@example.org"});
  client.send("BDAT 1x LAST\r\nRSET\r\nMAIL FROM:<>\r\n");
  CHECK(code_of(client.line()) == "501 5.5.4");
  CHECK(client.line() == "<closed>");
}

TEST_CASE("a chunk with a wrong second word fails its transaction") {
  TestServer server;
  Client client(server.tcp());
  client.hello();
  begin(client, {"ann@example.org"});
  client.send("BDAT 6 FIRST\r\nRSET\r\nBDAT 3 LAST\r\nx\r\n");
  CHECK(code_of(client.line()) == "501 5.5.4");
  CHECK(code_of(client.line()) == "501 5.5.4");
  CHECK(server.inbox("ann@example.org").empty());
}

TEST_CASE("DATA and RCPT are refused once chunks have come") {
  TestServer server;
  Client client(server.tcp());
  client.hello();
  begin(client, {"ann@example.org"});
  client.send("BDAT 3\r\nx\r\n");
  CHECK(code_of(client.line()) == "250 2.0.0");
  CHECK(code_of(client.say("DATA")) == "503 5.5.1");
  CHECK(code_of(client.say("RCPT TO:<bob@example.org>")) == "503 5.5.1");
  CHECK(code_of(client.say("BDAT 0 LAST")) == "250 2.1.5");
  CHECK(server.only_body("ann@example.org") == "x\r\n");
}
