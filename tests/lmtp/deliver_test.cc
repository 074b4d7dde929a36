// `twinpost deliver` against a real server, and against none. The tool is no library, so its
// sources are part of this program.

#include "tools/twinpost/deliver.h"

#include <doctest/doctest.h>
#include <fstream>
#include <sstream>
#include <string>
#include <sysexits.h>
#include <thread>
#include <unistd.h>

#include "tests/lmtp/test_server.h"
#include "tools/twinpost/deliver.cc"
#include "tools/twinpost/lmtp_client.cc"

using namespace twinpost;
using namespace twinpost::lmtp_test;

namespace {

struct Run {
  int code = -1;
  std::string errors;
};

// With `message` on a pipe, as an MTA does it.
Run run(const tools::DeliverOptions& options, const std::string& message) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  std::thread writer([&] {
    std::string_view rest = message;
    while (!rest.empty()) {
      const ssize_t count = ::write(ends[1], rest.data(), rest.size());
      if (count <= 0) break;
      rest.remove_prefix(static_cast<std::size_t>(count));
    }
    ::close(ends[1]);
  });
  std::ostringstream errors;
  Run result;
  result.code = tools::deliver(options, ends[0], errors);
  // What was not read is not wanted: emptied, so that the writer comes to its end without a signal.
  char buffer[65536];
  while (::read(ends[0], buffer, sizeof buffer) > 0) {
  }
  writer.join();
  ::close(ends[0]);
  result.errors = errors.str();
  return result;
}

tools::DeliverOptions to(const TestServer& server, std::vector<std::string> recipients) {
  tools::DeliverOptions options;
  options.socket = net::to_string(server.unix_socket());
  options.sender = "carl@example.net";
  options.recipients = std::move(recipients);
  options.timeout = std::chrono::seconds(10);
  return options;
}

}  // namespace

TEST_CASE("deliver takes the From_ line off and makes line ends canonical") {
  TestServer server;
  const Run result =
      run(to(server, {"ann@example.org"}),
          "From carl@example.net Sat Jan 31 08:05:09 2026\nSubject: x\n\n.\n..\nend");
  CHECK(result.code == EX_OK);
  CHECK(result.errors.empty());
  REQUIRE(server.inbox("ann@example.org").size() == 1);
  CHECK(server.inbox("ann@example.org")[0].octets ==
        "Return-Path: <carl@example.net>\r\nDelivered-To: ann@example.org\r\nSubject: "
        "x\r\n\r\n.\r\n..\r\nend\r\n");
}

TEST_CASE("deliver leaves what only looks like a From_ line, and an empty message") {
  TestServer server;
  CHECK(run(to(server, {"ann@example.org"}), "From: carl\n\nFrom here on\n").code == EX_OK);
  CHECK(server.only_body("ann@example.org") == "From: carl\r\n\r\nFrom here on\r\n");
  CHECK(run(to(server, {"bob@example.org"}), "Fro").code == EX_OK);
  CHECK(server.only_body("bob@example.org") == "Fro\r\n");
  CHECK(run(to(server, {"bob@example.org"}), "").code == EX_OK);
  CHECK(server.inbox("bob@example.org").size() == 2);
}

TEST_CASE("deliver speaks TCP too, and streams a large message") {
  TestServer server;
  auto options = to(server, {"ann@example.org", "bob@example.org"});
  options.socket = net::to_string(server.tcp());
  options.sender = "<>";
  std::string message;
  while (message.size() < 5'000'000) message += ".a line of text\n";
  CHECK(run(options, message).code == EX_OK);
  CHECK(server.only_body("ann@example.org") == canonical(message));
  CHECK(server.inbox("bob@example.org")[0].record.prefix ==
        "Return-Path: <>\r\nDelivered-To: bob@example.org\r\n");
}

TEST_CASE("deliver finds the server by its configuration") {
  TestServer server;
  const auto path = server.folder() / "twinpost.json";
  std::ofstream(path) << R"({"version": 1, "listen": {"lmtp": [")"
                      << net::to_string(server.unix_socket()) << R"("]}})";
  auto options = to(server, {"ann@example.org"});
  options.socket.clear();
  options.config = path.string();
  CHECK(run(options, "x\n").code == EX_OK);
  CHECK(server.only_body("ann@example.org") == "x\r\n");
}

TEST_CASE("deliver's exit codes say what went wrong, in one line each") {
  Setup setup;
  setup.accounts = {account("ann@example.org"), account("small@example.org", {}, 300),
                    account("full@example.org", {}, 0, 1)};
  setup.limits.message_size = 10'000;
  TestServer server(setup);
  CHECK(run(to(server, {"full@example.org"}), "x\n").code == EX_OK);

  const Run unknown = run(to(server, {"nobody@example.org"}), "x\n");
  CHECK(unknown.code == EX_NOUSER);
  CHECK(unknown.errors.starts_with("twinpost deliver: nobody@example.org: 550 5.1.1 "));
  CHECK(std::count(unknown.errors.begin(), unknown.errors.end(), '\n') == 1);

  CHECK(run(to(server, {"small@example.org"}), std::string(500, 'x')).code == EX_CANTCREAT);
  CHECK(run(to(server, {"full@example.org"}), "x\n").code == EX_TEMPFAIL);
  CHECK(run(to(server, {"ann@example.org"}), std::string(20'000, 'x')).code == EX_DATAERR);
  CHECK(run(to(server, {"ann@example.org"}), "Delivered-To: ann@example.org\n\nx\n").code ==
        EX_UNAVAILABLE);
  CHECK(server.inbox("ann@example.org").empty());
}

TEST_CASE("deliver with mixed results: temporary wins, the accepted ones have their mail") {
  Setup setup;
  setup.accounts = {account("ann@example.org"), account("full@example.org", {}, 0, 1)};
  TestServer server(setup);
  CHECK(run(to(server, {"full@example.org"}), "x\n").code == EX_OK);
  const Run mixed =
      run(to(server, {"nobody@example.org", "ann@example.org", "full@example.org"}), "x\n");
  CHECK(mixed.code == EX_TEMPFAIL);
  CHECK(std::count(mixed.errors.begin(), mixed.errors.end(), '\n') == 2);
  CHECK(run(to(server, {"nobody@example.org", "ann@example.org"}), "y\n").code == EX_NOUSER);
  CHECK(server.inbox("ann@example.org").size() == 2);
}

TEST_CASE("deliver refuses addresses that could carry commands, and a call without recipients") {
  TestServer server;
  CHECK(run(to(server, {}), "x\n").code == EX_USAGE);
  CHECK(run(to(server, {"ann@example.org>\r\nRCPT TO:<bob@example.org"}), "x\n").code == EX_USAGE);
  CHECK(run(to(server, {"ann@example.org> SIZE=1"}), "x\n").code == EX_USAGE);
  CHECK(run(to(server, {"<>"}), "x\n").code == EX_USAGE);
  CHECK(run(to(server, {""}), "x\n").code == EX_USAGE);
  auto options = to(server, {"ann@example.org"});
  options.sender = "a b@example.net";
  CHECK(run(options, "x\n").code == EX_USAGE);
  options = to(server, {"ann@example.org"});
  options.socket = "nonsense";
  CHECK(run(options, "x\n").code == EX_USAGE);
  CHECK(server.inbox("ann@example.org").empty());
}

TEST_CASE("deliver without a server, or without a usable configuration") {
  TemporaryFolder folder;
  tools::DeliverOptions options;
  options.recipients = {"ann@example.org"};
  options.socket = "unix:" + (folder.path() / "nobody.sock").string();
  CHECK(run(options, "x\n").code == EX_TEMPFAIL);
  options.socket.clear();
  options.config = (folder.path() / "missing.json").string();
  CHECK(run(options, "x\n").code == EX_CONFIG);
  options.config = (folder.path() / "empty.json").string();
  std::ofstream(options.config) << R"({"listen": {}})";
  const Run none = run(options, "x\n");
  CHECK(none.code == EX_CONFIG);
  CHECK(none.errors.find("LMTP") != std::string::npos);
}

TEST_CASE("deliver with an input that can't be read delivers nothing") {
  TestServer server;
  std::ostringstream errors;
  CHECK(tools::deliver(to(server, {"ann@example.org"}), -1, errors) == EX_IOERR);
  Client after(server.tcp());
  after.hello();
  CHECK(server.inbox("ann@example.org").empty());
}

TEST_CASE("deliver uses SMTPUTF8 for addresses that need it") {
  Setup setup;
  setup.accounts = {account("jürgen@example.org")};
  TestServer server(setup);
  CHECK(run(to(server, {"jürgen@example.org"}), "x\n").code == EX_OK);
  CHECK(server.inbox("jürgen@example.org").size() == 1);
}
