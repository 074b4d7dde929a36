// DELETED-STORAGE of large mailboxes: slice by slice, and what happens in between.
#include "imap/deleted_storage.h"

#include <doctest/doctest.h>
#include <vector>

#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store::test;
using imap::DeletedStorage;

namespace {

// A clock that has run out: every slice is as short as it can be.
constexpr SteadyTime kPast = SteadyTime::min();
constexpr SteadyTime kNoEnd = SteadyTime::max();

struct Mailbox : Fixture {
  std::vector<store::Uid> uids;
  std::uint64_t size = 0;  // of each message

  explicit Mailbox(std::size_t count) {
    const store::AppendRequest request = request_of(mail_text(1));
    write([&](store::WriteTxn& txn) -> Result<void> {
      for (std::size_t i = 0; i < count; ++i) {
        const auto appended = txn.append(inbox, request);
        if (!appended) return tl::unexpected(appended.error());
        uids.push_back(appended->uid);
      }
      return {};
    });
    size = request.message->octets.size();
  }
  void mark(std::size_t every) {
    std::vector<store::Uid> chosen;
    for (std::size_t i = 0; i < uids.size(); i += every) chosen.push_back(uids[i]);
    store::FlagChange change;
    change.flags = bit(store::Flag::kDeleted);
    write([&](store::WriteTxn& txn) { return txn.change_flags(inbox, chosen, change); });
  }
  Result<bool> advance(DeletedStorage& work, SteadyTime deadline) {
    return store->read_now(
        [&](const store::ReadView& view) { return work.advance(view, deadline); });
  }
  DeletedStorage begin() { return DeletedStorage(inbox, info(inbox).deleted); }
};

}  // namespace

TEST_CASE("the octets of deleted messages are added up, however many slices that takes") {
  Mailbox box(3000);
  box.mark(3);
  DeletedStorage at_once = box.begin();
  CHECK(must(box.advance(at_once, kNoEnd)));
  CHECK(at_once.octets() == 1000 * box.size);

  DeletedStorage sliced = box.begin();
  int slices = 1;
  while (!must(box.advance(sliced, kPast))) {
    ++slices;
    REQUIRE(slices < 10);
  }
  CHECK(slices == 3);
  CHECK(sliced.octets() == 1000 * box.size);
}

TEST_CASE("where nothing is deleted nothing is looked through") {
  Mailbox box(1);
  DeletedStorage work = box.begin();
  CHECK(must(box.advance(work, kPast)));
  CHECK(work.octets() == 0);
}

TEST_CASE("messages that go between two slices do not hold the sum up") {
  Mailbox box(2500);
  box.mark(1);
  DeletedStorage work = box.begin();
  CHECK_FALSE(must(box.advance(work, kPast)));
  const store::Remover ann{"ann@example.org", "imap", "192.0.2.7"};
  box.write([&](store::WriteTxn& txn) { return txn.expunge(box.inbox, box.uids, ann); });
  CHECK(must(box.advance(work, kPast)));
  CHECK(work.octets() == 1024 * box.size);
}

TEST_CASE("a mailbox that goes between two slices is told of") {
  Mailbox box(1);
  const store::MailboxKey other = box.create("other");
  box.append(other, request_of(mail_text(1)));
  DeletedStorage work(other, 1);
  box.write([&](store::WriteTxn& txn) {
    return txn.delete_mailbox(other, {"ann@example.org", "imap", "192.0.2.7"});
  });
  CHECK(code_of(box.advance(work, kPast)) == ErrorCode::kNotFound);
}
