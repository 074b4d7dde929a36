// Mailboxes and messages that come from elsewhere keep what clients know them by.
#include "tests/store/consistency.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

MailboxIdentity known_as(std::string name, std::uint32_t uid_validity) {
  MailboxIdentity identity;
  identity.name = std::move(name);
  identity.uid_validity = UidValidity(uid_validity);
  identity.highest_modseq = ModSeq(5000);
  identity.mailbox_guid = "Mabc-_1";
  identity.special_use = SpecialUse::kSent;
  return identity;
}

MailboxInfo adopt(Fixture& f, const MailboxIdentity& identity) {
  return f.write([&](WriteTxn& t) { return t.adopt_mailbox(f.account, identity); });
}

AppendRequest at_uid(unsigned number, std::uint32_t uid, std::uint8_t key = 0) {
  AppendRequest request = request_of(mail_text(number));
  request.origin.uid = Uid(uid);
  if (key != 0) request.origin.key = ImportKey{key};
  return request;
}

}  // namespace

TEST_CASE("a mailbox is adopted with its identity where it has none of its own yet") {
  Fixture f;
  const MailboxInfo sent = adopt(f, known_as("Sent", 77));
  CHECK(sent.uid_validity == UidValidity(77));
  CHECK(sent.highest_modseq >= ModSeq(5000));
  CHECK(sent.mailbox_guid == "Mabc-_1");
  CHECK(sent.special_use == SpecialUse::kSent);
  CHECK(sent.uid_next == Uid(1));

  MailboxIdentity inbox = known_as("inbox", 99);
  CHECK(adopt(f, inbox).id == f.inbox.mailbox);
  CHECK(f.info(f.inbox).uid_validity == UidValidity(99));
  CHECK(f.info(f.inbox).mailbox_guid != "Mabc-_1");         // taken
  CHECK(f.info(f.inbox).special_use == SpecialUse::kNone);  // taken
  CHECK(adopt(f, inbox).uid_validity == UidValidity(99));   // again: nothing

  f.append(mail_text(1));
  inbox.uid_validity = UidValidity(100);
  CHECK(adopt(f, inbox).uid_validity == UidValidity(99));
  CHECK(f.info(f.create("New")).uid_validity > UidValidity(99));
  // Who asks what happened before the adoption compares UIDs.
  const auto changes =
      f.store->read_now([&](const ReadView& v) { return v.changes_since(f.inbox, ModSeq(4000)); });
  CHECK(code_of(changes) == ErrorCode::kInvalid);
}

TEST_CASE("a UIDVALIDITY that was adopted is not given to another mailbox later") {
  Fixture f;
  adopt(f, known_as("Future", 4'000'000'000));
  CHECK(f.info(f.create("New")).uid_validity == UidValidity(4'000'000'001));
}

TEST_CASE("messages keep their UIDs in ascending order and get new ones otherwise") {
  Fixture f;
  CHECK(f.append(f.inbox, at_uid(1, 5)).uid == Uid(5));
  CHECK(f.append(f.inbox, at_uid(2, 9)).uid == Uid(9));
  CHECK(f.append(f.inbox, at_uid(3, 7)).uid == Uid(10));
  CHECK(f.append(f.inbox, at_uid(4, 9)).uid == Uid(11));
  f.write([&](WriteTxn& t) -> Result<bool> {
    if (auto done = t.advance_uid_next(f.inbox, Uid(1000)); !done) {
      return tl::unexpected(done.error());
    }
    if (auto done = t.advance_uid_next(f.inbox, Uid(500)); !done) {
      return tl::unexpected(done.error());
    }
    return true;
  });
  CHECK(f.append(mail_text(5)).uid == Uid(1000));
  const auto last =
      f.store->write_now([&](WriteTxn& t) { return t.append(f.inbox, at_uid(6, 4'294'967'295)); });
  CHECK(code_of(last) == ErrorCode::kLimit);
  f.store.reset();
  CHECK(inconsistencies(f.options.folder).empty());
}

TEST_CASE("a message that was imported is known for ever") {
  Fixture f;
  const ImportKey key{7};
  const auto known = [&] {
    return f.read([&](const ReadView& v) { return v.was_imported(f.account, key); });
  };
  CHECK_FALSE(known());
  f.append(f.inbox, at_uid(1, 0, 7));
  CHECK(known());
  const auto again =
      f.store->write_now([&](WriteTxn& t) { return t.append(f.inbox, at_uid(1, 0, 7)); });
  CHECK(code_of(again) == ErrorCode::kExists);
  f.write([&](WriteTxn& t) { return t.expunge(f.inbox, std::vector{Uid(1)}, Remover{}); });
  f.reopen();
  CHECK(known());
  CHECK_FALSE(f.read([&](const ReadView& v) { return v.was_imported(f.account, ImportKey{8}); }));
}

TEST_CASE("a mailbox is installed in the place of another, whose mail it takes over") {
  Fixture f;
  f.append(mail_text(50));
  const std::string uidl = uidl_of(f.message(f.inbox, Uid(1)), f.store->store_id());
  const MailboxInfo made = adopt(f, known_as("Restoring/INBOX", 77));
  const MailboxKey restored{f.account, made.id};
  for (std::uint32_t uid = 10; uid < 13; ++uid) f.append(restored, at_uid(uid, uid));
  const auto install = [&](MailboxKey key, const char* name) {
    return f.store->write_now([&](WriteTxn& t) -> Result<bool> {
      if (auto done = t.install_mailbox(key, name, Remover{}); !done) {
        return tl::unexpected(done.error());
      }
      return true;
    });
  };
  CHECK(code_of(install(f.inbox, "Elsewhere")) == ErrorCode::kInvalid);
  REQUIRE(install(restored, "INBOX"));
  const MailboxInfo inbox =
      f.read([&](const ReadView& v) { return v.find_mailbox(f.account, "INBOX"); });
  CHECK(inbox.id == made.id);
  CHECK(inbox.uid_validity == UidValidity(77));
  CHECK(inbox.messages == 4);
  CHECK(uidl_of(f.message(restored, Uid(13)), f.store->store_id()) == uidl);
  CHECK(f.read([&](const ReadView& v) { return v.mailboxes(f.account); }).size() == 1);
  REQUIRE(install(restored, "inbox"));  // again: nothing
  const MailboxInfo other = adopt(f, known_as("Restoring/Other", 78));
  REQUIRE(install({f.account, other.id}, "Other"));
  CHECK(f.info({f.account, other.id}).name == "Other");
  f.store.reset();
  CHECK(inconsistencies(f.options.folder).empty());
}
