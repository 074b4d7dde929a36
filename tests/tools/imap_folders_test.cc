#include "tools/twinpost/transfer/imap_folders.h"

#include <algorithm>
#include <doctest/doctest.h>

namespace twinpost::tools {

namespace {

using store::SpecialUse;

ListedFolder folder(std::string native, char delimiter = '/',
                    std::vector<std::string> attributes = {}) {
  return {std::move(native), delimiter, std::move(attributes)};
}

std::vector<std::string> names(const FolderPlan& plan) {
  std::vector<std::string> result;
  for (const MailFolder& one : plan.folders) result.push_back(one.name);
  return result;
}

const MailFolder& named(const FolderPlan& plan, std::string_view name) {
  const auto found = std::find_if(plan.folders.begin(), plan.folders.end(),
                                  [&](const MailFolder& f) { return f.name == name; });
  REQUIRE(found != plan.folders.end());
  return *found;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("folders come with INBOX first and parents before children") {
  const auto plan =
      plan_folders({folder("b.c", '.'), folder("a", '.'), folder("b", '.', {"\\noselect"}),
                    folder("inbox", '.'), folder("a-b", '.'), folder("a.z", '.')},
                   {"a"}, {}, {});
  CHECK(names(plan) == Names{"INBOX", "a", "a/z", "a-b", "b", "b/c"});
  CHECK(named(plan, "INBOX").native_name == "inbox");
  CHECK(named(plan, "b/c").native_name == "b.c");
  CHECK_FALSE(named(plan, "b").selectable);
  CHECK(named(plan, "a").subscribed);
  CHECK_FALSE(named(plan, "a/z").subscribed);
  CHECK(plan.notes.empty());
}

TEST_CASE("a personal namespace's prefix goes; others' folders are left out unless asked for") {
  const std::vector<ListedFolder> listed{folder("INBOX", '.'),
                                         folder("INBOX.Sent", '.'),
                                         folder("INBOX.INBOX", '.'),
                                         folder("user.bob", '.'),
                                         folder("shared", '.', {"\\noselect"}),
                                         folder("shared.x", '.')};
  ImapNamespaces spaces{{"INBOX."}, {"user.", "shared."}};
  auto plan = plan_folders(listed, {}, spaces, {});
  CHECK(names(plan) == Names{"INBOX", "INBOX (2)", "Sent"});
  CHECK(plan.foreign == 2);
  CHECK(named(plan, "Sent").special_use == SpecialUse::kSent);
  plan = plan_folders(listed, {}, spaces, {{}, true});
  CHECK(names(plan) == Names{"INBOX", "INBOX (2)", "Sent", "shared", "shared/x", "user/bob"});
  // Cyrus with alternative names: the shared namespace has no prefix.
  plan = plan_folders(listed, {}, {{"INBOX."}, {""}}, {});
  CHECK(names(plan) == Names{"INBOX", "INBOX (2)", "Sent"});
}

TEST_CASE("names are decoded, normalised and made fit for the store, and what changed is said") {
  const auto plan = plan_folders(
      {folder("Entw&APw-rfe"), folder("Cafe&AwE-"), folder("raw \xc3\xbc"), folder("latin \xfc"),
       folder("a & b"), folder("x/y.z", '.'), folder("st*r%", '.'), folder("..a..b.", '.'),
       folder(std::string(300, 'l'), '.'), folder("x_y/z")},
      {}, {}, {});
  const auto got = names(plan);
  const auto has = [&](std::string_view name) {
    return std::count(got.begin(), got.end(), name) == 1;
  };
  CHECK(has("Entw\xc3\xbcrfe"));
  CHECK(has("Caf\xc3\xa9"));
  CHECK(has("raw \xc3\xbc"));
  CHECK(has("latin \xc3\xbc"));
  CHECK(has("a & b"));
  CHECK(has("x_y/z"));
  CHECK(has("x_y/z (2)"));
  CHECK(has("st_r_"));
  CHECK(has("a/b"));
  CHECK(has(std::string(247, 'l')));
  CHECK(plan.notes.size() == 4);
  std::string deep = "d";
  for (int i = 0; i < 100; ++i) deep += ".d";
  const auto flat = plan_folders({folder(deep, '.')}, {}, {}, {});
  CHECK(std::count(flat.folders.front().name.begin(), flat.folders.front().name.end(), '/') == 49);
}

TEST_CASE("special uses come from attributes, else from well-known names, each once") {
  auto plan = plan_folders({folder("Gesendet", '/', {"\\sent"}), folder("Sent"), folder("Drafts"),
                            folder("Deleted Items"), folder("Trash"), folder("Old/Junk"),
                            folder("Zweite", '/', {"\\sent"})},
                           {}, {}, {});
  CHECK(named(plan, "Gesendet").special_use == SpecialUse::kSent);
  CHECK(named(plan, "Zweite").special_use == SpecialUse::kNone);
  CHECK(named(plan, "Sent").special_use == SpecialUse::kNone);
  CHECK(named(plan, "Drafts").special_use == SpecialUse::kDrafts);
  CHECK(named(plan, "Trash").special_use == SpecialUse::kTrash);
  CHECK(named(plan, "Deleted Items").special_use == SpecialUse::kNone);
  CHECK(named(plan, "Old/Junk").special_use == SpecialUse::kNone);
  // XLIST of old Gmail: the inbox under a name in the user's language.
  plan = plan_folders(
      {folder("Posteingang", '/', {"\\inbox"}), folder("[Gmail]/Alle", '/', {"\\allmail"})}, {}, {},
      {});
  CHECK(named(plan, "INBOX").native_name == "INBOX");
  CHECK(named(plan, "[Gmail]/Alle").special_use == SpecialUse::kAll);
}

TEST_CASE("patterns choose by the names that folders will have") {
  const std::vector<ListedFolder> listed{folder("INBOX", '.'), folder("INBOX.Work", '.'),
                                         folder("INBOX.Work.2020", '.'),
                                         folder("INBOX.Other", '.')};
  const auto plan = plan_folders(listed, {}, {{"INBOX."}, {}}, {{"Work", "Work/*"}, false});
  CHECK(names(plan) == Names{"Work", "Work/2020"});
  CHECK(plan.unwanted == 2);
  CHECK(names(plan_folders(listed, {}, {{"INBOX."}, {}}, {{"%"}, false})) ==
        Names{"INBOX", "Other", "Work"});
}

TEST_CASE(
    "LIST responses are read whatever form their name has, and refused where parts are missing") {
  const auto read = [](std::vector<std::string> lines, std::vector<std::string> literals = {}) {
    auto response = parse_imap_response({std::move(lines), std::move(literals)});
    REQUIRE(response);
    return read_list(*response);
  };
  auto one = read({"* LIST (\\HasNoChildren \\Sent) \"\\\\\" \"a \\\"b\\\"\""});
  REQUIRE(one);
  CHECK(one->delimiter == '\\');
  CHECK(one->native == "a \"b\"");
  CHECK(one->has("\\sent"));
  one = read({"* LIST () NIL ", ""}, {"li\"teral"});
  REQUIRE(one);
  CHECK(one->delimiter == '\0');
  CHECK(one->native == "li\"teral");
  CHECK(read({"* LIST () \"/\" NIL"})->native == "NIL");
  CHECK(read({"* LIST () \"/\" 123 (\"CHILDINFO\" (\"SUBSCRIBED\"))"})->native == "123");
  CHECK_FALSE(read({"* LIST () \"/\""}));
  CHECK_FALSE(read({"* LIST \"/\" x y"}));
  CHECK_FALSE(read({"* LIST () \"ab\" y"}));
  CHECK_FALSE(read({"* LIST () \"/\" (y)"}));
  CHECK_FALSE(read({"* LIST () \"/\" ", ""}, {"two\r\nlines"}));
  CHECK_FALSE(read({"* LIST () \"/\" \"unended"}));
}

}  // namespace twinpost::tools
