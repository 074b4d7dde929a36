#include "tools/twinpost/transfer/imap_source.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fstream>

#include "tests/store/support.h"
#include "tests/tools/scripted_server.h"

namespace twinpost::tools {

namespace {

using namespace std::chrono_literals;
using test::FakeImap;
using test::FakePop3;
using test::Peer;
using test::ScriptedServer;

std::string mail(std::string_view id) {
  return fmt::format(
      "Message-ID: <{}@x>\r\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\n\r\nHello {}\r\n", id, id);
}

struct Opened {
  store::test::TempFolder folder;
  ImapImportOptions options;
  std::vector<std::string> notes;

  explicit Opened(std::uint16_t port, std::uint16_t pop3_port = 0) {
    options.password_file = folder.path() + "/password";
    std::ofstream(options.password_file) << "se\"cret\n";
    options.host = "127.0.0.1";
    options.port = port;
    options.tls = TlsMode::kNone;
    options.user = "ann";
    options.pop3 = pop3_port != 0;
    options.pop3_port = pop3_port;
    options.pop3_tls = TlsMode::kNone;
    options.timeouts = {2s, 1s, 3s};
    options.first_pause = 1ms;
    options.note = [this](std::string_view line) { notes.emplace_back(line); };
  }
  [[nodiscard]] bool has_note(std::string_view part) const {
    return std::any_of(notes.begin(), notes.end(),
                       [&](const std::string& n) { return n.find(part) != std::string::npos; });
  }
};

struct Read {
  std::vector<MailItem> items;
  std::vector<Result<std::string>> octets;
};

Read read_inbox(MailSource& source) {
  Read read;
  const auto folders = source.folders();
  REQUIRE_MESSAGE(folders, (folders ? "" : folders.error().message));
  REQUIRE_FALSE(folders->empty());
  auto items = source.items(folders->front());
  REQUIRE_MESSAGE(items, (items ? "" : items.error().message));
  read.items = *items;
  for (std::size_t i = 0; i < items->size(); ++i) {
    read.octets.push_back(
        source.read(folders->front(), (*items)[i], std::span(*items).subspan(i + 1)));
  }
  return read;
}

FakeImap three_messages() {
  FakeImap imap;
  imap.inbox = {{3, "\\Seen $Label \\Recent", mail("a")}, {5, "", ""}, {9, "\\Deleted", mail("c")}};
  return imap;
}

// What a server that serves like this makes of an import: the first error that ends it.
Error failure(const ScriptedServer::Serve& serve) {
  ScriptedServer server(serve);
  Opened opened(server.port());
  opened.options.reconnects = 1;
  const auto began = std::chrono::steady_clock::now();
  Error error;
  const auto source = open_imap_source(opened.options);
  if (!source) {
    error = source.error();
  } else if (const auto folders = (*source)->folders(); !folders) {
    error = folders.error();
  } else if (const auto items = (*source)->items(folders->front()); !items) {
    error = items.error();
  } else {
    for (const MailItem& item : *items) {
      const auto octets = (*source)->read(folders->front(), item, {});
      if (octets) continue;
      error = octets.error();
      break;
    }
  }
  CHECK(std::chrono::steady_clock::now() - began < 30s);
  CHECK_FALSE(error.message.empty());
  CHECK(error.message.find('\n') == std::string::npos);
  MESSAGE(error.message);
  return error;
}

// A server that is well until it is asked something that begins so.
Error failure_at(std::string_view command,
                 const std::function<void(Peer&, const std::string& tag)>& then) {
  FakeImap imap = three_messages();
  imap.answers = [&](Peer& peer, const std::string& tag, const std::string& text) {
    if (!text.starts_with(command)) return false;
    then(peer, tag);
    return true;
  };
  return failure([&](Peer& peer, unsigned) { imap.serve(peer); });
}

}  // namespace

TEST_CASE(
    "an IMAP source gives a folder's messages as the server has them and changes nothing there") {
  FakeImap imap = three_messages();
  {
    ScriptedServer server([&](Peer& peer, unsigned) { imap.serve(peer); });
    Opened opened(server.port());
    auto source = open_imap_source(opened.options);
    REQUIRE_MESSAGE(source, (source ? "" : source.error().message));
    const Read read = read_inbox(**source);
    REQUIRE(read.items.size() == 3);
    CHECK(read.items[0].uid == store::Uid(3));
    CHECK(read.items[0].flags == store::bit(store::Flag::kSeen));
    CHECK(read.items[0].keywords == std::vector<std::string>{"$Label"});
    CHECK(read.items[0].date.zone_minutes == 60);
    CHECK(read.items[0].size == mail("a").size());
    CHECK(read.items[0].key);
    CHECK(*read.octets[0] == mail("a"));
    CHECK(*read.octets[1] == "");
    CHECK(*read.octets[2] == mail("c"));
    CHECK(opened.notes.empty());
  }
  CHECK(std::count(imap.seen.begin(), imap.seen.end(), "LOGIN \"ann\" \"se\\\"cret\"") == 1);
  CHECK(std::count(imap.seen.begin(), imap.seen.end(), "UID FETCH 3,5,9 (UID BODY.PEEK[])") == 1);
  for (const std::string& command : imap.seen) {
    CAPTURE(command);
    CHECK_FALSE(command.starts_with("SELECT"));
    CHECK_FALSE(command.starts_with("STORE"));
    CHECK(command.find("BODY[") == std::string::npos);
  }
}

TEST_CASE("a connection that breaks is made again, and what came before is not asked for twice") {
  FakeImap imap = three_messages();
  unsigned fetches = 0;
  imap.answers = [&](Peer& peer, const std::string&, const std::string& text) {
    if (!text.starts_with("UID FETCH") || ++fetches > 1) return false;
    peer.send("* 1 FETCH (UID 3 BODY[] {" + std::to_string(mail("a").size()) + "}\r\n" + mail("a") +
              ")\r\n* 2 FETCH (UID 5 BODY[] {100}\r\nhal");
    peer.close();
    return true;
  };
  ScriptedServer server([&](Peer& peer, unsigned) { imap.serve(peer); });
  Opened opened(server.port());
  auto source = open_imap_source(opened.options);
  REQUIRE(source);
  const Read read = read_inbox(**source);
  CHECK(*read.octets[0] == mail("a"));
  CHECK(*read.octets[1] == "");
  CHECK(*read.octets[2] == mail("c"));
  CHECK(server.connections() == 2);
  CHECK(opened.has_note("closed the connection; connecting again"));
}

TEST_CASE("a message that always breaks the connection is given up; the others come") {
  FakeImap imap = three_messages();
  imap.answers = [&](Peer& peer, const std::string&, const std::string& text) {
    if (!text.starts_with("UID FETCH") || text.find('5') == std::string::npos) return false;
    peer.close();
    return true;
  };
  ScriptedServer server([&](Peer& peer, unsigned) { imap.serve(peer); });
  Opened opened(server.port());
  auto source = open_imap_source(opened.options);
  REQUIRE(source);
  const Read read = read_inbox(**source);
  CHECK(*read.octets[0] == mail("a"));
  REQUIRE_FALSE(read.octets[1]);
  CHECK(read.octets[1].error().code == ErrorCode::kCorrupt);
  CHECK(*read.octets[2] == mail("c"));
}

TEST_CASE("one message that the server refuses, or that has gone, does not keep the others") {
  FakeImap imap = three_messages();
  imap.answers = [&](Peer& peer, const std::string& tag, const std::string& text) {
    if (!text.starts_with("UID FETCH")) return false;
    if (text.starts_with("UID FETCH 9 ")) return peer.send(tag + " OK nothing there\r\n");
    if (text.find('5') == std::string::npos) return false;
    return peer.send(tag + " NO [SERVERBUG] it is damaged\r\n");
  };
  ScriptedServer server([&](Peer& peer, unsigned) { imap.serve(peer); });
  Opened opened(server.port());
  auto source = open_imap_source(opened.options);
  REQUIRE(source);
  const Read read = read_inbox(**source);
  CHECK(*read.octets[0] == mail("a"));
  CHECK(read.octets[1].error().code == ErrorCode::kCorrupt);
  CHECK(read.octets[1].error().message.find("it is damaged") != std::string::npos);
  CHECK(read.octets[2].error().code == ErrorCode::kNotFound);
}

TEST_CASE("a mailbox that was made anew after a broken connection ends the import") {
  FakeImap imap = three_messages();
  imap.answers = [&](Peer& peer, const std::string&, const std::string& text) {
    if (!text.starts_with("UID FETCH")) return false;
    imap.uid_validity = 78;
    peer.close();
    return true;
  };
  const Error error = failure([&](Peer& peer, unsigned) { imap.serve(peer); });
  CHECK(error.code == ErrorCode::kConflict);
  CHECK(error.message.find("UIDVALIDITY 77 became 78") != std::string::npos);
}

TEST_CASE("logins are refused in one line, and none goes where it must not") {
  CHECK(failure_at("LOGIN", [](Peer& peer, const std::string& tag) {
          peer.send(tag + " NO [AUTHENTICATIONFAILED] Invalid\r\n");
        }).code == ErrorCode::kPermission);
  FakeImap imap;
  imap.capabilities = "IMAP4rev1 LOGINDISABLED STARTTLS";
  const Error disabled = failure([&](Peer& peer, unsigned) { imap.serve(peer); });
  CHECK(disabled.code == ErrorCode::kUnsupported);
  CHECK(disabled.message.find("TLS") != std::string::npos);
  CHECK(imap.seen.empty());
  CHECK(failure([](Peer& peer, unsigned) { peer.send("* PREAUTH hello root\r\n"); }).code ==
        ErrorCode::kUnsupported);
  CHECK(failure([](Peer& peer, unsigned) { peer.send("* BYE too many\r\n"); }).code ==
        ErrorCode::kClosed);
}

TEST_CASE("AUTHENTICATE PLAIN is used where it is offered, with or without an initial response") {
  for (const bool at_once : {true, false}) {
    FakeImap imap = three_messages();
    imap.capabilities = at_once ? "IMAP4rev1 AUTH=PLAIN SASL-IR" : "IMAP4rev1 AUTH=PLAIN";
    std::string secret;
    imap.answers = [&](Peer& peer, const std::string& tag, const std::string& text) {
      if (!text.starts_with("AUTHENTICATE")) return false;
      if (!at_once) {
        CHECK(text == "AUTHENTICATE PLAIN");
        peer.send("+ \r\n");
        secret = peer.line();
      } else {
        secret = text.substr(std::string_view("AUTHENTICATE PLAIN ").size());
      }
      return peer.send(tag + " OK [CAPABILITY IMAP4rev1] in\r\n");
    };
    ScriptedServer server([&](Peer& peer, unsigned) { imap.serve(peer); });
    Opened opened(server.port());
    auto source = open_imap_source(opened.options);
    REQUIRE_MESSAGE(source, (source ? "" : source.error().message));
    CHECK(read_inbox(**source).items.size() == 3);
    CHECK(secret == "AGFubgBzZSJjcmV0");
  }
}

TEST_CASE(
    "a server that never stops, claims too much or breaks off gives a clear error in bounded "
    "time") {
  // Never a word; a line without an end; something else than IMAP.
  CHECK(failure([](Peer& peer, unsigned) { peer.hang(); }).code == ErrorCode::kTimeout);
  const auto endless_line = [](Peer& peer, const std::string&) {
    peer.send("* LIST () \"/\" \"");
    while (peer.send(std::string(65536, 'x'))) continue;
  };
  CHECK(failure_at("LIST", endless_line).code == ErrorCode::kTooLarge);
  CHECK(failure([](Peer& peer, unsigned) { peer.send("HTTP/1.0 400 Bad\r\n\r\n"); }).code ==
        ErrorCode::kInvalid);
  // Answers without an end: the deadline of the whole command, or their number.
  const auto endless_answers = [](Peer& peer, const std::string&) {
    while (peer.send("* OK still there\r\n")) continue;
  };
  const ErrorCode endless = failure_at("LIST", endless_answers).code;
  CHECK((endless == ErrorCode::kTimeout || endless == ErrorCode::kTooLarge));
  // Octets that are only claimed.
  const auto huge_claim = [](Peer& peer, const std::string&) {
    peer.send("* 1 FETCH (UID 3 BODY[] {9000000000000000000}\r\n");
    peer.hang();
  };
  CHECK(failure_at("UID FETCH", huge_claim).code == ErrorCode::kCorrupt);
  CHECK(failure_at("FETCH", huge_claim).code == ErrorCode::kTooLarge);
  const auto slow_claim = [](Peer& peer, const std::string&) {
    peer.send("* 1 FETCH (UID 3 BODY[] {2000000000}\r\nx");
    peer.hang();
  };
  CHECK(failure_at("UID FETCH", slow_claim).code == ErrorCode::kCorrupt);
  CHECK(failure_at("FETCH", [](Peer& peer, const std::string&) {
          peer.send(std::string("* 1 FETCH (UID 3 FLAGS (\0))\r\n", 30));
        }).code == ErrorCode::kInvalid);
  CHECK(failure_at("FETCH", [](Peer& peer, const std::string&) {
          peer.send("* 1 FETCH (UID 3 FLAGS ({10}\r\nabc");
          peer.close();
        }).code == ErrorCode::kClosed);
  const Error bye = failure_at("EXAMINE", [](Peer& peer, const std::string&) {
    peer.send("* BYE maintenance\r\n");
    peer.close();
  });
  CHECK(bye.code == ErrorCode::kClosed);
  CHECK(bye.message.find("maintenance") != std::string::npos);
  CHECK(failure_at("LIST", [](Peer& peer, const std::string&) {
          for (int i = 0; i < 10'001; ++i) peer.send(fmt::format("* LIST () \"/\" f{}\r\n", i));
          peer.send("T2 OK\r\n");
        }).code == ErrorCode::kLimit);
  CHECK(failure_at("EXAMINE", [](Peer& peer, const std::string& tag) {
          peer.send(tag + " NO not yours\r\n");
        }).code == ErrorCode::kNotFound);
  CHECK(failure_at("EXAMINE", [](Peer& peer, const std::string&) {
          peer.send("T99 OK who asked?\r\n");
        }).code == ErrorCode::kInvalid);
}

TEST_CASE("UIDLs come from POP3 by format, by order, and by headers") {
  FakeImap imap;
  imap.inbox = {{3, "", mail("a")}, {5, "", mail("bb")}, {9, "", mail("ccc")}};
  const std::string x = mail("a"), y = mail("bb"), z = mail("ccc");
  FakePop3 pop3;
  std::vector<std::string> expected{"p", "q", "r"};
  SUBCASE("Dovecot's format") {
    expected = {"000000030000004d", "000000050000004d", "000000090000004d"};
    pop3.messages = {{expected[2], z}, {expected[0], x}, {expected[1], y}};
  }
  SUBCASE("the same order") { pop3.messages = {{"p", x}, {"q", y}, {"r", z}}; }
  SUBCASE("the same order, without TOP") {
    pop3.messages = {{"p", x}, {"q", y}, {"r", z}};
    pop3.has_top = false;
  }
  SUBCASE("another order") { pop3.messages = {{"r", z}, {"p", x}, {"q", y}}; }
  SUBCASE("equal sizes in another order") {
    imap.inbox[1].octets = mail("b");
    pop3.messages = {{"q", mail("b")}, {"p", x}, {"r", z}};
  }
  SUBCASE("one that POP3 does not show") {
    expected[1].clear();
    pop3.messages = {{"p", x}, {"r", z}};
  }
  ScriptedServer imap_server([&](Peer& peer, unsigned) { imap.serve(peer); });
  ScriptedServer pop3_server([&](Peer& peer, unsigned) { pop3.serve(peer); });
  Opened opened(imap_server.port(), pop3_server.port());
  auto source = open_imap_source(opened.options);
  REQUIRE_MESSAGE(source, (source ? "" : source.error().message));
  const Read read = read_inbox(**source);
  REQUIRE(read.items.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(read.items[i].uidl == expected[i]);
  CHECK(opened.has_note(expected[1].empty() ? "2 of 3 messages" : "3 of 3 messages"));
  for (const std::string& line : pop3.seen) {
    CHECK_FALSE(line.starts_with("DELE"));
    CHECK_FALSE(line.starts_with("RETR"));
  }
}

TEST_CASE("a POP3 side that is not there is an error before anything is brought") {
  FakeImap imap = three_messages();
  ScriptedServer server([&](Peer& peer, unsigned) { imap.serve(peer); });
  ScriptedServer refusing([](Peer& peer, unsigned) { peer.send("-ERR go away\r\n"); });
  Opened opened(server.port(), refusing.port());
  const auto source = open_imap_source(opened.options);
  REQUIRE_FALSE(source);
  CHECK(source.error().message.find("go away") != std::string::npos);
  CHECK(source.error().message.find("--pop3 none") != std::string::npos);
}

TEST_CASE("Gmail's All Mail brings only what no other folder has") {
  FakeImap imap;
  imap.capabilities = "IMAP4rev1 X-GM-EXT-1 LIST-EXTENDED SPECIAL-USE";
  imap.list = {R"(* LIST () "/" INBOX)",
               R"(* LIST (\Noselect) "/" "[Gmail]")",
               R"(* LIST (\All) "/" "[Gmail]/All Mail")",
               R"(* LIST (\Flagged) "/" "[Gmail]/Starred")",
               R"(* LIST (\Sent) "/" "[Gmail]/Sent Mail")",
               R"(* LIST () "/" "Work")"};
  imap.answers = [](Peer& peer, const std::string& tag, const std::string& text) {
    if (text.starts_with("EXAMINE")) {
      return peer.send("* 5 EXISTS\r\n* OK [UIDVALIDITY 77] x\r\n" + tag + " OK\r\n");
    }
    if (!text.starts_with("FETCH")) return false;
    const char* labels[] = {"\"\\\\Inbox\"", "\"\\\\Sent\" \"\\\\Important\"", "Work",
                            "\"\\\\Starred\"", "Hidden"};
    for (int i = 1; i <= 5; ++i)
      peer.send(
          fmt::format("* {} FETCH (UID {} FLAGS () INTERNALDATE \"05-Jan-2026 10:00:00 +0100\" "
                      "RFC822.SIZE 1 X-GM-LABELS ({}))\r\n",
                      i, i, labels[i - 1]));
    return peer.send(tag + " OK\r\n");
  };
  ScriptedServer server([&](Peer& peer, unsigned) { imap.serve(peer); });
  Opened opened(server.port());
  SUBCASE("by default") { opened.options.skip_gmail_all = true; }
  SUBCASE("unless asked") { opened.options.skip_gmail_all = false; }
  auto source = open_imap_source(opened.options);
  REQUIRE(source);
  const auto folders = (*source)->folders();
  REQUIRE(folders);
  CHECK(folders->size() == (opened.options.skip_gmail_all ? 5U : 6U));
  for (const MailFolder& folder : *folders) {
    if (folder.special_use != store::SpecialUse::kAll) continue;
    const auto items = (*source)->items(folder);
    REQUIRE(items);
    CHECK(items->size() == (opened.options.skip_gmail_all ? 2U : 5U));
    CHECK(items->back().uid == store::Uid(5));
  }
  CHECK(opened.has_note("All Mail") == opened.options.skip_gmail_all);
}

TEST_CASE("the command line says where, how and what, and contradictions are refused") {
  const auto finish = [](std::vector<std::string> words) {
    CLI::App app;
    ImapCommandLine line;
    add_imap_options(app, line);
    std::reverse(words.begin(), words.end());
    app.parse(words);
    return finish_imap_options(line);
  };
  auto options = finish({"--imap", "mail.example.org", "--user", "ann"});
  REQUIRE(options);
  CHECK(options->host == "mail.example.org");
  CHECK(options->port == 0);
  CHECK(options->tls == TlsMode::kImplicit);
  CHECK(options->pop3);
  options =
      finish({"--imap", "[::1]:1143", "--tls", "starttls", "--pop3", "old:1110", "--folder", "A",
              "--folder", "B", "--no-skip-gmail-all", "--fingerprint", std::string(64, 'A')});
  REQUIRE(options);
  CHECK(options->host == "::1");
  CHECK(options->port == 1143);
  CHECK(options->pop3_tls == TlsMode::kStartTls);
  CHECK(options->pop3_host == "old");
  CHECK(options->pop3_port == 1110);
  CHECK(options->folders.size() == 2);
  CHECK_FALSE(options->skip_gmail_all);
  CHECK(options->trust.fingerprint == std::string(64, 'a'));
  CHECK_FALSE(finish({"--imap", "h", "--pop3", "none"})->pop3);
  CHECK_FALSE(finish({"--imap", "h:0"}));
  CHECK_FALSE(finish({"--imap", "h:99999"}));
  CHECK_FALSE(finish({"--imap", "[::1"}));
  CHECK_FALSE(finish({"--imap", "h", "--tls", "maybe"}));
  CHECK_FALSE(finish({"--imap", "h", "--fingerprint", "12"}));
  CHECK_FALSE(finish({"--imap", "h", "--insecure", "--ca-file", "x"}));
}

}  // namespace twinpost::tools
