#include "pop3/update.h"

#include <doctest/doctest.h>

#include "pop3/expiry.h"
#include "tests/store/message_support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;
using config::Pop3Action;

namespace {

constexpr auto kDay = std::chrono::days(1);

pop3::UpdateRequest request_of(const Fixture& f, std::vector<Uid> retrieved) {
  pop3::UpdateRequest request;
  request.inbox = f.inbox;
  request.retrieved = std::move(retrieved);
  request.after_retrieve = Pop3Action::kRemove;
  request.keep_days = 7;
  request.now = unix_now();
  request.remover = {"ann@example.org", "pop3", "127.0.0.1"};
  return request;
}

void append_of_age(Fixture& f, unsigned number, std::chrono::days age) {
  AppendRequest request = test::request_of(mail_text(number));
  request.origin.save_date = unix_now() - age;
  f.append(f.inbox, request);
}

pop3::UpdateResult update(Fixture& f, const pop3::UpdateRequest& request) {
  return f.write([&](WriteTxn& txn) { return pop3::update(txn, request); });
}

}  // namespace

TEST_CASE("keep_days: a retrieved message goes once it has been in the mailbox so long") {
  Fixture f;
  append_of_age(f, 1, kDay * 8);
  append_of_age(f, 2, kDay * 6);
  append_of_age(f, 3, kDay * 8);
  CHECK(update(f, request_of(f, uids_of({1, 2}))).removed == 1);
  CHECK(f.read([&](const ReadView& v) { return v.uids(f.inbox); }) == uids_of({2, 3}));
  CHECK(f.message(f.inbox, Uid(2)).pop3_retrieved);
  CHECK_FALSE(f.message(f.inbox, Uid(3)).pop3_retrieved);

  pop3::UpdateRequest later = request_of(f, {});
  later.retrieved_before = uids_of({2});
  CHECK(update(f, later).removed == 0);
  later.now += kDay * 2;
  CHECK(update(f, later).removed == 1);
  CHECK(f.read([&](const ReadView& v) { return v.uids(f.inbox); }) == uids_of({3}));
}

TEST_CASE("what is removed elsewhere meanwhile costs the others nothing") {
  Fixture f;
  for (unsigned i = 1; i <= 3; ++i) append_of_age(f, i, kDay * 8);
  pop3::UpdateRequest request = request_of(f, uids_of({1, 2}));
  request.deleted = uids_of({3});
  request.seen = uids_of({1, 2, 3});
  f.write([&](WriteTxn& txn) { return txn.expunge(f.inbox, uids_of({2, 3}), request.remover); });
  const pop3::UpdateResult result = update(f, request);
  CHECK(result.removed == 1);
  CHECK(result.already_gone == 1);
  CHECK(result.text() == "1 message removed, 1 already gone");
}

TEST_CASE("mark_seen marks what stays, and tells IMAP by a modseq") {
  Fixture f;
  append_of_age(f, 1, {});
  pop3::UpdateRequest request = request_of(f, {});
  request.after_retrieve = Pop3Action::kNothing;
  request.seen = uids_of({1});
  REQUIRE(request.changes_something());
  const ModSeq before = f.info(f.inbox).highest_modseq;
  CHECK(update(f, request).text().empty());
  CHECK(f.message(f.inbox, Uid(1)).flags == bit(Flag::kSeen));
  CHECK(f.read([&](const ReadView& v) {
           return v.changes_since(f.inbox, before);
         }).changed.size() == 1);
}

TEST_CASE("EXPIRE says what the options do") {
  config::Pop3Options options;
  CHECK_FALSE(pop3::expiry_days(options));
  options.keep_days = 5;  // nothing is done after a RETR, however old the message is
  CHECK_FALSE(pop3::expiry_days(options));
  options.after_retrieve = Pop3Action::kHide;
  CHECK(pop3::expiry_days(options) == 5U);
  options.show.what = config::Pop3Show::What::kRecentDays;
  options.show.days = 3;
  CHECK(pop3::expiry_days(options) == 3U);
  options.show.what = config::Pop3Show::What::kUnseen;
  CHECK(pop3::expiry_days(options) == 5U);
  options.mark_seen = true;
  CHECK(pop3::expiry_days(options) == 0U);
}
