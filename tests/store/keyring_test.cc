// The key file: what is read, what is refused and in which words, and how a key comes into it.
#include "store/keyring.h"

#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "tests/store/key_support.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

void write_file(const std::string& path, std::string_view text, mode_t mode = 0600) {
  {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out << text;
  }
  REQUIRE(::chmod(path.c_str(), mode) == 0);
}

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

mode_t mode_of(const std::string& path) {
  struct stat about {};
  REQUIRE(::stat(path.c_str(), &about) == 0);
  return about.st_mode & 07777;
}

std::string refusal(std::string_view text) {
  const auto ring = Keyring::parse(text, "k");
  REQUIRE_FALSE(ring);
  return ring.error().message;
}

}  // namespace

TEST_CASE("a key file has a key a line, and the last one is current") {
  const auto ring = must(Keyring::parse(
      "# keys\n\n" + key_line(0x4f1c9a20) + "  \t\r\n" + "\t" + key_line(2) + "# end", "k"));
  CHECK(ring->ids() == std::vector<KeyId>{KeyId(0x4f1c9a20), KeyId(2)});
  CHECK(ring->current() == KeyId(2));
  CHECK(ring->source() == "k");
  REQUIRE(ring->find(KeyId(0x4f1c9a20)) != nullptr);
  CHECK(ring->find(KeyId(0x4f1c9a20))->front() == static_cast<std::uint8_t>(0x20 * 7 + 1));
  CHECK(ring->find(KeyId(3)) == nullptr);
  CHECK(to_string(KeyId(0x4f1c9a20)) == "4f1c9a20");
  // The last line may lack its end, lines may have CRLF.
  std::string line = key_line(9);
  line.pop_back();
  CHECK(must(Keyring::parse(line, "k"))->current() == KeyId(9));
  CHECK(must(Keyring::parse(line + "\r\n", "k"))->current() == KeyId(9));
}

TEST_CASE("what a key file gets wrong is said with its line, and never with a key in it") {
  const std::string good = key_line(1);
  const std::string secret = good.substr(good.rfind(' ') + 1, 44);
  CHECK(refusal("") == "k: there is no key in it (twinpost key new makes one)");
  CHECK(refusal("# nothing\n\n") == "k: there is no key in it (twinpost key new makes one)");
  CHECK(refusal(good + "nonsense\n") == "k: line 2: must be \"twinpost-key-1 ID KEY\"");
  CHECK(refusal(secret) == "k: line 1: must be \"twinpost-key-1 ID KEY\"");
  CHECK(refusal("twinpost-key-2 00000001 " + secret) ==
        "k: line 1: a kind of key that this version does not know");
  for (const char* id : {"", "0000001", "000000001", "0000000g", "00000000", "-0000001"}) {
    CHECK(refusal("twinpost-key-1 " + std::string(id) + " " + secret) ==
          "k: line 1: a key's id is eight hexadecimal digits, not all 0");
  }
  const std::string bad_key = "k: line 1: a key is 32 octets in base64, and nothing after it";
  CHECK(refusal("twinpost-key-1 00000001") == bad_key);
  CHECK(refusal("twinpost-key-1 00000001 " + base64_encode(std::string(31, 'x'))) == bad_key);
  CHECK(refusal("twinpost-key-1 00000001 " + base64_encode(std::string(33, 'x'))) == bad_key);
  CHECK(refusal("twinpost-key-1 00000001 " + secret.substr(0, 43)) == bad_key);
  CHECK(refusal("twinpost-key-1 00000001 " + secret + " more") == bad_key);
  CHECK(refusal("\n" + good + key_line(1, 5)) == "k: line 3: a second key of the id 00000001");
}

TEST_CASE("a key file that others can read is refused") {
  const TempFolder folder;
  const std::string path = folder / "keys";
  CHECK(code_of(Keyring::load(path)) == ErrorCode::kNotFound);
  write_file(path, key_line(1));
  CHECK(must(Keyring::load(path))->current() == KeyId(1));
  for (const mode_t mode : {0640, 0604, 0620, 0660, 0644, 0601}) {
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    const auto ring = Keyring::load(path);
    REQUIRE(code_of(ring) == ErrorCode::kPermission);
    CHECK(ring.error().message == path +
                                      ": others than its owner can read or write the keys "
                                      "(chmod 600 " +
                                      path + ")");
    CHECK(code_of(Keyring::add_key(path)) == ErrorCode::kPermission);
  }
  REQUIRE(::chmod(path.c_str(), 0400) == 0);
  CHECK(must(Keyring::load(path))->current() == KeyId(1));
  CHECK(code_of(Keyring::load(folder.path())) == ErrorCode::kInvalid);
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CHECK(code_of(Keyring::load(folder / "fifo")) == ErrorCode::kInvalid);
  write_file(path, std::string(2 << 20, '#'));
  CHECK(code_of(Keyring::load(path)) == ErrorCode::kTooLarge);
}

TEST_CASE("new keys go to the end of the file, which only its owner can read") {
  const TempFolder folder;
  const std::string path = folder / "keys";
  const KeyId first = must(Keyring::add_key(path));
  CHECK(mode_of(path) == 0600);
  CHECK(must(Keyring::load(path))->current() == first);
  const std::string before = content_of(path);
  const KeyId second = must(Keyring::add_key(path));
  CHECK(second != first);
  CHECK(content_of(path).starts_with(before));
  const auto ring = must(Keyring::load(path));
  CHECK(ring->ids() == std::vector<KeyId>{first, second});
  CHECK(*ring->find(first) != *ring->find(second));
  // Nothing else is left in the folder.
  const std::filesystem::directory_iterator files(folder.path());
  CHECK(std::distance(begin(files), end(files)) == 1);
  CHECK(code_of(Keyring::add_key(folder / "no/keys")) == ErrorCode::kNotFound);
}

TEST_CASE("a key is added to what is there: comments, a link, a last line without an end") {
  const TempFolder folder;
  const std::string path = folder / "keys";
  write_file(path, "# for the mail\n");
  const KeyId first = must(Keyring::add_key(path));
  CHECK(content_of(path).starts_with("# for the mail\ntwinpost-key-1 " + to_string(first)));
  std::string line = key_line(5);
  line.pop_back();
  write_file(path, line);
  REQUIRE(::symlink(path.c_str(), (folder / "link").c_str()) == 0);
  const KeyId second = must(Keyring::add_key(folder / "link"));
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(must(Keyring::load(path))->ids() == std::vector<KeyId>{KeyId(5), second});
  // A file that can't be read is not added to.
  write_file(path, "nonsense\n");
  CHECK(code_of(Keyring::add_key(path)) == ErrorCode::kInvalid);
  CHECK(content_of(path) == "nonsense\n");
}

TEST_CASE("keys that are added at the same time are all there") {
  const TempFolder folder;
  const std::string path = folder / "keys";
  std::vector<std::thread> threads;
  std::atomic<unsigned> added{0};
  for (unsigned i = 0; i < 8; ++i) {
    threads.emplace_back([&] { added += Keyring::add_key(path) ? 1 : 0; });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(added == 8);
  CHECK(must(Keyring::load(path))->ids().size() == 8);
}

TEST_CASE("a proof is the key's alone") {
  const auto ring = keyring({1, 2});
  CHECK(must(ring->proof(KeyId(1))).size() == 16);
  CHECK(must(ring->proof(KeyId(1))) == must(keyring({1})->proof(KeyId(1))));
  CHECK(must(ring->proof(KeyId(1))) != must(ring->proof(KeyId(2))));
  CHECK(must(ring->proof(KeyId(1))) != must(keyring({1}, 99)->proof(KeyId(1))));
  CHECK(code_of(ring->proof(KeyId(3))) == ErrorCode::kNotFound);
}
