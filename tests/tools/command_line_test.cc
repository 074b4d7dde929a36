// What the commands make of their command lines, where CLI11 alone would make something else of it.
#include "tools/twinpost/command_line.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <string>
#include <utility>
#include <vector>

#include "tools/twinpost/commands.h"

using namespace twinpost;
using namespace twinpost::tools;

namespace {

using Words = std::vector<std::string>;

// All commands; none gets farther than to the configuration, which is not there.
struct Line {
  Line() {
    context.config_file = "/nonexistent/twinpost.json";
    app.fallthrough();
    add_export_commands(app, context);
    add_import_commands(app, context);
    add_backup_commands(app, context);
    add_removed_commands(app, context);
  }
  // "" where the words are understood, else what is wrong.
  std::string parse(Words words) {
    std::reverse(words.begin(), words.end());
    try {
      app.parse(std::move(words));
    } catch (const CLI::ParseError& error) {
      return error.what();
    }
    return {};
  }
  Words given(const std::string& command, const std::string& option) {
    return app.get_subcommand(command)->get_option(option)->results();
  }
  CLI::App app;
  Context context;
};

}  // namespace

TEST_CASE("an option that may be repeated takes one word each time, not what comes behind it") {
  Line line;
  REQUIRE(line.parse({"export", "--mbox", "out", "--mailbox", "INBOX", "ann@example.org"}).empty());
  CHECK(line.given("export", "--mailbox") == Words{"INBOX"});
  CHECK(line.given("export", "ACCOUNT") == Words{"ann@example.org"});

  REQUIRE(
      line.parse({"export", "--mailbox", "A", "ann@example.org", "--mailbox", "B", "--mbox", "out"})
          .empty());
  CHECK(line.given("export", "--mailbox") == Words{"A", "B"});

  REQUIRE(line.parse({"import", "--mbox", "in", "--folder", "X", "--folder=Y", "ann@example.org"})
              .empty());
  CHECK(line.given("import", "--folder") == Words{"X", "Y"});
  CHECK(line.given("import", "ACCOUNT") == Words{"ann@example.org"});

  REQUIRE(line.parse({"restore", "--account", "ann@example.org", "--mailbox", "INBOX", "--mailbox",
                      "Sent", "dir", "-q"})
              .empty());
  CHECK(line.given("restore", "--mailbox") == Words{"INBOX", "Sent"});
  CHECK(line.given("restore", "DIR") == Words{"dir"});
}

TEST_CASE("numbers that mean nothing are refused with the option's name and what it may be") {
  for (const char* wrong : {"-1", "-0", "+5", "0", "1e3", "5x", "", "18446744073709551616"}) {
    CAPTURE(wrong);
    CHECK(Line()
              .parse({"removed", "list", "ann@example.org", "--limit", wrong})
              .starts_with("--limit: "));
    CHECK(Line().parse({"backup", "prune", "dir", "--keep", wrong}).starts_with("--keep: "));
    CHECK(Line()
              .parse({"backup", "prune", "dir", "--keep-days", wrong})
              .starts_with("--keep-days: "));
    CHECK(Line()
              .parse({"import", "ann@example.org", "--imap", "host", "--timeout", wrong})
              .starts_with("--timeout: "));
  }
  CHECK(Line().parse({"backup", "prune", "dir", "--keep", "0"}) ==
        "--keep: \"0\" is no whole number from 1 to 1000000");
  for (const char* wrong : {"-1", "-0.5", "nan", "inf", "-inf", "fast", "1e300"}) {
    CAPTURE(wrong);
    CHECK(Line().parse({"backup", "dir", "--rate", wrong}).starts_with("--rate: "));
  }
  CHECK(Line().parse({"backup", "dir", "--rate", "2.5"}).empty());
  CHECK(Line().parse({"backup", "dir", "--rate", "0"}).empty());
  CHECK(Line().parse({"removed", "list", "ann@example.org", "--limit", "3"}).empty());
  CHECK(Line().parse({"backup", "prune", "dir", "--keep", "7"}).empty());
}
