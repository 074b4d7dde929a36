// The message itself: where it ends, what is kept of it, and for whom. Over real sockets.

#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/lmtp/test_server.h"

using namespace twinpost;
using namespace twinpost::lmtp_test;
using namespace std::string_literals;

namespace {

// Sends the octets after DATA, as they are, and returns the first reply to them.
std::string send_data(Client& client, std::string_view wire) {
  REQUIRE(client.say("DATA").starts_with("354 "));
  client.send(wire);
  return code_of(client.line());
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream octets;
  octets << file.rdbuf();
  return octets.str();
}

std::filesystem::path corpus_folder() {
  const char* const configured = std::getenv("TWINPOST_CORPUS");
  return configured != nullptr ? configured : "../shared/corpus";
}

}  // namespace

TEST_CASE("dots, bare line ends and NULs come out as the line-end rule says") {
  TestServer server;
  Client client(server.tcp());
  client.hello();
  begin(client, {"ann@example.org"});
  const std::string message = "S: x\r\n\r\n.\r\n..a\r\nlf\nlone\rcr\r\nnul\0nul\r\nlast"s;
  CHECK(send_data(client, stuffed(message)) == "250 2.1.5");
  CHECK(server.only_body("ann@example.org") == canonical(message));
}

TEST_CASE("the end of the data is found wherever the reads cut it") {
  TestServer server;
  Client client(server.tcp());
  client.hello();
  const std::string wire = "S: x\r\n\r\n..dot\r\n.\nsmuggle\r\n.\r\n";
  const std::string expected = "S: x\r\n\r\n.dot\r\n\r\nsmuggle\r\n";
  for (std::size_t cut = 1; cut < wire.size(); ++cut) {
    CAPTURE(cut);
    begin(client, {"ann@example.org"});
    REQUIRE(client.say("DATA").starts_with("354 "));
    client.send(wire.substr(0, cut));
    // A reply before the end would be a wrong one; the wait also lets the server read this piece
    // alone.
    REQUIRE(client.is_silent_for(5));
    client.send(wire.substr(cut));
    REQUIRE(code_of(client.line()) == "250 2.1.5");
  }
  const auto messages = server.inbox("ann@example.org");
  REQUIRE(messages.size() == wire.size() - 1);
  for (const auto& message : messages) {
    CHECK(message.octets.substr(message.record.prefix.size()) == expected);
  }
}

TEST_CASE("no other line end than CRLF . CRLF ends the data: nothing can be smuggled in") {
  TestServer server;
  const std::string smuggled =
      "MAIL FROM:<eve@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nforged\r\n";
  for (const std::string end :
       {"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\r\n.\r\r\n", "\n\r.\r\n"}) {
    CAPTURE(end);
    Client client(server.tcp());
    client.hello();
    begin(client, {"ann@example.org"});
    CHECK(send_data(client, "x" + end + smuggled + "\r\n.\r\n") == "250 2.1.5");
    CHECK(code_of(client.say("QUIT")) == "221 2.0.0");
    CHECK(client.line() == "<closed>");
  }
  const std::string nul_end = "x\r\n.\0\r\n"s;
  Client client(server.tcp());
  client.hello();
  begin(client, {"ann@example.org"});
  CHECK(send_data(client, nul_end + smuggled + ".\r\n") == "250 2.1.5");
  CHECK(server.inbox("ann@example.org").size() == 9);
  CHECK(server.inbox("bob@example.org").empty());
}

TEST_CASE("a message far over the limit is read to its end, refused, and takes no memory") {
  Setup setup = two_accounts();
  setup.limits.message_size = 2 * 1024 * 1024;
  TestServer server(setup);
  Client client(server.tcp());
  client.hello();
  begin(client, {"ann@example.org", "bob@example.org"});
  REQUIRE(client.say("DATA").starts_with("354 "));
  const std::string piece = std::string(998, 'x') + "\r\n";
  std::string megabyte;
  while (megabyte.size() < 1024 * 1024) megabyte += piece;
  client.send(megabyte + megabyte);
  const std::size_t before = anonymous_kib();
  for (int i = 0; i < 60; ++i) client.send(megabyte);
  if (kMemoryIsMeasurable) CHECK(anonymous_kib() < before + 8 * 1024);
  client.send(".\r\n");
  CHECK(code_of(client.line()) == "552 5.3.4");
  CHECK(code_of(client.line()) == "552 5.3.4");
  CHECK(server.inbox("ann@example.org").empty());
  begin(client, {"ann@example.org"});
  CHECK(send_data(client, "small\r\n.\r\n") == "250 2.1.5");
  CHECK(server.only_body("ann@example.org") == "small\r\n");
}

TEST_CASE("a message of exactly the limit is taken, one octet more is not") {
  Setup setup = two_accounts();
  setup.limits.message_size = 1000;
  TestServer server(setup);
  Client client(server.tcp());
  client.hello();
  begin(client, {"ann@example.org"});
  CHECK(send_data(client, std::string(998, 'x') + "\r\n.\r\n") == "250 2.1.5");
  begin(client, {"ann@example.org"});
  CHECK(send_data(client, std::string(999, 'x') + "\r\n.\r\n") == "552 5.3.4");
  CHECK(code_of(client.say("MAIL FROM:<> SIZE=1000")) == "250 2.1.0");
  CHECK(code_of(client.say("RSET")) == "250 2.0.0");
  CHECK(code_of(client.say("MAIL FROM:<> SIZE=1001")) == "552 5.3.4");
  CHECK(code_of(client.say("RCPT TO:<ann@example.org>")) == "503 5.5.1");
}

TEST_CASE("a large message goes through the spool's file whole") {
  TestServer server;
  Client client(server.unix_socket());
  client.hello();
  std::string message;
  for (int i = 0; message.size() < 12 * 1024 * 1024; ++i) message += fmt::format(".line {}\r\n", i);
  begin(client, {"ann@example.org"});
  CHECK(send_data(client, stuffed(message)) == "250 2.1.5");
  CHECK(server.only_body("ann@example.org") == message);
}

TEST_CASE("fifty recipients get a copy each, and the body is stored once") {
  Setup setup;
  std::vector<std::string> names;
  for (int i = 0; i < 50; ++i) {
    names.push_back(fmt::format("user{}@example.org", i));
    setup.accounts.push_back(account(names.back()));
  }
  TestServer server(setup);
  Client client(server.tcp());
  client.hello();
  begin(client, names);
  const auto commits_before = server.store().figures().commits;
  REQUIRE(client.say("DATA").starts_with("354 "));
  client.send(std::string(10'000, 'x') + "\r\n.\r\n");
  for (const auto& name : names)
    CHECK(client.line() == fmt::format("250 2.1.5 <{}> delivered", name));
  CHECK(server.store().figures().commits == commits_before + 1);

  const auto first = server.inbox(names[0]);
  REQUIRE(first.size() == 1);
  const auto blob = first[0].record.blob;
  for (const auto& name : names) {
    const auto messages = server.inbox(name);
    REQUIRE(messages.size() == 1);
    CHECK(messages[0].record.blob == blob);
    CHECK(messages[0].record.prefix ==
          fmt::format("Return-Path: <carl@example.net>\r\nDelivered-To: {}\r\n", name));
  }
  const auto info =
      server.store().read_now([&](const store::ReadView& view) { return view.blob_info(blob); });
  REQUIRE(info.has_value());
  CHECK(info->references == 50);
}

TEST_CASE("a recipient given twice gets one copy and two replies; two aliases get a copy each") {
  Setup setup;
  setup.accounts = {account("ann@example.org", {"sales@example.org", "info@example.org"})};
  TestServer server(setup);
  Client client(server.tcp());
  client.hello();
  begin(client,
        {"sales@example.org", "SALES@example.org", "info@example.org", "sales@example.org"});
  REQUIRE(client.say("DATA").starts_with("354 "));
  client.send("x\r\n.\r\n");
  for (int i = 0; i < 4; ++i) CHECK(code_of(client.line()) == "250 2.1.5");
  const auto messages = server.inbox("ann@example.org");
  REQUIRE(messages.size() == 2);
  CHECK(messages[0].octets.find("Delivered-To: sales@example.org\r\n") != std::string::npos);
  CHECK(messages[1].octets.find("Delivered-To: info@example.org\r\n") != std::string::npos);
}

TEST_CASE(
    "quotas: full is temporary, too large for the whole quota is not, and neighbours get their "
    "mail") {
  Setup setup;
  setup.accounts = {account("ann@example.org", {}, 2000), account("bob@example.org"),
                    account("carl@example.org", {}, 0, 1)};
  TestServer server(setup);
  Client client(server.tcp());
  client.hello();

  CHECK(code_of(client.say("MAIL FROM:<> SIZE=5000")) == "250 2.1.0");
  CHECK(code_of(client.say("RCPT TO:<ann@example.org>")) == "552 5.2.2");
  CHECK(code_of(client.say("RCPT TO:<bob@example.org>")) == "250 2.1.5");
  CHECK(code_of(client.say("RSET")) == "250 2.0.0");

  // Undeclared, the end of the data finds it out.
  begin(client, {"ann@example.org", "bob@example.org", "carl@example.org"});
  CHECK(send_data(client, std::string(5000, 'x') + "\r\n.\r\n") == "552 5.2.2");
  CHECK(code_of(client.line()) == "250 2.1.5");
  CHECK(code_of(client.line()) == "250 2.1.5");

  begin(client, {"ann@example.org"});
  CHECK(send_data(client, std::string(1500, 'x') + "\r\n.\r\n") == "250 2.1.5");
  CHECK(code_of(client.say("MAIL FROM:<> SIZE=1000")) == "250 2.1.0");
  CHECK(code_of(client.say("RCPT TO:<ann@example.org>")) == "452 4.2.2");
  CHECK(code_of(client.say("RCPT TO:<carl@example.org>")) == "452 4.2.2");
  CHECK(code_of(client.say("RSET")) == "250 2.0.0");
  begin(client, {"bob@example.org", "ann@example.org"});
  CHECK(send_data(client, std::string(1000, 'x') + "\r\n.\r\n") == "250 2.1.5");
  CHECK(code_of(client.line()) == "452 4.2.2");
  CHECK(server.inbox("ann@example.org").size() == 1);
  CHECK(server.inbox("bob@example.org").size() == 2);
  CHECK(server.inbox("carl@example.org").size() == 1);
}

TEST_CASE("a message that was delivered to this very address before is a loop") {
  Setup setup;
  setup.accounts = {account("ann@example.org", {"sales@example.org"}), account("bob@example.org")};
  TestServer server(setup);
  Client client(server.tcp());
  client.hello();
  begin(client, {"ann@example.org", "sales@example.org", "bob@example.org"});
  CHECK(send_data(client, "Delivered-To: Ann@Example.ORG\r\n\r\nx\r\n.\r\n") == "554 5.4.6");
  CHECK(code_of(client.line()) == "250 2.1.5");
  CHECK(code_of(client.line()) == "250 2.1.5");
  CHECK(server.inbox("ann@example.org").size() == 1);
}

TEST_CASE("a message that has come over too many hops is a loop") {
  Setup setup = two_accounts();
  setup.limits.lmtp_loops = 5;
  TestServer server(setup);
  Client client(server.tcp());
  client.hello();
  const auto with_hops = [](int hops) {
    std::string message;
    for (int i = 0; i < hops; ++i) message += "Received: from a by b\r\n";
    return message + "\r\nReceived: text\r\n.\r\n";
  };
  begin(client, {"ann@example.org"});
  CHECK(send_data(client, with_hops(5)) == "250 2.1.5");
  begin(client, {"ann@example.org"});
  CHECK(send_data(client, with_hops(6)) == "554 5.4.6");
}

TEST_CASE("an account that a reload took away before the end of the data is unknown") {
  TestServer server;
  Client client(server.tcp());
  client.hello();
  begin(client, {"ann@example.org", "bob@example.org"});
  server.replace_accounts({account("bob@example.org")});
  CHECK(send_data(client, "x\r\n.\r\n") == "550 5.1.1");
  CHECK(code_of(client.line()) == "250 2.1.5");
  CHECK(server.inbox("ann@example.org").empty());
}

TEST_CASE(
    "every message of the corpus goes in by DATA and by BDAT and is the same octet for octet") {
  if (!std::filesystem::is_directory(corpus_folder())) {
    MESSAGE("skipped: no corpus at " << corpus_folder().string() << " (set TWINPOST_CORPUS)");
    return;
  }
  Setup setup = two_accounts();
  setup.limits.lmtp_loops = 0;
  TestServer server(setup);
  Client client(server.unix_socket());
  client.hello();
  std::map<std::string, std::vector<std::string>> sent;  // by account
  for (const auto& entry : std::filesystem::recursive_directory_iterator(corpus_folder())) {
    if (!entry.is_regular_file() || entry.path().extension() != ".eml") continue;
    CAPTURE(entry.path().string());
    const std::string octets = read_file(entry.path());
    begin(client, {"ann@example.org"}, " BODY=8BITMIME");
    REQUIRE(send_data(client, stuffed(octets)) == "250 2.1.5");
    begin(client, {"bob@example.org"});
    client.send(fmt::format("BDAT {} LAST\r\n", octets.size()));
    client.send(octets);
    REQUIRE(code_of(client.line()) == "250 2.1.5");
    // DATA can't carry a message whose last octets are not CRLF: the sender adds them, also behind
    // a bare LF.
    const bool is_ended = octets.empty() || octets.ends_with("\r\n");
    sent["ann@example.org"].push_back(canonical(is_ended ? octets : octets + "\r\n"));
    sent["bob@example.org"].push_back(canonical(octets));
  }
  for (const auto& [name, expected] : sent) {
    REQUIRE(expected.size() > 100);
    const auto messages = server.inbox(name);
    REQUIRE(messages.size() == expected.size());
    std::size_t different = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (messages[i].octets.substr(messages[i].record.prefix.size()) != expected[i]) ++different;
    }
    CHECK(different == 0);
  }
}
