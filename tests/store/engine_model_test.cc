// Many random changes of several accounts, against a plain model in memory, while sessions that
// are told late look on: what they know, and what changes_since() tells them, is always what the
// model has; what they have not been told of stays readable whatever is reaped meanwhile; quotas
// refuse exactly what they must.
//
// The modseqs themselves are model_test.cc's.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/store/consistency.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

constexpr unsigned kAccounts = 3;
constexpr unsigned kNumbers = 60;  // different messages; the same one comes many times
constexpr std::size_t kMostMessages = 60;
constexpr std::size_t kMostRemoved = 150;
constexpr std::size_t kSessions = 6;

struct Message {
  unsigned number = 0;
  FlagBits flags = 0;
  std::set<std::string> keywords;
  std::uint64_t serial = 0;
  friend bool operator==(const Message&, const Message&) = default;
};

struct Mailbox {
  std::string name;
  std::uint32_t uid_next = 1;
  std::map<std::uint32_t, Message> messages;
};

struct Removed {
  Message message;
  Removal how = Removal::kExpunged;
  bool certain = true;  // false: its retention may be over
};
using Place = std::pair<std::uint32_t, std::uint32_t>;  // mailbox, UID

struct Account {
  AccountId id;
  std::map<std::uint32_t, Mailbox> mailboxes;
  std::map<Place, Removed> removed;
  std::set<Place> given_up;  // were forgotten: a session may be too late for them
};

// Somebody who has a mailbox open and was told of its changes some time ago.
struct Session {
  unsigned account = 0;
  MailboxKey key;
  ModSeq known;
  std::map<std::uint32_t, Message> view;
  UnixTime since;
  std::unique_ptr<Store::RemovalHold> hold;
};

class Engine {
 public:
  explicit Engine(unsigned seed) : random_(seed) {
    for (unsigned i = 0; i < kNumbers; ++i) {
      texts_.push_back(mail_text(i, i * 131 % 9000));
      requests_.push_back(request_of(texts_.back()));
    }
    set_retention(false);
    for (unsigned i = 0; i < kAccounts; ++i) {
      Account account;
      account.id =
          f_.write([&](WriteTxn& t) { return t.ensure_account("a" + std::to_string(i)); }).id;
      account.mailboxes[1].name = "INBOX";
      accounts_.push_back(std::move(account));
    }
  }

  void step() {
    Account& account = accounts_[random_() % kAccounts];
    switch (random_() % 24) {
      case 0: create(account); break;
      case 1: rename_or_delete(account); break;
      case 2:
      case 3: expunge(account); break;
      case 4:
      case 5: transfer(account, true); break;
      case 6:
      case 7: transfer(account, false); break;
      case 8:
      case 9: undelete(account); break;
      case 10: forget(account); break;
      case 11: quota(account); break;
      case 12: open_session(); break;
      case 13:
      case 14: tell(); break;
      case 15:
      case 16: read_untold(); break;
      case 17:
        if (random_() % 400 == 0) set_retention(!reaping_);
        break;
      case 18:
      case 19:
      case 20: flags(account); break;
      default: append(account);
    }
  }

  // Everything that can be seen.
  void compare() {
    f_.read([&](const ReadView& view) -> Result<int> {
      for (const Account& account : accounts_) compare(view, account);
      return 0;
    });
  }

  void finish() {
    compare();
    sessions_.clear();
    f_.store.reset();
    CHECK(inconsistencies(f_.options.folder) == std::vector<std::string>{});
  }

 private:
  template <class Map>
  auto any(Map& map) {
    return std::next(map.begin(), static_cast<std::ptrdiff_t>(random_() % map.size()));
  }
  static MailboxKey key_of(const Account& account, std::uint32_t mailbox) {
    return {account.id, MailboxId(mailbox)};
  }
  // A few UIDs that are there, ascending.
  std::vector<Uid> some(const Mailbox& mailbox) {
    std::set<std::uint32_t> uids;
    for (std::size_t i = random_() % 4 + 1; i > 0 && !mailbox.messages.empty(); --i) {
      uids.insert(any(mailbox.messages)->first);
    }
    return {uids.begin(), uids.end()};
  }
  std::string some_keyword() { return "key" + std::to_string(random_() % 5); }
  [[nodiscard]] std::uint64_t size_of(const Message& message) const {
    return texts_[message.number].size();
  }

  // Off: `removed` keeps everything; on: nothing but what sessions hold.
  void set_retention(bool reaping) {
    reaping_ = reaping;
    f_.store->set_retention(std::chrono::seconds(reaping ? 0 : 1'000'000));
    for (Account& account : accounts_) {
      for (auto& [place, removed] : account.removed) removed.certain = false;
    }
  }

  void take_out(Account& account, std::uint32_t mailbox, Uid uid, Removal how) {
    auto node = account.mailboxes.at(mailbox).messages.extract(uid.value());
    account.removed[{mailbox, uid.value()}] = {std::move(node.mapped()), how, !reaping_};
  }

  void append(Account& account) {
    auto& [id, mailbox] = *any(account.mailboxes);
    if (mailbox.messages.size() >= kMostMessages) return expunge(account);
    Message message{
        static_cast<unsigned>(random_() % kNumbers), static_cast<FlagBits>(random_() % 32), {}, 0};
    if (random_() % 4 == 0) message.keywords.insert(some_keyword());
    AppendRequest request = requests_[message.number];
    request.flags = message.flags;
    request.keywords = {message.keywords.begin(), message.keywords.end()};
    const Appended done = f_.append(key_of(account, id), request);
    CHECK(done.uid.value() == mailbox.uid_next);
    message.serial = done.serial.value();
    mailbox.messages[mailbox.uid_next++] = message;
  }

  void flags(Account& account) {
    auto& [id, mailbox] = *any(account.mailboxes);
    const std::vector<Uid> uids = some(mailbox);
    FlagChange change;
    change.operation = static_cast<FlagOperation>(random_() % 3);
    change.flags = static_cast<FlagBits>(random_() % 32);
    if (random_() % 2 == 0) change.keywords = {some_keyword()};
    const MailboxKey key = key_of(account, id);
    const FlagResult done =
        f_.write([&](WriteTxn& t) { return t.change_flags(key, uids, change); });
    std::size_t changed = 0;
    for (const Uid uid : uids) {
      Message& message = mailbox.messages.at(uid.value());
      const Message before = message;
      if (change.operation == FlagOperation::kReplace) message.keywords.clear();
      if (change.operation == FlagOperation::kRemove) {
        message.flags = static_cast<FlagBits>(message.flags & ~change.flags);
        for (const std::string& name : change.keywords) message.keywords.erase(name);
      } else {
        const int kept = change.operation == FlagOperation::kReplace ? 0 : message.flags;
        message.flags = static_cast<FlagBits>(kept | change.flags);
        message.keywords.insert(change.keywords.begin(), change.keywords.end());
      }
      if (!(before == message)) ++changed;
    }
    CHECK(done.changed.size() == changed);
  }

  void expunge(Account& account) {
    auto& [id, mailbox] = *any(account.mailboxes);
    const std::vector<Uid> uids = some(mailbox);
    const MailboxKey key = key_of(account, id);
    const Expunged done = f_.write([&](WriteTxn& t) { return t.expunge(key, uids, Remover{}); });
    CHECK(done.removed == uids);
    for (const Uid uid : uids) take_out(account, id, uid, Removal::kExpunged);
  }

  void transfer(Account& account, bool moving) {
    auto& [from_id, from] = *any(account.mailboxes);
    auto& [to_id, to] = *any(account.mailboxes);
    if (from_id == to_id || to.messages.size() >= kMostMessages) return;
    const std::vector<Uid> uids = some(from);
    const MailboxKey source = key_of(account, from_id);
    const MailboxKey target = key_of(account, to_id);
    std::vector<std::uint64_t> serials;
    const Copied done = f_.write([&](WriteTxn& t) -> Result<Copied> {
      auto copied =
          moving ? t.move(source, uids, target, Remover{}) : t.copy(source, uids, target, Limits{});
      serials.clear();
      for (std::size_t i = 0; copied && i < copied->messages.size(); ++i) {
        serials.push_back(must(t.message(target, copied->messages[i].target)).serial.value());
      }
      return copied;
    });
    REQUIRE(done.messages.size() == uids.size());
    for (std::size_t i = 0; i < uids.size(); ++i) {
      Message message = from.messages.at(uids[i].value());
      CHECK((message.serial == serials[i]) == moving);
      if (moving) take_out(account, from_id, uids[i], Removal::kMoved);
      message.serial = serials[i];
      CHECK(done.messages[i].target.value() == to.uid_next);
      to.messages[to.uid_next++] = message;
    }
  }

  // The rows of some removals, as they can be named now.
  std::vector<RemovedId> ids_of(const ReadView& view, const Account& account,
                                const std::set<Place>& places) {
    std::vector<RemovedId> ids;
    must(view.for_each_removed(account.id, UnixTime{}, [&](const RemovedMessage& row) {
      if (places.contains({row.id.mailbox.value(), row.id.uid.value()})) ids.push_back(row.id);
      return true;
    }));
    return ids;
  }
  std::set<Place> some_removed(const Account& account, std::size_t most) {
    std::set<Place> places;
    for (std::size_t i = random_() % most + 1; i > 0 && !account.removed.empty(); --i) {
      places.insert(any(account.removed)->first);
    }
    return places;
  }

  void undelete(Account& account) {
    const std::set<Place> places = some_removed(account, 3);
    auto& [to_id, to] = *any(account.mailboxes);
    const MailboxId target(to_id);
    const Undeleted done = f_.write([&](WriteTxn& t) {
      return t.undelete(account.id, ids_of(t, account, places), target, Limits{});
    });
    std::set<std::uint64_t> live;
    for (const auto& [id, mailbox] : account.mailboxes) {
      for (const auto& [uid, message] : mailbox.messages) live.insert(message.serial);
    }
    std::set<Place> back_again;
    for (const Undeleted::Message& message : done.messages) {
      const Place place{message.id.mailbox.value(), message.id.uid.value()};
      REQUIRE(account.removed.contains(place));
      Message back = account.removed.at(place).message;
      account.removed.at(place).how = Removal::kMoved;
      back_again.insert(place);
      CHECK(live.insert(back.serial).second);
      back.flags = static_cast<FlagBits>(back.flags & ~bit(Flag::kDeleted));
      CHECK(message.uid.value() == to.uid_next);
      to.messages[to.uid_next++] = back;
    }
    for (const RemovedId& id : done.present) {
      CHECK(live.contains(account.removed.at({id.mailbox.value(), id.uid.value()}).message.serial));
    }
    CHECK(done.missing.empty());
    std::size_t certain = 0;
    for (const Place& place : places) {
      if (back_again.contains(place) || account.removed.at(place).certain) ++certain;
    }
    CHECK(done.messages.size() + done.present.size() >= certain);
  }

  void forget(Account& account) {
    const std::set<Place> places =
        some_removed(account, account.removed.size() > kMostRemoved ? 60 : 3);
    std::size_t named = 0;
    const std::uint64_t done = f_.write([&](WriteTxn& t) {
      const auto ids = ids_of(t, account, places);
      named = ids.size();
      return t.forget_removed(account.id, ids);
    });
    CHECK(done == named);
    for (const Place& place : places) {
      account.removed.erase(place);
      account.given_up.insert(place);
    }
  }

  // One message or octet too much is refused, and changes nothing; what just fits is taken.
  void quota(Account& account) {
    auto& [id, mailbox] = *any(account.mailboxes);
    if (mailbox.messages.size() >= kMostMessages) return;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    for (const auto& [other, box] : account.mailboxes) {
      messages += box.messages.size();
      for (const auto& [uid, message] : box.messages) bytes += size_of(message);
    }
    AppendRequest request = requests_[random_() % kNumbers];
    const std::uint64_t size = request.message->octets.size();
    const bool fits = random_() % 2 == 0;
    if (random_() % 2 == 0) {
      request.limits.quota_messages = messages + (fits ? 1 : 0);
    } else {
      request.limits.quota_bytes = bytes + size - (fits ? 0 : 1);
    }
    const bool limited = request.limits.quota_messages + request.limits.quota_bytes > 0;
    const MailboxKey key = key_of(account, id);
    const auto done = f_.store->write_now([&](WriteTxn& t) { return t.append(key, request); });
    CHECK(done.has_value() == (fits || !limited));
    if (!done) {
      CHECK(done.error().code == ErrorCode::kOverQuota);
      return;
    }
    const auto number = static_cast<unsigned>(
        std::find(texts_.begin(), texts_.end(), request.message->octets) - texts_.begin());
    mailbox.messages[mailbox.uid_next++] = {number, 0, {}, done->serial.value()};
  }

  void create(Account& account) {
    if (account.mailboxes.size() > 5) return;
    const std::string name = "box" + std::to_string(++names_);
    const MailboxInfo made = f_.write(
        [&](WriteTxn& t) { return t.create_mailbox(account.id, name, SpecialUse::kNone); });
    CHECK(account.mailboxes.try_emplace(made.id.value(), Mailbox{name, 1, {}}).second);
  }

  void rename_or_delete(Account& account) {
    auto& [id, mailbox] = *any(account.mailboxes);
    if (id == 1) return;
    const MailboxKey key = key_of(account, id);
    if (random_() % 2 == 0) {
      const std::string name = "box" + std::to_string(++names_);
      f_.write([&](WriteTxn& t) -> Result<int> {
        auto done = t.rename_mailbox(account.id, mailbox.name, name);
        if (!done) return tl::unexpected(done.error());
        return 0;
      });
      mailbox.name = name;
      return;
    }
    f_.write([&](WriteTxn& t) -> Result<int> {
      auto done = t.delete_mailbox(key, Remover{});
      if (!done) return tl::unexpected(done.error());
      return 0;
    });
    while (!mailbox.messages.empty()) {
      take_out(account, key.mailbox.value(), Uid(mailbox.messages.begin()->first),
               Removal::kMailboxDeleted);
    }
    account.mailboxes.erase(key.mailbox.value());
    std::erase_if(sessions_, [&](const Session& session) { return session.key == key; });
  }

  void open_session() {
    if (sessions_.size() == kSessions) sessions_.erase(any(sessions_));
    Session session;
    session.account = static_cast<unsigned>(random_() % kAccounts);
    const Account& account = accounts_[session.account];
    const auto& [id, mailbox] = *any(account.mailboxes);
    session.key = key_of(account, id);
    session.view = mailbox.messages;
    session.since = unix_now();
    session.hold = f_.store->hold_removals(session.key, session.since);
    session.known = f_.info(session.key).highest_modseq;
    sessions_.push_back(std::move(session));
  }

  [[nodiscard]] const Mailbox& mailbox_of(const Session& session) const {
    return accounts_[session.account].mailboxes.at(session.key.mailbox.value());
  }

  // The changes since it was told last lead to what is there.
  void tell() {
    if (sessions_.empty()) return;
    Session& session = *any(sessions_);
    const UnixTime now = unix_now();
    auto changes = f_.store->read_now(
        [&](const ReadView& v) { return v.changes_since(session.key, session.known); });
    const std::vector<std::string> names = f_.info(session.key).keywords;
    const Mailbox& mailbox = mailbox_of(session);
    if (!changes) {
      CHECK(changes.error().code == ErrorCode::kInvalid);  // too long ago
      session.view = mailbox.messages;
      session.known = f_.info(session.key).highest_modseq;
    } else {
      for (const Uid uid : changes->vanished) session.view.erase(uid.value());
      for (const MessageRecord& record : changes->changed) {
        Message& message = session.view[record.uid.value()];
        message.flags = record.flags;
        message.keywords = keywords_of(record, names);
        message.serial = record.serial.value();
        message.number = mailbox.messages.contains(record.uid.value())
                             ? mailbox.messages.at(record.uid.value()).number
                             : kNumbers;
      }
      CHECK(session.view == mailbox.messages);
      session.known = changes->highest;
    }
    session.since = now;
    session.hold->move_on(now);
  }

  // What it believes to be there can be read, though it is not.
  void read_untold() {
    if (sessions_.empty()) return;
    Session& session = *any(sessions_);
    const Account& account = accounts_[session.account];
    for (const auto& [uid, message] : session.view) {
      const Place place{session.key.mailbox.value(), uid};
      if (mailbox_of(session).messages.contains(uid) || account.given_up.contains(place)) continue;
      f_.read([&, number = message.number](const ReadView& view) -> Result<int> {
        const auto record = must(view.removed_message(session.key, Uid(uid), session.since));
        REQUIRE(record.has_value());
        CHECK(read_whole(view, *record) == texts_[number]);
        return 0;
      });
      return;
    }
  }

  static std::set<std::string> keywords_of(const MessageRecord& record,
                                           const std::vector<std::string>& names) {
    std::set<std::string> keywords;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (record.keywords.test(i)) keywords.insert(names[i]);
    }
    return keywords;
  }

  void compare(const ReadView& view, const Account& account) {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    const auto listed = must(view.mailboxes(account.id));
    REQUIRE(listed.size() == account.mailboxes.size());
    for (const auto& [id, mailbox] : account.mailboxes) {
      const MailboxInfo info = must(view.mailbox(key_of(account, id)));
      CHECK(info.name == mailbox.name);
      CHECK(info.uid_next.value() == mailbox.uid_next);
      std::map<std::uint32_t, Message> found;
      std::uint64_t here = 0;
      must(view.for_each_message(key_of(account, id), {Uid(1), Uid(~0U)}, [&](const auto& record) {
        const auto expected = mailbox.messages.find(record.uid.value());
        const unsigned number =
            expected == mailbox.messages.end() ? kNumbers : expected->second.number;
        found[record.uid.value()] = {number, record.flags, keywords_of(record, info.keywords),
                                     record.serial.value()};
        if (number != kNumbers && random_() % 16 == 0) {
          CHECK(read_whole(view, record) == texts_[number]);
        }
        here += record.size;
        return true;
      }));
      CHECK(found == mailbox.messages);
      CHECK(info.messages == found.size());
      CHECK(info.bytes == here);
      messages += info.messages;
      bytes += here;
    }
    compare_removed(view, account);
    const AccountInfo info = must(view.account(account.id));
    CHECK(info.messages == messages);
    CHECK(info.bytes == bytes);
  }

  void compare_removed(const ReadView& view, const Account& account) {
    std::set<Place> rows;
    std::uint64_t kept = 0;
    must(view.for_each_removed(account.id, UnixTime{}, [&](const RemovedMessage& row) {
      const Place place{row.id.mailbox.value(), row.id.uid.value()};
      CHECK(rows.insert(place).second);
      REQUIRE(account.removed.contains(place));
      const Removed& removed = account.removed.at(place);
      CHECK(row.how == removed.how);
      CHECK(row.message.flags == removed.message.flags);
      CHECK(row.message.serial.value() == removed.message.serial);
      CHECK(std::set<std::string>(row.keywords.begin(), row.keywords.end()) ==
            removed.message.keywords);
      if (row.how != Removal::kMoved) kept += row.message.size;
      return true;
    }));
    for (const auto& [place, removed] : account.removed) {
      if (removed.certain) CHECK(rows.contains(place));
    }
    const AccountInfo info = must(view.account(account.id));
    CHECK(info.removed_messages == rows.size());
    CHECK(info.removed_bytes == kept);
  }

  std::mt19937 random_;
  Fixture f_;
  std::vector<std::string> texts_;
  std::vector<AppendRequest> requests_;
  std::vector<Account> accounts_;
  std::vector<Session> sessions_;
  bool reaping_ = false;
  unsigned names_ = 0;
};

}  // namespace

TEST_CASE("100,000 changes under sessions that are told late leave what a plain model has") {
  const char* given = std::getenv("TWINPOST_MODEL_SEED");
  const char* more = std::getenv("TWINPOST_MODEL_STEPS");
  const unsigned seed =
      given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device()();
  const unsigned long steps = more != nullptr ? std::stoul(more) : 100'000;
  MESSAGE("seed " << seed << " (again with TWINPOST_MODEL_SEED)");
  Engine engine(seed);
  for (unsigned long i = 1; i <= steps; ++i) {
    CAPTURE(i);
    engine.step();
    if (i % 500 == 0) engine.compare();
  }
  engine.finish();
}
