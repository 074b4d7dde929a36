// Stores that are compressed and encrypted, wholly or since some day: reading, rewriting, and the keys they ask for.
#include "store/recode.h"

#include <atomic>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "store/codec.h"
#include "store/key_proofs.h"
#include "store/queries.h"
#include "tests/store/consistency.h"
#include "tests/store/key_support.h"
#include "tests/store/message_support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

const std::string kSecret = "the-quick-brown-fox-of-the-body";
const std::string kSecretSubject = "the-lazy-dog-of-the-subject";

std::string secret_mail(unsigned number, std::size_t octets) {
  std::string text = "From: ann@example.org\r\nSubject: " + kSecretSubject + " " +
                     std::to_string(number) + "\r\n\r\n";
  while (text.size() < octets) {
    text += kSecret + " in line " + std::to_string(text.size() * (number + 1)) + "\r\n";
  }
  return text;
}

struct KeyFixture : Fixture {
  // Opens the same store with other settings.
  void reopen_with(bool compression, KeyringPtr keys) {
    options.compression = compression;
    options.keys = std::move(keys);
    reopen();
  }
  Uid add(std::string_view text) {
    Spool spool(store->spool_folder(), 0);
    must(spool.append(text));
    AppendRequest request;
    request.message = must(prepare_message(std::move(spool), store->coder()));
    return append(inbox, request).uid;
  }
  Result<std::uint64_t> recode() { return store->recode({}); }
  // Why the store does not open.
  std::string refusal(KeyringPtr keys) {
    store.reset();
    StoreOptions other = options;
    other.keys = std::move(keys);
    const auto opened = Store::open(other, executor);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == ErrorCode::kPermission);
    return opened.error().message;
  }
  std::vector<std::pair<Codec, KeyId>> forms() {
    store.reset();
    std::vector<std::pair<Codec, KeyId>> forms;
    {
      RawStore raw(options.folder);
      for (const auto& [key, value] : raw.all(raw.tables.blob_refs)) {
        const BlobRow row = must(decode_blob(key, value));
        forms.emplace_back(row.codec, row.key);
      }
    }
    open();
    return forms;
  }
  std::vector<KeyId> remembered() {
    store.reset();
    std::vector<KeyId> keys;
    {
      const RawStore raw(options.folder);
      const auto txn = must(raw.environment->begin_read());
      keys = must(remembered_keys(*txn, raw.tables.meta));
    }
    open();
    return keys;
  }
  BlobInfo blob_of(Uid uid) {
    return read(
        [&](const ReadView& view) { return view.blob_info(must(view.message(inbox, uid)).blob); });
  }
  std::string subject(Uid uid) {
    const Summary summary = read(
        [&](const ReadView& view) { return view.summary(must(view.message(inbox, uid)).blob); });
    return summary.message.envelope.subject.value_or("");
  }
  bool is_in_data_file(std::string_view needle) {
    store.reset();
    std::ifstream in(options.folder + "/data.mdb", std::ios::binary);
    REQUIRE(in);
    std::ostringstream octets;
    octets << in.rdbuf();
    const bool found = octets.str().find(needle) != std::string::npos;
    open();
    return found;
  }
  void check_consistent() {
    store.reset();
    for (const std::string& wrong : inconsistencies(options.folder)) FAIL_CHECK(wrong);
    open();
  }
};

// Around pages, frames and the slices that bodies are read in.
const std::vector<std::size_t> kSizes{60, 4'000, 5'000, 70'000, 262'144, 1'500'000};

}  // namespace

TEST_CASE("bodies of every form are read side by side") {
  KeyFixture f;
  std::vector<std::pair<Uid, std::string>> all;
  unsigned number = 0;
  const auto add_all = [&] {
    for (const std::size_t size : kSizes) {
      const std::string text = secret_mail(++number, size);
      all.emplace_back(f.add(text), text);
    }
    // Empty bodies are bodies too.
    all.emplace_back(f.add(""), "");
  };
  add_all();
  f.reopen_with(true, nullptr);
  add_all();
  f.reopen_with(false, keyring({1}));
  add_all();
  f.reopen_with(true, keyring({1, 2}));
  add_all();
  std::set<std::pair<Codec, std::uint32_t>> forms;
  for (const auto& [codec, key] : f.forms()) forms.emplace(codec, key.value());
  CHECK(forms == std::set<std::pair<Codec, std::uint32_t>>{{Codec::kPlain, 0},
                                                           {Codec::kZstd, 0},
                                                           {Codec::kSealed, 1},
                                                           {Codec::kSealed, 2},
                                                           {Codec::kZstdSealed, 2}});
  for (const auto& [uid, text] : all) {
    CHECK(f.text(f.inbox, uid) == text);
    CHECK(f.subject(uid).starts_with(text.empty() ? "" : kSecretSubject));
    const MessageRecord record = f.message(f.inbox, uid);
    for (const std::size_t offset : {std::size_t{0}, text.size() / 3, text.size()}) {
      std::string part;
      f.read([&](const ReadView& view) { return view.read_message(record, offset, 1000, part); });
      CHECK(part == text.substr(offset, 1000));
    }
  }
  f.check_consistent();
}

TEST_CASE("an encrypted store has neither a subject nor a text in its file") {
  KeyFixture f;
  f.add(secret_mail(1, 3'000));
  // So that it would be found.
  CHECK(f.is_in_data_file(kSecret));
  CHECK(f.is_in_data_file(kSecretSubject));

  KeyFixture encrypted;
  encrypted.store.reset();
  std::filesystem::remove_all(encrypted.options.folder);
  encrypted.options.keys = keyring({1});
  for (const bool compression : {false, true}) {
    encrypted.options.compression = compression;
    encrypted.store.reset();
    encrypted.open();
    for (const std::size_t size : kSizes) encrypted.add(secret_mail(compression ? 1 : 2, size));
  }
  CHECK_FALSE(encrypted.is_in_data_file(kSecret));
  CHECK_FALSE(encrypted.is_in_data_file(kSecretSubject));
}

TEST_CASE("after a store was encrypted and compacted, nothing of its plain past is in its file") {
  KeyFixture f;
  for (const std::size_t size : kSizes) f.add(secret_mail(7, size));
  REQUIRE(f.is_in_data_file(kSecret));
  f.reopen_with(false, keyring({1}));
  CHECK(must(f.recode()) == kSizes.size());
  // Old pages keep their octets until they are used again.
  must(f.store->compact({}));
  CHECK_FALSE(f.is_in_data_file(kSecret));
  CHECK_FALSE(f.is_in_data_file(kSecretSubject));
  f.check_consistent();
}

TEST_CASE("recoding gives every body today's form, and a second run finds nothing to do") {
  KeyFixture f;
  std::vector<std::pair<Uid, std::string>> all;
  for (unsigned i = 0; i < 200; ++i) {
    const std::string text = secret_mail(i, kSizes[i % 4]);
    all.emplace_back(f.add(text), text);
  }
  all.emplace_back(f.add(secret_mail(900, 1'500'000)), secret_mail(900, 1'500'000));
  const auto check_all = [&](std::optional<KeyId> key) {
    for (const auto& [codec, found] : f.forms()) {
      CHECK(is_encrypted(codec) == key.has_value());
      CHECK(found == key.value_or(KeyId()));
    }
    for (const auto& [uid, text] : all) {
      CHECK(f.text(f.inbox, uid) == text);
      CHECK(f.subject(uid).starts_with(kSecretSubject));
    }
    f.check_consistent();
    CHECK(must(f.recode()) == 0);
  };
  CHECK(must(f.recode()) == 0);
  f.reopen_with(true, nullptr);
  // Only those that get a page smaller by it: two of the four sizes are within a page.
  CHECK(must(f.recode()) == 101);
  check_all(std::nullopt);
  f.reopen_with(true, keyring({1}));
  CHECK(must(f.recode()) == all.size());
  check_all(KeyId(1));
  f.reopen_with(false, keyring({1, 2}));
  CHECK(must(f.recode()) == all.size());
  check_all(KeyId(2));
  CHECK(f.remembered() == std::vector<KeyId>{KeyId(2)});
  f.reopen_with(true, keyring({2}));
  CHECK(must(f.recode()) == 101);
  check_all(KeyId(2));
}

TEST_CASE("a message that comes again shares the body, in whatever form that was rewritten to") {
  KeyFixture f;
  const std::string text = secret_mail(1, 20'000);
  const Uid first = f.add(text);
  f.reopen_with(true, keyring({1}));
  CHECK(must(f.recode()) == 1);
  const Uid second = f.add(text);
  CHECK(f.message(f.inbox, first).blob == f.message(f.inbox, second).blob);
  CHECK(f.blob_of(first).references == 2);
  // One that came with the new key before the old body was rewritten keeps the name.
  f.reopen_with(true, keyring({1, 2}));
  const Uid third = f.add(text);
  CHECK(f.blob_of(third).references == 1);
  CHECK(must(f.recode()) == 1);
  const Uid fourth = f.add(text);
  CHECK(f.message(f.inbox, third).blob == f.message(f.inbox, fourth).blob);
  f.check_consistent();
  CHECK(f.text(f.inbox, first) == text);
  // The other one goes without taking the name along.
  f.options.retention = std::chrono::seconds(0);
  f.reopen();
  f.write([&](WriteTxn& txn) {
    return txn.expunge(f.inbox, std::vector<Uid>{first, second}, kAnn);
  });
  const Uid fifth = f.add(text);
  CHECK(f.message(f.inbox, third).blob == f.message(f.inbox, fifth).blob);
  f.check_consistent();
}

TEST_CASE("a store is opened only with the keys that its bodies need") {
  KeyFixture f;
  f.reopen_with(true, keyring({1}));
  f.add(secret_mail(1, 100));
  CHECK(f.refusal(nullptr) ==
        "the store is encrypted (with key 00000001), and storage.key_file is not set");
  CHECK(f.refusal(keyring({2})) ==
        "the store is encrypted with key 00000001, which test.keys does not have");
  CHECK(f.refusal(keyring({1}, 99)) ==
        "the key 00000001 in test.keys is another key than the one of that id that the store is "
        "encrypted with");
  // Beside a server too.
  f.options.read_only = true;
  CHECK(f.refusal(keyring({2})) ==
        "the store is encrypted with key 00000001, which test.keys does not have");
  f.options.read_only = false;
  // A key is needed until nothing is encrypted with it.
  f.options.keys = keyring({1, 2});
  f.open();
  f.add(secret_mail(2, 100));
  CHECK(f.remembered() == std::vector<KeyId>{KeyId(1), KeyId(2)});
  CHECK_FALSE(f.refusal(keyring({2})).empty());
  CHECK_FALSE(f.refusal(keyring({1})).empty());
  f.open();
  CHECK(must(f.recode()) == 1);
  CHECK(f.remembered() == std::vector<KeyId>{KeyId(2)});
  f.reopen_with(true, keyring({2}));
  CHECK(f.text(f.inbox, Uid(1)) == secret_mail(1, 100));
}

TEST_CASE("recoding that was ended goes on where it was") {
  KeyFixture f;
  constexpr unsigned kMessages = 300;
  for (unsigned i = 0; i < kMessages; ++i) f.add(secret_mail(i, 100));
  f.reopen_with(false, keyring({1}));
  std::uint64_t last = 0;
  const auto ended =
      f.store->recode([&](std::string_view phase, std::uint64_t done, std::uint64_t total) {
        CHECK(phase == "bodies");
        CHECK(done >= last);
        CHECK(total <= kMessages);
        last = done;
        return done < 150;
      });
  CHECK(code_of(ended) == ErrorCode::kShutdown);
  std::uint64_t rewritten = 0;
  for (const auto& [codec, key] : f.forms()) rewritten += codec == Codec::kSealed ? 1 : 0;
  CHECK(rewritten >= 64);
  CHECK(rewritten <= 150);
  CHECK(must(f.recode()) == kMessages - rewritten);
  CHECK(must(f.recode()) == 0);
  f.check_consistent();
}

TEST_CASE("a body that can't be read is told of and left, and its key stays needed") {
  KeyFixture f;
  f.reopen_with(false, keyring({1}));
  const Uid good = f.add(secret_mail(1, 100));
  const Uid bad = f.add(secret_mail(2, 100));
  const BlobId blob = f.message(f.inbox, bad).blob;
  f.store.reset();
  {
    RawStore raw(f.options.folder);
    for (auto [key, value] : raw.all(raw.tables.blobs)) {
      if (key != chunk_key(blob, 0).view()) continue;
      value.back() = static_cast<char>(value.back() ^ 1);
      raw.put(raw.tables.blobs, key, value);
    }
  }
  f.options.keys = keyring({1, 2});
  f.open();
  const auto done = f.recode();
  REQUIRE(code_of(done) == ErrorCode::kCorrupt);
  CHECK(done.error().message.starts_with("1 bodies rewritten; 1 can't be read"));
  CHECK(f.text(f.inbox, good) == secret_mail(1, 100));
  CHECK(f.remembered() == std::vector<KeyId>{KeyId(1), KeyId(2)});
}

TEST_CASE("a damaged summary is made anew from an encrypted body") {
  KeyFixture f;
  f.reopen_with(true, keyring({1}));
  const Uid uid = f.add(secret_mail(1, 10'000));
  const BlobId blob = f.message(f.inbox, uid).blob;
  f.store.reset();
  {
    RawStore raw(f.options.folder);
    for (auto [key, value] : raw.all(raw.tables.summaries)) {
      value.back() = static_cast<char>(value.back() ^ 1);
      raw.put(raw.tables.summaries, key, value);
    }
  }
  f.open();
  CHECK(f.subject(uid) == kSecretSubject + " 1");
  CHECK(f.blob_of(uid).size == secret_mail(1, 10'000).size());
  CHECK(blob == f.message(f.inbox, uid).blob);
}

TEST_CASE("a message that was prepared for another store's keys is not taken") {
  KeyFixture f;
  const AppendRequest plain = request_of(secret_mail(1, 100));
  f.reopen_with(false, keyring({1}));
  const auto appended =
      f.store->write_now([&](WriteTxn& txn) { return txn.append(f.inbox, plain); });
  CHECK(code_of(appended) == ErrorCode::kInternal);
  f.check_consistent();
}

TEST_CASE("recoding goes on beside deliveries, reads and removals") {
  KeyFixture f;
  f.options.retention = std::chrono::seconds(0);
  f.reopen();
  constexpr unsigned kBefore = 400;
  for (unsigned i = 0; i < kBefore; ++i) f.add(secret_mail(i, kSizes[i % 4]));
  f.reopen_with(true, keyring({1}));
  std::atomic<bool> over{false};
  std::atomic<unsigned> wrong{0};
  std::atomic<unsigned> appended{0};
  std::thread deliveries([&] {
    for (unsigned i = 0; !over || i < 50; ++i) {
      // Some of them the same as those that are being rewritten.
      const std::string text = secret_mail(i % 2 == 0 ? i % kBefore : kBefore + i, kSizes[i % 4]);
      Spool spool(f.store->spool_folder(), 0);
      AppendRequest request;
      if (spool.append(text)) {
        auto message = prepare_message(std::move(spool), f.store->coder());
        if (message) request.message = std::move(*message);
      }
      const bool done = request.message != nullptr && f.store->write_now([&](WriteTxn& txn) {
        return txn.append(f.inbox, request);
      });
      ++(done ? appended : wrong);
    }
  });
  std::thread reads([&] {
    for (unsigned i = 0; !over || i < 50; ++i) {
      const Uid uid(i % (kBefore / 2) + 1);
      std::string text;
      const auto read = f.store->read_now([&](const ReadView& view) -> Result<void> {
        text.clear();
        auto record = view.message(f.inbox, uid);
        if (!record) return tl::unexpected(record.error());
        return view.read_message(*record, 0, record->size, text);
      });
      if (!read || text != secret_mail(uid.value() - 1, kSizes[(uid.value() - 1) % 4])) ++wrong;
    }
  });
  std::thread removals([&] {
    for (unsigned i = kBefore / 2; i < kBefore; ++i) {
      const std::vector<Uid> uids{Uid(i + 1)};
      const auto expunged =
          f.store->write_now([&](WriteTxn& txn) { return txn.expunge(f.inbox, uids, kAnn); });
      if (!expunged) ++wrong;
    }
  });
  const auto recoded = f.recode();
  over = true;
  deliveries.join();
  reads.join();
  removals.join();
  CHECK(recoded);
  CHECK(wrong == 0);
  CHECK(f.info(f.inbox).messages == kBefore / 2 + appended);
  CHECK(must(f.recode()) == 0);
  f.check_consistent();
  for (const auto& [codec, key] : f.forms()) CHECK(is_encrypted(codec));
}
