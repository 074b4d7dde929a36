#include <doctest/doctest.h>
#include <filesystem>
#include <random>
#include <string>

#include "tests/tools/backup_support.h"
#include "tools/twinpost/backup/pack.h"
#include "tools/twinpost/backup/pack_format.h"

using namespace twinpost;
using namespace twinpost::tools::backup;
using namespace twinpost::tools::backup::test;

namespace {

const store::BodyCoder kPlain(true, nullptr);

struct PackFolder {
  TempFolder folder;
  Packs open(bool writable = true, std::uint64_t octets = Packs::kPackOctets) {
    return must(Packs::open(folder.path(), kPlain, writable, octets));
  }
  // Bodies `first` to `last`, each under its own number.
  void fill(unsigned first, unsigned last, std::uint64_t octets = Packs::kPackOctets) {
    Packs packs = open(true, octets);
    add(packs, first, last);
    must(packs.finish());
  }
  static std::string body(unsigned number) { return mail_text(number, 50 + number * 37 % 9000); }
  static void add(Packs& packs, unsigned first, unsigned last) {
    for (unsigned i = first; i <= last; ++i) {
      (void)must(packs.add(store::BlobId(i), body(i), false));
    }
  }
  // How many of the bodies 1 to `last` can be read; whatever can be must be right.
  static unsigned readable(const Packs& packs, unsigned last) {
    unsigned count = 0;
    for (unsigned i = 1; i <= last; ++i) {
      const auto octets = packs.read(sha256(body(i)));
      if (!octets) continue;
      CHECK(*octets == body(i));
      ++count;
    }
    return count;
  }
};

}  // namespace

TEST_CASE("bodies come back from their packs, by name and by number") {
  PackFolder packs;
  packs.fill(1, 50, 100'000);
  packs.fill(51, 100, 100'000);
  const Packs read = packs.open(false, 100'000);
  CHECK(read.problems().empty());
  CHECK(read.packs().size() > 2);
  CHECK(PackFolder::readable(read, 100) == 100);
  for (unsigned i = 1; i <= 100; ++i) {
    const PackEntry* entry = read.find_blob(store::BlobId(i));
    REQUIRE(entry != nullptr);
    CHECK(entry->name == sha256(PackFolder::body(i)));
  }
  CHECK(read.find_blob(store::BlobId(101)) == nullptr);
  CHECK(code_of(read.read(BodyName{})) == ErrorCode::kNotFound);
}

TEST_CASE("a body is written once, whatever number it comes under") {
  PackFolder packs;
  Packs writing = packs.open();
  CHECK(must(writing.add(store::BlobId(1), "same\r\n", false)).written > 0);
  CHECK(must(writing.add(store::BlobId(2), "same\r\n", false)).written == 0);
  CHECK(writing.find_blob(store::BlobId(2)) == writing.find_blob(store::BlobId(1)));
  must(writing.finish());
  Packs again = packs.open();
  CHECK(must(again.add(store::BlobId(3), "same\r\n", false)).written == 0);
  CHECK(again.entries().size() == 1);
}

TEST_CASE("an index that is lost or damaged is made anew from its pack") {
  PackFolder packs;
  packs.fill(1, 40);
  const std::string index = packs.folder / "000001.index";
  const std::string octets = octets_of(index);
  std::filesystem::remove(index);
  CHECK(PackFolder::readable(packs.open(false), 40) == 40);
  CHECK_FALSE(std::filesystem::exists(index));
  CHECK(PackFolder::readable(packs.open(true), 40) == 40);
  CHECK(octets_of(index) == octets);
  std::mt19937 random(9);
  for (int i = 0; i < 100; ++i) {
    std::string damaged = octets;
    if (i % 2 == 0)
      damaged[random() % damaged.size()] ^= 8;
    else
      damaged.resize(random() % damaged.size());
    put_octets(index, damaged);
    const Packs read = packs.open(false);
    CHECK_FALSE(read.problems().empty());
    CHECK(PackFolder::readable(read, 40) == 40);
  }
}

TEST_CASE("what an interrupted run wrote is found, and half an entry is cut off") {
  PackFolder packs;
  packs.fill(1, 20);
  const std::string pack = packs.folder / "000001.pack";
  const std::uint64_t whole = std::filesystem::file_size(pack);
  {
    // No finish(): the index stays behind.
    Packs interrupted = packs.open();
    PackFolder::add(interrupted, 21, 30);
  }
  const std::uint64_t longer = std::filesystem::file_size(pack);
  CHECK(PackFolder::readable(packs.open(false), 30) == 30);
  const std::string octets = octets_of(pack);
  const std::string index = octets_of(packs.folder / "000001.index");
  std::mt19937 random(3);
  for (int i = 0; i < 60; ++i) {
    const std::uint64_t length = whole + random() % (longer - whole);
    put_octets(pack, octets.substr(0, length));
    put_octets(packs.folder / "000001.index", index);
    Packs recovered = packs.open();
    CHECK(recovered.problems().empty());
    const unsigned kept = PackFolder::readable(recovered, 30);
    CHECK(kept >= 20);
    CHECK(kept == recovered.entries().size());
    PackFolder::add(recovered, 1, 30);
    must(recovered.finish());
    const Packs again = packs.open(false);
    CHECK(again.problems().empty());
    CHECK(again.entries().size() == 30);
    CHECK(PackFolder::readable(again, 30) == 30);
  }
}

TEST_CASE("damage in a pack costs the bodies that it meets, and is noticed") {
  PackFolder packs;
  packs.fill(1, 40);
  const std::string pack = packs.folder / "000001.pack";
  const std::string index = packs.folder / "000001.index";
  const std::string octets = octets_of(pack);
  const std::string index_octets = octets_of(index);
  std::mt19937 random(17);
  for (int i = 0; i < 150; ++i) {
    std::string damaged = octets;
    const std::size_t at = random() % damaged.size();
    const bool cut = i % 5 == 0;
    if (cut)
      damaged.resize(at);
    else
      damaged[at] ^= static_cast<char>(1 << random() % 8);
    put_octets(pack, damaged);
    const bool with_index = i % 2 == 0;
    if (with_index)
      put_octets(index, index_octets);
    else
      std::filesystem::remove(index);
    const Packs read = packs.open(false);
    const unsigned kept = PackFolder::readable(read, 40);
    if (!cut) CHECK(kept >= 39);
    if (cut && with_index) CHECK_FALSE(read.problems().empty());
  }
}

TEST_CASE("a damaged body is written again where the run distrusts what is there") {
  PackFolder packs;
  packs.fill(1, 3);
  const std::string pack = packs.folder / "000001.pack";
  std::string octets = octets_of(pack);
  octets[kPackHeaderOctets + kEntryHeaderOctets + 5] ^= 1;
  put_octets(pack, octets);
  Packs trusting = packs.open();
  CHECK(must(trusting.add(store::BlobId(1), PackFolder::body(1), false)).written == 0);
  Packs writing = packs.open();
  CHECK(must(writing.add(store::BlobId(1), PackFolder::body(1), true)).written > 0);
  CHECK(must(writing.add(store::BlobId(2), PackFolder::body(2), true)).written == 0);
  must(writing.finish());
  CHECK(PackFolder::readable(packs.open(false), 3) == 3);
}

TEST_CASE("an entry that is intact but not the body of its name is not given out") {
  PackFolder packs;
  packs.fill(1, 2);
  const std::string pack = packs.folder / "000001.pack";
  std::string octets = octets_of(pack);
  auto entry = decode_entry(std::string_view(octets).substr(kPackHeaderOctets));
  REQUIRE(entry);
  entry->name = sha256("another body");
  octets.replace(kPackHeaderOctets, kEntryHeaderOctets, encode_entry(*entry));
  put_octets(pack, octets);
  std::filesystem::remove(packs.folder / "000001.index");
  const Packs read = packs.open(false);
  CHECK(read.find(entry->name) != nullptr);
  CHECK(code_of(read.read(entry->name)) == ErrorCode::kCorrupt);
}

TEST_CASE("sizes that an entry claims are looked at before memory is taken") {
  PackEntry entry;
  entry.plain_octets = Packs::kLargestBody + 1;
  CHECK_FALSE(decode_entry(encode_entry(entry)));
  entry.plain_octets = 5;
  entry.stored_octets = 6;  // kept plain, and of another length
  CHECK_FALSE(decode_entry(encode_entry(entry)));
  entry.codec = store::Codec::kZstd;
  entry.stored_octets = Packs::kLargestBody;
  CHECK(decode_entry(encode_entry(entry)));
  // A pack that says so and ends there.
  TempFolder folder;
  put_octets(folder / "000001.pack", new_pack_header() + encode_entry(entry) + "short");
  const Packs read = must(Packs::open(folder.path(), kPlain, false));
  CHECK(read.entries().empty());
}

TEST_CASE("names that are no pack's are left alone") {
  PackFolder packs;
  packs.fill(1, 1);
  for (const char* name : {"1.pack", "0000001.pack", "00000x.pack", "notes.txt"}) {
    put_octets(packs.folder / name, "something else");
  }
  put_octets(packs.folder / "000007.index", "of a pack that is gone");
  CHECK(packs.open(true).packs().size() == 1);
  CHECK_FALSE(std::filesystem::exists(packs.folder / "000007.index"));
  CHECK(std::filesystem::exists(packs.folder / "notes.txt"));
}
