// Stores that earlier versions wrote, kept as fixtures: they open, and nothing is missing in them.
//
//   format-1  version 0.1.0 before format 2: two accounts; ann has INBOX (UIDs 1, 3, 5, 6), Archive (one
//             message, moved there) and Old/2025 (two copies); one message was expunged, and a mailbox
//             with one copy in it was deleted
#include <fstream>
#include <sstream>
#include <zstd.h>

#include "tests/store/consistency.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

void unpack(const std::string& fixture, const std::string& path) {
  std::ifstream in("tests/store/fixtures/" + fixture, std::ios::binary);
  REQUIRE(in);
  std::stringstream packed;
  packed << in.rdbuf();
  const std::string octets = packed.str();
  const unsigned long long size = ZSTD_getFrameContentSize(octets.data(), octets.size());
  REQUIRE(size < 100'000'000);
  std::string plain(size, '\0');
  REQUIRE(ZSTD_decompress(plain.data(), plain.size(), octets.data(), octets.size()) == size);
  std::ofstream(path, std::ios::binary) << plain;
}

std::vector<std::string> uidls(Store& store, MailboxKey key) {
  return must(store.read_now([&](const ReadView& v) -> Result<std::vector<std::string>> {
    std::vector<std::string> found;
    auto scanned = v.for_each_message(key, {Uid(1), Uid(1000)}, [&](const MessageRecord& record) {
      found.push_back(std::to_string(record.uid.value()) + " " + uidl_of(record, store.store_id()));
      return true;
    });
    if (!scanned) return tl::unexpected(scanned.error());
    return found;
  }));
}

}  // namespace

TEST_CASE("a store of format 1 is upgraded when it is opened, with everything in it") {
  TempFolder folder;
  unpack("format-1.mdb.zst", folder / "data.mdb");
  InlineExecutor executor;
  StoreOptions options = options_for(folder.path());

  SUBCASE("only by who writes it") {
    options.read_only = true;
    const auto opened = Store::open(options, executor);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == ErrorCode::kUnsupported);
    CHECK(opened.error().message.find("start twinpostd once") != std::string::npos);
  }
  SUBCASE("and stays what it was") {
    {
      auto store = must(Store::open(options, executor));
      const AccountInfo ann =
          must(store->read_now([](const ReadView& v) { return v.account("ann@example.org"); }));
      CHECK(ann.messages == 7);
      CHECK(ann.mailboxes == 8);
      CHECK(ann.removed_messages == 3);  // expunged, with its mailbox, moved
      CHECK(ann.removed_bytes > 0);
      const MailboxInfo inbox =
          must(store->read_now([&](const ReadView& v) { return v.find_mailbox(ann.id, "INBOX"); }));
      CHECK(inbox.uid_validity == UidValidity(1795463981));
      CHECK(inbox.uid_next == Uid(7));
      CHECK(uidls(*store, {ann.id, inbox.id}) ==
            std::vector<std::string>{
                "1 66c1494386d317d30000000000000001", "3 66c1494386d317d30000000000000005",
                "5 66c1494386d317d30000000000000007", "6 66c1494386d317d30000000000000008"});
      const auto text = must(store->read_now([&](const ReadView& v) -> Result<std::string> {
        auto record = v.message({ann.id, inbox.id}, Uid(6));
        if (!record) return tl::unexpected(record.error());
        return read_whole(v, *record);
      }));
      CHECK(text.size() == 83118);
      std::vector<RemovedId> ids;
      must(store->read_now([&](const ReadView& v) {
        return v.for_each_removed(ann.id, UnixTime{}, [&](const RemovedMessage& removed) {
          if (removed.how != Removal::kMoved) ids.push_back(removed.id);
          return true;
        });
      }));
      const auto back = must(store->write_now(
          [&](WriteTxn& t) { return t.undelete(ann.id, ids, std::nullopt, Limits{}); }));
      CHECK(back.messages.size() == 2);
    }
    CHECK(inconsistencies(folder.path()).empty());
    options.read_only = true;
    CHECK(Store::open(options, executor).has_value());
  }
}
