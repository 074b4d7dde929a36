// LIST and SUBSCRIBE of an account that is at its limits, through a real session.
#include <algorithm>
#include <doctest/doctest.h>
#include <memory>
#include <string>
#include <vector>

#include "imap/mailbox_changes.h"
#include "tests/imap/imap_frontend.h"
#include "tests/support/transcript_client.h"
#include "tests/support/transcript_world.h"

using namespace twinpost;

namespace {

testing::WorldSettings settings_for_ann() {
  testing::WorldSettings settings;
  config::Account ann;
  ann.name = "ann";
  ann.password = "{PLAIN}secret";
  settings.accounts.accounts[ann.name] = ann;
  return settings;
}

// A session of ann's.
class Ann {
 public:
  explicit Ann(testing::World& world) : client_(world.port()) {
    client_.read_line();
    run("LOGIN ann secret");
  }
  // Every line up to the tagged one, which is the last.
  std::vector<std::string> run(const std::string& command) {
    client_.send("t " + command + "\r\n");
    std::vector<std::string> lines;
    do {
      lines.push_back(client_.read_line().value());
    } while (!lines.back().starts_with("t "));
    return lines;
  }

 private:
  testing::Client client_;
};

store::AccountId make_mailboxes(testing::World& world, int count) {
  const auto made =
      world.store().write_now([count](store::WriteTxn& txn) -> Result<store::AccountId> {
        const auto account = txn.ensure_account("ann");
        if (!account) return tl::unexpected(account.error());
        for (int i = 0; i < count; ++i) {
          const auto mailbox = imap::create_mailbox(
              txn, account->id, "parent/mailbox" + std::to_string(i), store::SpecialUse::kNone, 0);
          if (!mailbox) return tl::unexpected(mailbox.error());
        }
        return account->id;
      });
  REQUIRE(made);
  return *made;
}

}  // namespace

TEST_CASE("an account at its limit of mailboxes lists them all, each before its STATUS") {
  testing::World world(settings_for_ann(), testing::imap_frontend());
  make_mailboxes(world, 9'998);  // with INBOX and the parent 10,000
  Ann ann(world);
  const auto lines = ann.run("LIST \"\" * RETURN (STATUS (MESSAGES RECENT MAILBOXID) SUBSCRIBED)");
  REQUIRE(lines.size() == 20'001);
  CHECK(lines.back() == "t OK LIST completed");
  CHECK(lines[0] == "* LIST (\\Subscribed \\HasNoChildren) \"/\" INBOX");
  bool in_order = true;
  for (std::size_t i = 0; i + 1 < lines.size(); i += 2) {
    const std::string name = lines[i].substr(lines[i].rfind(' ') + 1);
    in_order = in_order && lines[i].starts_with("* LIST (") &&
               lines[i + 1].starts_with("* STATUS " + name + " (MESSAGES 0 RECENT 0 MAILBOXID (");
  }
  CHECK(in_order);
  CHECK(ann.run("CREATE more") ==
        std::vector<std::string>{"t NO [LIMIT] the account has as many mailboxes as it may have"});
  CHECK(ann.run("RENAME parent/mailbox1 new/parent").back().starts_with("t NO [LIMIT] "));
  CHECK(ann.run("RENAME parent/mailbox1 renamed").back() == "t OK RENAME completed");
}

TEST_CASE("an account has ten thousand subscriptions at most") {
  testing::World world(settings_for_ann(), testing::imap_frontend());
  const store::AccountId account = make_mailboxes(world, 1);
  Ann ann(world);  // INBOX and five more
  const auto subscribed = world.store().write_now([account](store::WriteTxn& txn) -> Result<void> {
    for (int i = 6; i < 9'999; ++i) {
      auto done = txn.set_subscribed(account, "name" + std::to_string(i), true);
      if (!done) return done;
    }
    return {};
  });
  REQUIRE(subscribed);
  CHECK(ann.run("SUBSCRIBE last").back() == "t OK SUBSCRIBE completed");
  CHECK(ann.run("SUBSCRIBE more").back() ==
        "t NO [LIMIT] The account has as many subscriptions as it may have");
  CHECK(ann.run("SUBSCRIBE name7").back() == "t OK SUBSCRIBE completed");
  CHECK(ann.run("LSUB \"\" *").size() == 10'001);
  CHECK(ann.run("UNSUBSCRIBE name7").back() == "t OK UNSUBSCRIBE completed");
  CHECK(ann.run("SUBSCRIBE more").back() == "t OK SUBSCRIBE completed");
}

TEST_CASE("a client that takes nothing of a long LIST does not make the server keep it all") {
  testing::WorldSettings settings = settings_for_ann();
  settings.server.limits.write_time = std::chrono::milliseconds(300);
  testing::World world(settings, testing::imap_frontend());
  make_mailboxes(world, 9'000);
  testing::Client client(world.port());
  client.read_line();
  std::string commands = "t LOGIN ann secret\r\n";
  for (int i = 0; i < 200; ++i)
    commands += "t LIST \"\" * RETURN (STATUS (MESSAGES MAILBOXID))\r\n";
  client.send(commands);
  for (int i = 0; i < 1000 && world.connections() != 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK(world.connections() == 0);
}
