// Accounts, mailboxes, names and subscriptions.
#include <set>

#include "tests/store/consistency.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

const Remover kAnn{"ann@example.org", "imap", "192.0.2.7"};

std::vector<std::string> names(Fixture& f) {
  std::vector<std::string> all;
  for (const MailboxInfo& info :
       f.read([&](const ReadView& v) { return v.mailboxes(f.account); })) {
    all.push_back(info.name);
  }
  return all;
}

Result<void> rename(Fixture& f, std::string_view from, std::string_view to) {
  return f.store->write_now([&](WriteTxn& txn) { return txn.rename_mailbox(f.account, from, to); });
}

Result<MailboxInfo> create(Fixture& f, std::string_view name) {
  return f.store->write_now(
      [&](WriteTxn& txn) { return txn.create_mailbox(f.account, name, SpecialUse::kNone); });
}

}  // namespace

TEST_CASE("ensuring an account twice gives the same one") {
  Fixture f;
  const AccountInfo again =
      f.write([](WriteTxn& t) { return t.ensure_account("ann@example.org"); });
  CHECK(again.id == f.account);
  const AccountInfo bob = f.write([](WriteTxn& t) { return t.ensure_account("bob@example.org"); });
  CHECK(bob.id != f.account);
  const auto all = f.read([](const ReadView& v) { return v.accounts(); });
  REQUIRE(all.size() == 2);
  CHECK(all[0].name == "ann@example.org");
  CHECK(f.read([](const ReadView& v) { return v.account("bob@example.org"); }).id == bob.id);
  for (const std::string& bad : {std::string(), std::string(501, 'x'), std::string("a\0b", 3)}) {
    CHECK(code_of(f.store->write_now([&](WriteTxn& t) { return t.ensure_account(bad); })) ==
          ErrorCode::kInvalid);
  }
}

TEST_CASE("INBOX is found in any case, also as a first level") {
  Fixture f;
  CHECK(f.read([&](const ReadView& v) { return v.find_mailbox(f.account, "iNbOx"); }).id ==
        f.inbox.mailbox);
  CHECK(code_of(create(f, "Inbox")) == ErrorCode::kExists);
  CHECK(must(create(f, "inbox/Lists")).name == "INBOX/Lists");
  CHECK(f.read([&](const ReadView& v) { return v.find_mailbox(f.account, "INBOX/Lists"); }).name ==
        "INBOX/Lists");
  CHECK(must(create(f, "inboxes")).name == "inboxes");
}

TEST_CASE("mailboxes come by name, INBOX first") {
  Fixture f;
  for (const char* name : {"Trash", "Archive", "A b", "Archive/2024", "\xc3\x84pfel"})
    f.create(name);
  CHECK(names(f) == std::vector<std::string>{"INBOX", "A b", "Archive", "Archive/2024", "Trash",
                                             "\xc3\x84pfel"});
}

TEST_CASE("bad mailbox names are refused") {
  Fixture f;
  for (const std::string& bad :
       {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"),
        std::string("a\0b", 3), std::string("\xff\xfe")}) {
    CHECK(code_of(create(f, bad)) == ErrorCode::kInvalid);
  }
  CHECK(code_of(create(f, std::string(501, 'x'))) == ErrorCode::kLimit);
  must(create(f, std::string(500, 'x')));
}

TEST_CASE(
    "a mailbox that is made again under the same name has a greater UIDVALIDITY and another id") {
  Fixture f;
  std::set<std::uint32_t> ids;
  std::set<std::string> guids;
  UidValidity last = f.info(f.inbox).uid_validity;
  for (int i = 0; i < 20; ++i) {
    const MailboxInfo info = must(create(f, "Again"));
    CHECK(info.uid_validity > last);
    last = info.uid_validity;
    CHECK(ids.insert(info.id.value()).second);
    CHECK(guids.insert(info.mailbox_guid).second);
    f.write([&](WriteTxn& txn) { return txn.delete_mailbox({f.account, info.id}, kAnn); });
    if (i == 10) f.reopen();
  }
}

TEST_CASE("a deleted mailbox's messages go to `removed`, its children stay, INBOX can't go") {
  Fixture f;
  const MailboxKey parent = f.create("Parent");
  f.create("Parent/Child");
  for (unsigned i = 0; i < 3; ++i) f.append(parent, request_of(mail_text(i)));
  f.write([&](WriteTxn& txn) -> Result<int> {
    FlagChange change;
    change.keywords = {"K"};
    const std::vector<Uid> one{Uid(1)};
    must(txn.change_flags(parent, one, change));
    must(txn.expunge(parent, one, kAnn));
    return 0;
  });
  f.write([&](WriteTxn& txn) { return txn.delete_mailbox(parent, kAnn); });
  CHECK(names(f) == std::vector<std::string>{"INBOX", "Parent/Child"});
  CHECK(f.read([&](const ReadView& v) { return v.account(f.account); }).messages == 0);
  CHECK(code_of(f.store->write_now([&](WriteTxn& t) { return t.delete_mailbox(f.inbox, kAnn); })) ==
        ErrorCode::kInvalid);
  CHECK(code_of(f.store->write_now([&](WriteTxn& t) { return t.delete_mailbox(parent, kAnn); })) ==
        ErrorCode::kNotFound);
  f.store.reset();
  CHECK(inconsistencies(f.options.folder) == std::vector<std::string>{});
  RawStore raw(f.options.folder);
  CHECK(raw.all(raw.tables.removed).size() == 3);
  CHECK(raw.all(raw.tables.expunged).empty());
  CHECK(raw.all(raw.tables.keywords).empty());
}

TEST_CASE("a rename takes what is below along and keeps ids") {
  Fixture f;
  const MailboxKey a = f.create("a");
  f.create("a/b");
  f.create("a/b/c");
  f.create("ab");
  f.append(a, request_of(mail_text(1)));
  const MailboxInfo before = f.info(a);
  must(rename(f, "a", "x/y"));
  CHECK(names(f) == std::vector<std::string>{"INBOX", "ab", "x/y", "x/y/b", "x/y/b/c"});
  const MailboxInfo after = f.info(a);
  CHECK(after.mailbox_guid == before.mailbox_guid);
  CHECK(after.uid_validity == before.uid_validity);
  CHECK(after.messages == 1);
  CHECK(code_of(rename(f, "a", "z")) == ErrorCode::kNotFound);
  CHECK(code_of(rename(f, "x/y", "ab")) == ErrorCode::kExists);
  CHECK(code_of(rename(f, "x/y", "x/y/deeper")) == ErrorCode::kInvalid);
  CHECK(code_of(rename(f, "x/y", "inbox")) == ErrorCode::kExists);
  // A child's new name may be taken even where the parent's is not, or be too long; then nothing moves.
  f.create("q/b");
  CHECK(code_of(rename(f, "x/y", "q")) == ErrorCode::kExists);
  CHECK(code_of(rename(f, "x/y", std::string(499, 'l'))) == ErrorCode::kLimit);
  CHECK(f.info(a).name == "x/y");
  f.store.reset();
  CHECK(inconsistencies(f.options.folder) == std::vector<std::string>{});
}

TEST_CASE("renaming INBOX moves its messages and leaves it, and what is below it, in place") {
  Fixture f;
  f.create("INBOX/Below");
  f.append(mail_text(1));
  f.append(mail_text(2));
  const MessageSerial serial = f.message(f.inbox, Uid(1)).serial;
  const MailboxInfo before = f.info(f.inbox);
  must(rename(f, "inbox", "Old mail"));
  CHECK(names(f) == std::vector<std::string>{"INBOX", "INBOX/Below", "Old mail"});
  const MailboxInfo inbox = f.info(f.inbox);
  CHECK(inbox.messages == 0);
  CHECK(inbox.uid_validity == before.uid_validity);
  CHECK(inbox.uid_next == before.uid_next);
  const MailboxInfo target =
      f.read([&](const ReadView& v) { return v.find_mailbox(f.account, "Old mail"); });
  CHECK(target.messages == 2);
  CHECK(f.message({f.account, target.id}, Uid(1)).serial == serial);
}

TEST_CASE("subscriptions are a list of their own") {
  Fixture f;
  const MailboxKey a = f.create("a");
  const auto subscribe = [&](std::string_view name, bool on) {
    f.write([&](WriteTxn& txn) { return txn.set_subscribed(f.account, name, on); });
  };
  subscribe("a", true);
  subscribe("not there", true);
  subscribe("inbox", true);
  CHECK(f.info(a).subscribed);
  CHECK(f.info(f.inbox).subscribed);
  const auto list = [&] {
    return f.read([&](const ReadView& v) { return v.subscriptions(f.account); });
  };
  CHECK(list() == std::vector<std::string>{"INBOX", "a", "not there"});
  f.write([&](WriteTxn& txn) { return txn.delete_mailbox(a, kAnn); });
  CHECK(list().size() == 3);
  subscribe("not there", false);
  subscribe("never was", false);
  CHECK(list() == std::vector<std::string>{"INBOX", "a"});
}

TEST_CASE("special use is kept and can be changed") {
  Fixture f;
  const MailboxInfo info = f.write(
      [&](WriteTxn& txn) { return txn.create_mailbox(f.account, "Trash", SpecialUse::kTrash); });
  CHECK(info.special_use == SpecialUse::kTrash);
  const MailboxKey key{f.account, info.id};
  f.write([&](WriteTxn& txn) { return txn.set_special_use(key, SpecialUse::kJunk); });
  f.reopen();
  CHECK(f.info(key).special_use == SpecialUse::kJunk);
}

TEST_CASE("a thousand mailboxes") {
  Fixture f;
  std::vector<MailboxKey> keys;
  f.write([&](WriteTxn& txn) -> Result<int> {
    keys.clear();
    for (int i = 0; i < 1000; ++i) {
      const MailboxInfo info =
          must(txn.create_mailbox(f.account, "Folder/" + std::to_string(i), SpecialUse::kNone));
      keys.push_back({f.account, info.id});
    }
    return 0;
  });
  const AppendRequest request = request_of(mail_text(1));
  for (std::size_t i = 0; i < keys.size(); i += 10) f.append(keys[i], request);
  const auto all = f.read([&](const ReadView& v) { return v.mailboxes(f.account); });
  CHECK(all.size() == 1001);
  CHECK(f.info(keys[990]).messages == 1);
  CHECK(f.info(keys[991]).messages == 0);
  f.store.reset();
  CHECK(inconsistencies(f.options.folder) == std::vector<std::string>{});
}
