// Salvage from data files that are damaged anywhere.
#include "store/salvage.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>
#include <set>

#include "store/engine/page_walk.h"
#include "tests/store/consistency.h"
#include "tests/store/message_support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

constexpr std::size_t kPage = 4096;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void write_file(const std::string& path, const std::string& octets) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << octets;
}

struct Expected {
  std::string account;
  std::string mailbox;
  MailboxKey key;
  MessageRecord record;
  std::string octets;
  std::vector<std::string> keywords;
  std::set<std::size_t> pages;  // that it lies in: its record, its body's record, its chunks
};

// A store with some accounts and mailboxes, large bodies and a past; what is in it, and where.
struct Sample {
  TempFolder folder;
  std::string data;
  std::vector<Expected> messages;
  std::uint64_t store_id = 0;

  explicit Sample(bool compression = false) {
    InlineExecutor executor;
    StoreOptions options = options_for(folder / "store");
    options.compression = compression;
    options.retention = std::chrono::seconds(0);
    auto store = must(Store::open(options, executor));
    store_id = store->store_id();
    unsigned number = 0;
    for (const char* name : {"ann@example.org", "bob@example.net", "eve@example.com"}) {
      fill(*store, name, number);
    }
    for (const char* name : {"ann@example.org", "bob@example.net", "eve@example.com"}) {
      remember(*store, name);
    }
    store.reset();
    data = read_file(folder / "store/data.mdb");
    locate();
  }

  static void fill(Store& store, const std::string& name, unsigned& number) {
    const AccountId account =
        must(store.write_now([&](WriteTxn& txn) { return txn.ensure_account(name); })).id;
    std::vector<MailboxKey> mailboxes{{account, must(store.read_now([&](const ReadView& view) {
                                                  return view.find_mailbox(account, "INBOX");
                                                })).id}};
    for (const char* mailbox : {"Sent", "Lists/c++"}) {
      const auto made = must(store.write_now(
          [&](WriteTxn& txn) { return txn.create_mailbox(account, mailbox, SpecialUse::kNone); }));
      mailboxes.push_back({account, made.id});
    }
    must(store.write_now([&](WriteTxn& txn) { return txn.set_subscribed(account, "Sent", true); }));
    for (unsigned i = 0; i < 60; ++i) {
      const MailboxKey mailbox = mailboxes[i % mailboxes.size()];
      ++number;
      const std::size_t size = i % 10 == 0 ? 30'000 : i % 4 == 0 ? 6'000 : 300 + i * 10;
      AppendRequest request = request_of(mail_text(number, size));
      if (i % 5 == 0)
        request.prefix = "Return-Path: <sam@example.net>\r\n" + std::string(i % 2 * 2000, 'x');
      if (i % 7 == 0) request.imported_uidl = "uidl-" + std::to_string(number);
      if (i % 6 == 0) request.keywords = {"Todo", "$Label" + std::to_string(i % 3)};
      const Appended added =
          must(store.write_now([&](WriteTxn& txn) { return txn.append(mailbox, request); }));
      const std::vector<Uid> uids{added.uid};
      if (i % 3 == 0) {
        must(store.write_now([&](WriteTxn& txn) {
          return txn.change_flags(mailbox, uids, adding(bit(Flag::kSeen)));
        }));
      }
      if (i % 8 == 7) {
        must(store.write_now([&](WriteTxn& txn) { return txn.expunge(mailbox, uids, kAnn); }));
      }
    }
  }

  void remember(Store& store, const std::string& name) {
    must(store.read_now([&](const ReadView& view) -> Result<void> {
      const AccountInfo account = must(view.account(name));
      for (const MailboxInfo& mailbox : must(view.mailboxes(account.id))) {
        const MailboxKey key{account.id, mailbox.id};
        const std::vector<std::string> names = must(view.mailbox(key)).keywords;
        must(view.for_each_message(key, {Uid(1), Uid(~std::uint32_t{0})},
                                   [&](const MessageRecord& record) {
                                     Expected expected{name, mailbox.name, key, record, {}, {}, {}};
                                     for (std::size_t i = 0; i < names.size(); ++i) {
                                       if (record.keywords.test(i))
                                         expected.keywords.push_back(names[i]);
                                     }
                                     messages.push_back(std::move(expected));
                                     return true;
                                   }));
      }
      for (Expected& expected : messages) {
        if (expected.octets.empty()) expected.octets = read_whole(view, expected.record);
      }
      return {};
    }));
  }

  // Every page that the record, the body's record or a chunk of it lies in. Whether those above
  // them are damaged must make no difference.
  void locate() {
    struct Places final : engine::WalkVisitor {
      std::map<std::pair<std::string, std::string>, std::set<std::size_t>> pages;
      std::map<std::uint64_t, std::set<std::size_t>> chunks;
      // The leaf that an entry is in is not told: it is found by the entry's key.
      void entry(std::string_view table, std::string_view key, std::string_view,
                 engine::ValuePlace place) override {
        const std::set<std::size_t> here{place.offset / kPage};
        if (table == "blobs") {
          chunks[Reader(key).key_u64()].insert(place.offset / kPage);
        } else {
          pages[{std::string(table), std::string(key)}] = here;
        }
      }
      void damage(std::string_view table, std::string what, engine::KeyRange) override {
        FAIL(table << ": " << what);
      }
    } places;
    const std::string path = folder / "whole.mdb";
    write_file(path, data);
    const auto file = must(engine::PageFile::open(path));
    REQUIRE(file.heads_agree());
    engine::PageWalk walk(file, file.heads().front());
    REQUIRE(walk.run(places));
    const auto leaves = leaves_by_key(file, walk);
    for (Expected& expected : messages) {
      const std::string key(message_key(expected.key, expected.record.uid).view());
      const std::string blob(blob_key(expected.record.blob).view());
      for (const auto& at : {std::make_pair(std::string("messages"), key),
                             std::make_pair(std::string("blob_refs"), blob)}) {
        REQUIRE(places.pages.contains(at));
        expected.pages.merge(std::set(places.pages[at]));
      }
      expected.pages.merge(std::set(places.chunks[expected.record.blob.value()]));
      for (const auto& [leaf_key, pages] : leaves) {
        if (leaf_key == key || leaf_key == blob ||
            (leaf_key.size() == 12 && leaf_key.starts_with(blob))) {
          expected.pages.insert(pages.begin(), pages.end());
        }
      }
    }
  }

  static std::map<std::string, std::set<std::size_t>> leaves_by_key(const engine::PageFile& file,
                                                                    const engine::PageWalk& walk) {
    std::map<std::string, std::set<std::size_t>> leaves;
    std::string octets;
    for (std::uint64_t page = 2; page < file.pages(); ++page) {
      if (!walk.reached(page)) continue;
      must(file.read_page(page, octets));
      const auto content = engine::parse_page(octets, page);
      if (!content || content->kind != engine::PageKind::kLeaf) continue;
      for (const auto& node : content->nodes) leaves[std::string(node.key)].insert(page);
    }
    return leaves;
  }

  [[nodiscard]] std::size_t pages() const { return data.size() / kPage; }
};

struct Recovered {
  std::string account;
  std::string mailbox;
  MessageRecord record;
  std::string octets;
  std::vector<std::string> keywords;
  Certainty certainty = Certainty::kSound;
};

std::map<std::pair<MailboxKey, Uid>, Recovered> salvaged(const Salvage& salvage) {
  std::map<std::pair<MailboxKey, Uid>, Recovered> found;
  for (const Salvage::Account& account : salvage.accounts()) {
    for (const Salvage::Mailbox& mailbox : account.mailboxes) {
      for (const Uid uid : mailbox.uids) {
        const auto message = salvage.message(mailbox.key, uid);
        if (!message) continue;
        const auto octets = salvage.read(*message);
        if (!octets) {
          (void)salvage.readable_part(message->record);
          continue;
        }
        Recovered got{account.name, mailbox.info.name, message->record, *octets,
                      {},           message->certainty};
        const auto& names = mailbox.info.keywords;
        for (std::size_t i = 0; i < names.size(); ++i) {
          if (message->record.keywords.test(i)) got.keywords.push_back(names[i]);
        }
        found[{mailbox.key, uid}] = std::move(got);
      }
    }
  }
  return found;
}

void check_same(const Expected& expected, const Recovered& got) {
  CHECK(std::equal_to<>()(got.octets, expected.octets));
  CHECK(got.record.flags == expected.record.flags);
  CHECK(got.record.modseq == expected.record.modseq);
  CHECK(got.record.keywords == expected.record.keywords);
  CHECK(got.record.serial == expected.record.serial);
  CHECK(got.record.imported_uidl == expected.record.imported_uidl);
}

std::string why_lost(const Salvage& salvage, const Expected& expected) {
  std::string why = "UID " + std::to_string(expected.record.uid.value()) + " of " +
                    expected.mailbox + " is lost: ";
  const auto message = salvage.message(expected.key, expected.record.uid);
  const auto octets = message ? salvage.read(*message) : Result<std::string>(std::string());
  if (!message) why += message.error().message;
  if (!octets) why += octets.error().message;
  for (const std::string& problem : salvage.index().problems()) why += "\n  " + problem;
  return why;
}

// Salvages `octets` and looks for every message that lies in no page of `hit`. Returns how many it
// looked for.
std::size_t check_damaged(const Sample& sample, const std::string& octets,
                          const std::set<std::size_t>& hit, const std::string& how) {
  const std::string path = sample.folder / "damaged.mdb";
  write_file(path, octets);
  const auto salvage = must(Salvage::open(path, BodyCoder::plain(), {}));
  const auto found = salvaged(*salvage);
  for (const BlobId blob : salvage->unclaimed()) (void)salvage->read_body(blob);
  std::set<std::pair<MailboxKey, Uid>> real;
  std::size_t expected_whole = 0;
  for (const Expected& expected : sample.messages) {
    real.insert({expected.key, expected.record.uid});
    const bool touched = std::any_of(
        hit.begin(), hit.end(), [&](std::size_t page) { return expected.pages.contains(page); });
    const auto got = found.find({expected.key, expected.record.uid});
    // What is given as sound is so, whether it was hit or not. A record whose checksum does not match
    // is told as guessed: its own fields, the prefix among them, may have the flipped octet.
    if (got != found.end() && got->second.certainty != Certainty::kGuessed) {
      const bool same = got->second.octets == expected.octets;
      CHECK_MESSAGE(same, how);
    }
    if (touched) continue;
    ++expected_whole;
    REQUIRE_MESSAGE(got != found.end(), how << ": " << why_lost(*salvage, expected));
    INFO(how);
    check_same(expected, got->second);
  }
  return expected_whole;
}

unsigned seed() {
  const char* given = std::getenv("TWINPOST_SEED");
  return given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                          : std::random_device{}();
}

}  // namespace

TEST_CASE("salvage of a sound store gives everything, and tells of nothing") {
  for (const bool compression : {false, true}) {
    const Sample sample(compression);
    const std::string path = sample.folder / "whole.mdb";
    const auto salvage = must(Salvage::open(path, BodyCoder::plain(), {}));
    CHECK(salvage->index().problem_count() == 0);
    CHECK(salvage->store_id() == sample.store_id);
    const auto found = salvaged(*salvage);
    CHECK(found.size() == sample.messages.size());
    for (const Expected& expected : sample.messages) {
      const auto got = found.find({expected.key, expected.record.uid});
      REQUIRE(got != found.end());
      check_same(expected, got->second);
      CHECK(got->second.account == expected.account);
      CHECK(got->second.mailbox == expected.mailbox);
      CHECK(got->second.keywords == expected.keywords);
    }
    CHECK(salvage->unclaimed().empty());
    const Salvage::Mailbox& inbox = salvage->accounts().front().mailboxes.front();
    CHECK(inbox.info.name == "INBOX");
    CHECK(inbox.info.uid_validity.value() > 0);
  }
}

TEST_CASE("without the heads of the file everything is found") {
  const Sample sample;
  for (const std::set<std::size_t>& hit :
       {std::set<std::size_t>{0}, std::set<std::size_t>{1}, std::set<std::size_t>{0, 1}}) {
    std::string octets = sample.data;
    for (const std::size_t page : hit) octets.replace(page * kPage, kPage, kPage, '\xAA');
    CHECK(check_damaged(sample, octets, hit, "heads") == sample.messages.size());
  }
}

TEST_CASE("without any branch page everything is found") {
  const Sample sample;
  std::string octets = sample.data;
  std::set<std::size_t> hit;
  for (std::size_t page = 2; page < sample.pages(); ++page) {
    const auto content =
        engine::parse_page(std::string_view(sample.data).substr(page * kPage, kPage), page);
    if (!content || content->kind != engine::PageKind::kBranch) continue;
    octets.replace(page * kPage, kPage, kPage, '\0');
    hit.insert(page);
  }
  REQUIRE(!hit.empty());
  CHECK(check_damaged(sample, octets, hit, "branches") == sample.messages.size());
  octets.replace(0, 2 * kPage, 2 * kPage, '\0');
  CHECK(check_damaged(sample, octets, hit, "branches and heads") == sample.messages.size());
}

TEST_CASE("pages that are overwritten cost only what lies in them") {
  const Sample sample;
  const unsigned first = seed();
  for (unsigned round = 0; round < 150; ++round) {
    std::mt19937 random(first + round);
    std::string octets = sample.data;
    std::set<std::size_t> hit;
    const std::size_t pages = 1 + random() % 12;
    for (std::size_t i = 0; i < pages; ++i) hit.insert(random() % sample.pages());
    for (const std::size_t page : hit) {
      for (std::size_t at = page * kPage; at < (page + 1) * kPage; ++at) {
        octets[at] = static_cast<char>(random());
      }
    }
    check_damaged(sample, octets, hit, "TWINPOST_SEED=" + std::to_string(first + round));
  }
}

TEST_CASE("flipped octets cost only what lies in their pages") {
  const Sample sample;
  const unsigned first = seed();
  for (unsigned round = 0; round < 150; ++round) {
    std::mt19937 random(first + round);
    std::string octets = sample.data;
    std::set<std::size_t> hit;
    const std::size_t flips = 1 + random() % 40;
    for (std::size_t i = 0; i < flips; ++i) {
      const std::size_t at = random() % octets.size();
      octets[at] = static_cast<char>(octets[at] ^ (1U << random() % 8));
      hit.insert(at / kPage);
    }
    check_damaged(sample, octets, hit, "TWINPOST_SEED=" + std::to_string(first + round));
  }
}

TEST_CASE("a truncated file gives what is before its end") {
  const Sample sample;
  const unsigned first = seed();
  for (unsigned round = 0; round < 60; ++round) {
    std::mt19937 random(first + round);
    const std::size_t left = 1 + random() % sample.data.size();
    std::set<std::size_t> hit;
    for (std::size_t page = left / kPage; page < sample.pages(); ++page) hit.insert(page);
    check_damaged(sample, sample.data.substr(0, left), hit,
                  "TWINPOST_SEED=" + std::to_string(first + round));
  }
}

TEST_CASE("what was removed does not come back from old pages") {
  const Sample sample;
  std::set<std::pair<MailboxKey, Uid>> real;
  for (const Expected& expected : sample.messages) {
    real.insert({expected.key, expected.record.uid});
  }
  // Every leaf of messages is unreachable: all come from outside the trees.
  std::string octets = sample.data;
  octets.replace(0, 2 * kPage, 2 * kPage, '\0');
  write_file(sample.folder / "damaged.mdb", octets);
  const auto salvage = must(Salvage::open(sample.folder / "damaged.mdb", BodyCoder::plain(), {}));
  for (const auto& [at, message] : salvaged(*salvage)) {
    CHECK_MESSAGE(real.contains(at), "UID " << at.second.value());
  }
}

TEST_CASE("a message that is damaged is given as far as it can be read") {
  const Sample sample;
  const auto large = std::find_if(sample.messages.begin(), sample.messages.end(),
                                  [](const Expected& m) { return m.octets.size() > 20'000; });
  REQUIRE(large != sample.messages.end());
  // A chunk of its body, found by its octets.
  const std::string_view chunk =
      std::string_view(large->octets).substr(large->record.prefix.size() + 2 * 4080, 4080);
  const std::size_t at = sample.data.find(chunk);
  REQUIRE(at != std::string::npos);
  std::string octets = sample.data;
  octets[at + 100] = '\0';
  write_file(sample.folder / "damaged.mdb", octets);
  const auto salvage = must(Salvage::open(sample.folder / "damaged.mdb", BodyCoder::plain(), {}));
  const auto message = must(salvage->message(large->key, large->record.uid));
  CHECK(code_of(salvage->read(message)) == ErrorCode::kCorrupt);
  CHECK(salvage->readable_part(message.record).size() == large->octets.size());
  octets.resize(at);  // all that is behind it is gone
  write_file(sample.folder / "damaged.mdb", octets);
  const auto cut = must(Salvage::open(sample.folder / "damaged.mdb", BodyCoder::plain(), {}));
  if (const auto record = cut->message(large->key, large->record.uid)) {
    CHECK(cut->readable_part(record->record).find("could not be read") != std::string::npos);
  }
}

TEST_CASE("what is no data file is refused, or gives nothing") {
  TempFolder folder;
  CHECK(code_of(Salvage::open(folder / "none", BodyCoder::plain(), {})) == ErrorCode::kNotFound);
  write_file(folder / "empty", "");
  CHECK(code_of(Salvage::open(folder / "empty", BodyCoder::plain(), {})) == ErrorCode::kCorrupt);
  std::mt19937 random(7);
  std::string noise(40 * kPage + 17, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  write_file(folder / "noise", noise);
  const auto salvage = must(Salvage::open(folder / "noise", BodyCoder::plain(), {}));
  CHECK(salvage->accounts().empty());
  CHECK(salvage->index().problem_count() > 0);
}
