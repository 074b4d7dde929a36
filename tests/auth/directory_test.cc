#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "core/auth/auth.h"
#include "core/base/inline_executor.h"
#include "core/base/log.h"

using namespace twinpost;
using namespace twinpost::auth;

namespace {

config::AccountsConfigPtr people(const std::string& accounts) {
  const auto config =
      config::parse_accounts_config(R"({"accounts": {)" + accounts + "}}", "accounts.json");
  if (!config) FAIL(config.error().message);
  return *config;
}

const std::string kPeople = R"(
  "ann@example.org": {"password": "{PLAIN}apple", "aliases": ["Sales@example.org", "@catch.example"]},
  "ann+shop@example.org": {"password": "{PLAIN}shop"},
  "bob": {"password": "{PLAIN}berry", "aliases": ["bob@example.org"], "protocols": {"pop3": false}},
  "zoe@example.org": {"password": "{PLAIN}zebra", "enabled": false}
)";

Login login_of(const std::string& user, const std::string& password,
               Protocol protocol = Protocol::kPop3) {
  Login login;
  login.user = user;
  login.password = password;
  login.protocol = protocol;
  login.address = "192.0.2.7";
  return login;
}

Task<void> run_login(Directory& directory, Login login, std::optional<LoginResult>& out) {
  out = co_await directory.login(std::move(login));
}

LoginResult wait_login(InlineExecutor& executor, Directory& directory, Login login) {
  std::optional<LoginResult> result;
  spawn(run_login(directory, std::move(login), result), nullptr);
  executor.run_until_idle();
  REQUIRE(result);
  return *result;
}

// Work waits until the test lets it run; counts it.
class HeldExecutor final : public Executor {
 public:
  void post(std::function<void()> function) override { inner_.post(std::move(function)); }
  void run_on_worker(std::function<void()> work, std::function<void()> done) override {
    ++started;
    held_.emplace_back(std::move(work), std::move(done));
    most_held = std::max(most_held, held_.size());
  }
  TimerId start_timer(Duration delay, std::function<void()> function) override {
    return inner_.start_timer(delay, std::move(function));
  }
  void cancel_timer(TimerId timer) override { inner_.cancel_timer(timer); }

  // Runs what is held, and what comes of it, to the end.
  void release() {
    inner_.run_until_idle();
    while (!held_.empty()) {
      auto [work, done] = std::move(held_.front());
      held_.erase(held_.begin());
      work();
      done();
      inner_.run_until_idle();
    }
  }

  std::size_t started = 0;
  std::size_t most_held = 0;

 private:
  InlineExecutor inner_;
  std::vector<std::pair<std::function<void()>, std::function<void()>>> held_;
};

// The log of a stretch of a test.
class CapturedLog {
 public:
  CapturedLog() {
    std::string pattern = std::filesystem::temp_directory_path() / "twinpost-log.XXXXXX";
    const int descriptor = ::mkstemp(pattern.data());
    REQUIRE(descriptor >= 0);
    ::close(descriptor);
    path_ = pattern;
    log::Settings settings;
    settings.file = path_;
    REQUIRE(log::configure(settings));
  }
  ~CapturedLog() {
    CHECK(log::configure(log::Settings{}));
    std::filesystem::remove(path_);
  }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;
  [[nodiscard]] std::string text() const {
    std::ostringstream out;
    out << std::ifstream(path_).rdbuf();
    return out.str();
  }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE("a user logs in by name or alias, in any case") {
  const CapturedLog log;
  InlineExecutor executor;
  Directory directory(executor, people(kPeople), 2);
  for (const char* user : {"ann@example.org", "Ann@EXAMPLE.org", "sales@example.org"}) {
    CAPTURE(user);
    const LoginResult result = wait_login(executor, directory, login_of(user, "apple"));
    REQUIRE(result.account);
    CHECK(result.account->name == "ann@example.org");
  }
  CHECK(wait_login(executor, directory, login_of("bob", "berry", Protocol::kImap)).account);
}

TEST_CASE("a login that fails does not tell the client why") {
  const CapturedLog log;
  InlineExecutor executor;
  Directory directory(executor, people(kPeople), 2);
  const std::pair<const char*, const char*> cases[] = {
      {"ann@example.org", "Apple"},    {"ann@example.org", ""},
      {"nobody@example.org", "apple"}, {"", ""},
      {"@catch.example", "apple"},     {"x@catch.example", "apple"},
      {"ann+x@example.org", "apple"},  {"zoe@example.org", "zebra"},  // disabled
      {"zoe@example.org", "wrong"},    {"bob", "wrong"}};
  for (const auto& [user, password] : cases) {
    CAPTURE(user);
    const LoginResult result = wait_login(executor, directory, login_of(user, password));
    CHECK_FALSE(result.account);
    CHECK(result.failure == LoginFailure::kCredentials);
  }
}

TEST_CASE("a protocol that is switched off is told to who has the right password only") {
  const CapturedLog log;
  InlineExecutor executor;
  Directory directory(executor, people(kPeople), 2);
  CHECK(wait_login(executor, directory, login_of("bob", "berry")).failure ==
        LoginFailure::kProtocolDisabled);
  CHECK(wait_login(executor, directory, login_of("bob", "wrong")).failure ==
        LoginFailure::kCredentials);
  CHECK(wait_login(executor, directory, login_of("ann@example.org", "apple", Protocol::kLmtp))
            .failure == LoginFailure::kProtocolDisabled);
}

TEST_CASE("an authorization identity must be the same account") {
  const CapturedLog log;
  InlineExecutor executor;
  Directory directory(executor, people(kPeople), 2);
  const auto as = [&](const char* identity) {
    Login login = login_of("ann@example.org", "apple");
    login.authorize_as = identity;
    return wait_login(executor, directory, std::move(login));
  };
  CHECK(as("").account);
  CHECK(as("ANN@example.org").account);
  CHECK(as("sales@example.org").account);
  CHECK_FALSE(as("bob").account);
  CHECK_FALSE(as("nobody").account);
  CHECK_FALSE(as("@catch.example").account);
}

TEST_CASE("logins are logged with who, how and from where, never with the password") {
  const CapturedLog log;
  InlineExecutor executor;
  Directory directory(executor, people(kPeople), 2);
  wait_login(executor, directory, login_of("sales@example.org", "apple"));
  wait_login(executor, directory, login_of("ann@example.org", "hunter2"));
  wait_login(executor, directory, login_of("no\nbody", "hunter2"));
  wait_login(executor, directory, login_of("zoe@example.org", "zebra"));
  wait_login(executor, directory, login_of("bob", "berry"));
  const std::string text = log.text();
  CHECK(text.find("level=info event=login protocol=pop3 account=ann@example.org "
                  "user=sales@example.org address=192.0.2.7\n") != std::string::npos);
  CHECK(text.find("level=warning event=login-failed protocol=pop3 user=ann@example.org "
                  "address=192.0.2.7 reason=wrong-password\n") != std::string::npos);
  CHECK(text.find("user=\"no\\nbody\" address=192.0.2.7 reason=unknown-user\n") !=
        std::string::npos);
  CHECK(text.find("reason=account-disabled\n") != std::string::npos);
  CHECK(text.find("reason=protocol-disabled\n") != std::string::npos);
  for (const char* secret : {"hunter2", "apple", "zebra", "berry"}) {
    CHECK(text.find(secret) == std::string::npos);
  }
}

TEST_CASE("an unknown user costs a password check as a known one does") {
  const CapturedLog log;
  HeldExecutor executor;
  Directory directory(executor, people(kPeople), 2);
  std::optional<LoginResult> result;
  spawn(run_login(directory, login_of("nobody", "x"), result), nullptr);
  CHECK(executor.started == 1);
  CHECK_FALSE(result);
  executor.release();
  REQUIRE(result);
  CHECK(result->failure == LoginFailure::kCredentials);
  // Not even the right password of the account whose hash stands in lets anyone in.
  for (const char* password : {"apple", "shop", "berry", "zebra"}) {
    spawn(run_login(directory, login_of("nobody", password), result), nullptr);
    executor.release();
    CHECK_FALSE(result->account);
  }
  CHECK(executor.started == 5);
}

TEST_CASE("without any account, logins are refused in the same way") {
  const CapturedLog log;
  HeldExecutor executor;
  Directory directory(executor, people(""), 1);
  std::optional<LoginResult> result;
  spawn(run_login(directory, login_of("ann", "x"), result), nullptr);
  CHECK(executor.started == 1);
  executor.release();
  REQUIRE(result);
  CHECK(result->failure == LoginFailure::kCredentials);
}

TEST_CASE("password checks are bounded at once, and so is the queue before them") {
  constexpr std::size_t kLogins = 1100;
  const CapturedLog log;
  HeldExecutor executor;
  Directory directory(executor, people(kPeople), 3);
  std::vector<std::optional<LoginResult>> results(kLogins);
  for (auto& result : results) {
    spawn(run_login(directory, login_of("ann@example.org", "wrong"), result), nullptr);
  }
  CHECK(executor.most_held == 3);
  std::size_t turned_away = 0;
  for (const auto& result : results) {
    if (result && result->failure == LoginFailure::kTemporary) ++turned_away;
  }
  CHECK(turned_away == kLogins - 3 - 1024);
  executor.release();
  for (const auto& result : results) CHECK(result);
  CHECK(executor.most_held == 3);
  CHECK(executor.started == 3 + 1024);
}

TEST_CASE("a password that was right is not hashed again for a while") {
  const CapturedLog log;
  HeldExecutor executor;
  Directory directory(executor, people(kPeople), 2);
  std::optional<LoginResult> result;
  const auto login = [&](const char* user, const char* password) {
    result.reset();
    spawn(run_login(directory, login_of(user, password), result), nullptr);
    executor.release();
    REQUIRE(result);
    return result->account.has_value();
  };
  CHECK(login("ann@example.org", "apple"));
  CHECK(executor.started == 1);
  CHECK(login("sales@example.org", "apple"));
  CHECK(executor.started == 1);
  CHECK_FALSE(login("ann@example.org", "wrong"));
  CHECK(executor.started == 2);
  CHECK(login("ann@example.org", "apple"));
  CHECK(executor.started == 2);

  // Another password in accounts.json is in force at once; what did not change stays remembered.
  CHECK(login("ann+shop@example.org", "shop"));
  CHECK(executor.started == 3);
  directory.replace(people(R"("ann@example.org": {"password": "{PLAIN}new"},
                              "ann+shop@example.org": {"password": "{PLAIN}shop"})"));
  CHECK_FALSE(login("ann@example.org", "apple"));
  CHECK(executor.started == 4);
  CHECK(login("ann@example.org", "new"));
  CHECK(executor.started == 5);
  CHECK(login("ann+shop@example.org", "shop"));
  CHECK(executor.started == 5);
}

TEST_CASE("sessions of one client that come at once cost one check at a time, and one in all") {
  const CapturedLog log;
  HeldExecutor executor;
  Directory directory(executor, people(kPeople), 1);
  std::vector<std::optional<LoginResult>> results(10);
  for (auto& result : results) {
    spawn(run_login(directory, login_of("ann@example.org", "apple"), result), nullptr);
  }
  executor.release();
  for (const auto& result : results) {
    REQUIRE(result);
    CHECK(result->account);
  }
  CHECK(executor.started == 1);
}

TEST_CASE("what a reload changes while a password is checked counts for that login already") {
  const CapturedLog log;
  const auto outcome = [](const std::string& after, const char* password) {
    HeldExecutor executor;
    Directory directory(executor, people(R"("ann": {"password": "{PLAIN}apple"})"), 1);
    std::optional<LoginResult> result;
    spawn(run_login(directory, login_of("ann", password), result), nullptr);
    directory.replace(people(after));
    executor.release();
    REQUIRE(result);
    return *result;
  };
  CHECK(outcome(R"("ann": {"password": "{PLAIN}apple", "quota": 7})", "apple").account->quota == 7);
  CHECK_FALSE(outcome(R"("ann": {"password": "{PLAIN}other"})", "apple").account);
  CHECK_FALSE(outcome(R"("ann": {"password": "{PLAIN}apple", "enabled": false})", "apple").account);
  CHECK_FALSE(outcome("", "apple").account);
  CHECK(outcome(R"("ann": {"password": "{PLAIN}apple", "protocols": {"pop3": false}})", "apple")
            .failure == LoginFailure::kProtocolDisabled);
}

TEST_CASE("a stored password that can't be used is temporary trouble, not a wrong password") {
  const CapturedLog log;
  InlineExecutor executor;
  Directory directory(executor, people(R"("ann": {"password": "{ROT13}nccyr"})"), 1);
  CHECK(wait_login(executor, directory, login_of("ann", "apple")).failure ==
        LoginFailure::kTemporary);
}

TEST_CASE("mail finds its account by name, alias, detail and catch-all") {
  InlineExecutor executor;
  const Directory directory(executor, people(kPeople), 1);
  const auto goes_to = [&](std::string_view address) -> std::string {
    const auto delivery = directory.find_recipient(address);
    if (!delivery) return "nobody";
    return delivery->detail.empty() ? delivery->account
                                    : delivery->account + '/' + delivery->detail;
  };
  CHECK(goes_to("ann@example.org") == "ann@example.org");
  CHECK(goes_to("ANN@Example.ORG") == "ann@example.org");
  CHECK(goes_to("sales@example.org") == "ann@example.org");
  CHECK(goes_to("ann+Lists@example.org") == "ann@example.org/Lists");
  CHECK(goes_to("ann+a+b@example.org") == "ann@example.org/a+b");
  CHECK(goes_to("ann+@example.org") == "ann@example.org");
  CHECK(goes_to("sales+x@example.org") == "ann@example.org/x");
  CHECK(goes_to("ann+shop@example.org") == "ann+shop@example.org");
  CHECK(goes_to("ann+shop+x@example.org") == "ann+shop@example.org/x");
  CHECK(goes_to("anything@catch.example") == "ann@example.org");
  CHECK(goes_to("any+thing@CATCH.example") == "ann@example.org");
  CHECK(goes_to("zoe@example.org") == "zoe@example.org");  // disabled, and still receives
  CHECK(goes_to("bob") == "bob");
  CHECK(goes_to("bob+x") == "bob/x");
  CHECK(goes_to("bob@example.org") == "bob");
  for (const std::string unknown : {"nobody@example.org", "ann", "ann@other.example", "bob@catch",
                                    "+x@example.org", "", "@example.org", "@catch.example", "ann@",
                                    "@", "ann@example.org@x", "ann@example.org\r\n"}) {
    CAPTURE(unknown);
    CHECK(goes_to(unknown) == "nobody");
  }
  CHECK(goes_to(std::string(100'000, 'a') + "@catch.example") == "nobody");
}

TEST_CASE("a quoted local part is the same mailbox as what is in the quotes") {
  InlineExecutor executor;
  const Directory directory(executor, people(kPeople), 1);
  CHECK(directory.find_recipient("\"ann\"@example.org")->account == "ann@example.org");
  CHECK(directory.find_recipient("\"a\\nn\"@example.org")->account == "ann@example.org");
  CHECK(directory.find_recipient("\"ann+my folder\"@example.org")->detail == "my folder");
  CHECK(directory.find_recipient("\"a b\"@catch.example")->account == "ann@example.org");
  CHECK(directory.find_recipient("\"a@b\"@catch.example")->account == "ann@example.org");
  CHECK_FALSE(directory.find_recipient("\"a b\"@example.org"));
  CHECK_FALSE(directory.find_recipient("\"ann@catch.example"));
  CHECK_FALSE(directory.find_recipient("\"ann\"x@catch.example"));
  CHECK_FALSE(directory.find_recipient("\"ann\\"));
  CHECK_FALSE(directory.find_recipient("\"\"@catch.example"));
}

TEST_CASE("replace puts new accounts in force") {
  InlineExecutor executor;
  Directory directory(executor, people(kPeople), 1);
  CHECK(directory.account("BOB"));
  CHECK_FALSE(directory.account("sales@example.org"));
  const auto next = people(R"("new@example.org": {"password": "{PLAIN}x"})");
  directory.replace(next);
  CHECK(directory.accounts() == next);
  CHECK_FALSE(directory.account("bob"));
  CHECK_FALSE(directory.find_recipient("ann@example.org"));
  CHECK(directory.find_recipient("new@example.org"));
}

TEST_CASE("accounts are checked for passwords that can't be used") {
  CHECK(check_accounts(*people(kPeople)));
  const auto checked = check_accounts(
      *people(R"("ann": {"password": "{PLAIN}x"}, "bob@example.org": {"password": "{SSHA256}x"})"));
  REQUIRE_FALSE(checked);
  CHECK(checked.error().message ==
        "accounts.json: accounts.\"bob@example.org\".password: SSHA256: its base64 is broken");
}
