// Warnings before a quota is used up: the message, and who gets how many of them.
#include "core/server/quota_warning.h"

#include <algorithm>
#include <chrono>
#include <doctest/doctest.h>
#include <string>
#include <vector>

#include "core/base/ascii.h"
#include "core/mail/header.h"
#include "core/mail/message.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store::test;
using server::quota_message;
using server::QuotaWarnings;

namespace {

constexpr UnixTime kMonday{std::chrono::seconds(1'767'600'000)};  // 2026-01-05T08:00:00Z

store::QuotaPassed passed(std::uint64_t used, std::uint64_t limit, bool of_messages = false,
                          const std::string& name = "ann@example.org") {
  return {store::AccountId(1), name, 80, of_messages, used, limit};
}

std::string field(std::string_view message, std::string_view name) {
  const auto found = mail::find_field(message, name);
  return found ? std::string(ascii::trim(found->value)) : "";
}

std::string body_of(const std::string& message) {
  return message.substr(message.find("\r\n\r\n") + 4);
}

// A store whose clock the test moves.
struct Warned {
  TempFolder folder;
  ThreadExecutor executor;
  std::unique_ptr<store::Store> store =
      must(store::Store::open(options_for(folder / "store"), executor));
  std::shared_ptr<config::ServerConfig> config = std::make_shared<config::ServerConfig>();
  UnixTime now = kMonday;
  std::optional<QuotaWarnings> warnings;
  store::Limits limits{100'000, 0, {80, 95}};

  Warned() {
    config->quota.warn_by_mail = true;
    warnings.emplace(
        *store, executor, [this] { return config; }, "mail.example.net", [this] { return now; });
  }
  ~Warned() { settle(); }

  // Until nothing is on its way any more.
  void settle() {
    bool idle = false;
    warnings->stop([&idle] { idle = true; });
    CHECK(executor.run_until([&idle] { return idle; }));
    warnings.reset();
  }
  store::MailboxKey inbox(const std::string& account) {
    return must(store->write_now([&](store::WriteTxn& txn) -> Result<store::MailboxKey> {
      const auto info = txn.ensure_account(account);
      if (!info) return tl::unexpected(info.error());
      const auto found = txn.find_mailbox(info->id, "INBOX");
      if (!found) return tl::unexpected(found.error());
      return store::MailboxKey{info->id, found->id};
    }));
  }
  // A message of that many octets comes; what it brings about happens.
  store::Uid come(std::size_t octets, const std::string& account = "ann@example.org") {
    const store::MailboxKey key = inbox(account);
    store::AppendRequest request = request_of(std::string(octets - 2, 'x') + "\r\n");
    request.limits = limits;
    const auto done =
        must(store->write_now([&](store::WriteTxn& txn) { return txn.append(key, request); }));
    run();
    return done.uid;
  }
  void go(store::Uid uid, const std::string& account = "ann@example.org") {
    const store::MailboxKey key = inbox(account);
    const std::vector<store::Uid> uids = {uid};
    must(store->write_now([&](store::WriteTxn& txn) {
      return txn.expunge(key, uids, {account, "imap", "192.0.2.7"});
    }));
  }
  // The announcements of what is committed, and the messages that come of them.
  void run() {
    bool announced = false;
    executor.post([&announced] { announced = true; });
    CHECK(executor.run_until([&] { return announced && warnings->on_their_way() == 0; }));
  }
  std::vector<std::string> warnings_of(const std::string& account = "ann@example.org") {
    const store::MailboxKey key = inbox(account);
    return must(
        store->read_now([&](const store::ReadView& view) -> Result<std::vector<std::string>> {
          std::vector<std::string> found;
          const store::UidRange all{store::Uid(1), store::Uid(~0U)};
          auto visited = view.for_each_message(key, all, [&](const store::MessageRecord& record) {
            const std::string octets = read_whole(view, record);
            const std::string subject = field(octets, "Subject");
            if (!subject.empty()) found.push_back(octets);
            return true;
          });
          if (!visited) return tl::unexpected(visited.error());
          return found;
        }));
  }
};

}  // namespace

TEST_CASE("the warning is a proper message in plain words") {
  const std::string text =
      quota_message(passed(4'294'967'296, 5'368'709'120), "mail.example.net", kMonday, 0xfeed);
  const mail::Message message = mail::parse_message(text);
  CHECK(message.defects == 0);
  CHECK(message.date == kMonday.time_since_epoch().count());
  CHECK(message.envelope.subject == "Your mailbox is 80 % full");
  CHECK(message.envelope.message_id == "<quota.1767600000.000000000000feed@example.org>");
  const mail::AddressList from = {{"Mail system", std::nullopt, "postmaster", "example.org"}};
  CHECK(message.envelope.from == from);
  const mail::AddressList to = {{std::nullopt, std::nullopt, "ann", "example.org"}};
  CHECK(message.envelope.to == to);
  CHECK(field(text, "Auto-Submitted") == "auto-generated");
  CHECK(field(text, "Date") == "Mon, 05 Jan 2026 08:00:00 +0000");
  CHECK(message.root.type == "text");
  CHECK(message.root.subtype == "plain");
  CHECK(
      body_of(text).starts_with("The mailbox of ann@example.org is 80 % full.\r\n"
                                "4096.0 MiB of 5120.0 MiB are used.\r\n\r\n"));
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; ++at) {
    REQUIRE(at > 0);
    CHECK(text[at - 1] == '\r');
  }
}

TEST_CASE("figures of the warning: small quotas, messages, and a quota that is used up") {
  const auto body = [](const store::QuotaPassed& of) {
    return body_of(quota_message(of, "host", kMonday, 1));
  };
  CHECK(body(passed(943'718, 1'048'576))
            .starts_with("The mailbox of ann@example.org is 89 % full.\r\n"
                         "0.900 MiB of 1.000 MiB are used.\r\n"));
  CHECK(body(passed(950, 1000, true))
            .starts_with("The mailbox of ann@example.org is 95 % full.\r\n"
                         "It holds 950 messages, and may hold 1000.\r\n"));
  CHECK(body(passed(1000, 1000, true)).starts_with("The mailbox of ann@example.org is full.\r\n"));
  // Four of five and a bit: what was passed is not rounded below.
  CHECK(body(passed(7'999, 10'000)).find("is 80 % full") != std::string::npos);
}

TEST_CASE("an account without a domain has the server's, whatever that calls itself") {
  const auto envelope = [](const std::string& name, std::string_view hostname) {
    const std::string text = quota_message(passed(80, 100, false, name), hostname, kMonday, 1);
    const mail::Message message = mail::parse_message(text);
    CHECK(message.defects == 0);
    return message.envelope;
  };
  const mail::Envelope plain = envelope("ann", "mail.example.net");
  CHECK(plain.from.at(0).host == "mail.example.net");
  CHECK(plain.to.at(0).mailbox == "ann");
  CHECK(plain.to.at(0).host == "mail.example.net");
  CHECK(envelope("ann", "").to.at(0).host == "localhost");
  CHECK(envelope("ann", "a b\r\nX: y").to.at(0).host == "localhost");
  CHECK(envelope("jörg@bücher.example", "x").from.at(0).host == "bücher.example");
}

TEST_CASE("one message for each threshold that is passed, and none for what is below") {
  Warned ann;
  ann.come(79'999);
  CHECK(ann.warnings_of().empty());
  ann.come(2);
  REQUIRE(ann.warnings_of().size() == 1);
  const std::string first = ann.warnings_of().front();
  CHECK(first.starts_with("Return-Path: <>\r\n"));
  CHECK(field(first, "Subject") == "Your mailbox is 80 % full");
  ann.come(10'000);
  CHECK(ann.warnings_of().size() == 1);
  ann.come(4'500);
  REQUIRE(ann.warnings_of().size() == 2);
  CHECK(field(ann.warnings_of()[1], "Subject") == "Your mailbox is 95 % full");
}

TEST_CASE("a warning is stored where there is no room left, and brings no other one") {
  Warned ann;
  ann.limits = store::Limits{0, 2, {50, 100}};
  ann.come(100);  // one of two messages
  // The warning was the second: it passed 100 percent, of which nobody is warned.
  REQUIRE(ann.warnings_of().size() == 1);
  CHECK(field(ann.warnings_of()[0], "Subject") == "Your mailbox is 50 % full");

  Warned bob;
  bob.come(99'990);
  REQUIRE(bob.warnings_of().size() == 1);  // the highest that was passed
  CHECK(field(bob.warnings_of()[0], "Subject") == "Your mailbox is 99 % full");
  const auto use = must(bob.store->read_now(
      [](const store::ReadView& view) { return view.account("ann@example.org"); }));
  CHECK(use.bytes > 100'000);
}

TEST_CASE("the same threshold again is told of once a day") {
  Warned ann;
  ann.come(60'000);
  store::Uid last = ann.come(25'000);
  CHECK(ann.warnings_of().size() == 1);
  const auto again = [&] {
    ann.go(last);
    last = ann.come(25'000);
    return ann.warnings_of().size();
  };
  CHECK(again() == 1);
  ann.now += std::chrono::hours(23);
  CHECK(again() == 1);
  ann.now += std::chrono::hours(1);
  CHECK(again() == 2);
  CHECK(again() == 2);
  ann.now += std::chrono::hours(24 * 30);
  CHECK(again() == 3);
}

TEST_CASE("accounts and resources have their days of their own") {
  Warned both;
  both.limits = store::Limits{100'000, 1, {80, 100}};
  both.come(85'000, "ann@example.org");
  // All of one message, and 80 percent of the octets.
  CHECK(both.warnings_of("ann@example.org").size() == 2);
  both.come(85'000, "bob@example.org");
  CHECK(both.warnings_of("bob@example.org").size() == 2);
  CHECK(both.warnings_of("ann@example.org").size() == 2);
}

TEST_CASE("without warn_by_mail there is only the log's line; a reload changes that") {
  Warned ann;
  ann.config->quota.warn_by_mail = false;
  const store::Uid uid = ann.come(85'000);
  CHECK(ann.warnings_of().empty());
  ann.go(uid);
  ann.config->quota.warn_by_mail = true;
  ann.come(85'000);
  CHECK(ann.warnings_of().size() == 1);
}

TEST_CASE("stopping waits for the messages that are on their way") {
  Warned ann;
  const store::MailboxKey key = ann.inbox("ann@example.org");
  store::AppendRequest request = request_of(std::string(85'000, 'x') + "\r\n");
  request.limits = ann.limits;
  // What the store announces is left for the loop, which runs in settle() only.
  must(ann.store->write_now([&](store::WriteTxn& txn) { return txn.append(key, request); }));
  bool announced = false;
  ann.executor.post([&announced] { announced = true; });
  CHECK(ann.executor.run_until([&announced] { return announced; }));
  ann.settle();
  CHECK(ann.warnings_of().size() == 1);
  ann.warnings.emplace(
      *ann.store, ann.executor, [&ann] { return ann.config; }, "host", [&ann] { return ann.now; });
}
