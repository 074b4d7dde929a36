// The mailbox that shows removed messages: what is in it, that nothing else changes it, and that it
// costs nobody anything.
#include <algorithm>
#include <thread>

#include "store/salvage.h"
#include "store/transaction.h"
#include "tests/store/check_support.h"
#include "tests/store/consistency.h"
#include "tests/store/message_support.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

constexpr const char* kName = "Removed messages";

AppendRequest marked(unsigned number) {
  AppendRequest request = request_of(mail_text(number, 9000));
  request.flags = bit(Flag::kFlagged) | bit(Flag::kSeen) | bit(Flag::kDeleted);
  request.keywords = {"$Work", "Later"};
  request.prefix = "Return-Path: <a@example.net>\r\n";
  request.imported_uidl = "uidl-" + std::to_string(number);
  return request;
}

struct Shown : Fixture {
  MailboxKey view;

  // Returns how many calls it took.
  unsigned show(const std::string& name = kName) {
    unsigned calls = 0;
    for (std::optional<RemovedId> after;;) {
      ++calls;
      after = write([&](WriteTxn& t) { return t.show_removed(account, name, after); });
      if (!after) break;
    }
    view = {account, read([&](const ReadView& v) { return v.find_mailbox(account, name); }).id};
    return calls;
  }
  unsigned hide() {
    unsigned calls = 1;
    while (!write([&](WriteTxn& t) { return t.hide_removed(account); })) ++calls;
    return calls;
  }
  void expunge(MailboxKey key, std::vector<Uid> uids) {
    write([&](WriteTxn& t) { return t.expunge(key, uids, kAnn); });
  }
  std::vector<Uid> shown() {
    return read([&](const ReadView& v) { return v.uids(view); });
  }
  std::vector<RemovedId> removed() {
    std::vector<RemovedId> ids;
    read([&](const ReadView& v) {
      return v.for_each_removed(account, UnixTime{}, [&ids](const RemovedMessage& removed) {
        ids.push_back(removed.id);
        return true;
      });
    });
    return ids;
  }
  AccountInfo use() {
    return read([&](const ReadView& v) { return v.account(account); });
  }
  Changes changes(ModSeq since) {
    return read([&](const ReadView& v) { return v.changes_since(view, since); });
  }
  bool comes_to(const std::function<bool()>& condition) {
    for (int i = 0; i < 1000; ++i) {
      executor.run_until_idle();
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  // Neither the tests' own check nor the product's finds anything; the store is closed afterwards.
  void is_sound() {
    store.reset();
    CHECK(inconsistencies(options.folder) == std::vector<std::string>{});
    const CheckReport report = check_closed(options.folder);
    CHECK_MESSAGE(report.problems == 0, told(report));
  }
};

}  // namespace

TEST_CASE("an expunged message is shown as it was, but for \\Deleted, and costs no quota") {
  Shown f;
  const std::uint32_t mailboxes = f.use().mailboxes;
  CHECK(f.show() == 1);
  CHECK(f.use().mailboxes == mailboxes);
  const MailboxInfo made = f.info(f.view);
  CHECK(made.shows_removed);
  CHECK(made.subscribed);
  CHECK_FALSE(f.info(f.inbox).shows_removed);
  for (unsigned i = 1; i <= 3; ++i) f.append(f.inbox, marked(i));
  const MessageRecord before = f.message(f.inbox, Uid(2));
  const AccountInfo used = f.use();
  f.expunge(f.inbox, uids_of({2}));
  CHECK(f.use().messages == used.messages - 1);
  CHECK(f.use().bytes == used.bytes - before.size);
  CHECK(f.use().removed_messages == 1);
  CHECK(f.use().removed_bytes == before.size);
  const MessageRecord shown = f.message(f.view, Uid(1));
  CHECK(shown.flags == (bit(Flag::kFlagged) | bit(Flag::kSeen)));
  CHECK(keyword_names(f.info(f.view).keywords, shown.keywords) ==
        std::vector<std::string>{"$Work", "Later"});
  CHECK(shown.internal_date == before.internal_date);
  CHECK(shown.email_id == before.email_id);
  CHECK(shown.thread_id == before.thread_id);
  CHECK(shown.blob == before.blob);
  CHECK(shown.serial != before.serial);
  CHECK(shown.save_date == f.removed().front().time);
  const std::uint64_t id = f.store->store_id();
  CHECK(uidl_of(shown, id) != uidl_of(before, id));
  CHECK(f.text(f.view, Uid(1)) == "Return-Path: <a@example.net>\r\n" + mail_text(2, 9000));
  const MailboxInfo info = f.info(f.view);
  CHECK(info.messages == 1);
  CHECK(info.unseen == 0);
  CHECK(info.deleted == 0);
  CHECK(info.first_recent == info.uid_next);  // nothing there is new
  CHECK(f.changes(made.highest_modseq).changed.size() == 1);
  f.reopen();
  CHECK(f.info(f.view).shows_removed);
  CHECK(f.use().removed_mailbox == f.view.mailbox);
  f.is_sound();
}

TEST_CASE("a deleted mailbox's messages are shown, a moved one is not") {
  Shown f;
  f.show();
  const MailboxKey work = f.create("Work");
  const MailboxKey other = f.create("Other");
  for (unsigned i = 0; i < 3; ++i) f.append(work, marked(i));
  f.write([&](WriteTxn& t) { return t.move(work, uids_of({1}), other, kAnn); });
  CHECK(f.shown().empty());
  f.write([&](WriteTxn& t) -> Result<bool> {
    if (auto done = t.delete_mailbox(work, kAnn); !done) return tl::unexpected(done.error());
    return true;
  });
  CHECK(f.shown() == uids_of({1, 2}));
  CHECK(f.use().removed_messages == 3);
  // Where it went it is removed for good.
  f.expunge(other, uids_of({1}));
  CHECK(f.shown() == uids_of({1, 2, 3}));
  f.is_sound();
}

TEST_CASE(
    "what is undone, forgotten or over its time leaves the mailbox, and its readers hear of it") {
  Shown f;
  f.show();
  for (unsigned i = 1; i <= 4; ++i) f.append(f.inbox, marked(i));
  f.expunge(f.inbox, uids_of({1, 2, 3, 4}));
  REQUIRE(f.shown() == uids_of({1, 2, 3, 4}));
  const std::vector<RemovedId> ids = f.removed();
  REQUIRE(ids.size() == 4);
  const ModSeq before = f.info(f.view).highest_modseq;
  std::vector<MailboxChanged> heard;
  const std::uint64_t listener =
      f.store->subscribe([&heard](const MailboxChanged& change) { heard.push_back(change); });
  SUBCASE("undelete") {
    const Undeleted back = f.write(
        [&](WriteTxn& t) { return t.undelete(f.account, std::vector{ids[1]}, std::nullopt, {}); });
    CHECK(back.messages.size() == 1);
    CHECK(back.present.empty());
    const MessageRecord again = f.message(f.inbox, Uid(5));
    CHECK(uidl_of(again, f.store->store_id()) == "uidl-2");
    CHECK(again.serial != f.message(f.view, Uid(1)).serial);
    CHECK(f.shown() == uids_of({1, 3, 4}));
    CHECK(f.changes(before).vanished == uids_of({2}));
    CHECK(f.use().messages == 1);
    CHECK(f.use().removed_messages == 4);  // one of them as moved
    CHECK(f.use().removed_bytes == 3 * again.size);
  }
  SUBCASE("forget") {
    const BlobId blob = f.message(f.view, Uid(3)).blob;
    CHECK(f.write([&](WriteTxn& t) {
      return t.forget_removed(f.account, std::vector{ids[2], ids[3]});
    }) == 2);
    CHECK(f.shown() == uids_of({1, 2}));
    CHECK(f.changes(before).vanished == uids_of({3, 4}));
    CHECK(f.comes_to(
        [&] { return !f.store->read_now([&](const ReadView& v) { return v.blob_info(blob); }); }));
  }
  SUBCASE("the retention") {
    f.store->set_retention(std::chrono::seconds(0));
    CHECK(f.comes_to([&] { return f.shown().empty(); }));
    CHECK(f.changes(before).vanished == uids_of({1, 2, 3, 4}));
    CHECK(f.use().removed_messages == 0);
  }
  SUBCASE("too much") {
    f.store->set_removed_limits(0, 1);
    CHECK(f.comes_to([&] { return f.shown() == uids_of({4}); }));
    CHECK(f.changes(before).vanished == uids_of({1, 2, 3}));
  }
  const bool told = f.comes_to([&] {
    return std::any_of(heard.begin(), heard.end(), [&](const MailboxChanged& change) {
      return change.mailbox == f.view && change.exists && change.highest > before;
    });
  });
  CHECK(told);
  CHECK(f.info(f.view).messages == f.shown().size());
  f.store->unsubscribe(listener);
  f.is_sound();
}

TEST_CASE("nothing else changes that mailbox, and a copy from it is a message again") {
  Shown f;
  f.show();
  const MailboxKey other = f.create("Other");
  f.append(f.inbox, marked(1));
  f.append(f.inbox, marked(2));
  f.expunge(f.inbox, uids_of({1}));
  const MailboxInfo before = f.info(f.view);
  const auto refuses = [&](auto change) {
    const auto done = f.store->write_now([&](WriteTxn& t) -> Result<bool> {
      const auto result = change(t);
      if (!result) return tl::unexpected(result.error());
      return true;
    });
    CHECK(code_of(done) == ErrorCode::kInvalid);
    if (!done) CHECK(done.error().message.find("removed messages") != std::string::npos);
  };
  const auto one = uids_of({1});
  refuses([&](WriteTxn& t) { return t.append(f.view, marked(3)); });
  refuses([&](WriteTxn& t) { return t.change_flags(f.view, one, adding(bit(Flag::kSeen))); });
  refuses([&](WriteTxn& t) { return t.hide_from_pop3(f.view, one); });
  refuses([&](WriteTxn& t) { return t.expunge(f.view, one, kAnn); });
  refuses([&](WriteTxn& t) { return t.copy(f.inbox, uids_of({2}), f.view, {}); });
  refuses([&](WriteTxn& t) { return t.copy(f.view, one, f.view, {}); });
  refuses([&](WriteTxn& t) { return t.move(f.inbox, uids_of({2}), f.view, kAnn); });
  refuses([&](WriteTxn& t) { return t.move(f.view, one, f.inbox, kAnn); });
  refuses([&](WriteTxn& t) { return t.delete_mailbox(f.view, kAnn); });
  refuses([&](WriteTxn& t) { return t.rename_mailbox(f.account, kName, "Mine"); });
  refuses([&](WriteTxn& t) { return t.rename_mailbox(f.account, "Other", "Removed messages/x"); });
  refuses([&](WriteTxn& t) {
    return t.create_mailbox(f.account, "Removed messages/x/y", SpecialUse::kNone);
  });
  refuses([&](WriteTxn& t) { return t.set_special_use(f.view, SpecialUse::kTrash); });
  refuses([&](WriteTxn& t) { return t.advance_uid_next(f.view, Uid(100)); });
  refuses([&](WriteTxn& t) {
    MailboxIdentity identity;
    identity.name = kName;
    return t.adopt_mailbox(f.account, identity);
  });
  refuses([&](WriteTxn& t) {
    MailboxIdentity identity;
    identity.name = "Removed messages/below";
    return t.adopt_mailbox(f.account, identity);
  });
  refuses([&](WriteTxn& t) { return t.install_mailbox(f.view, "Mine", kAnn); });
  refuses([&](WriteTxn& t) { return t.install_mailbox(other, kName, kAnn); });
  refuses([&](WriteTxn& t) { return t.undelete(f.account, f.removed(), f.view.mailbox, {}); });
  CHECK(f.info(f.view).highest_modseq == before.highest_modseq);
  CHECK(f.shown() == one);

  Limits one_more;
  one_more.quota_messages = 2;
  const Copied copied = f.write([&](WriteTxn& t) { return t.copy(f.view, one, other, one_more); });
  CHECK(copied.messages.size() == 1);
  CHECK(f.use().messages == 2);
  CHECK(f.text(other, Uid(1)) == "Return-Path: <a@example.net>\r\n" + mail_text(1, 9000));
  CHECK(code_of(f.store->write_now([&](WriteTxn& t) {
          return t.copy(f.view, one, other, one_more);
        })) == ErrorCode::kOverQuota);
  // A copy is another message: the removed one can still come back.
  const Undeleted back =
      f.write([&](WriteTxn& t) { return t.undelete(f.account, f.removed(), std::nullopt, {}); });
  CHECK(back.messages.size() == 1);
  CHECK(f.shown().empty());
  CHECK(f.text(other, Uid(1)) == "Return-Path: <a@example.net>\r\n" + mail_text(1, 9000));
  f.is_sound();
}

TEST_CASE("what was removed before is shown too, and another name renames the mailbox") {
  Shown f;
  constexpr unsigned kMany = 1203;
  const AppendRequest request = marked(7);
  f.write([&](WriteTxn& t) -> Result<bool> {
    std::vector<Uid> uids;
    for (unsigned i = 0; i < kMany; ++i) {
      AppendRequest one = request;
      one.imported_uidl.clear();
      auto appended = t.append(f.inbox, one);
      if (!appended) return tl::unexpected(appended.error());
      uids.push_back(appended->uid);
    }
    auto gone = t.expunge(f.inbox, uids, kAnn);
    if (!gone) return tl::unexpected(gone.error());
    return true;
  });
  f.write([&](WriteTxn& t) { return t.show_removed(f.account, kName, std::nullopt); });
  CHECK_FALSE(f.use().removed_shown);
  CHECK(f.show() == 2);  // what was begun above is gone on with
  CHECK(f.use().removed_shown);
  CHECK(f.shown().size() == kMany);
  CHECK(f.show() == 1);
  CHECK(f.shown().size() == kMany);
  const MailboxInfo before = f.info(f.view);
  f.show("Mail/Gone");
  CHECK(f.info(f.view).id == before.id);
  CHECK(f.info(f.view).uid_validity == before.uid_validity);
  CHECK(f.info(f.view).subscribed);
  const auto names = f.read([&](const ReadView& v) { return v.subscriptions(f.account); });
  CHECK(names == std::vector<std::string>{"Mail/Gone"});
  f.create("Taken");
  CHECK(code_of(f.store->write_now([&](WriteTxn& t) {
          return t.show_removed(f.account, "Taken", std::nullopt);
        })) == ErrorCode::kExists);
  CHECK(code_of(f.store->write_now([&](WriteTxn& t) {
          return t.show_removed(f.account, "inbox", std::nullopt);
        })) == ErrorCode::kExists);
  f.is_sound();
}

TEST_CASE("switched off, the mailbox and its messages go and the removals stay") {
  Shown f;
  CHECK(f.hide() == 1);
  f.show();
  constexpr unsigned kMany = 1100;
  f.write([&](WriteTxn& t) -> Result<bool> {
    std::vector<Uid> uids;
    for (unsigned i = 0; i < kMany; ++i) {
      auto appended = t.append(f.inbox, request_of("Subject: x\r\n\r\n"));
      if (!appended) return tl::unexpected(appended.error());
      uids.push_back(appended->uid);
    }
    auto gone = t.expunge(f.inbox, uids, kAnn);
    if (!gone) return tl::unexpected(gone.error());
    return true;
  });
  const BlobId blob = f.message(f.view, Uid(1)).blob;
  const auto references = [&] {
    return f.read([&](const ReadView& v) { return v.blob_info(blob); }).references;
  };
  CHECK(references() == 2 * kMany);
  SUBCASE("for good") {
    CHECK(f.hide() == 2);
    CHECK(references() == kMany);
    CHECK(f.removed().size() == kMany);
    CHECK(f.use().removed_messages == kMany);
    CHECK(f.use().removed_mailbox.value() == 0);
    CHECK(code_of(f.store->read_now([&](const ReadView& v) {
            return v.find_mailbox(f.account, kName);
          })) == ErrorCode::kNotFound);
    CHECK(f.read([&](const ReadView& v) { return v.subscriptions(f.account); }).empty());
    f.append(f.inbox, marked(1));
    f.expunge(f.inbox, uids_of({kMany + 1}));
    CHECK(f.removed().size() == kMany + 1);
    // An own mailbox may have the name now.
    f.create(kName);
  }
  SUBCASE("and on again before all was done") {
    CHECK_FALSE(f.write([&](WriteTxn& t) { return t.hide_removed(f.account); }));
    CHECK(f.shown().size() == kMany - 1000);
    f.show();
    CHECK(f.shown().size() == kMany);
    CHECK(references() == 2 * kMany);
  }
  SUBCASE("and on again later") {
    f.hide();
    f.show();
    CHECK(f.shown().size() == kMany);
    f.store->set_retention(std::chrono::seconds(0));
    CHECK(f.comes_to([&] { return f.use().removed_messages == 0; }));
    CHECK(f.shown().empty());
  }
  f.is_sound();
}

TEST_CASE("what was in a mailbox that has become the one of removed messages comes back to INBOX") {
  Shown f;
  const MailboxKey own = f.create(kName);
  const MailboxKey below = f.create("Removed messages/2025");
  f.append(own, marked(1));
  f.append(below, marked(2));
  for (const MailboxKey key : {own, below}) {
    f.write([&](WriteTxn& t) -> Result<bool> {
      if (auto done = t.delete_mailbox(key, kAnn); !done) return tl::unexpected(done.error());
      return true;
    });
  }
  f.show();
  CHECK(f.shown().size() == 2);
  const Undeleted back =
      f.write([&](WriteTxn& t) { return t.undelete(f.account, f.removed(), std::nullopt, {}); });
  REQUIRE(back.messages.size() == 2);
  CHECK(back.messages[0].mailbox == f.inbox);
  CHECK(back.messages[1].mailbox == f.inbox);
  CHECK(f.shown().empty());
  f.is_sound();
}

TEST_CASE("a rename leaves the mailbox of removed messages where it is") {
  Shown f;
  f.show("Mail/Removed");
  const MailboxKey mail = f.create("Mail");
  const auto renamed = f.store->write_now([&](WriteTxn& t) -> Result<bool> {
    if (auto done = t.rename_mailbox(f.account, "Mail", "Post"); !done) {
      return tl::unexpected(done.error());
    }
    return true;
  });
  CHECK(code_of(renamed) == ErrorCode::kInvalid);
  CHECK(f.info(mail).name == "Mail");
  CHECK(f.info(f.view).name == "Mail/Removed");
  f.is_sound();
}

TEST_CASE("a repair counts what is shown for no quota and finds the mailbox again") {
  Shown f;
  f.show();
  for (unsigned i = 1; i <= 3; ++i) f.append(f.inbox, marked(i));
  f.expunge(f.inbox, uids_of({1, 2}));
  const AccountInfo use = f.use();
  const std::string folder = f.options.folder;
  f.store.reset();
  bool gone_is_shown = false;
  {
    RawStore raw(folder);
    const Key account = account_key(f.account);
    const Key view = mailbox_key(f.view);
    auto accounts = raw.all(raw.tables.accounts);
    REQUIRE(accounts.size() == 1);
    AccountRow row = must(decode_account(accounts[0].first, accounts[0].second));
    SUBCASE("wrong figures") {
      row.info.messages = 7;
      row.info.bytes = 7;
      row.info.mailboxes = 7;
      row.info.removed_mailbox = MailboxId();
      raw.put(raw.tables.accounts, account.view(), encode_account(account.view(), row));
    }
    SUBCASE("the account's record is lost") { raw.erase(raw.tables.accounts, account.view()); }
    SUBCASE("the mailbox's record is lost") { raw.erase(raw.tables.mailboxes, view.view()); }
    SUBCASE("a removal is lost") {
      raw.erase(raw.tables.removed, raw.all(raw.tables.removed)[0].first);
      gone_is_shown = true;
    }
  }
  CHECK(check_closed(folder).problems > 0);
  repair_closed(folder);
  const CheckReport after = check_closed(folder);
  CHECK_MESSAGE(after.problems == 0, told(after));
  f.open();
  CHECK(f.use().messages == use.messages);
  CHECK(f.use().bytes == use.bytes);
  CHECK(f.use().mailboxes == use.mailboxes);
  CHECK(f.use().removed_mailbox == f.view.mailbox);
  CHECK(f.info(f.view).shows_removed);
  CHECK(f.shown().size() == (gone_is_shown ? 1 : 2));
  f.show(f.info(f.view).name);
  CHECK(f.shown().size() == (gone_is_shown ? 1 : 2));
  f.expunge(f.inbox, uids_of({3}));
  CHECK(f.shown().size() == (gone_is_shown ? 2 : 3));
  f.store.reset();
  CHECK(check_closed(folder).problems == 0);
}

TEST_CASE("a removal does not fail where the mailbox that shows it is damaged") {
  Shown f;
  f.show();
  for (unsigned i = 1; i <= 2; ++i) f.append(f.inbox, marked(i));
  f.expunge(f.inbox, uids_of({1}));
  f.store.reset();
  {
    RawStore raw(f.options.folder);
    raw.put(raw.tables.mailboxes, mailbox_key(f.view).view(), "not a record");
  }
  f.store = must(Store::open(f.options, f.executor));
  f.expunge(f.inbox, uids_of({2}));
  CHECK(f.removed().size() == 2);
  CHECK(f.write([&](WriteTxn& t) { return t.forget_removed(f.account, f.removed()); }) == 2);
  f.store.reset();
  repair_closed(f.options.folder);
  const CheckReport after = check_closed(f.options.folder);
  CHECK_MESSAGE(after.problems == 0, told(after));
  f.store = must(Store::open(f.options, f.executor));
  CHECK(f.shown().empty());
}

TEST_CASE("a salvage leaves out what is only shown") {
  Shown f;
  f.show();
  for (unsigned i = 1; i <= 2; ++i) f.append(f.inbox, marked(i));
  f.expunge(f.inbox, uids_of({1}));
  f.store.reset();
  SUBCASE("by the mailbox's record") {}
  SUBCASE("by the account's") {
    RawStore raw(f.options.folder);
    raw.erase(raw.tables.mailboxes, mailbox_key(f.view).view());
  }
  const auto salvage = must(Salvage::open(f.options.folder + "/data.mdb", BodyCoder::plain(), {}));
  REQUIRE(salvage->accounts().size() == 1);
  REQUIRE(salvage->accounts()[0].mailboxes.size() == 1);
  CHECK(salvage->accounts()[0].mailboxes[0].uids == uids_of({2}));
  CHECK(salvage->unclaimed().empty());
}
