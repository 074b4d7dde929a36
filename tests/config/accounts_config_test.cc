#include <doctest/doctest.h>
#include <string>

#include "core/config/config.h"
#include "tests/config/temporary_folder.h"

using namespace twinpost;
using namespace twinpost::config;

namespace {

AccountsConfig parsed(const std::string& text) {
  const auto config = parse_accounts_config(text, "a.json");
  if (!config) FAIL(config.error().message);
  return **config;
}

std::string error_of(const std::string& text) {
  const auto config = parse_accounts_config(text, "a.json");
  REQUIRE_FALSE(config);
  CHECK(config.error().message.find('\n') == std::string::npos);
  return config.error().message;
}

Account ann(const std::string& more) {
  return parsed(R"({"accounts": {"ann": {"password": "{PLAIN}x", )" + more + "}}}")
      .accounts.at("ann");
}

std::string ann_error(const std::string& more) {
  return error_of(R"({"accounts": {"ann": {"password": "{PLAIN}x", )" + more + "}}}");
}

// Accounts of that name with that much beside the password.
std::string account(const std::string& name, const std::string& more = "") {
  return '"' + name + R"(": {"password": "{PLAIN}x")" + more + '}';
}

}  // namespace

TEST_CASE("a file without accounts is valid") {
  CHECK(parsed("{}").accounts.empty());
  CHECK(parsed(R"({"version": 1, "accounts": {}})").accounts.empty());
}

TEST_CASE("the example of the documentation is read") {
  const AccountsConfig config = parsed(R"({
    "version": 1,
    "accounts": {
      "Ann@Example.org": {
        "password": "{ARGON2ID}$argon2id$v=19$...",
        "aliases": ["Sales@example.org", "@other.example"],
        "quota": "5 GiB",
        "quota_messages": 1000,
        "quota_mailboxes": 50,
        "protocols": { "imap": true, "pop3": { "enabled": true, "mode": "keep" } }
      }
    }
  })");
  CHECK(config.source == "a.json");
  const Account& account = config.accounts.at("ann@example.org");
  CHECK(account.name == "ann@example.org");
  CHECK(account.password == "{ARGON2ID}$argon2id$v=19$...");
  CHECK(account.enabled);
  CHECK(account.aliases == std::vector<std::string>{"sales@example.org", "@other.example"});
  CHECK(account.quota == 5ULL << 30);
  CHECK(account.quota_messages == 1000);
  CHECK(account.quota_mailboxes == 50);
  CHECK(account.imap.enabled);
  CHECK(account.pop3.enabled);
  CHECK(account.pop3.after_retrieve == Pop3Action::kHide);
  CHECK(account.pop3.on_delete == Pop3Action::kHide);
}

TEST_CASE("a protocol is switched by true, false or an object") {
  CHECK(ann(R"("enabled": true)").imap.enabled);
  CHECK_FALSE(ann(R"("enabled": false)").enabled);
  CHECK_FALSE(ann(R"("protocols": {"imap": false})").imap.enabled);
  CHECK_FALSE(ann(R"("protocols": {"imap": {"enabled": false}})").imap.enabled);
  CHECK_FALSE(ann(R"("protocols": {"pop3": false})").pop3.enabled);
  CHECK_FALSE(ann(R"("protocols": {"pop3": {"enabled": false}})").pop3.enabled);
  CHECK(ann(R"("protocols": {"pop3": {}})").pop3.enabled);
  CHECK(ann(R"("protocols": {"pop3": {"sessions": "many"}})").pop3.many_sessions);
  CHECK_FALSE(ann(R"("protocols": {"pop3": {"sessions": "one"}})").pop3.many_sessions);
}

TEST_CASE("POP3 modes are names for a pair of choices, which can be set one by one") {
  const auto pop3 = [](const std::string& settings) {
    const Pop3Options options = ann(R"("protocols": {"pop3": {)" + settings + "}}").pop3;
    return std::pair(options.after_retrieve, options.on_delete);
  };
  using enum Pop3Action;
  CHECK(pop3("") == std::pair(kNothing, kRemove));
  CHECK(pop3(R"("mode": "client")") == std::pair(kNothing, kRemove));
  CHECK(pop3(R"("mode": "keep")") == std::pair(kHide, kHide));
  CHECK(pop3(R"("mode": "delete")") == std::pair(kRemove, kRemove));
  CHECK(pop3(R"("mode": "archive")") == std::pair(kArchive, kTrash));
  CHECK(pop3(R"("after_retrieve": "archive")") == std::pair(kArchive, kRemove));
  CHECK(pop3(R"("on_delete": "trash")") == std::pair(kNothing, kTrash));
  // Whatever their order in the file is, the single choices prevail.
  CHECK(pop3(R"("on_delete": "remove", "mode": "keep")") == std::pair(kHide, kRemove));
  CHECK(pop3(R"("mode": "keep", "on_delete": "remove")") == std::pair(kHide, kRemove));
}

TEST_CASE("what POP3 shows is a word, a number of days or a day") {
  using What = Pop3Show::What;
  const auto show = [](const std::string& text) {
    return ann(R"("protocols": {"pop3": {"show": ")" + text + "\"}}").pop3.show;
  };
  CHECK(show("all").what == What::kAll);
  CHECK(show("unseen").what == What::kUnseen);
  CHECK(show("from now on").what == What::kFromNowOn);
  CHECK(show("30 days") == Pop3Show{What::kRecentDays, 30, {}});
  CHECK(show("1 day").days == 1);
  CHECK(show("since 2026-01-31").since == std::chrono::sys_days{std::chrono::year(2026) / 1 / 31});
  for (const char* const bad : {"", "some", "0 days", "-1 days", "99999999999999999999 days",
                                "since 2026-02-30", "since 26-1-1", "since yesterday"}) {
    CAPTURE(bad);
    CHECK(error_of(
              R"({"accounts": {"ann": {"password": "{PLAIN}x", "protocols": {"pop3": {"show": ")" +
              std::string(bad) + "\"}}}}}")
              .starts_with("a.json: accounts.ann.protocols.pop3.show: must be "));
  }
}

TEST_CASE("POP3's further options are checked") {
  const Pop3Options options = ann(R"("protocols": {"pop3": {"keep_days": 7, "mark_seen": true,
      "maildrop": "Invoices/New", "uidl": "{uidvalidity}.{uid}", "disabled_text": "Use IMAP"}})")
                                  .pop3;
  CHECK(options.keep_days == 7);
  CHECK(options.mark_seen);
  CHECK(options.maildrop == "Invoices/New");
  CHECK(options.uidl == "{uidvalidity}.{uid}");
  CHECK(options.disabled_text == "Use IMAP");
  CHECK(ann(R"("protocols": {"pop3": {"maildrop": "Inbox"}})").pop3.maildrop == "INBOX");
  CHECK(ann(R"("protocols": {"pop3": {"maildrop": "Archive"}})").pop3.maildrop == "Archive");
  for (const char* const bad : {R"("maildrop": "/x")", R"("uidl": "{x}")", R"("keep_days": -1)",
                                R"("disabled_text": "[AUTH] x")", R"("disabled_text": "\u00e4")"}) {
    CAPTURE(bad);
    CHECK(error_of(R"({"accounts": {"ann": {"password": "{PLAIN}x", "protocols": {"pop3": {)" +
                   std::string(bad) + "}}}}}")
              .starts_with("a.json: accounts.ann.protocols.pop3."));
  }
}

TEST_CASE("what the accounts file gets wrong is said in one line with the path of the key") {
  CHECK(error_of(R"({"accounts": []})") == "a.json: accounts: must be an object, not a list");
  CHECK(error_of(R"({"accounts": {"ann": {}}})") == "a.json: accounts.ann.password: is missing");
  CHECK(error_of(R"({"accounts": {"ann@example.org": {}}})") ==
        "a.json: accounts.\"ann@example.org\".password: is missing");
  CHECK(error_of(R"({"accounts": {"ann": {"password": "secret"}}})") ==
        "a.json: accounts.ann.password: must begin with its scheme, like \"{ARGON2ID}...\"");
  CHECK(error_of(R"({"accounts": {"ann": {"password": "{}secret"}}})") ==
        "a.json: accounts.ann.password: must begin with its scheme, like \"{ARGON2ID}...\"");
  CHECK(error_of(R"({"accounts": {"ann": {"password": ""}}})") ==
        "a.json: accounts.ann.password: must not be empty");
  CHECK(error_of(R"({"accounts": {"a b": {}}})") ==
        "a.json: accounts.\"a b\": as an account's name: must be a mail address or a user name, "
        "without blanks and quotes");
  CHECK(error_of(R"({"accounts": {"@example.org": {}}})")
            .starts_with("a.json: accounts.\"@example.org\": as an account's name: "));
  CHECK(error_of(R"({"acounts": {}})") ==
        R"(a.json: acounts: unknown key (did you mean "accounts"?))");
  CHECK(error_of(R"({"version": 3})") ==
        "a.json: version: written for a newer Twinpost (this one reads version 1, not 3)");
  CHECK(ann_error(R"("alias": [])") ==
        R"(a.json: accounts.ann.alias: unknown key (did you mean "aliases"?))");
  CHECK(ann_error(R"("protocols": {"pop": true})") ==
        R"(a.json: accounts.ann.protocols.pop: unknown key (did you mean "pop3"?))");
  CHECK(ann_error(R"("protocols": {"pop3": "on"})") ==
        "a.json: accounts.ann.protocols.pop3: must be true, false or an object, not a string");
  CHECK(ann_error(R"("protocols": {"pop3": {"mode": "kepp"}})") ==
        "a.json: accounts.ann.protocols.pop3.mode: must be \"client\", \"keep\", \"delete\" or "
        "\"archive\", not \"kepp\" (did you mean \"keep\"?)");
  CHECK(ann_error(R"("protocols": {"pop3": {"on_delete": "nothing"}})") ==
        "a.json: accounts.ann.protocols.pop3.on_delete: must be \"remove\", \"hide\", \"archive\" "
        "or \"trash\", not \"nothing\"");
  CHECK(ann_error(R"("quota": "5 G")") ==
        "a.json: accounts.ann.quota: must be a number of octets or a size like \"50 MiB\", not "
        "\"5 G\"");
  CHECK(ann_error(R"("aliases": "sales@example.org")") ==
        "a.json: accounts.ann.aliases: must be a list, like [\"sales@example.org\"], not a string");
  CHECK(ann_error(R"("aliases": ["x", "a b"])") ==
        "a.json: accounts.ann.aliases[1]: must be a mail address or a user name, without blanks "
        "and quotes");
}

TEST_CASE("no name means two accounts") {
  const auto file = [](const std::string& accounts) {
    return R"({"accounts": {)" + accounts + "}}";
  };
  CHECK(error_of(file(account("Ann") + "," + account("ann"))) ==
        "a.json: accounts.ann: is the same account as \"Ann\"");
  CHECK(error_of(file(account("ann") + "," + account("ann")))
            .ends_with("accounts.ann is there twice"));
  CHECK(error_of(file(account("ann", R"(,"aliases": ["Bob"])") + "," + account("bob"))) ==
        "a.json: accounts.ann.aliases[0]: \"bob\" is another account's name");
  CHECK(error_of(file(account("ann", R"(,"aliases": ["ANN"])"))) ==
        "a.json: accounts.ann.aliases[0]: is the account's own name");
  CHECK(error_of(file(account("ann", R"(,"aliases": ["x", "X"])"))) ==
        "a.json: accounts.ann.aliases[1]: \"x\" is listed twice");
  CHECK(error_of(file(account("ann", R"(,"aliases": ["x@y.z"])") + "," +
                      account("bob", R"(,"aliases": ["q", "X@Y.Z"])"))) ==
        "a.json: accounts.bob.aliases[1]: \"x@y.z\" is an alias of \"ann\" already");
  CHECK(error_of(file(account("ann", R"(,"aliases": ["@y.z"])") + "," +
                      account("bob", R"(,"aliases": ["@y.z"])"))) ==
        "a.json: accounts.bob.aliases[0]: \"@y.z\" is an alias of \"ann\" already");
}

TEST_CASE("no error shows a password") {
  for (const std::string bad :
       {R"("password": "hunter2")", R"("password": "{PLAIN}hunter2", "password": 1)",
        R"("password": "{PLAIN}hunter2\n")", R"("password": ["hunter2"])",
        R"("password": "{PLAIN}hunter2)"}) {
    CHECK(error_of(R"({"accounts": {"ann": {)" + bad + "}}}").find("hunter2") == std::string::npos);
  }
}

TEST_CASE("a missing accounts file is an error that names it") {
  const test::TemporaryFolder folder;
  const auto config = load_accounts_config(folder.file("accounts.json"));
  REQUIRE_FALSE(config);
  CHECK(config.error().code == ErrorCode::kNotFound);
  CHECK(config.error().message == folder.file("accounts.json") + ": No such file or directory");
  folder.write("accounts.json", R"({"accounts": {)" + account("ann") + "}}");
  CHECK((*load_accounts_config(folder.file("accounts.json")))->accounts.contains("ann"));
}

TEST_CASE("a hundred thousand accounts load in seconds") {
  std::string text = R"({"accounts": {)";
  for (int i = 0; i < 100'000; ++i) {
    if (i > 0) text += ',';
    const std::string number = std::to_string(i);
    text += account("user" + number + "@example.org", R"(,"aliases": ["alias)" + number + "\"]");
  }
  CHECK(parsed(text + "}}").accounts.size() == 100'000);
}
