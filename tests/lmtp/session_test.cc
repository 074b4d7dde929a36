// The conversation: order of commands, replies, limits, endings. Over real sockets.

#include <doctest/doctest.h>
#include <string>
#include <sys/socket.h>

#include "tests/lmtp/test_server.h"

using namespace twinpost;
using namespace twinpost::lmtp_test;
using namespace std::chrono_literals;

TEST_CASE("LHLO lists what the server can do, and STARTTLS only where it can") {
  TestServer server;
  Client client(server.tcp());
  CHECK(client.line() == "220 mx.example.org LMTP Twinpost ready");
  client.send("LHLO client.example\r\n");
  CHECK(client.line() == "250-mx.example.org");
  CHECK(client.line() == "250-PIPELINING");
  CHECK(client.line() == "250-ENHANCEDSTATUSCODES");
  CHECK(client.line() == "250-8BITMIME");
  CHECK(client.line() == "250-SMTPUTF8");
  CHECK(client.line() == "250-CHUNKING");
  CHECK(client.line() == "250 SIZE 52428800");
  CHECK(code_of(client.say("STARTTLS")) == "502 5.5.1");
  CHECK(code_of(client.say("QUIT")) == "221 2.0.0");
  CHECK(client.line() == "<closed>");
}

TEST_CASE("SIZE has no number where no limit is configured") {
  Setup setup = two_accounts();
  setup.limits.message_size = 0;
  TestServer server(setup);
  Client client(server.tcp());
  CHECK(client.line().starts_with("220 "));
  CHECK(client.say("LHLO client.example") == "250 SIZE");
}

TEST_CASE(
    "a transaction over the Unix socket is delivered, with its own prefix for each recipient") {
  TestServer server;
  Client client(server.unix_socket());
  client.hello();
  CHECK(code_of(client.say("MAIL FROM:<carl@example.net>")) == "250 2.1.0");
  CHECK(code_of(client.say("RCPT TO:<ann@example.org>")) == "250 2.1.5");
  CHECK(code_of(client.say("RCPT TO:<nobody@example.org>")) == "550 5.1.1");
  CHECK(code_of(client.say("RCPT TO:<Bob+lists@example.org>")) == "250 2.1.5");
  CHECK(code_of(client.say("DATA")) == "354 Send");
  client.send("Subject: hello\r\n\r\nBody\r\n.\r\n");
  CHECK(client.line() == "250 2.1.5 <ann@example.org> delivered");
  CHECK(client.line() == "250 2.1.5 <Bob+lists@example.org> delivered");
  REQUIRE(server.inbox("ann@example.org").size() == 1);
  CHECK(server.inbox("ann@example.org")[0].octets ==
        "Return-Path: <carl@example.net>\r\nDelivered-To: ann@example.org\r\nSubject: "
        "hello\r\n\r\nBody\r\n");
  REQUIRE(server.inbox("bob@example.org").size() == 1);
  CHECK(server.inbox("bob@example.org")[0].octets ==
        "Return-Path: <carl@example.net>\r\nDelivered-To: Bob+lists@example.org\r\nSubject: "
        "hello\r\n\r\nBody\r\n");
  CHECK(code_of(client.say("QUIT")) == "221 2.0.0");
}

TEST_CASE("every quoted form of an address means the same account") {
  TestServer server;
  Client client(server.tcp());
  client.hello();
  CHECK(code_of(client.say("MAIL FROM:<>")) == "250 2.1.0");
  CHECK(code_of(client.say("RCPT TO:<\"ann\"@example.org>")) == "250 2.1.5");
  CHECK(code_of(client.say("RCPT TO:<\"\\a\\nn\"@example.org>")) == "250 2.1.5");
  CHECK(code_of(client.say("RCPT TO:<\"ann@example.org\"@other.example>")) == "550 5.1.1");
  CHECK(code_of(client.say("RCPT TO:<@relay.example:ann@EXAMPLE.org>")) == "250 2.1.5");
}

TEST_CASE("commands in the wrong order get 503 and change nothing") {
  TestServer server;
  Client client(server.tcp());
  CHECK(client.line().starts_with("220 "));
  CHECK(code_of(client.say("MAIL FROM:<>")) == "503 5.5.1");
  CHECK(code_of(client.say("RCPT TO:<ann@example.org>")) == "503 5.5.1");
  CHECK(code_of(client.say("DATA")) == "503 5.5.1");
  CHECK(client.say("LHLO client.example").starts_with("250 "));
  CHECK(code_of(client.say("RCPT TO:<ann@example.org>")) == "503 5.5.1");
  CHECK(code_of(client.say("DATA")) == "503 5.5.1");
  CHECK(code_of(client.say("MAIL FROM:<>")) == "250 2.1.0");
  CHECK(code_of(client.say("MAIL FROM:<>")) == "503 5.5.1");
  CHECK(code_of(client.say("DATA")) == "503 5.5.1");
  CHECK(code_of(client.say("RCPT TO:<nobody@example.org>")) == "550 5.1.1");
  CHECK(code_of(client.say("DATA")) == "503 5.5.1");
  CHECK(code_of(client.say("RCPT TO:<ann@example.org>")) == "250 2.1.5");
  CHECK(client.say("DATA").starts_with("354 "));
  client.send(".\r\n");
  CHECK(code_of(client.line()) == "250 2.1.5");
  CHECK(server.only_body("ann@example.org").empty());
}

TEST_CASE("RSET and LHLO forget the transaction") {
  TestServer server;
  Client client(server.tcp());
  client.hello();
  for (const char* command : {"RSET", "LHLO again.example"}) {
    CHECK(code_of(client.say("MAIL FROM:<>")) == "250 2.1.0");
    CHECK(code_of(client.say("RCPT TO:<ann@example.org>")) == "250 2.1.5");
    CHECK(client.say(command).starts_with("250 "));
    CHECK(code_of(client.say("DATA")) == "503 5.5.1");
  }
}

TEST_CASE("NOOP, VRFY and HELP answer without a transaction and inside one") {
  TestServer server;
  Client client(server.tcp());
  CHECK(client.line().starts_with("220 "));
  CHECK(code_of(client.say("NOOP")) == "250 2.0.0");
  CHECK(code_of(client.say("VRFY ann")) == "252 2.0.0");
  CHECK(code_of(client.say("HELP")) == "214 2.0.0");
  CHECK(client.say("LHLO x").starts_with("250 "));
  CHECK(code_of(client.say("MAIL FROM:<>")) == "250 2.1.0");
  CHECK(code_of(client.say("NOOP")) == "250 2.0.0");
  CHECK(code_of(client.say("RCPT TO:<ann@example.org>")) == "250 2.1.5");
}

TEST_CASE("two transactions and QUIT in one packet are answered in order") {
  TestServer server;
  Client client(server.tcp());
  client.send(
      "LHLO client.example\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<ann@example.org>\r\nRCPT "
      "TO:<x@example.org>\r\n"
      "RCPT TO:<bob@example.org>\r\nDATA\r\nfirst\r\n..\r\n.\r\nMAIL FROM:<>\r\nRCPT "
      "TO:<bob@example.org>\r\n"
      "BDAT 7\r\nsecond\nBDAT 0 LAST\r\nNOOP\r\nQUIT\r\n");
  CHECK(client.reply().starts_with("220 "));
  CHECK(client.reply().starts_with("250 SIZE"));
  for (const char* expected :
       {"250 2.1.0", "250 2.1.5", "550 5.1.1", "250 2.1.5", "354 Send", "250 2.1.5", "250 2.1.5",
        "250 2.1.0", "250 2.1.5", "250 2.0.0", "250 2.1.5", "250 2.0.0", "221 2.0.0"}) {
    CHECK(code_of(client.reply()) == expected);
  }
  CHECK(client.line() == "<closed>");
  CHECK(server.only_body("ann@example.org") == "first\r\n.\r\n");
  CHECK(server.inbox("bob@example.org").size() == 2);
}

TEST_CASE("a client that sends one octet at a time is understood") {
  TestServer server;
  Client client(server.tcp());
  const std::string_view dialogue =
      "LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n..x\r\n.\r\nNOOP\r\nQUIT\r\n";
  for (const char octet : dialogue) client.send(std::string_view(&octet, 1));
  CHECK(client.reply().starts_with("220 "));
  CHECK(client.reply().starts_with("250 SIZE"));
  for (const char* expected :
       {"250 2.1.0", "250 2.1.5", "354 Send", "250 2.1.5", "250 2.0.0", "221 2.0.0"}) {
    CHECK(code_of(client.reply()) == expected);
  }
  CHECK(server.only_body("ann@example.org") == ".x\r\n");
}

TEST_CASE("a line over the limit is refused and the session goes on") {
  Setup setup = two_accounts();
  setup.limits.command_line = 600;
  TestServer server(setup);
  Client client(server.tcp());
  client.hello();
  CHECK(code_of(client.say("NOOP " + std::string(595, 'x'))) == "250 2.0.0");
  CHECK(code_of(client.say("NOOP " + std::string(596, 'x'))) == "500 5.5.2");
  CHECK(code_of(client.say("NOOP " + std::string(1'000'000, 'x'))) == "500 5.5.2");
  CHECK(code_of(client.say("NOOP")) == "250 2.0.0");
}

TEST_CASE("the line limit counts across what was read behind a message") {
  Setup setup = two_accounts();
  setup.limits.command_line = 600;
  TestServer server(setup);
  Client client(server.tcp());
  client.hello();
  client.send("MAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n.\r\nNOOP " +
              std::string(300, 'x'));
  CHECK(code_of(client.line()) == "250 2.1.0");
  CHECK(code_of(client.line()) == "250 2.1.5");
  CHECK(code_of(client.line()) == "354 Send");
  CHECK(code_of(client.line()) == "250 2.1.5");
  CHECK(code_of(client.say(std::string(296, 'x'))) == "500 5.5.2");
  CHECK(code_of(client.say("NOOP")) == "250 2.0.0");
}

TEST_CASE("too many bad commands in a row end the session") {
  Setup setup = two_accounts();
  setup.limits.bad_commands = 3;
  TestServer server(setup);
  Client client(server.tcp());
  client.hello();
  CHECK(code_of(client.say("FOO")) == "500 5.5.1");
  CHECK(code_of(client.say("BAR")) == "500 5.5.1");
  CHECK(code_of(client.say("NOOP")) == "250 2.0.0");
  CHECK(code_of(client.say("FOO")) == "500 5.5.1");
  CHECK(code_of(client.say("EHLO client.example")) == "500 5.5.1");
  CHECK(code_of(client.say("MAIL")) == "501 5.5.4");
  CHECK(code_of(client.line()) == "421 4.7.0");
  CHECK(client.line() == "<closed>");
}

TEST_CASE("unknown recipients are no bad commands") {
  Setup setup = two_accounts();
  setup.limits.bad_commands = 2;
  TestServer server(setup);
  Client client(server.tcp());
  client.hello();
  CHECK(code_of(client.say("MAIL FROM:<>")) == "250 2.1.0");
  for (int i = 0; i < 10; ++i)
    CHECK(code_of(client.say("RCPT TO:<nobody@example.org>")) == "550 5.1.1");
  CHECK(code_of(client.say("RCPT TO:<ann@example.org>")) == "250 2.1.5");
}

TEST_CASE("recipients over the limit get 452 4.5.3 and the others their mail") {
  Setup setup = two_accounts();
  setup.limits.recipients = 1;
  TestServer server(setup);
  Client client(server.tcp());
  client.hello();
  CHECK(code_of(client.say("MAIL FROM:<>")) == "250 2.1.0");
  CHECK(code_of(client.say("RCPT TO:<ann@example.org>")) == "250 2.1.5");
  CHECK(code_of(client.say("RCPT TO:<bob@example.org>")) == "452 4.5.3");
  CHECK(client.say("DATA").starts_with("354 "));
  client.send("x\r\n.\r\n");
  CHECK(code_of(client.line()) == "250 2.1.5");
  CHECK(code_of(client.say("NOOP")) == "250 2.0.0");
  CHECK(server.inbox("bob@example.org").empty());
}

TEST_CASE("addresses outside ASCII are delivered with SMTPUTF8 and refused without") {
  Setup setup = two_accounts();
  setup.accounts.push_back(account("jürgen@example.org"));
  TestServer server(setup);
  Client client(server.tcp());
  client.hello();
  CHECK(code_of(client.say("MAIL FROM:<émile@example.net>")) == "550 5.6.7");
  CHECK(code_of(client.say("MAIL FROM:<>")) == "250 2.1.0");
  CHECK(code_of(client.say("RCPT TO:<jürgen@example.org>")) == "553 5.6.7");
  CHECK(code_of(client.say("RSET")) == "250 2.0.0");
  CHECK(code_of(client.say("MAIL FROM:<émile@example.net> SMTPUTF8")) == "250 2.1.0");
  CHECK(code_of(client.say("RCPT TO:<jürgen@example.org>")) == "250 2.1.5");
  CHECK(client.say("DATA").starts_with("354 "));
  client.send("x\r\n.\r\n");
  CHECK(client.line() == "250 2.1.5 <j??rgen@example.org> delivered");
  REQUIRE(server.inbox("jürgen@example.org").size() == 1);
  CHECK(server.inbox("jürgen@example.org")[0].record.prefix ==
        "Return-Path: <émile@example.net>\r\nDelivered-To: jürgen@example.org\r\n");
}

TEST_CASE("an idle client is told so and closed") {
  Setup setup = two_accounts();
  setup.limits.idle_time_lmtp = 200ms;
  TestServer server(setup);
  Client client(server.tcp());
  client.hello();
  CHECK(code_of(client.line()) == "421 4.4.2");
  CHECK(client.line() == "<closed>");
}

TEST_CASE("a client that trickles its message is cut off, and nothing is delivered") {
  Setup setup = two_accounts();
  setup.limits.idle_time_lmtp = 100ms;
  TestServer server(setup);
  Client client(server.tcp());
  client.hello();
  client.send("MAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n");
  CHECK(code_of(client.line()) == "250 2.1.0");
  CHECK(code_of(client.line()) == "250 2.1.5");
  CHECK(client.line().starts_with("354 "));
  int sent = 0;
  while (sent < 200 && client.is_silent_for(20) && client.try_send("x")) ++sent;
  CHECK(sent < 100);
  CHECK(code_of(client.line()) == "421 4.4.2");
  CHECK(server.inbox("ann@example.org").empty());
}

TEST_CASE("a stop says 421 4.3.2, between commands and in the middle of a message") {
  TestServer server;
  Client idle(server.tcp());
  idle.hello();
  Client busy(server.tcp());
  busy.hello();
  busy.send("MAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\nhalf of a mess");
  CHECK(code_of(busy.line()) == "250 2.1.0");
  CHECK(code_of(busy.line()) == "250 2.1.5");
  CHECK(busy.line().starts_with("354 "));
  server.interrupt_all();
  CHECK(code_of(idle.line()) == "421 4.3.2");
  CHECK(idle.line() == "<closed>");
  CHECK(code_of(busy.line()) == "421 4.3.2");
  CHECK(busy.line() == "<closed>");
  CHECK(server.inbox("ann@example.org").empty());
}

TEST_CASE("a client that goes away in the middle leaves nothing behind") {
  TestServer server;
  {
    Client client(server.tcp());
    client.hello();
    client.send("MAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n" +
                std::string(3'000'000, 'x'));
  }
  {
    Client client(server.tcp());
    client.hello();
    client.send("MAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nBDAT 100 LAST\r\nabc");
    client.half_close();
    CHECK(code_of(client.line()) == "250 2.1.0");
    CHECK(code_of(client.line()) == "250 2.1.5");
    CHECK(client.line() == "<closed>");
  }
  Client after(server.tcp());
  after.hello();
  CHECK(server.inbox("ann@example.org").empty());
}

TEST_CASE("a client that pipelines without reading is held back, not buffered without end") {
  TestServer server;
  Client client(server.tcp());
  client.hello();
  const timeval patience{1, 0};
  REQUIRE(::setsockopt(client.fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0);
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += "VRFY x\r\n";
  int sent = 0;
  while (sent < 2'000 && client.try_send(many)) ++sent;
  CHECK(sent < 2'000);  // 160 MB of commands would have been 520 MB of replies
}
