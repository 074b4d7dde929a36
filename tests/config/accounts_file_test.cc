#include "core/config/accounts_file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/config/config.h"
#include "core/config/files.h"
#include "tests/config/temporary_folder.h"

using namespace twinpost;
using namespace twinpost::config;

namespace {

const std::string kFile = R"({
  "version": 1,
  "accounts": {
    "zoe": {
      "quota": "5 GiB",
      "password": "{PLAIN}z",
      "protocols": {
        "pop3": {
          "mode": "keep",
          "enabled": true
        }
      },
      "aliases": [
        "sales"
      ]
    },
    "Ann@example.org": {
      "password": "{PLAIN}a"
    }
  }
}
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

std::size_t files_in(const std::string& folder) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    count += entry.exists() ? 1 : 0;
  }
  return count;
}

}  // namespace

TEST_CASE("a change leaves everything else in the accounts file as it was, in its order") {
  const test::TemporaryFolder folder;
  const std::string path = folder.write("accounts.json", kFile);
  REQUIRE(set_password(path, "zoe", "{PLAIN}new"));
  std::string expected = replaced(kFile, "{PLAIN}z", "{PLAIN}new");
  CHECK(folder.read("accounts.json") == expected);
  REQUIRE(set_enabled(path, "ANN@example.org", false));
  expected = replaced(expected, "\"{PLAIN}a\"", "\"{PLAIN}a\",\n      \"enabled\": false");
  CHECK(folder.read("accounts.json") == expected);
  REQUIRE(set_enabled(path, "ann@example.org", true));
  expected = replaced(expected, "\"enabled\": false", "\"enabled\": true");
  CHECK(folder.read("accounts.json") == expected);
  REQUIRE(set_protocol(path, "zoe", AccountProtocol::kPop3, false));
  expected = replaced(expected, "\"enabled\": true", "\"enabled\": false");
  CHECK(folder.read("accounts.json") == expected);
  REQUIRE(add_account(path, "Bob@Example.org", "{PLAIN}b"));
  expected = replaced(expected, "true\n    }\n",
                      "true\n    },\n    \"bob@example.org\": {\n      \"password\": "
                      "\"{PLAIN}b\"\n    }\n");
  CHECK(folder.read("accounts.json") == expected);
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("switching a protocol makes what is missing and keeps its settings") {
  const test::TemporaryFolder folder;
  const std::string path = folder.write("accounts.json", kFile);
  REQUIRE(set_protocol(path, "ann@example.org", AccountProtocol::kImap, false));
  REQUIRE(set_protocol(path, "zoe", AccountProtocol::kImap, false));
  REQUIRE(set_protocol(path, "zoe", AccountProtocol::kPop3, false));
  auto config = *load_accounts_config(path);
  CHECK_FALSE(config->accounts.at("ann@example.org").imap.enabled);
  CHECK_FALSE(config->accounts.at("zoe").imap.enabled);
  CHECK_FALSE(config->accounts.at("zoe").pop3.enabled);
  CHECK(config->accounts.at("zoe").pop3.on_delete == Pop3Action::kHide);
  REQUIRE(set_protocol(path, "zoe", AccountProtocol::kImap, true));
  config = *load_accounts_config(path);
  CHECK(config->accounts.at("zoe").imap.enabled);
}

TEST_CASE("the first account makes the file, for its owner only") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("accounts.json");
  REQUIRE(add_account(path, "ann", "{PLAIN}a"));
  CHECK(folder.read("accounts.json") ==
        "{\n  \"version\": 1,\n  \"accounts\": {\n    \"ann\": {\n      \"password\": "
        "\"{PLAIN}a\"\n    }\n  }\n}\n");
  CHECK(mode_of(path) == 0600);
}

TEST_CASE("a new file in a folder of the daemon's group can be read by that group") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: needs root to give the folder to another group");
    return;
  }
  constexpr gid_t kGroup = 12345;
  const test::TemporaryFolder folder;
  REQUIRE(::chown(folder.path().c_str(), 0, kGroup) == 0);
  const std::string path = folder.file("accounts.json");
  REQUIRE(add_account(path, "ann", "{PLAIN}a"));
  CHECK(mode_of(path) == 0640);
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK(status.st_gid == kGroup);
}

TEST_CASE("owner and mode of the accounts file stay") {
  const test::TemporaryFolder folder;
  const std::string path = folder.write("accounts.json", kFile);
  REQUIRE(::chmod(path.c_str(), 0604) == 0);
  constexpr uid_t kOwner = 23456;
  constexpr gid_t kGroup = 12345;
  const bool is_root = ::geteuid() == 0;
  if (is_root) REQUIRE(::chown(path.c_str(), kOwner, kGroup) == 0);
  REQUIRE(set_enabled(path, "zoe", false));
  CHECK(mode_of(path) == 0604);
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK(status.st_uid == (is_root ? kOwner : ::geteuid()));
  if (is_root) CHECK(status.st_gid == kGroup);
}

TEST_CASE("a symbolic link to the accounts file stays a link") {
  const test::TemporaryFolder folder;
  std::filesystem::create_directory(folder.file("real"));
  folder.write("real/people.json", kFile);
  std::filesystem::create_symlink("real/people.json", folder.file("accounts.json"));
  REQUIRE(set_password(folder.file("accounts.json"), "zoe", "{PLAIN}new"));
  CHECK(std::filesystem::is_symlink(folder.file("accounts.json")));
  CHECK(folder.read("real/people.json") == replaced(kFile, "{PLAIN}z", "{PLAIN}new"));
}

TEST_CASE("a change that can't be made changes nothing and says why") {
  const test::TemporaryFolder folder;
  const std::string path = folder.write("accounts.json", kFile);
  const auto check = [&](const Result<void>& result, ErrorCode code, const std::string& message) {
    REQUIRE_FALSE(result);
    CHECK(result.error().code == code);
    CHECK(result.error().message == message);
    CHECK(folder.read("accounts.json") == kFile);
    CHECK(files_in(folder.path()) == 1);
  };
  check(add_account(path, "ANN@example.org", "{PLAIN}x"), ErrorCode::kExists,
        path + ": accounts.\"ann@example.org\": is there already");
  check(add_account(path, "Sales", "{PLAIN}x"), ErrorCode::kExists,
        path + ": accounts.sales: is an alias of another account");
  check(add_account(path, "a b", "{PLAIN}x"), ErrorCode::kInvalid,
        "\"a b\" as an account's name: must be a mail address or a user name, without blanks and "
        "quotes");
  check(add_account(path, "bob", "no scheme"), ErrorCode::kInvalid,
        path + ": accounts.bob.password: must begin with its scheme, like \"{ARGON2ID}...\"");
  check(set_password(path, "nobody", "{PLAIN}x"), ErrorCode::kNotFound,
        path + ": accounts.nobody: there is no such account");
  check(set_password(path, "sales", "{PLAIN}x"), ErrorCode::kNotFound,
        path + ": accounts.sales: there is no such account");
  check(set_password(path, "zoe", "x"), ErrorCode::kInvalid,
        path + ": accounts.zoe.password: must begin with its scheme, like \"{ARGON2ID}...\"");
  CHECK(set_enabled(folder.file("none.json"), "zoe", true).error().code == ErrorCode::kNotFound);
  CHECK(set_enabled(folder.file("no/folder.json"), "zoe", true).error().code ==
        ErrorCode::kNotFound);
}

TEST_CASE("a broken accounts file is not touched") {
  const test::TemporaryFolder folder;
  const std::string broken = R"({"accounts": {"zoe": {"password": "{PLAIN}z"}}, "x": 1})";
  const std::string path = folder.write("accounts.json", broken);
  CHECK(add_account(path, "ann", "{PLAIN}a").error().message ==
        path + ": x: unknown key (known here: version, accounts)");
  CHECK(folder.read("accounts.json") == broken);
}

TEST_CASE("two admins at once do not lose each other's accounts") {
  constexpr int kEach = 25;
  const test::TemporaryFolder folder;
  const std::string path = folder.file("accounts.json");
  std::vector<pid_t> writers;
  for (const std::string name : {"left", "right", "middle"}) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      for (int i = 0; i < kEach; ++i) {
        if (!add_account(path, name + std::to_string(i), "{PLAIN}x")) ::_exit(1);
      }
      ::_exit(0);
    }
    writers.push_back(child);
  }
  for (const pid_t writer : writers) {
    int status = 0;
    REQUIRE(::waitpid(writer, &status, 0) == writer);
    CHECK(status == 0);
  }
  CHECK((*load_accounts_config(path))->accounts.size() == kEach * writers.size());
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("whoever holds the folder's lock too long is named as the reason") {
  const test::TemporaryFolder folder;
  const std::string path = folder.write("accounts.json", kFile);
  const int holder = ::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  REQUIRE(holder >= 0);
  REQUIRE(::flock(holder, LOCK_EX) == 0);
  const auto lock = FolderLock::take(folder.path(), std::chrono::milliseconds(50));
  REQUIRE_FALSE(lock);
  CHECK(lock.error().code == ErrorCode::kInUse);
  CHECK(lock.error().message == folder.path() + ": another program is changing files there");
  ::close(holder);
  CHECK(set_enabled(path, "zoe", false));
}
