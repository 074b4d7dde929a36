// Random changes against a plain model in memory: after each, both say the same.
#include <algorithm>
#include <map>
#include <random>

#include "tests/store/consistency.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

struct ModelMessage {
  unsigned number = 0;  // of its text
  FlagBits flags = 0;
  std::map<std::string, bool> keywords;
  std::uint64_t serial = 0;
  std::uint64_t email_id = 0;
  ModSeq modseq;
};

struct ModelMailbox {
  MailboxKey key;
  std::uint32_t uid_next = 1;
  UidValidity uid_validity;
  ModSeq highest{1};
  std::map<std::uint32_t, ModelMessage> messages;
  std::map<std::uint32_t, ModSeq> vanished;
};

class Model {
 public:
  Model(Fixture& fixture, unsigned seed) : f_(fixture), random_(seed) {
    ModelMailbox inbox;
    inbox.key = f_.inbox;
    inbox.uid_validity = f_.info(f_.inbox).uid_validity;
    mailboxes_["INBOX"] = inbox;
  }

  void step() {
    switch (random_() % 16) {
      case 0: create(); break;
      case 1: remove_mailbox(); break;
      case 2: rename(); break;
      case 3:
      case 4: expunge(); break;
      case 5: copy(); break;
      case 6: move(); break;
      case 7:
      case 8:
      case 9: flags(); break;
      case 10:
        if (random_() % 10 == 0) f_.reopen();
        break;
      default: append();
    }
  }

  void compare() {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    const auto listed = f_.read([&](const ReadView& v) { return v.mailboxes(f_.account); });
    REQUIRE(listed.size() == mailboxes_.size());
    for (const MailboxInfo& info : listed) {
      REQUIRE(mailboxes_.contains(info.name));
      const ModelMailbox& model = mailboxes_[info.name];
      CHECK(info.id == model.key.mailbox);
      CHECK(info.uid_validity == model.uid_validity);
      CHECK(info.uid_next.value() == model.uid_next);
      CHECK(info.highest_modseq == model.highest);
      CHECK(info.messages == model.messages.size());
      compare_messages(info, model);
      compare_changes(model);
      messages += info.messages;
      bytes += info.bytes;
    }
    const AccountInfo account = f_.read([&](const ReadView& v) { return v.account(f_.account); });
    CHECK(account.messages == messages);
    CHECK(account.bytes == bytes);
  }

 private:
  void compare_messages(const MailboxInfo& info, const ModelMailbox& model) {
    std::uint32_t unseen = 0;
    std::uint32_t deleted = 0;
    std::uint64_t bytes = 0;
    auto expected = model.messages.begin();
    f_.read([&](const ReadView& v) -> Result<int> {
      must(v.for_each_message(model.key, {Uid(1), Uid(~0U)}, [&](const MessageRecord& record) {
        REQUIRE(expected != model.messages.end());
        const auto& [uid, message] = *expected++;
        CHECK(record.uid.value() == uid);
        CHECK(record.flags == message.flags);
        CHECK(record.modseq == message.modseq);
        CHECK(record.serial.value() == message.serial);
        CHECK(record.email_id.value() == message.email_id);
        for (std::size_t i = 0; i < info.keywords.size(); ++i) {
          CHECK(record.keywords.test(i) == message.keywords.contains(info.keywords[i]));
        }
        if (random_() % 8 == 0) CHECK(read_whole(v, record) == text(message.number));
        if ((record.flags & bit(Flag::kSeen)) == 0) ++unseen;
        if ((record.flags & bit(Flag::kDeleted)) != 0) ++deleted;
        bytes += text(message.number).size();
        return true;
      }));
      return 0;
    });
    CHECK(expected == model.messages.end());
    CHECK(info.unseen == unseen);
    CHECK(info.deleted == deleted);
    CHECK(info.bytes == bytes);
  }

  void compare_changes(const ModelMailbox& model) {
    const ModSeq since(random_() % (model.highest.value() + 1));
    const Changes changes =
        f_.read([&](const ReadView& v) { return v.changes_since(model.key, since); });
    std::vector<std::uint32_t> changed;
    std::vector<std::uint32_t> vanished;
    for (const auto& [uid, message] : model.messages) {
      if (message.modseq > since) changed.push_back(uid);
    }
    for (const auto& [uid, modseq] : model.vanished) {
      if (modseq > since) vanished.push_back(uid);
    }
    std::vector<std::uint32_t> found;
    for (const MessageRecord& record : changes.changed) found.push_back(record.uid.value());
    CHECK(found == changed);
    found.clear();
    for (const Uid uid : changes.vanished) found.push_back(uid.value());
    CHECK(found == vanished);
    CHECK(changes.highest == model.highest);
  }

  [[nodiscard]] std::string text(unsigned number) const {
    return mail_text(number, number * 97 % 9000);
  }

  ModelMailbox& any_mailbox() {
    auto at = mailboxes_.begin();
    std::advance(at, random_() % mailboxes_.size());
    return at->second;
  }
  // Some UIDs of a mailbox, in any order, some twice, some that are not there.
  std::vector<Uid> some(const ModelMailbox& mailbox) {
    std::vector<Uid> uids;
    const auto count = static_cast<unsigned>(random_() % 6);
    for (unsigned i = 0; i < count; ++i) {
      uids.emplace_back(static_cast<std::uint32_t>(1 + random_() % (mailbox.uid_next + 1)));
    }
    return uids;
  }
  static std::vector<std::uint32_t> present(const ModelMailbox& mailbox, std::vector<Uid> uids) {
    std::vector<std::uint32_t> there;
    for (const auto& [uid, message] : mailbox.messages) {
      if (std::find(uids.begin(), uids.end(), Uid(uid)) != uids.end()) there.push_back(uid);
    }
    return there;
  }
  std::string some_name() {
    static const char* const names[] = {"a",   "b",   "c",        "a/x",
                                        "a/y", "b/x", "a/x/deep", "INBOX/sub"};
    return names[random_() % 8];
  }

  void append() {
    ModelMailbox& mailbox = any_mailbox();
    ModelMessage message;
    message.number = static_cast<unsigned>(random_() % 40);  // some come twice
    message.flags = static_cast<FlagBits>(random_() % 32);
    AppendRequest request = request_of(text(message.number));
    request.flags = message.flags;
    if (random_() % 4 == 0) request.keywords = {"key" + std::to_string(random_() % 5)};
    for (const std::string& name : request.keywords) message.keywords[name] = true;
    const Appended done = f_.append(mailbox.key, request);
    CHECK(done.uid.value() == mailbox.uid_next);
    mailbox.highest = mailbox.highest.next();
    CHECK(done.modseq == mailbox.highest);
    message.modseq = mailbox.highest;
    message.serial = message.email_id = done.serial.value();
    mailbox.messages[mailbox.uid_next++] = message;
  }

  void flags() {
    ModelMailbox& mailbox = any_mailbox();
    const std::vector<Uid> uids = some(mailbox);
    FlagChange change;
    change.operation = static_cast<FlagOperation>(random_() % 3);
    change.flags = static_cast<FlagBits>(random_() % 32);
    if (random_() % 2 == 0) change.keywords = {"key" + std::to_string(random_() % 5)};
    if (random_() % 4 == 0)
      change.unchanged_since = ModSeq(random_() % (mailbox.highest.value() + 1));
    const FlagResult done =
        f_.write([&](WriteTxn& txn) { return txn.change_flags(mailbox.key, uids, change); });
    std::size_t changed = 0;
    std::vector<Uid> conflicts;
    for (const std::uint32_t uid : present(mailbox, uids)) {
      ModelMessage& message = mailbox.messages[uid];
      if (message.modseq > change.unchanged_since) {
        conflicts.emplace_back(uid);
        continue;
      }
      const ModelMessage before = message;
      const bool replace = change.operation == FlagOperation::kReplace;
      if (replace) message.keywords.clear();
      if (change.operation == FlagOperation::kRemove) {
        message.flags = static_cast<FlagBits>(message.flags & ~change.flags);
        for (const std::string& name : change.keywords) message.keywords.erase(name);
      } else {
        message.flags = static_cast<FlagBits>((replace ? 0 : message.flags) | change.flags);
        for (const std::string& name : change.keywords) message.keywords[name] = true;
      }
      if (before.flags == message.flags && before.keywords == message.keywords) continue;
      message.modseq = mailbox.highest.next();
      ++changed;
    }
    if (changed > 0) mailbox.highest = mailbox.highest.next();
    CHECK(done.changed.size() == changed);
    CHECK(done.conflicts == conflicts);
  }

  void expunge() {
    ModelMailbox& mailbox = any_mailbox();
    const std::vector<Uid> uids = some(mailbox);
    const std::vector<std::uint32_t> there = present(mailbox, uids);
    const Expunged done =
        f_.write([&](WriteTxn& txn) { return txn.expunge(mailbox.key, uids, Remover{}); });
    CHECK(done.removed.size() == there.size());
    if (there.empty()) return;
    mailbox.highest = mailbox.highest.next();
    for (const std::uint32_t uid : there) {
      mailbox.messages.erase(uid);
      mailbox.vanished[uid] = mailbox.highest;
    }
  }

  void copy() {
    ModelMailbox& from = any_mailbox();
    ModelMailbox& to = any_mailbox();
    const std::vector<Uid> uids = some(from);
    const std::vector<std::uint32_t> there = present(from, uids);
    const Copied done =
        f_.write([&](WriteTxn& t) { return t.copy(from.key, uids, to.key, Limits{}); });
    REQUIRE(done.messages.size() == there.size());
    if (there.empty()) return;
    to.highest = to.highest.next();
    for (std::size_t i = 0; i < there.size(); ++i) {
      ModelMessage message = from.messages[there[i]];
      CHECK(done.messages[i].source.value() == there[i]);
      CHECK(done.messages[i].target.value() == to.uid_next);
      message.modseq = to.highest;
      message.serial = f_.message(to.key, Uid(to.uid_next)).serial.value();
      to.messages[to.uid_next++] = message;
    }
  }

  void move() {
    ModelMailbox& from = any_mailbox();
    ModelMailbox& to = any_mailbox();
    const std::vector<Uid> uids = some(from);
    const std::vector<std::uint32_t> there = present(from, uids);
    const Copied done =
        f_.write([&](WriteTxn& t) { return t.move(from.key, uids, to.key, Remover{}); });
    REQUIRE(done.messages.size() == there.size());
    if (there.empty()) return;
    to.highest = to.highest.next();
    if (&from != &to) from.highest = from.highest.next();
    for (const std::uint32_t uid : there) {
      ModelMessage message = from.messages[uid];
      from.messages.erase(uid);
      from.vanished[uid] = from.highest;
      message.modseq = to.highest;
      to.messages[to.uid_next++] = message;
    }
  }

  void create() {
    const std::string name = some_name();
    const auto done = f_.store->write_now(
        [&](WriteTxn& txn) { return txn.create_mailbox(f_.account, name, SpecialUse::kNone); });
    CHECK(done.has_value() == !mailboxes_.contains(name));
    if (!done) return;
    ModelMailbox mailbox;
    mailbox.key = {f_.account, done->id};
    mailbox.uid_validity = done->uid_validity;
    CHECK(done->uid_validity > last_validity_);
    last_validity_ = done->uid_validity;
    mailboxes_[name] = mailbox;
  }

  void remove_mailbox() {
    auto at = mailboxes_.begin();
    std::advance(at, random_() % mailboxes_.size());
    const auto done = f_.store->write_now(
        [&](WriteTxn& txn) { return txn.delete_mailbox(at->second.key, Remover{}); });
    CHECK(done.has_value() == (at->first != "INBOX"));
    if (done) mailboxes_.erase(at);
  }

  void rename() {
    const std::string from = some_name();
    const std::string to = some_name();
    bool possible =
        mailboxes_.contains(from) && !mailboxes_.contains(to) && !to.starts_with(from + "/");
    std::map<std::string, ModelMailbox> renamed;
    for (const auto& [name, mailbox] : mailboxes_) {
      if (name != from && !name.starts_with(from + "/")) continue;
      const std::string target = to + name.substr(from.size());
      possible = possible && !mailboxes_.contains(target);
      renamed[target] = mailbox;
    }
    const auto done = f_.store->write_now(
        [&](WriteTxn& txn) { return txn.rename_mailbox(f_.account, from, to); });
    CHECK(done.has_value() == possible);
    if (!done) return;
    std::erase_if(mailboxes_, [&](const auto& entry) {
      return entry.first == from || entry.first.starts_with(from + "/");
    });
    mailboxes_.merge(renamed);
  }

  Fixture& f_;
  std::mt19937 random_;
  std::map<std::string, ModelMailbox> mailboxes_;
  UidValidity last_validity_;
};

}  // namespace

TEST_CASE("random changes leave the store as a plain model has it") {
  const char* given = std::getenv("TWINPOST_MODEL_SEED");
  std::random_device device;
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::stoul(given)) : device();
  MESSAGE("seed " << seed << " (again with TWINPOST_MODEL_SEED)");
  for (unsigned run = 0; run < 4; ++run) {
    Fixture f;
    f.options.retention = std::chrono::seconds(run % 2 == 0 ? 0 : 3600);
    f.reopen();
    Model model(f, seed + run);
    for (int i = 0; i < 600; ++i) {
      model.step();
      if (i % 10 == 0) model.compare();
    }
    model.compare();
    f.store.reset();
    CHECK(inconsistencies(f.options.folder) == std::vector<std::string>{});
  }
}
