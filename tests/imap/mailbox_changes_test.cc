// CREATE, DELETE, RENAME and the mailboxes of the first login, in the store.
#include "imap/mailbox_changes.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <string>
#include <vector>

#include "imap/default_mailboxes.h"
#include "imap/list_lines.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store::test;

namespace {

const store::Remover kAnn{"ann@example.org", "imap", "192.0.2.7"};
using Names = std::vector<std::string>;

struct Tree : Fixture {
  std::uint64_t most_mailboxes = 0;
  Result<store::MailboxInfo> make(const std::string& name,
                                  store::SpecialUse use = store::SpecialUse::kNone) {
    return store->write_now([&](store::WriteTxn& txn) {
      return imap::create_mailbox(txn, account, name, use, most_mailboxes);
    });
  }
  Result<store::MailboxId> remove(const std::string& name) {
    return store->write_now(
        [&](store::WriteTxn& txn) { return imap::delete_mailbox(txn, account, name, kAnn); });
  }
  Result<void> rename(const std::string& from, const std::string& to) {
    return store->write_now([&](store::WriteTxn& txn) {
      return imap::rename_mailbox(txn, account, from, to, most_mailboxes);
    });
  }
  Names names() {
    Names all;
    for (const store::MailboxInfo& info :
         read([&](const store::ReadView& view) { return view.mailboxes(account); })) {
      all.push_back(info.name);
    }
    return all;
  }
  store::MailboxInfo find(const std::string& name) {
    return read([&](const store::ReadView& view) { return view.find_mailbox(account, name); });
  }
  store::AccountInfo prepare() {
    return write(
        [&](store::WriteTxn& txn) { return imap::prepare_account(txn, "ann@example.org"); });
  }
};

}  // namespace

TEST_CASE("CREATE makes the missing parents") {
  Tree tree;
  const auto made = tree.make("foo/bar/zap", store::SpecialUse::kSent);
  REQUIRE(made);
  CHECK(made->name == "foo/bar/zap");
  CHECK(made->special_use == store::SpecialUse::kSent);
  CHECK(tree.names() == Names{"INBOX", "foo", "foo/bar", "foo/bar/zap"});
  CHECK(tree.find("foo/bar").special_use == store::SpecialUse::kNone);
}

TEST_CASE("CREATE of a name that is there fails and makes nothing") {
  Tree tree;
  REQUIRE(tree.make("foo"));
  CHECK(code_of(tree.make("foo")) == ErrorCode::kExists);
  CHECK(code_of(tree.make("INBOX")) == ErrorCode::kExists);
  CHECK(tree.names() == Names{"INBOX", "foo"});
}

TEST_CASE("CREATE refuses a special use that another mailbox has, and its parents with it") {
  Tree tree;
  REQUIRE(tree.make("foo", store::SpecialUse::kSent));
  CHECK(code_of(tree.make("a/b", store::SpecialUse::kSent)) == ErrorCode::kConflict);
  CHECK(tree.names() == Names{"INBOX", "foo"});
  REQUIRE(tree.remove("foo"));
  CHECK(tree.make("a/b", store::SpecialUse::kSent));
}

TEST_CASE("a mailbox that is made again has a larger UIDVALIDITY and another MAILBOXID") {
  Tree tree;
  const store::MailboxInfo first = *tree.make("foo");
  REQUIRE(tree.remove("foo"));
  const store::MailboxInfo second = *tree.make("foo");
  CHECK(second.uid_validity > first.uid_validity);
  CHECK(second.mailbox_guid != first.mailbox_guid);
}

TEST_CASE("DELETE leaves what is below the mailbox") {
  Tree tree;
  REQUIRE(tree.make("foo/bar"));
  const auto id = tree.find("foo").id;
  CHECK(must(tree.remove("foo")) == id);
  CHECK(tree.names() == Names{"INBOX", "foo/bar"});
  CHECK(code_of(tree.remove("foo")) == ErrorCode::kNotFound);
  CHECK(tree.read([&](const store::ReadView& view) {
    return imap::has_mailboxes_below(view, tree.account, "foo");
  }));
  CHECK_FALSE(tree.read([&](const store::ReadView& view) {
    return imap::has_mailboxes_below(view, tree.account, "foo/bar");
  }));
  CHECK(code_of(tree.remove("INBOX")) == ErrorCode::kInvalid);
}

TEST_CASE("RENAME takes what is below along and makes the parents of the new name") {
  Tree tree;
  REQUIRE(tree.make("foo/bar/zap"));
  REQUIRE(tree.make("foo-2"));
  const auto before = tree.find("foo/bar");
  REQUIRE(tree.rename("foo", "baz/rag/zowie"));
  CHECK(tree.names() == Names{"INBOX", "baz", "baz/rag", "baz/rag/zowie", "baz/rag/zowie/bar",
                              "baz/rag/zowie/bar/zap", "foo-2"});
  const auto after = tree.find("baz/rag/zowie/bar");
  CHECK(after.mailbox_guid == before.mailbox_guid);
  CHECK(after.uid_validity == before.uid_validity);
}

TEST_CASE("RENAME of a name that only has mailboxes below it moves these") {
  Tree tree;
  REQUIRE(tree.make("foo/bar/deep"));
  REQUIRE(tree.make("foo/baz"));
  REQUIRE(tree.remove("foo"));
  REQUIRE(tree.rename("foo", "a/zowie"));
  CHECK(tree.names() == Names{"INBOX", "a", "a/zowie/bar", "a/zowie/bar/deep", "a/zowie/baz"});
  CHECK(code_of(tree.rename("foo", "b")) == ErrorCode::kNotFound);
}

TEST_CASE("RENAME that can't be leaves everything as it is") {
  Tree tree;
  REQUIRE(tree.make("foo/bar"));
  REQUIRE(tree.make("zap/bar"));
  REQUIRE(tree.remove("zap"));
  REQUIRE(tree.make("gone/x"));
  REQUIRE(tree.remove("gone"));
  const Names before = tree.names();
  CHECK(code_of(tree.rename("none", "x/y")) == ErrorCode::kNotFound);
  CHECK(code_of(tree.rename("foo", "INBOX")) == ErrorCode::kExists);
  CHECK(code_of(tree.rename("foo", "foo")) == ErrorCode::kExists);
  CHECK(code_of(tree.rename("foo", "foo/new/below")) == ErrorCode::kInvalid);
  CHECK(code_of(tree.rename("gone", "gone/y/z")) == ErrorCode::kInvalid);
  CHECK(code_of(tree.rename("gone", "foo")) == ErrorCode::kExists);
  CHECK(code_of(tree.rename("foo", "zap")) == ErrorCode::kExists);  // zap/bar
  CHECK(tree.names() == before);
}

TEST_CASE("RENAME never makes a name deeper than a client can send") {
  Tree tree;
  std::string deep = "d";
  for (int i = 1; i < 49; ++i) deep += "/d";
  REQUIRE(tree.make("foo/bar"));
  const Names before = tree.names();
  CHECK(code_of(tree.rename("foo", deep + "/x")) == ErrorCode::kInvalid);
  CHECK(tree.names() == before);
  CHECK(tree.rename("foo", deep));
}

TEST_CASE("RENAME of INBOX moves its messages and leaves it, and what is below it") {
  Tree tree;
  REQUIRE(tree.make("INBOX/bar"));
  tree.append(mail_text(1));
  tree.append(mail_text(2));
  REQUIRE(tree.rename("INBOX", "old/mail"));
  CHECK(tree.names() == Names{"INBOX", "INBOX/bar", "old", "old/mail"});
  CHECK(tree.find("INBOX").messages == 0);
  CHECK(tree.find("old/mail").messages == 2);
  CHECK(tree.find("old/mail").mailbox_guid != tree.find("INBOX").mailbox_guid);
}

TEST_CASE("an account has ten thousand mailboxes at most, the missing parents counted") {
  Tree tree;
  tree.write([&](store::WriteTxn& txn) -> Result<void> {
    for (int i = 2; i < 10'000; ++i) {
      const auto made = imap::create_mailbox(txn, tree.account, "m" + std::to_string(i),
                                             store::SpecialUse::kNone, 0);
      if (!made) return tl::unexpected(made.error());
    }
    return {};
  });
  CHECK(code_of(tree.make("parent/child")) == ErrorCode::kLimit);
  CHECK(tree.make("last"));
  CHECK(code_of(tree.make("one-too-many")) == ErrorCode::kLimit);
  CHECK(code_of(tree.rename("m2", "new/m2")) == ErrorCode::kLimit);
  CHECK(tree.names().size() == 10'000);
  // A first login is no reason to fail for want of a Sent mailbox.
  CHECK(tree.prepare().provisioned);
}

TEST_CASE("a quota of mailboxes counts INBOX and the missing parents, for CREATE and RENAME") {
  Tree tree;
  tree.most_mailboxes = 4;
  CHECK(code_of(tree.make("a/b/c/d")) == ErrorCode::kOverQuota);
  CHECK(tree.names() == Names{"INBOX"});
  REQUIRE(tree.make("a/b"));
  CHECK(code_of(tree.make("c/d")) == ErrorCode::kOverQuota);
  REQUIRE(tree.make("c"));
  CHECK(code_of(tree.make("d")) == ErrorCode::kOverQuota);
  CHECK(code_of(tree.rename("c", "new/c")) == ErrorCode::kOverQuota);
  // INBOX stays, and the mailbox that its messages go to is a new one.
  CHECK(code_of(tree.rename("INBOX", "old")) == ErrorCode::kOverQuota);
  CHECK(tree.names() == Names{"INBOX", "a", "a/b", "c"});
  // What makes none is no matter of the quota, even where there are more than it allows by now.
  tree.most_mailboxes = 2;
  REQUIRE(tree.rename("c", "a/c"));
  REQUIRE(tree.remove("a/b"));
  CHECK(code_of(tree.make("d")) == ErrorCode::kOverQuota);
  tree.most_mailboxes = 4;
  REQUIRE(tree.make("d"));
  CHECK(code_of(tree.make("a/c")) == ErrorCode::kExists);
  CHECK(tree.names() == Names{"INBOX", "a", "a/c", "d"});
}

TEST_CASE("the mailboxes of the first login are made whatever the quota is") {
  Tree tree;
  tree.most_mailboxes = 1;
  CHECK(tree.prepare().provisioned);
  CHECK(tree.names().size() == 6);
  CHECK(code_of(tree.make("x")) == ErrorCode::kOverQuota);
}

TEST_CASE("the first login makes and subscribes the usual mailboxes, no later one does") {
  Tree tree;
  CHECK_FALSE(imap::is_prepared(
      tree.read([&](const store::ReadView& view) { return view.account(tree.account); })));
  CHECK(imap::is_prepared(tree.prepare()));
  CHECK(tree.names() == Names{"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"});
  CHECK(tree.find("Sent").special_use == store::SpecialUse::kSent);
  CHECK(tree.find("Drafts").special_use == store::SpecialUse::kDrafts);
  CHECK(tree.find("Trash").special_use == store::SpecialUse::kTrash);
  CHECK(tree.find("Junk").special_use == store::SpecialUse::kJunk);
  CHECK(tree.find("Archive").special_use == store::SpecialUse::kArchive);
  CHECK(tree.read([&](const store::ReadView& view) { return view.subscriptions(tree.account); })
            .size() == 6);
  REQUIRE(tree.remove("Junk"));
  CHECK(tree.prepare().id == tree.account);
  CHECK(tree.names() == Names{"INBOX", "Archive", "Drafts", "Sent", "Trash"});
}

TEST_CASE("an account that has mailboxes already gets what it lacks") {
  Tree tree;
  REQUIRE(tree.make("Papierkorb", store::SpecialUse::kTrash));
  REQUIRE(tree.make("Sent"));
  REQUIRE(tree.make("Junk", store::SpecialUse::kArchive));
  tree.prepare();
  CHECK(tree.names() == Names{"INBOX", "Drafts", "Junk", "Papierkorb", "Sent"});
  CHECK(tree.find("Sent").special_use == store::SpecialUse::kSent);
  CHECK(tree.find("Junk").special_use == store::SpecialUse::kArchive);
  CHECK(tree.find("Drafts").subscribed);
}

TEST_CASE("the first login leaves mailboxes that are there subscribed, or not, as they are") {
  Tree tree;
  REQUIRE(tree.make("Sent"));
  REQUIRE(tree.make("Papierkorb", store::SpecialUse::kTrash));
  REQUIRE(tree.make("Archive"));
  tree.write(
      [&](store::WriteTxn& txn) { return txn.set_subscribed(tree.account, "Archive", true); });
  tree.prepare();
  CHECK_FALSE(tree.find("Sent").subscribed);
  CHECK_FALSE(tree.find("Papierkorb").subscribed);
  CHECK(tree.find("Archive").subscribed);
  CHECK(tree.find("Drafts").subscribed);
  CHECK(tree.find("INBOX").subscribed);
}

TEST_CASE("the account of a first login is made where it is not there yet") {
  Tree tree;
  const auto info =
      tree.write([](store::WriteTxn& txn) { return imap::prepare_account(txn, "bob"); });
  CHECK(info.name == "bob");
  CHECK(info.provisioned);
  CHECK(info.id != tree.account);
}

TEST_CASE("\\Recent messages are those that came after the last SELECT") {
  Tree tree;
  const auto recent = [&] {
    return tree.read([&](const store::ReadView& view) {
      return imap::count_recent(view, tree.account, *view.mailbox(tree.inbox));
    });
  };
  CHECK(recent() == 0);
  tree.append(mail_text(1));
  tree.append(mail_text(2));
  CHECK(recent() == 2);
  tree.write([&](store::WriteTxn& txn) { return txn.claim_recent(tree.inbox); });
  CHECK(recent() == 0);
  tree.append(mail_text(3));
  tree.append(mail_text(4));
  const std::vector<store::Uid> third = {store::Uid(3)};
  tree.write([&](store::WriteTxn& txn) { return txn.expunge(tree.inbox, third, kAnn); });
  CHECK(recent() == 1);
}
