// The messages of an APPEND on their way into the store.
#include "imap/append_spool.h"

#include <array>
#include <doctest/doctest.h>
#include <filesystem>
#include <string>
#include <vector>

#include "imap/append_plan.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::imap;
using namespace twinpost::store::test;

namespace {

constexpr SteadyTime kNever = SteadyTime::max();

// What the octets of each become.
std::vector<std::string> through_spool(const std::vector<std::string>& messages,
                                       std::size_t piece = 7) {
  AppendSpool spool(std::filesystem::temp_directory_path().string(), store::BodyCoder::plain());
  for (const std::string& message : messages) {
    spool.begin_message(true);
    for (std::size_t at = 0; at < message.size(); at += piece) {
      must(spool.append(std::string_view(message).substr(at, piece)));
    }
    must(spool.end_message());
  }
  CHECK(must(spool.prepare(kNever)));
  std::vector<std::string> out;
  for (const auto& prepared : spool.take_prepared()) {
    out.emplace_back(prepared->octets);
    CHECK(prepared->sha256 == store::test::prepared(prepared->octets)->sha256);
    CHECK(prepared->summary == store::test::prepared(prepared->octets)->summary);
  }
  return out;
}

store::AppendRequest with_quota(std::string_view octets, store::Limits limits) {
  store::AppendRequest request = request_of(octets);
  request.limits = limits;
  return request;
}

Result<AppendOutcome> run(Fixture& f, const AppendPlan& plan) {
  return f.store->write_now([&](store::WriteTxn& txn) { return store_messages(txn, plan); });
}

AppendPlan plan_for(Fixture& f, const std::vector<std::string>& messages,
                    store::Limits limits = {}) {
  AppendPlan plan;
  plan.account = f.account;
  plan.mailbox = "INBOX";
  for (const std::string& message : messages) {
    plan.messages.push_back(with_quota(message, limits));
  }
  return plan;
}

const store::Remover kAnn{"ann@example.org", "imap", "192.0.2.7"};

}  // namespace

TEST_CASE("each message of a command is canonical by itself") {
  const std::vector<std::string> messages = {
      "a: b\r\n\r\nx\r\n",         "no end", "lf\nlf\n", "\nfirst", "cr\r", "\n",
      std::string("nul\0x\r\n", 7)};
  const std::vector<std::string> canonical = {"a: b\r\n\r\nx\r\n",
                                              "no end\r\n",
                                              "lf\r\nlf\r\n",
                                              "\r\nfirst\r\n",
                                              "cr\r\r\n",
                                              "\r\n",
                                              std::string("nul\0x\r\n", 7)};
  for (const std::size_t piece : {1U, 2U, 7U, 100U}) {
    CHECK(through_spool(messages, piece) == canonical);
  }
}

TEST_CASE("many messages take one file, and come out as they went in") {
  std::vector<std::string> messages;
  for (unsigned i = 0; i < 300; ++i) messages.push_back(mail_text(i, 10'000));
  CHECK(through_spool(messages, 4096) == messages);
}

TEST_CASE("NUL is taken in a literal8 only") {
  AppendSpool spool("/tmp", store::BodyCoder::plain());
  spool.begin_message(false);
  CHECK(code_of(spool.append(std::string_view("a\0b", 3))) == ErrorCode::kInvalid);
}

TEST_CASE("preparing many messages goes on where its time was over") {
  AppendSpool spool("/tmp", store::BodyCoder::plain());
  for (unsigned i = 0; i < 3; ++i) {
    spool.begin_message(false);
    must(spool.append(mail_text(i)));
    must(spool.end_message());
  }
  CHECK_FALSE(must(spool.prepare(SteadyTime::min())));
  CHECK_FALSE(must(spool.prepare(SteadyTime::min())));
  CHECK(must(spool.prepare(SteadyTime::min())));
  CHECK(spool.take_prepared().size() == 3);
}

TEST_CASE("several messages with endless headers are too much for one command") {
  AppendSpool spool("/tmp", store::BodyCoder::plain());
  std::string header;
  for (int i = 0; i < 40; ++i) {
    header += "Field" + std::to_string(i) + ": " + std::string(20'000, 'x') + "\r\n";
  }
  header = "Subject: " + std::string(900'000, 's') + "\r\n" + header + "\r\n";
  for (int i = 0; i < 60; ++i) {
    spool.begin_message(false);
    must(spool.append(header));
    must(spool.end_message());
  }
  CHECK(code_of(spool.prepare(kNever)) == ErrorCode::kLimit);
}

TEST_CASE("the messages of a plan get UIDs in their order") {
  Fixture f;
  const auto outcome = must(run(f, plan_for(f, {mail_text(1), mail_text(2), mail_text(3)})));
  CHECK(outcome.mailbox == f.inbox);
  CHECK(append_uid_code(outcome) ==
        "APPENDUID " + std::to_string(outcome.uid_validity.value()) + " 1:3");
  CHECK(f.text(f.inbox, store::Uid(2)) == mail_text(2));
}

TEST_CASE("one message over the quota and none is stored") {
  Fixture f;
  const std::uint64_t room = 2 * mail_text(1).size();
  CHECK(code_of(run(f, plan_for(f, {mail_text(1), mail_text(2), mail_text(3)}, {room, 0}))) ==
        ErrorCode::kOverQuota);
  CHECK(f.info(f.inbox).messages == 0);
  CHECK(run(f, plan_for(f, {mail_text(1), mail_text(2)}, {room, 0})));
}

TEST_CASE("an APPEND to a mailbox that is not there is kNotFound") {
  Fixture f;
  AppendPlan plan = plan_for(f, {mail_text(1)});
  plan.mailbox = "gone";
  CHECK(code_of(run(f, plan)) == ErrorCode::kNotFound);
}

TEST_CASE("a REPLACE takes the old message out and counts the net against the quota") {
  Fixture f;
  f.append(mail_text(1));
  const std::uint64_t room = mail_text(1).size() + 1;
  AppendPlan plan = plan_for(f, {mail_text(2)}, {room, 1});
  plan.replaced = Replaced{f.inbox, store::Uid(1), kAnn};
  const auto outcome = must(run(f, plan));
  CHECK(outcome.uids == std::vector<store::Uid>{store::Uid(2)});
  CHECK(f.info(f.inbox).messages == 1);
  CHECK(f.text(f.inbox, store::Uid(2)) == mail_text(2));
}

TEST_CASE("a REPLACE that fails leaves the old message, one whose message is gone stores nothing") {
  Fixture f;
  f.append(mail_text(1));
  AppendPlan plan = plan_for(f, {mail_text(2, 500)}, {300, 0});
  plan.replaced = Replaced{f.inbox, store::Uid(1), kAnn};
  CHECK(code_of(run(f, plan)) == ErrorCode::kOverQuota);
  CHECK(f.text(f.inbox, store::Uid(1)) == mail_text(1));
  plan = plan_for(f, {mail_text(2)});
  plan.replaced = Replaced{f.inbox, store::Uid(7), kAnn};
  CHECK(code_of(run(f, plan)) == ErrorCode::kConflict);
  plan.replaced = Replaced{store::MailboxKey{f.account, store::MailboxId(99)}, store::Uid(1), kAnn};
  CHECK(code_of(run(f, plan)) == ErrorCode::kConflict);
  CHECK(f.info(f.inbox).messages == 1);
}

TEST_CASE("the look ahead at the quota counts what is used, what comes, and what goes") {
  store::AccountInfo account;
  account.bytes = 900;
  account.messages = 9;
  const auto fits = [&](store::Limits limits, std::uint64_t messages, std::uint64_t octets,
                        std::optional<std::uint64_t> replaced = std::nullopt) {
    return check_quota(account, limits, messages, octets, replaced).has_value();
  };
  CHECK(fits({0, 0}, 1000, 1'000'000));
  CHECK(fits({1000, 0}, 1, 100));
  CHECK_FALSE(fits({1000, 0}, 1, 101));
  CHECK(fits({0, 10}, 1, 1));
  CHECK_FALSE(fits({0, 10}, 2, 1));
  CHECK_FALSE(fits({800, 0}, 1, 1));
  CHECK(fits({1000, 9}, 1, 150, 50));
  CHECK_FALSE(fits({1000, 9}, 1, 151, 50));
  CHECK_FALSE(fits({1000, 0}, 1, ~std::uint64_t{0}));
  CHECK(fits({1000, 0}, 1, 1000, 5000));
}

TEST_CASE("APPENDUID has the UIDs in order, runs as ranges") {
  AppendOutcome outcome;
  outcome.uid_validity = store::UidValidity(38505);
  for (const std::uint32_t uid : {3955U, 3956U, 3957U, 4000U}) outcome.uids.emplace_back(uid);
  CHECK(append_uid_code(outcome) == "APPENDUID 38505 3955:3957,4000");
}
