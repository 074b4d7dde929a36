// The engine below the seam: transactions, snapshots, and data files that are not what they should be.
#include "store/engine/engine.h"

#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <random>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::engine;
using namespace twinpost::store::test;

namespace {

Options engine_options(const std::string& folder) {
  Options options;
  options.folder = folder;
  options.map_size_bytes = std::uint64_t{1} << 30;
  options.max_readers = 64;
  options.durable = false;
  return options;
}

struct Engine {
  TempFolder folder;
  Options options = engine_options(folder.path());
  std::unique_ptr<Environment> environment = must(open_environment(options));
  Table table = *must(environment->open_table("t", true));

  void put(std::string_view key, std::string_view value) {
    auto txn = must(environment->begin_write());
    must(txn->put(table, key, value));
    must(txn->commit());
  }
  std::optional<std::string> get(std::string_view key) {
    auto txn = must(environment->begin_read());
    auto value = must(txn->get(table, key));
    if (!value) return std::nullopt;
    return std::string(*value);
  }
};

std::uint64_t size_of(const std::string& path) { return std::filesystem::file_size(path); }

}  // namespace

TEST_CASE("what is committed is there, what is not is not") {
  Engine e;
  e.put("b", "2");
  e.put("a", "1");
  {
    auto txn = must(e.environment->begin_write());
    must(txn->put(e.table, "c", "3"));
    CHECK(must(txn->get(e.table, "c")) == "3");
    CHECK(txn->changes() == 1);
  }
  CHECK(e.get("a") == "1");
  CHECK(!e.get("c"));
  auto txn = must(e.environment->begin_write());
  CHECK(must(txn->erase(e.table, "a")));
  CHECK(!must(txn->erase(e.table, "zz")));
  must(txn->commit());
  CHECK(!e.get("a"));
}

TEST_CASE("cursors walk in the order of octets") {
  Engine e;
  for (const char* key : {"b", "a", "\xff", "ab"}) e.put(key, key);
  auto txn = must(e.environment->begin_read());
  auto cursor = must(txn->cursor(e.table));
  std::vector<std::string> keys;
  for (bool found = must(cursor->seek({})); found; found = must(cursor->next())) {
    keys.emplace_back(cursor->key());
    CHECK(cursor->value() == cursor->key());
  }
  CHECK(keys == std::vector<std::string>{"a", "ab", "b", "\xff"});
  CHECK(must(cursor->seek("aa")));
  CHECK(cursor->key() == "ab");
  CHECK(must(cursor->last()));
  CHECK(cursor->key() == "\xff");
  CHECK(!must(cursor->seek("\xff\xff")));
}

TEST_CASE("a reader keeps its snapshot") {
  Engine e;
  e.put("k", "old");
  auto reader = must(e.environment->begin_read());
  const std::uint64_t seen = reader->id();
  CHECK(e.environment->oldest_reader() == seen);
  e.put("k", "new");
  CHECK(must(reader->get(e.table, "k")) == "old");
  CHECK(e.get("k") == "new");
  CHECK(e.environment->oldest_reader() == seen);
  reader.reset();
  CHECK(!e.environment->oldest_reader());
}

TEST_CASE("a transaction in which something failed can't be committed") {
  Engine e;
  for (const int what : {0, 1, 2}) {
    auto txn = must(e.environment->begin_write());
    must(txn->put(e.table, "fine", "1"));
    if (what == 0) CHECK(!txn->put(e.table, std::string(512, 'k'), "v").has_value());
    if (what == 1) CHECK(!txn->put(e.table, "k", std::string(4081, 'v')).has_value());
    if (what == 2) CHECK(!txn->append(e.table, "a", "not the last key").has_value());
    CHECK(!txn->commit().has_value());
    CHECK(!e.get("fine"));
  }
  e.put(std::string(511, 'k'), std::string(4080, 'v'));
  CHECK(e.get(std::string(511, 'k')) == std::string(4080, 'v'));
}

TEST_CASE("the largest value takes one page") {
  Engine e;
  const std::uint64_t before = must(e.environment->stats()).used_pages;
  auto txn = must(e.environment->begin_write());
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const std::string key = std::to_string(100'000 + i);
    must(txn->append(e.table, key, std::string(kMaxValueOctets, 'v')));
  }
  must(txn->commit());
  CHECK(must(e.environment->stats()).used_pages - before < 1020);
}

TEST_CASE("a folder is opened once in a process, and again after it was closed") {
  Engine e;
  CHECK(store::test::code_of(open_environment(e.options)) == ErrorCode::kInUse);
  e.put("k", "v");
  e.environment.reset();
  e.environment = must(open_environment(e.options));
  e.table = *must(e.environment->open_table("t", false));
  CHECK(e.get("k") == "v");
}

TEST_CASE("more readers than slots is an error, and passes") {
  Engine e;
  std::vector<std::unique_ptr<ReadTxn>> readers;
  Result<std::unique_ptr<ReadTxn>> next = fail(ErrorCode::kInternal, "");
  while ((next = e.environment->begin_read())) readers.push_back(std::move(*next));
  CHECK(readers.size() >= 64);
  CHECK(next.error().code == ErrorCode::kLimit);
  readers.clear();
  CHECK(e.environment->begin_read().has_value());
}

TEST_CASE("no descriptor of the engine survives an exec") {
  Engine e;
  e.put("k", "v");
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone);
    if (gone || !target.string().starts_with(e.folder.path())) continue;
    ++found;
    CHECK((::fcntl(std::stoi(entry.path().filename().string()), F_GETFD) & FD_CLOEXEC) != 0);
  }
  CHECK(found > 0);
  struct stat status {};
  REQUIRE(::stat((e.folder / "data.mdb").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("free pages are counted") {
  Engine e;
  for (int i = 0; i < 100; ++i) e.put(std::to_string(i), std::string(4080, 'v'));
  auto txn = must(e.environment->begin_write());
  for (int i = 0; i < 100; ++i) must(txn->erase(e.table, std::to_string(i)));
  must(txn->commit());
  const Stats stats = must(e.environment->stats());
  CHECK(stats.free_pages >= 100);
  CHECK(stats.free_pages < stats.used_pages);
  CHECK(stats.page_octets >= 4096);
}

TEST_CASE("a full map is an error to that transaction only") {
  TempFolder folder;
  Options options = engine_options(folder.path());
  options.map_size_bytes = 1024 * 1024;
  auto environment = must(open_environment(options));
  const Table table = *must(environment->open_table("t", true));
  const auto fill = [&](int from, int count) -> Result<void> {
    auto txn = must(environment->begin_write());
    for (int i = from; i < from + count; ++i) {
      if (auto put = txn->put(table, std::to_string(i), std::string(4080, 'v')); !put) return put;
    }
    return txn->commit();
  };
  must(fill(0, 50));
  CHECK(store::test::code_of(fill(100, 1000)) == ErrorCode::kDiskFull);
  auto reader = must(environment->begin_read());
  CHECK(must(reader->get(table, "49")).has_value());
  CHECK(!must(reader->get(table, "100")).has_value());
  reader.reset();
  must(fill(100, 10));
}

TEST_CASE("truncated data files are refused with a reason and left as they were") {
  Engine e;
  std::mt19937 random(3);
  for (int i = 0; i < 300; ++i) {
    e.put(std::to_string(random()), std::string(1 + random() % 4080, 'v'));
  }
  e.environment.reset();
  const std::string path = e.folder / "data.mdb";
  const std::uint64_t whole = size_of(path);
  std::vector<char> octets(whole);
  {
    std::ifstream in(path, std::ios::binary);
    in.read(octets.data(), static_cast<std::streamsize>(whole));
  }
  for (const std::uint64_t keep :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{4096}, std::uint64_t{8191},
        std::uint64_t{8192}, std::uint64_t{12'288}, whole / 2, whole - 4096, whole - 1}) {
    {
      std::ofstream out(path, std::ios::binary | std::ios::trunc);
      out.write(octets.data(), static_cast<std::streamsize>(keep));
    }
    CAPTURE(keep);
    const auto opened = open_environment(e.options);
    CHECK(store::test::code_of(opened) == ErrorCode::kCorrupt);
    CHECK(size_of(path) == keep);
    Options reading = e.options;
    reading.read_only = true;
    reading.unattended = true;
    CHECK(store::test::code_of(open_environment(reading)) == ErrorCode::kCorrupt);
  }
  {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(octets.data(), static_cast<std::streamsize>(whole));
  }
  e.environment = must(open_environment(e.options));
}

TEST_CASE("what is no data file is refused") {
  for (const std::string& content :
       {std::string("not a data file"), std::string(100'000, 'x'), std::string(100'000, '\0')}) {
    TempFolder folder;
    std::ofstream(folder / "data.mdb", std::ios::binary) << content;
    CHECK(store::test::code_of(open_environment(engine_options(folder.path()))) ==
          ErrorCode::kCorrupt);
  }
}

TEST_CASE("a file whose missing pages are all free is whole") {
  Engine e;
  e.put("stays", "here");
  for (int i = 0; i < 200; ++i) e.put("k" + std::to_string(i), std::string(4000, 'v'));
  {
    auto txn = must(e.environment->begin_write());
    for (int i = 0; i < 200; ++i) must(txn->erase(e.table, "k" + std::to_string(i)));
    must(txn->commit());
  }
  e.put("stays", "there");
  e.environment.reset();
  // Cuts page by page until the file would be refused: up to there, every cut page was free.
  const std::string path = e.folder / "data.mdb";
  const std::uint64_t whole = size_of(path);
  unsigned accepted = 0;
  for (std::uint64_t keep = whole - 4096; keep > whole / 2; keep -= 4096) {
    std::filesystem::resize_file(path, keep);
    auto opened = open_environment(e.options);
    if (!opened) {
      CHECK(opened.error().code == ErrorCode::kCorrupt);
      break;
    }
    ++accepted;
    e.environment = std::move(*opened);
    e.table = *must(e.environment->open_table("t", false));
    CHECK(e.get("stays") == "there");
    e.environment.reset();
    CHECK(size_of(path) == whole);
  }
  CHECK(accepted > 0);
}
