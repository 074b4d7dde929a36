// Notes, and what POP3 keeps with a message.
#include "tests/store/message_support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

std::optional<std::string> note(Fixture& f, const NoteKey& key) {
  return f.read([&](const ReadView& view) { return view.note(f.account, key); });
}
Result<void> put_note(Fixture& f, const NoteKey& key, std::string_view value) {
  return f.store->write_now([&](WriteTxn& txn) { return txn.put_note(f.account, key, value); });
}

}  // namespace

TEST_CASE("a note is kept under its key until it is emptied") {
  Fixture f;
  const NoteKey one{MailboxId(), NoteKind::kClients, "one"};
  const NoteKey of_inbox{f.inbox.mailbox, NoteKind::kClients, "one"};
  CHECK_FALSE(note(f, one));
  CHECK(put_note(f, one, "1"));
  CHECK(put_note(f, of_inbox, std::string(kMaxNoteOctets, 'x')));
  f.reopen();
  CHECK(note(f, one) == "1");
  CHECK(note(f, of_inbox)->size() == kMaxNoteOctets);
  CHECK_FALSE(note(f, {MailboxId(), NoteKind::kPop3ShowFrom, "one"}));
  CHECK(put_note(f, one, ""));
  CHECK_FALSE(note(f, one));
  std::vector<std::string> names;
  f.read([&](const ReadView& view) {
    return view
        .for_each_note(f.account, f.inbox.mailbox, NoteKind::kClients,
                       [&](const std::string& name, const std::string&) {
                         names.push_back(name);
                         return true;
                       })
        .map([] { return 0; });
  });
  CHECK(names == std::vector<std::string>{"one"});
}

TEST_CASE("a note goes with its mailbox, and none is made for one that is not there") {
  Fixture f;
  const MailboxKey other = f.create("Other");
  const NoteKey key{other.mailbox, NoteKind::kPop3ListedUidls, "x"};
  CHECK(put_note(f, key, "1"));
  f.write([&](WriteTxn& txn) { return txn.delete_mailbox(other, kAnn).map([] { return 0; }); });
  CHECK_FALSE(note(f, key));
  CHECK(put_note(f, key, "1").error().code == ErrorCode::kNotFound);
  CHECK(put_note(f, {MailboxId(), NoteKind::kClients, std::string(kMaxNoteName + 1, 'n')}, "1")
            .error()
            .code == ErrorCode::kTooLarge);
  CHECK(put_note(f, {MailboxId(), NoteKind::kClients, "n"}, std::string(kMaxNoteOctets + 1, 'n'))
            .error()
            .code == ErrorCode::kTooLarge);
}

TEST_CASE("a fixed UIDL goes with the message, and so does that it was retrieved") {
  Fixture f;
  f.append(mail_text(1));
  f.append(mail_text(2));
  const std::vector<FixedUidl> fixed = {{Uid(1), "fixed"}, {Uid(9), "gone"}};
  f.write([&](WriteTxn& txn) { return txn.fix_uidls(f.inbox, fixed).map([] { return 0; }); });
  f.write([&](WriteTxn& txn) {
    return txn.note_retrieved(f.inbox, uids_of({1, 9})).map([] { return 0; });
  });
  const MailboxKey other = f.create("Other");
  f.write([&](WriteTxn& txn) { return txn.move(f.inbox, uids_of({1}), other, kAnn); });
  f.reopen();
  const MessageRecord moved = f.message(other, Uid(1));
  CHECK(uidl_of(moved, f.store->store_id()) == "fixed");
  CHECK(moved.pop3_retrieved);
  CHECK_FALSE(moved.pop3_hidden);
  CHECK_FALSE(f.message(f.inbox, Uid(2)).pop3_retrieved);
  const std::vector<FixedUidl> too_long = {{Uid(2), std::string(256, 'u')}};
  CHECK(f.store->write_now([&](WriteTxn& txn) { return txn.fix_uidls(f.inbox, too_long); })
            .error()
            .code == ErrorCode::kTooLarge);
}
