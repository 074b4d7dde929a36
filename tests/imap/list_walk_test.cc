// Which names LIST and LSUB answer with: the examples of RFC 9051 6.3.9.8, and random trees against
// a slow reference.
#include "imap/list_walk.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "imap/list_lines.h"

using namespace twinpost;
using namespace twinpost::imap;

namespace {

constexpr SteadyTime kNever = SteadyTime::max();

store::MailboxInfo mailbox(const std::string& name,
                           store::SpecialUse use = store::SpecialUse::kNone) {
  store::MailboxInfo info;
  info.name = name;
  info.special_use = use;
  return info;
}

std::vector<store::MailboxInfo> mailboxes(const std::vector<std::string>& names) {
  std::vector<store::MailboxInfo> all;
  for (const std::string& name : names) all.push_back(mailbox(name));
  return all;
}

ListRequest request_of(const std::vector<std::string>& patterns) {
  ListRequest request;
  for (const std::string& pattern : patterns) request.patterns.emplace_back(pattern);
  return request;
}

ListRequest subscribed(const std::vector<std::string>& patterns, bool recursive = false) {
  ListRequest request = request_of(patterns);
  request.subscribed = true;
  request.recursive_match = recursive;
  return request;
}

// The answer, a word a name: "Fruit", with "?" for one that does not exist, "+" for \HasChildren,
// "!" for CHILDINFO, "*" for \Subscribed.
std::vector<std::string> answer(const std::vector<ListedName>& names, const ListRequest& request) {
  ListWalk walk(names, request);
  std::vector<std::string> words;
  while (const auto entry = walk.next(kNever)) {
    std::string word(entry->name);
    if (entry->mailbox == nullptr) word += '?';
    if (entry->subscribed) word += '*';
    if (entry->has_children) word += '+';
    if (request.recursive_match && entry->has_selected_below) word += '!';
    words.push_back(word);
  }
  CHECK(walk.is_done());
  return words;
}

using Words = std::vector<std::string>;

const std::vector<std::string> kFruit = {
    "INBOX", "Fruit",     "Fruit/Apple",        "Fruit/Banana",
    "Tofu",  "Vegetable", "Vegetable/Broccoli", "Vegetable/Corn"};
const std::vector<std::string> kFruitSubscribed = {"Fruit/Banana", "Fruit/Peach", "INBOX",
                                                   "Vegetable", "Vegetable/Broccoli"};

std::vector<ListedName> fruit() { return listed_names(mailboxes(kFruit), kFruitSubscribed); }

}  // namespace

TEST_CASE("names come in hierarchical order, INBOX and what is below it first") {
  const auto names = listed_names(
      mailboxes({"b", "a-b", "a/b", "INBOX-2", "INBOX/x", "a", "INBOX", "A"}), {"a/b"});
  Words order;
  for (const ListedName& name : names) order.push_back(name.name);
  CHECK(order == Words{"INBOX", "INBOX/x", "A", "INBOX-2", "a", "a/b", "a-b", "b"});
  CHECK(names[5].subscribed);
  CHECK(names[5].mailbox.has_value());
}

TEST_CASE("LIST without options answers with what exists (RFC 9051 6.3.9.8, example 1)") {
  CHECK(answer(fruit(), request_of({"*"})) == Words{"INBOX*", "Fruit+", "Fruit/Apple",
                                                    "Fruit/Banana*", "Tofu", "Vegetable*+",
                                                    "Vegetable/Broccoli*", "Vegetable/Corn"});
  CHECK(answer(fruit(), request_of({"%"})) == Words{"INBOX*", "Fruit+", "Tofu", "Vegetable*+"});
  CHECK(answer(fruit(), request_of({"inbox"})) == Words{"INBOX*"});
  CHECK(answer(fruit(), request_of({"nothing"})).empty());
  CHECK(answer(fruit(), request_of({})).empty());
}

TEST_CASE("SUBSCRIBED answers with exactly the subscribed names (examples 2 and 5)") {
  CHECK(answer(fruit(), subscribed({"*"})) ==
        Words{"INBOX*", "Fruit/Banana*", "Fruit/Peach?*", "Vegetable*+", "Vegetable/Broccoli*"});
  CHECK(answer(fruit(), subscribed({"%"})) == Words{"INBOX*", "Vegetable*+"});
}

TEST_CASE("RECURSIVEMATCH answers with parents of what is subscribed and not listed (example 7)") {
  const auto tree = mailboxes({"INBOX", "Foo", "Foo/Bar", "Foo/Baz", "Moo"});
  CHECK(answer(listed_names(tree, {"Foo/Baz"}), subscribed({"*"})) == Words{"Foo/Baz*"});
  CHECK(answer(listed_names(tree, {"Foo/Baz"}), subscribed({"%"})).empty());
  CHECK(answer(listed_names(tree, {"Foo/Baz"}), subscribed({"%"}, true)) == Words{"Foo+!"});
  CHECK(answer(listed_names(tree, {"Foo", "Foo/Baz"}), subscribed({"%"}, true)) == Words{"Foo*+!"});
  const auto without_foo = mailboxes({"INBOX", "Foo/Bar", "Foo/Baz", "Moo"});
  CHECK(answer(listed_names(without_foo, {"Foo/Baz"}), subscribed({"%"}, true)) == Words{"Foo?+!"});
  CHECK(answer(listed_names(tree, {}), subscribed({"%"}, true)).empty());
  CHECK(answer(listed_names(tree, {"Foo", "Moo"}), subscribed({"%"}, true)) ==
        Words{"Foo*+", "Moo*"});
}

TEST_CASE("CHILDINFO is said whether or not the children match the pattern (example 8)") {
  const auto tree = mailboxes({"INBOX", "foo2", "foo2/bar1", "foo2/bar2", "baz2", "baz2/bar2",
                               "baz2/bar22", "baz2/bar222", "eps2", "eps2/mamba", "qux2/bar2"});
  const std::vector<std::string> marked = {"foo2/bar1",   "foo2/bar2", "baz2/bar2",  "baz2/bar22",
                                           "baz2/bar222", "eps2",      "eps2/mamba", "qux2/bar2"};
  CHECK(answer(listed_names(tree, marked), subscribed({"*2"}, true)) ==
        Words{"baz2/bar2*", "baz2/bar22*", "baz2/bar222*", "eps2*+!", "foo2+!", "foo2/bar2*",
              "qux2/bar2*"});
  // What is redundant is left out, as section 6.3.9.6 would have it: foo2 and baz2 are not
  // subscribed, and all below them matches.
  CHECK(answer(listed_names(tree, marked), subscribed({"*"}, true)) ==
        Words{"baz2/bar2*", "baz2/bar22*", "baz2/bar222*", "eps2*+!", "eps2/mamba*", "foo2/bar1*",
              "foo2/bar2*", "qux2/bar2*"});
}

TEST_CASE("CHILDINFO does not mean that there are children (example 9)") {
  const auto names = listed_names(mailboxes({"INBOX", "foo"}), {"foo/bar"});
  CHECK(answer(names, subscribed({"foo"}, true)) == Words{"foo!"});
  CHECK(answer(names, subscribed({"foo/*"})) == Words{"foo/bar?*"});
}

TEST_CASE("a missing parent is answered where what is below it does not match (example 10)") {
  const auto names = listed_names(mailboxes({"INBOX", "music/rock", "also/jazz"}), {});
  CHECK(answer(names, request_of({"*"})) == Words{"INBOX", "also/jazz", "music/rock"});
  CHECK(answer(names, request_of({"%"})) == Words{"INBOX", "also?+", "music?+"});
  CHECK(answer(names, request_of({"%", "music/rock"})) == Words{"INBOX", "also?+", "music/rock"});
  CHECK(answer(names, request_of({"music"})) == Words{"music?+"});
}

TEST_CASE("every missing level between is answered once") {
  const auto names = listed_names(mailboxes({"a/b/c/d", "a/b/e", "a/f"}), {});
  CHECK(answer(names, request_of({"%"})) == Words{"a?+"});
  CHECK(answer(names, request_of({"a/%"})) == Words{"a/b?+", "a/f"});
  CHECK(answer(names, request_of({"%/%/%"})) == Words{"a/b/c?+", "a/b/e"});
  CHECK(answer(names, request_of({"%", "a/b"})) == Words{"a?+", "a/b?+"});
}

TEST_CASE("SPECIAL-USE answers with the mailboxes that have one (RFC 6154 section 5.2)") {
  std::vector<store::MailboxInfo> all = mailboxes({"INBOX", "ToDo", "Work"});
  all.push_back(mailbox("SentMail", store::SpecialUse::kSent));
  all.push_back(mailbox("Work/Bin", store::SpecialUse::kTrash));
  ListRequest request = request_of({"*"});
  request.special_use = true;
  CHECK(answer(listed_names(all, {"Work"}), request) == Words{"SentMail", "Work/Bin"});
  request.subscribed = true;
  CHECK(answer(listed_names(all, {"Work", "SentMail"}), request) == Words{"SentMail*"});
  ListRequest recursive = request_of({"%"});
  recursive.special_use = true;
  recursive.recursive_match = true;
  CHECK(answer(listed_names(all, {}), recursive) == Words{"SentMail", "Work+!"});
}

TEST_CASE("a listing goes on where its time was over") {
  ListWalk walk(fruit(), request_of({"*"}));
  CHECK_FALSE(walk.next(SteadyTime::min()));
  CHECK_FALSE(walk.is_done());
  std::size_t count = 0;
  while (walk.next(kNever)) {
    ++count;
    CHECK_FALSE(walk.next(SteadyTime::min()));
  }
  CHECK(count == kFruit.size());
  CHECK(walk.is_done());
}

TEST_CASE("ten thousand mailboxes are listed in a moment") {
  std::vector<std::string> names = {"INBOX"};
  for (int i = 0; i < 10'000; ++i) {
    names.push_back("level" + std::to_string(i / 100) + "/deep/" + std::to_string(i));
  }
  const auto listed = listed_names(mailboxes(names), names);
  const auto began = std::chrono::steady_clock::now();
  CHECK(answer(listed, request_of({"*"})).size() == names.size());
  CHECK(answer(listed, request_of({"%"})).size() == 101);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
}

namespace {

// RFC 9051 6.3.9.3, as it is written: over all names that could be meant.
struct Reference {
  std::map<std::string, const store::MailboxInfo*> existing;
  std::set<std::string> subscribed_names;
  ListRequest request;

  bool selected(const std::string& name) const {
    const auto found = existing.find(name);
    if (!request.subscribed && !request.special_use) return found != existing.end();
    if (request.subscribed && !subscribed_names.contains(name)) return false;
    return !request.special_use ||
           (found != existing.end() && found->second->special_use != store::SpecialUse::kNone);
  }
  bool matched(const std::string& name) const {
    return std::any_of(request.patterns.begin(), request.patterns.end(),
                       [&](const ListPattern& pattern) { return pattern.matches(name); });
  }

  Words answer() const {
    std::set<std::string> all;
    const auto add = [&all](const std::string& name) {
      all.insert(name);
      for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] == '/') all.insert(name.substr(0, i));
      }
    };
    for (const auto& [name, info] : existing) add(name);
    for (const std::string& name : subscribed_names) add(name);
    Words words;
    for (const std::string& name : all) {
      bool children = false;
      bool selected_below = false;
      bool hidden_below = false;
      for (const std::string& other : all) {
        if (!other.starts_with(name + "/")) continue;
        children = children || existing.contains(other);
        selected_below = selected_below || selected(other);
        hidden_below = hidden_below || (selected(other) && !matched(other));
      }
      const bool for_children = hidden_below && (request.recursive_match ||
                                                 (!request.subscribed && !request.special_use));
      if (!matched(name) || (!selected(name) && !for_children)) continue;
      std::string word = name;
      if (!existing.contains(name)) word += '?';
      if (subscribed_names.contains(name)) word += '*';
      if (children) word += '+';
      if (request.recursive_match && selected_below) word += '!';
      words.push_back(word);
    }
    return words;
  }
};

std::string random_name(std::mt19937& random) {
  static const std::vector<std::string> parts = {"a", "b", "a-b", "aa", "INBOX"};
  std::string name = parts[random() % parts.size()];
  while (random() % 2 == 0 && name.size() < 12) name += "/" + parts[random() % parts.size()];
  return name;
}

}  // namespace

TEST_CASE("random trees are listed as the rules of RFC 9051 6.3.9.3 have it") {
  std::mt19937 random(20260501);
  static const std::vector<std::string> patterns = {"*",   "%",   "a/%", "a*",  "%/a",   "*a",
                                                    "*/b", "%/%", "a/b", "i%",  "a",     "INBOX/%",
                                                    "%-b", "*%",  "aa",  "b/*", "inbox*"};
  for (int round = 0; round < 3000; ++round) {
    std::set<std::string> existing = {"INBOX"};
    std::set<std::string> marked;
    for (std::size_t i = random() % 9; i > 0; --i) existing.insert(random_name(random));
    for (std::size_t i = random() % 5; i > 0; --i) marked.insert(random_name(random));
    std::vector<store::MailboxInfo> all;
    for (const std::string& name : existing) {
      all.push_back(
          mailbox(name, random() % 3 == 0 ? store::SpecialUse::kSent : store::SpecialUse::kNone));
      all.back().subscribed = marked.contains(name);
    }
    Reference reference;
    for (const store::MailboxInfo& info : all) reference.existing[info.name] = &info;
    reference.subscribed_names = marked;
    for (std::size_t i = 1 + random() % 2; i > 0; --i) {
      reference.request.patterns.emplace_back(patterns[random() % patterns.size()]);
    }
    reference.request.subscribed = random() % 2 == 0;
    reference.request.special_use = random() % 4 == 0;
    reference.request.recursive_match =
        (reference.request.subscribed || reference.request.special_use) && random() % 2 == 0;
    Words got = answer(listed_names(all, {marked.begin(), marked.end()}), reference.request);
    std::sort(got.begin(), got.end());
    Words wanted = reference.answer();
    std::sort(wanted.begin(), wanted.end());
    REQUIRE(got == wanted);
  }
}
