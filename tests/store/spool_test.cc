// The spool: line ends, limits, and where the octets are kept.
#include <fcntl.h>
#include <random>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

// The rule, written down a second time and plainly.
std::string canonical(std::string_view octets) {
  std::string out;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    if (octets[i] == '\n' && (i == 0 || octets[i - 1] != '\r')) out += '\r';
    out += octets[i];
  }
  if (!out.empty() && !out.ends_with("\r\n")) out += "\r\n";
  return out;
}

std::string through_spool(const std::vector<std::string_view>& pieces,
                          const std::string& folder = "/tmp") {
  Spool spool(folder, 0);
  for (const std::string_view piece : pieces) must(spool.append(piece));
  must(spool.finish());
  const std::string_view view = must(spool.view());
  CHECK(view.size() == spool.size());
  return std::string(view);
}

}  // namespace

TEST_CASE("line ends become CRLF wherever the pieces are cut") {
  const std::string samples[] = {"",          "\n",     "\r",
                                 "\r\n",      "\n\n",   "\r\r\n",
                                 "\r\n\r\n",  "\n\r",   "a",
                                 "a\n",       "a\r",    "a\r\n",
                                 "a\nb",      "a\rb\n", std::string("nul\0here\n\0", 10),
                                 "\r\n.\r\n", "\n.\n",  "x\r\r\n\n\r\ny\r"};
  for (const std::string& sample : samples) {
    const std::string expected = canonical(sample);
    CHECK(through_spool({sample}) == expected);
    for (std::size_t i = 0; i <= sample.size(); ++i) {
      for (std::size_t j = i; j <= sample.size(); ++j) {
        const std::string_view whole = sample;
        CHECK(through_spool({whole.substr(0, i), whole.substr(i, j - i), whole.substr(j)}) ==
              expected);
      }
    }
  }
}

TEST_CASE("what was canonical stays as it was") {
  CHECK(through_spool({mail_text(1, 5000)}) == mail_text(1, 5000));
}

TEST_CASE("random octets in random pieces, in memory and in the file") {
  TempFolder folder;
  std::mt19937 random(20240131);
  for (const std::size_t size :
       {std::size_t{100}, std::size_t{70'000}, Spool::kSpoolMemory - 1, Spool::kSpoolMemory,
        Spool::kSpoolMemory + 1, 3 * Spool::kSpoolMemory}) {
    std::string octets(size, '\0');
    for (char& octet : octets) octet = "\r\n\r\nabcdefghijklmnopqrstuvwxyz\0"[random() % 31];
    std::vector<std::string_view> pieces;
    for (std::string_view rest = octets; !rest.empty();) {
      const std::size_t take = std::min<std::size_t>(rest.size(), 1 + random() % 20'000);
      pieces.push_back(rest.substr(0, take));
      rest.remove_prefix(take);
    }
    CHECK(through_spool(pieces, folder.path()) == canonical(octets));
  }
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("the limit counts canonical octets and holds for what comes after it") {
  Spool spool("/tmp", 10);
  must(spool.append("12345678\n"));
  CHECK(code_of(spool.append("x")) == ErrorCode::kTooLarge);
  CHECK(code_of(spool.append("y")) == ErrorCode::kTooLarge);
  CHECK(code_of(spool.finish()) == ErrorCode::kTooLarge);
  CHECK(code_of(spool.view()) == ErrorCode::kTooLarge);
  Spool exact("/tmp", 10);
  must(exact.append("12345678\n"));
  must(exact.finish());
  CHECK(must(exact.view()) == "12345678\r\n");
  Spool no_room_for_the_end("/tmp", 10);
  must(no_room_for_the_end.append("123456789"));
  CHECK(code_of(no_room_for_the_end.finish()) == ErrorCode::kTooLarge);
}

TEST_CASE("a spool says when appending could touch the disk") {
  TempFolder folder;
  Spool spool(folder.path(), 0);
  CHECK(!spool.needs_worker(1000));
  CHECK(spool.needs_worker(Spool::kSpoolMemory));
  CHECK(spool.needs_worker(Spool::kSpoolMemory / 2));  // it may be all bare LFs
  must(spool.append(std::string(Spool::kSpoolMemory + 1, 'x')));
  CHECK(spool.needs_worker(1));
}

TEST_CASE("a spool folder that is not there is an error, not a crash") {
  Spool spool("/nonexistent/spool", 0);
  must(spool.append("in memory"));
  CHECK(!spool.append(std::string(Spool::kSpoolMemory, 'x')).has_value());
  CHECK(!spool.finish().has_value());
  CHECK(!spool.view().has_value());
}

TEST_CASE("a message in the file is prepared and stored like any other") {
  Fixture f;
  std::string text = mail_text(1, 2'500'000);
  Spool spool(f.store->spool_folder(), 0);
  must(spool.append(text));
  AppendRequest request;
  request.message = must(prepare_message(std::move(spool)));
  CHECK(request.message->octets == text);
  Sha256 hash;
  hash.update(text);
  CHECK(request.message->sha256 == hash.finish());
  CHECK(request.message->crc32c == crc32c(0, text));
  f.append(f.inbox, request);
  CHECK(f.text(f.inbox, Uid(1)) == text);
}
