// What a large maildrop and a client that takes no answers do to the server.
#include <doctest/doctest.h>
#include <set>

#include "store/prepare.h"
#include "tests/pop3/pop3_frontend.h"
#include "tests/support/transcript_client.h"

using namespace twinpost;

namespace {

testing::WorldSettings settings_with_ann() {
  testing::WorldSettings settings;
  config::Account ann;
  ann.name = "ann";
  ann.password = "{PLAIN}secret";
  settings.accounts.accounts["ann"] = ann;
  return settings;
}

store::PreparedMessagePtr prepare(testing::World& world, std::string_view octets) {
  store::Spool spool(world.store().spool_folder(), 0);
  REQUIRE(spool.append(octets));
  REQUIRE(spool.finish());
  auto prepared = store::prepare_message(std::move(spool), world.store().coder());
  REQUIRE(prepared);
  return *prepared;
}

void fill(testing::World& world, std::size_t count) {
  store::AppendRequest request;
  request.message = prepare(world, testing::make_message(100, 1));
  const auto done = world.store().write_now([&](store::WriteTxn& txn) -> Result<void> {
    const auto account = txn.ensure_account("ann");
    if (!account) return tl::unexpected(account.error());
    const auto inbox = txn.find_mailbox(account->id, "INBOX");
    if (!inbox) return tl::unexpected(inbox.error());
    for (std::size_t i = 0; i < count; ++i) {
      const auto appended = txn.append({account->id, inbox->id}, request);
      if (!appended) return tl::unexpected(appended.error());
    }
    return {};
  });
  REQUIRE(done);
}

std::string ask(testing::Client& client, const std::string& command) {
  client.send(command + "\r\n");
  return client.read_line().value();
}

std::vector<std::string> ask_lines(testing::Client& client, const std::string& command) {
  REQUIRE(ask(client, command).starts_with("+OK"));
  std::vector<std::string> lines;
  for (std::string line; (line = client.read_line().value()) != ".";) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("a maildrop of 100,000 messages is listed, read and emptied") {
  constexpr std::size_t kCount = 100'000;
  testing::World world(settings_with_ann(), testing::pop3_frontend());
  fill(world, kCount);
  testing::Client client(world.port());
  REQUIRE(client.read_line());
  REQUIRE(ask(client, "USER ann").starts_with("+OK"));
  CHECK(ask(client, "PASS secret") == "+OK maildrop has 100000 messages (10000000 octets)");
  CHECK(ask(client, "STAT") == "+OK 100000 10000000");

  const auto listing = ask_lines(client, "LIST");
  REQUIRE(listing.size() == kCount);
  CHECK(listing.back() == "100000 100");
  std::set<std::string> uidls;
  for (const std::string& line : ask_lines(client, "UIDL")) {
    uidls.insert(line.substr(line.find(' ') + 1));
  }
  CHECK(uidls.size() == kCount);
  CHECK(ask_lines(client, "RETR 100000").size() == 4);

  std::string pipelined;
  for (std::size_t n = 2; n <= kCount; ++n) pipelined += "DELE " + std::to_string(n) + "\r\n";
  std::thread sender([&] { client.send(pipelined); });
  std::size_t marked = 0;
  for (std::size_t n = 2; n <= kCount; ++n)
    marked += client.read_line()->starts_with("+OK") ? 1 : 0;
  sender.join();
  CHECK(marked == kCount - 1);
  CHECK(ask(client, "STAT") == "+OK 1 100");
  CHECK(ask(client, "QUIT") == "+OK 99999 messages removed");
}

TEST_CASE("a client that sends commands and takes no answers is read no further, then dropped") {
  auto settings = settings_with_ann();
  settings.server.limits.write_time = Duration(300);
  testing::World world(std::move(settings), testing::pop3_frontend());
  fill(world, 1);
  testing::Client client(world.port());
  client.send("USER ann\r\nPASS secret\r\n");
  std::string commands;
  while (commands.size() < 64 * 1024) commands += "STAT\r\n";
  std::size_t sent = 0;
  constexpr std::size_t kTooMuch = std::size_t{256} * 1024 * 1024;
  try {
    while (sent < kTooMuch) {
      client.send(commands);
      sent += commands.size();
    }
  } catch (const std::exception&) {  // the server has dropped the connection
  }
  CHECK(sent < kTooMuch);
}
