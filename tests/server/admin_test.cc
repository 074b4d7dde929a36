// The admin operations, against a real store in this process: what they do, and what they refuse.
#include "core/server/admin.h"

#include <doctest/doctest.h>
#include <string>
#include <vector>

#include "core/server/admin_session.h"
#include "core/server/endpoints.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store::test;
using server::Json;

namespace {

constexpr const char* kAnn = "ann@example.org";
const store::Remover kByImap{kAnn, "imap", "192.0.2.7"};

bool is_deposit(const Json& request) {
  return request.is_object() && request.contains("do") && request.at("do") == "deposit";
}

// A store with ann in it, whom accounts.json knows, as it does bob, of whom the store has not heard.
struct Admin : Fixture {
  std::shared_ptr<config::ServerConfig> config = std::make_shared<config::ServerConfig>();
  std::shared_ptr<config::AccountsConfig> accounts = std::make_shared<config::AccountsConfig>();
  store::Progress progress;

  Admin() {
    accounts->accounts[kAnn].name = kAnn;
    accounts->accounts["bob@example.org"].name = "bob@example.org";
  }
  void quota(std::uint64_t messages) { accounts->accounts[kAnn].quota_messages = messages; }

  Json call(Json request, const std::string& payload = {}) {
    std::shared_ptr<store::Spool> spool;
    if (!payload.empty() || is_deposit(request)) {
      if (!request.contains("octets")) request["octets"] = payload.size();
      spool = std::make_shared<store::Spool>(store->spool_folder(), 0);
      must(spool->append(payload));
      must(spool->finish());
    }
    server::AdminJob job{*store, config, accounts, std::move(request), spool, progress};
    return server::run_admin_operation(job);
  }
  Json good(Json request, const std::string& payload = {}) {
    const std::string what = request.dump();
    Json answer = call(std::move(request), payload);
    INFO(what << " -> " << answer.dump());
    REQUIRE(answer.at("ok") == true);
    return answer;
  }
  // The error's code and text, "invalid: ...".
  std::string bad(Json request, const std::string& payload = {}) {
    const std::string what = request.dump();
    const Json answer = call(std::move(request), payload);
    INFO(what << " -> " << answer.dump());
    REQUIRE(answer.at("ok") == false);
    return answer.at("code").get<std::string>() + ": " + answer.at("error").get<std::string>();
  }
  Json deposit(Json items, const std::string& payload, Json more = Json::object()) {
    more["do"] = "deposit";
    more["account"] = kAnn;
    more["items"] = std::move(items);
    return good(std::move(more), payload).at("items");
  }
  std::vector<std::string> uidls(const std::string& mailbox = "INBOX") {
    return good({{"do", "uidls"}, {"account", kAnn}, {"mailbox", mailbox}})
        .at("uidls")
        .get<std::vector<std::string>>();
  }
  std::vector<std::string> removed_ids() {
    std::vector<std::string> ids;
    read([&](const store::ReadView& view) {
      return view.for_each_removed(account, UnixTime{}, [&](const store::RemovedMessage& removed) {
        ids.push_back(store::to_string(removed.id));
        return true;
      });
    });
    return ids;
  }
  void check_clean() {
    const auto report =
        must(store->check({}, [](std::string_view, std::uint64_t, std::uint64_t) { return true; }));
    for (const auto& problem : report.details) FAIL_CHECK(problem.where << ": " << problem.what);
    CHECK(report.problems == 0);
  }
  void expunge(store::MailboxKey key, std::vector<store::Uid> uids) {
    write([&](store::WriteTxn& txn) { return txn.expunge(key, uids, kByImap); });
  }
};

Json item(const std::string& octets, Json more = Json::object()) {
  Json one{{"mailbox", "INBOX"}, {"octets", octets.size()}, {"date", 1'700'000'000}};
  one.update(more);
  return one;
}

bool starts(const std::string& text, std::string_view with) {
  INFO(text);
  const bool does = text.starts_with(with);
  CHECK(does);
  return does;
}

const std::string kFirst = mail_text(1);
const std::string kSecond = mail_text(2, 9000);

}  // namespace

TEST_CASE("an admin request that is not understood is told why") {
  Admin admin;
  CHECK(admin.bad({{"do", "fly"}}) == "unsupported: do: this version can't do \"fly\"");
  CHECK(admin.bad(Json::object()) == "invalid: do: is missing, or no text");
  CHECK(admin.bad({{"do", 7}}) == "invalid: do: is missing, or no text");
  CHECK(admin.bad(Json::array()) == "invalid: the request must be an object");
  CHECK(admin.bad({{"do", "account"}}) == "invalid: account: is missing");
  CHECK(admin.bad({{"do", "account"}, {"account", 5}}) == "invalid: account: must be a text");
  CHECK(admin.bad({{"do", "account"}, {"account", kAnn}, {"unlisted", "yes"}}) ==
        "invalid: unlisted: must be true or false");
  CHECK(admin.bad({{"do", "ping"}, {"colour", "red"}}) ==
        "invalid: colour: is not known to this version");
}

TEST_CASE("an admin line must be one flat enough JSON object") {
  CHECK(server::parse_admin_line(R"({"do":"ping","x":[{"y":"[[[[[[[[[[[[[[[[[[[[[["}]})"));
  CHECK_FALSE(server::parse_admin_line(""));
  CHECK_FALSE(server::parse_admin_line("[]"));
  CHECK_FALSE(server::parse_admin_line("{\"do\":\"ping\""));
  CHECK_FALSE(server::parse_admin_line("{\"do\":\"\xff\"}"));
  CHECK_FALSE(server::parse_admin_line(R"({"octets":-1})"));
  CHECK_FALSE(server::parse_admin_line(R"({"octets":"12"})"));
  CHECK_FALSE(server::parse_admin_line(R"({"octets":1e3})"));
  CHECK_FALSE(server::parse_admin_line(std::string(100'000, '[')));
  std::string deep = "{\"a\":";
  for (int i = 0; i < 200'000; ++i) deep += "{\"a\":";
  CHECK_FALSE(server::parse_admin_line(deep));
}

TEST_CASE("ping and space say what the store is") {
  Admin admin;
  const Json ping = admin.good({{"do", "ping"}});
  CHECK(ping.at("store_id").get<std::string>().size() == 16);
  admin.append(kFirst);
  const Json space = admin.good({{"do", "space"}});
  CHECK(space.at("file_octets").get<std::uint64_t>() > 0);
  CHECK(space.at("commits").get<std::uint64_t>() > 0);
  std::uint64_t sum = 0;
  for (const Json& count : space.at("commits_by_time")) sum += count.get<std::uint64_t>();
  CHECK(sum == space.at("commits").get<std::uint64_t>());
  CHECK(space.at("commits_by_time").size() == space.at("commit_bounds").size() + 1);
}

TEST_CASE("an account is made once, and only where accounts.json has it") {
  Admin admin;
  CHECK(admin.good({{"do", "account"}, {"account", "BOB@Example.org"}}).at("created") == true);
  CHECK(admin.good({{"do", "account"}, {"account", "bob@example.org"}}).at("created") == false);
  CHECK(starts(admin.bad({{"do", "account"}, {"account", "eve@example.org"}}),
               "not-found: eve@example.org is not in "));
  CHECK(admin.good({{"do", "account"}, {"account", "eve@example.org"}, {"unlisted", true}})
            .at("created") == true);
  CHECK(starts(admin.bad({{"do", "account"}, {"account", ""}, {"unlisted", true}}), "not-found"));
}

TEST_CASE("a mailbox is adopted with its identity, and with the parents that it needs") {
  Admin admin;
  Json wanted{{"name", "Work/2024"}, {"uid_validity", 77},      {"uid_next", 500},
              {"guid", "abc-DEF_1"}, {"special_use", "\\sent"}, {"subscribed", true}};
  Json answer =
      admin.good({{"do", "adopt"}, {"account", kAnn}, {"mailboxes", Json::array({wanted})}});
  CHECK(answer.at("mailboxes").at(0).at("uid_validity") == 77);
  CHECK(answer.at("mailboxes").at(0).at("uid_next") == 1);  // else none of its UIDs could be kept
  CHECK(answer.at("mailboxes").at(0).at("same_identity") == true);
  const auto made = admin.read(
      [&](const store::ReadView& view) { return view.find_mailbox(admin.account, "Work/2024"); });
  CHECK(made.special_use == store::SpecialUse::kSent);
  CHECK(made.subscribed);
  CHECK(made.mailbox_guid == "abc-DEF_1");
  CHECK(admin
            .read([&](const store::ReadView& view) {
              return view.find_mailbox(admin.account, "Work");
            })
            .special_use == store::SpecialUse::kNone);
  // One that has messages keeps what it is known by.
  admin.append({admin.account, made.id}, request_of(kFirst));
  wanted["uid_validity"] = 78;
  answer = admin.good({{"do", "adopt"}, {"account", kAnn}, {"mailboxes", Json::array({wanted})}});
  CHECK(answer.at("mailboxes").at(0).at("same_identity") == false);
  CHECK(answer.at("mailboxes").at(0).at("uid_validity") == 77);
  CHECK(answer.at("mailboxes").at(0).at("messages") == 1);
  admin.check_clean();
}

TEST_CASE("what can't be a mailbox is not adopted") {
  Admin admin;
  const auto refused = [&](Json mailbox) {
    return admin.bad({{"do", "adopt"},
                      {"account", kAnn},
                      {"mailboxes", Json::array({Json{{"name", "Good"}}, std::move(mailbox)})}});
  };
  CHECK(starts(refused(Json{{"name", ""}}), "invalid: mailboxes[1].name: "));
  CHECK(starts(refused(Json{{"name", "a//b"}}), "invalid: mailboxes[1].name: "));
  CHECK(starts(refused(Json{{"name", "a\tb"}}), "invalid: mailboxes[1].name: "));
  CHECK(starts(refused(Json{{"name", std::string(501, 'x')}}), "limit: mailboxes[1].name: "));
  CHECK(starts(refused(Json{{"name", std::string(256, 'x')}}), "limit: mailboxes[1].name: "));
  std::string deep = "a";
  for (int i = 0; i < 60; ++i) deep += "/a";
  CHECK(starts(refused(Json{{"name", deep}}), "limit: mailboxes[1].name: "));
  CHECK(starts(refused(Json{{"name", "X"}, {"uid_validity", 1ULL << 32}}),
               "invalid: mailboxes[1].uid_validity: must be a whole number from 0 to"));
  CHECK(starts(refused(Json{{"name", "X"}, {"special_use", "\\Spam"}}),
               "invalid: mailboxes[1].special_use: "));
  CHECK(
      starts(refused(Json{{"name", "X"}, {"guid", "no blanks"}}), "invalid: mailboxes[1].guid: "));
  CHECK(starts(refused(Json("X")), "invalid: mailboxes[1]: must be an object"));
  CHECK(starts(admin.bad({{"do", "adopt"}, {"account", kAnn}, {"mailboxes", "all"}}),
               "invalid: mailboxes: must be a list"));
  CHECK(starts(admin.bad({{"do", "adopt"},
                          {"account", "bob@example.org"},
                          {"mailboxes", Json::array({Json{{"name", "X"}}})}}),
               "not-found: the store has no account named bob@example.org"));
  // All or nothing: "Good" stood before each of them.
  CHECK_FALSE(admin.store->read_now(
      [&](const store::ReadView& view) { return view.find_mailbox(admin.account, "Good"); }));
}

TEST_CASE("a deposit keeps everything that is said of its messages") {
  Admin admin;
  const std::string prefix = "Return-Path: <sam@example.net>\r\n";
  const Json items = Json::array({item(prefix + kFirst, {{"prefix_octets", prefix.size()},
                                                         {"flags", {"\\Seen", "\\flagged"}},
                                                         {"keywords", {"$Work"}},
                                                         {"zone", 120},
                                                         {"uidl", "old-server.17"},
                                                         {"uid", 40},
                                                         {"save_date", 1'600'000'000},
                                                         {"hidden", true},
                                                         {"email_id", "00000000000000ff"},
                                                         {"thread_id", "00000000000000fe"},
                                                         {"key", std::string(32, 'a')}}),
                                  item(kSecond)});
  const Json answers = admin.deposit(items, prefix + kFirst + kSecond);
  CHECK(answers == Json::array({Json{{"uid", 40}}, Json{{"uid", 41}}}));
  const auto first = admin.message(admin.inbox, store::Uid(40));
  CHECK(first.prefix == prefix);
  CHECK(first.size == prefix.size() + kFirst.size());
  CHECK(first.flags == (store::bit(store::Flag::kSeen) | store::bit(store::Flag::kFlagged)));
  CHECK(admin.info(admin.inbox).keywords == std::vector<std::string>{"$Work"});
  CHECK(first.keywords.test(0));
  CHECK(first.internal_date.zone_minutes == 120);
  CHECK(first.imported_uidl == "old-server.17");
  CHECK(first.save_date == UnixTime(std::chrono::seconds(1'600'000'000)));
  CHECK(first.pop3_hidden);
  CHECK(first.email_id.value() == 0xFF);
  CHECK(first.thread_id.value() == 0xFE);
  CHECK(admin.text(admin.inbox, store::Uid(40)) == prefix + kFirst);
  CHECK(admin.text(admin.inbox, store::Uid(41)) == kSecond);
  CHECK(admin.uidls().front() == "old-server.17");
  admin.check_clean();
}

TEST_CASE("what was deposited once is known for ever") {
  Admin admin;
  const std::string key(32, 'b');
  const Json items = Json::array({item(kFirst, {{"key", key}})});
  CHECK(admin.deposit(items, kFirst).at(0).at("uid") == 1);
  CHECK(admin.deposit(items, kFirst) == Json::array({Json{{"known", true}}}));
  admin.expunge(admin.inbox, {store::Uid(1)});
  CHECK(admin.deposit(items, kFirst) == Json::array({Json{{"known", true}}}));
  const Json known =
      admin.good({{"do", "known"}, {"account", kAnn}, {"keys", {std::string(32, 'c'), key}}});
  CHECK(known.at("known") == Json::array({false, true}));
  CHECK(starts(admin.bad({{"do", "known"}, {"account", kAnn}, {"keys", {"b"}}}),
               "invalid: keys[0]: must be 32 hexadecimal digits"));
  CHECK(starts(admin.bad({{"do", "known"}, {"account", kAnn}, {"keys", {1}}}), "invalid: keys[0]"));
  CHECK(starts(admin.bad({{"do", "known"}, {"account", kAnn}}), "invalid: keys: is missing"));
  // The same key twice in one deposit.
  const Json twice = Json::array({item(kFirst, {{"key", std::string(32, 'd')}}),
                                  item(kFirst, {{"key", std::string(32, 'd')}})});
  const Json answers = admin.deposit(twice, kFirst + kFirst);
  CHECK(answers.at(0).contains("uid"));
  CHECK(answers.at(1) == Json{{"known", true}});
}

TEST_CASE("a UIDL is given to one message of a mailbox only") {
  Admin admin;
  admin.append(mail_text(9));
  const std::string made = admin.uidls().front();  // what the server itself made
  const Json items = Json::array({item(kFirst, {{"uidl", "one"}}), item(kFirst, {{"uidl", "one"}}),
                                  item(kFirst, {{"uidl", made}}), item(kFirst, {{"uidl", "two"}})});
  const Json answers = admin.deposit(items, kFirst + kFirst + kFirst + kFirst);
  CHECK(answers.at(0).contains("uid"));
  CHECK(answers.at(1).at("code") == "exists");
  CHECK(answers.at(2).at("code") == "exists");
  CHECK(answers.at(3).contains("uid"));
  CHECK(admin.deposit(Json::array({item(kFirst, {{"uidl", "two"}})}), kFirst).at(0).at("code") ==
        "exists");
  // Another mailbox is another maildrop.
  admin.create("Other");
  CHECK(admin.deposit(Json::array({item(kFirst, {{"uidl", "one"}, {"mailbox", "Other"}})}), kFirst)
            .at(0)
            .contains("uid"));
  CHECK(admin.uidls() == std::vector<std::string>{made, "one", "two"});
}

TEST_CASE("an import knows a message by its UIDL when its source has numbered it anew") {
  Admin admin;
  const auto imported = [](const std::string& text, char key, int second = 0) {
    return item(text,
                {{"uidl", "old"}, {"key", std::string(32, key)}, {"date", 1'700'000'000 + second}});
  };
  CHECK(admin.deposit(Json::array({imported(kFirst, 'a')}), kFirst).at(0).contains("uid"));
  CHECK(admin.deposit(Json::array({imported(kFirst, 'b')}), kFirst).at(0) == Json{{"known", true}});
  // Others that their source gave the same UIDL are no less messages for that.
  for (const Json& other : {imported(kSecond, 'c'), imported(kFirst, 'd', 1)}) {
    const std::string& text = other == imported(kSecond, 'c') ? kSecond : kFirst;
    CHECK(admin.deposit(Json::array({other}), text).at(0).at("code") == "exists");
  }
  // So may two of one listing be.
  Json twice = Json::array({imported(kSecond, 'e'), imported(kSecond, 'f')});
  for (Json& one : twice) one["uidl"] = "twice";
  const Json answers = admin.deposit(twice, kSecond + kSecond);
  CHECK(answers.at(0).contains("uid"));
  CHECK(answers.at(1).at("code") == "exists");
}

TEST_CASE("one bad message of a deposit does not hold up the others") {
  Admin admin;
  const std::string unended = "Subject: x\r\n\r\ncut";
  const std::string rest = " off\r\n";
  const Json items = Json::array(
      {item(kFirst, {{"mailbox", "Nowhere"}}), item(kFirst, {{"flags", {"\\Recent"}}}),
       item(kFirst, {{"keywords", {"two words"}}}), item(kFirst, {{"uidl", "a b"}}),
       item(kFirst, {{"prefix_octets", kFirst.size() + 1}}), item(kFirst, {{"prefix_octets", 3}}),
       item(kFirst, {{"date", "yesterday"}}), item(kFirst, {{"zone", 1440}}),
       item(kFirst, {{"uid", 0}}), item(kFirst, {{"key", "zz"}}), item(kFirst, {{"email_id", "1"}}),
       item(kFirst, {{"colour", "red"}}), item(unended), item(rest), item(kSecond)});
  std::string payload;
  for (int i = 0; i < 12; ++i) payload += kFirst;
  const Json answers = admin.deposit(items, payload + unended + rest + kSecond);
  REQUIRE(answers.size() == items.size());
  CHECK(answers.at(0).at("code") == "not-found");
  for (std::size_t i = 1; i < 13; ++i) {
    INFO(i << ": " << answers.at(i).dump());
    CHECK(answers.at(i).at("code") == "invalid");
    CHECK(answers.at(i).at("error").get<std::string>().starts_with("items[" + std::to_string(i) +
                                                                   "]"));
  }
  CHECK(answers.at(13).at("uid") == 1);
  CHECK(answers.at(14).at("uid") == 2);
  CHECK(admin.text(admin.inbox, store::Uid(2)) == kSecond);
  admin.check_clean();
}

TEST_CASE("a deposit whose octets don't add up stores nothing") {
  Admin admin;
  const auto refused = [&](Json items, const std::string& payload, Json more = Json::object()) {
    more["do"] = "deposit";
    more["account"] = kAnn;
    more["items"] = std::move(items);
    return admin.bad(std::move(more), payload);
  };
  CHECK(starts(refused(Json::array({item(kFirst)}), kFirst + kSecond), "invalid: items: "));
  CHECK(starts(refused(Json::array({item(kFirst), item(kSecond)}), kFirst),
               "invalid: items[1].octets: more than the payload has"));
  CHECK(starts(refused(Json::array({Json{{"mailbox", "INBOX"}}}), kFirst),
               "invalid: items[0].octets: is missing"));
  CHECK(starts(refused(Json::array({item(kFirst, {{"octets", -4}})}), kFirst), "invalid: items"));
  CHECK(starts(refused(Json::array({item(kFirst, {{"octets", ~std::uint64_t{0}}}),
                                    item(kFirst, {{"octets", kFirst.size() + 1}})}),
                       kFirst),
               "invalid: items[0].octets: more than the payload has"));
  CHECK(starts(refused(Json::array({7}), kFirst), "invalid: items[0].octets: is missing"));
  CHECK(starts(refused(Json::object(), kFirst), "invalid: items: must be a list"));
  // A bare LF, and a last line without an end: what the spool made of them is no longer what was announced.
  const std::string bare = "Subject: x\n\r\nbody\r\n";
  CHECK(starts(refused(Json::array({item(bare)}), bare, {{"octets", bare.size()}}),
               "invalid: the payload has lines that do not end in CRLF"));
  CHECK(starts(admin.bad({{"do", "deposit"},
                          {"account", "bob@example.org"},
                          {"items", Json::array({item(kFirst)})}},
                         kFirst),
               "not-found: "));
  CHECK(admin.info(admin.inbox).messages == 0);
}

TEST_CASE("a deposit fills a quota to its end, and ignores it where it is told to") {
  Admin admin;
  admin.quota(2);
  const Json items = Json::array({item(kFirst), item(kFirst), item(kFirst)});
  const Json answers = admin.deposit(items, kFirst + kFirst + kFirst);
  CHECK(answers.at(0).contains("uid"));
  CHECK(answers.at(1).contains("uid"));
  CHECK(answers.at(2).at("code") == "over-quota");
  CHECK(admin.deposit(items, kFirst + kFirst + kFirst, {{"ignore_quota", true}})
            .at(2)
            .contains("uid"));
  CHECK(admin.info(admin.inbox).messages == 5);
  admin.check_clean();
}

TEST_CASE("a deposit that is told to end stores nothing more") {
  Admin admin;
  admin.progress = [](std::string_view, std::uint64_t done, std::uint64_t) { return done < 1; };
  CHECK(starts(admin.bad({{"do", "deposit"},
                          {"account", kAnn},
                          {"items", Json::array({item(kFirst), item(kFirst)})}},
                         kFirst + kFirst),
               "shutdown: "));
  CHECK(admin.info(admin.inbox).messages == 0);
}

TEST_CASE("UIDNEXT goes forward only") {
  Admin admin;
  admin.good({{"do", "advance"}, {"account", kAnn}, {"mailbox", "inbox"}, {"uid_next", 100}});
  CHECK(admin.info(admin.inbox).uid_next.value() == 100);
  admin.good({{"do", "advance"}, {"account", kAnn}, {"mailbox", "INBOX"}, {"uid_next", 50}});
  CHECK(admin.info(admin.inbox).uid_next.value() == 100);
  CHECK(starts(admin.bad({{"do", "advance"}, {"account", kAnn}, {"mailbox", "X"}, {"uid_next", 5}}),
               "not-found: ann@example.org has no mailbox named X"));
  CHECK(starts(admin.bad({{"do", "advance"}, {"account", kAnn}, {"mailbox", "INBOX"}}),
               "invalid: uid_next: is missing"));
}

TEST_CASE("a restored mailbox is put in the old one's place") {
  Admin admin;
  const auto restored = admin.create("Restored");
  admin.append(restored, request_of(kFirst));
  admin.append(kSecond);
  admin.good({{"do", "install"}, {"account", kAnn}, {"mailbox", "Restored"}, {"name", "INBOX"}});
  const auto inbox = admin.read(
      [&](const store::ReadView& view) { return view.find_mailbox(admin.account, "INBOX"); });
  CHECK(inbox.messages == 2);
  CHECK(starts(
      admin.bad({{"do", "install"}, {"account", kAnn}, {"mailbox", "Restored"}, {"name", "X"}}),
      "not-found: "));
  CHECK(starts(
      admin.bad({{"do", "install"}, {"account", kAnn}, {"mailbox", "INBOX"}, {"name", "a\nb"}}),
      "invalid: name: "));
  admin.good({{"do", "provisioned"}, {"account", kAnn}});
  CHECK(admin.read([&](const store::ReadView& view) { return view.account(kAnn); }).provisioned);
  admin.check_clean();
}

TEST_CASE("undelete brings messages back with their UIDL, and says what it could not") {
  Admin admin;
  admin.append(kFirst);
  admin.append(kSecond);
  const auto uidls = admin.uidls();
  admin.expunge(admin.inbox, {store::Uid(1), store::Uid(2)});
  auto ids = admin.removed_ids();
  REQUIRE(ids.size() == 2);
  ids.push_back("1700000000-1-99");
  const Json answer =
      admin.good({{"do", "undelete"}, {"account", "Ann@example.org"}, {"ids", ids}});
  REQUIRE(answer.at("messages").size() == 2);
  CHECK(answer.at("messages").at(0).at("mailbox") == "INBOX");
  CHECK(answer.at("messages").at(0).at("uid") == 3);
  CHECK(answer.at("missing") == Json::array({"1700000000-1-99"}));
  CHECK(answer.at("present").empty());
  CHECK(admin.uidls() == uidls);
  CHECK(admin.text(admin.inbox, store::Uid(4)) == kSecond);
  admin.check_clean();
}

TEST_CASE("undelete puts messages where it is told to, as far as the quota goes") {
  Admin admin;
  admin.create("Back");
  for (unsigned i = 1; i <= 3; ++i) admin.append(mail_text(i));
  admin.expunge(admin.inbox, {store::Uid(1), store::Uid(2), store::Uid(3)});
  const auto ids = admin.removed_ids();
  CHECK(starts(admin.bad({{"do", "undelete"}, {"account", kAnn}, {"ids", ids}, {"to", "Nowhere"}}),
               "not-found: ann@example.org has no mailbox named Nowhere"));
  admin.quota(2);
  const std::string error =
      admin.bad({{"do", "undelete"}, {"account", kAnn}, {"ids", ids}, {"to", "Back"}});
  CHECK(starts(error, "over-quota: "));
  CHECK(error.ends_with("(2 messages came back before that)"));
  CHECK(admin.removed_ids().size() == 3);
  CHECK(admin.read([&](const store::ReadView& view) { return view.account(admin.account); })
            .removed_bytes == mail_text(3).size());  // of one: the others were only moved
  const auto back = admin.read(
      [&](const store::ReadView& view) { return view.find_mailbox(admin.account, "Back"); });
  CHECK(back.messages == 2);
  admin.check_clean();
}

TEST_CASE("a deleted mailbox comes back by the messages that were in it") {
  Admin admin;
  const auto work = admin.create("Work");
  for (unsigned i = 1; i <= 300; ++i) admin.append(work, request_of(mail_text(i)));
  admin.write([&](store::WriteTxn& txn) { return txn.delete_mailbox(work, kByImap); });
  std::vector<std::uint64_t> told;
  admin.progress = [&](std::string_view, std::uint64_t done, std::uint64_t total) {
    told.push_back(done);
    CHECK(total == 300);
    return true;
  };
  const Json answer =
      admin.good({{"do", "undelete"}, {"account", kAnn}, {"ids", admin.removed_ids()}});
  CHECK(answer.at("messages").size() == 300);
  CHECK(told.size() > 1);  // some hundred a transaction
  const auto back = admin.read(
      [&](const store::ReadView& view) { return view.find_mailbox(admin.account, "Work"); });
  CHECK(back.messages == 300);
  admin.check_clean();
}

TEST_CASE("what is only still there for sessions does not come back") {
  Admin admin;
  admin.append(kFirst);
  admin.expunge(admin.inbox, {store::Uid(1)});
  const auto ids = admin.removed_ids();
  admin.config->limits.retention_days = 0;
  const Json answer = admin.good({{"do", "undelete"}, {"account", kAnn}, {"ids", ids}});
  CHECK(answer.at("missing") == Json(ids));
  CHECK(answer.at("messages").empty());
  CHECK(admin.uidls().empty());
  admin.config->limits.retention_days = 1;
  CHECK(admin.good({{"do", "undelete"}, {"account", kAnn}, {"ids", ids}}).at("messages").size() ==
        1);
}

TEST_CASE("forgotten removals are gone for good") {
  Admin admin;
  admin.append(kFirst);
  admin.expunge(admin.inbox, {store::Uid(1)});
  const auto ids = admin.removed_ids();
  CHECK(starts(admin.bad({{"do", "forget"}, {"account", kAnn}}), "invalid: ids: is missing"));
  CHECK(starts(admin.bad({{"do", "forget"}, {"account", kAnn}, {"ids", {"17"}}}),
               "invalid: ids[0]: "));
  CHECK(starts(admin.bad({{"do", "forget"}, {"account", kAnn}, {"ids", {ids[0], ids[0]}}}),
               "invalid: ids: names a message twice"));
  CHECK(admin.good({{"do", "forget"}, {"account", kAnn}, {"ids", ids}}).at("forgotten") == 1);
  CHECK(admin.good({{"do", "forget"}, {"account", kAnn}, {"ids", ids}}).at("forgotten") == 0);
  CHECK(admin.good({{"do", "undelete"}, {"account", kAnn}, {"ids", ids}}).at("missing").size() ==
        1);
}

TEST_CASE("a check by way of the admin socket reports what it saw") {
  Admin admin;
  admin.append(kFirst);
  const Json report = admin.good({{"do", "check"}});
  CHECK(report.at("messages") == 1);
  CHECK(report.at("problems") == 0);
  CHECK(report.at("details").empty());
  CHECK(report.at("body_octets").get<std::uint64_t>() > 0);
  CHECK(admin.good({{"do", "check"}, {"bodies", false}}).at("body_octets") == 0);
  CHECK(starts(admin.bad({{"do", "check"}, {"most_problems", -1}}), "invalid: most_problems: "));
}

TEST_CASE("compaction and recoding by way of the admin socket") {
  Admin admin;
  for (unsigned i = 1; i <= 50; ++i) admin.append(mail_text(i, 40'000));
  CHECK(admin.good({{"do", "recode"}}).at("bodies") == 0);
  const Json compacted = admin.good({{"do", "compact"}});
  CHECK(compacted.at("octets_after").get<std::uint64_t>() > 0);
  CHECK(compacted.at("octets_after").get<std::uint64_t>() <=
        compacted.at("octets_before").get<std::uint64_t>());
  CHECK(admin.text(admin.inbox, store::Uid(50)) == mail_text(50, 40'000));
  admin.progress = [](std::string_view, std::uint64_t, std::uint64_t) { return false; };
  CHECK(starts(admin.bad({{"do", "compact"}}), "shutdown: "));
}

TEST_CASE("the admin socket is a Unix socket") {
  config::ServerConfig config;
  config.listen.admin = {"127.0.0.1:4190"};
  const auto refused = server::configured_endpoints(config);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.starts_with("listen.admin: 127.0.0.1:4190: must be a Unix socket"));
  config.listen.admin = {"unix:/run/twinpost/admin.sock"};
  config.listen.http = {"127.0.0.1:8080"};
  const auto endpoints = server::configured_endpoints(config);
  REQUIRE(endpoints);
  CHECK(endpoints->back().service == server::Service::kAdmin);
  net::PassedSocket socket;
  socket.name = "twinpost-admin.socket";
  socket.address = *net::parse_listen_address("127.0.0.1:4190");
  CHECK_FALSE(server::endpoint_of(socket, *endpoints));
}
