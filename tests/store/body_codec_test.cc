// How runs are kept: what goes in comes out, in whole and in parts, and nothing that was changed does.
#include "store/body_codec.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <set>

#include "store/frame_zstd.h"
#include "tests/store/key_support.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

constexpr std::size_t kFrame = BodyCoder::kFrameOctets;
constexpr std::size_t kPage = BodyCoder::kPageOctets;

std::string random_text(std::size_t octets, unsigned seed = 1) {
  std::mt19937_64 random(seed);
  std::string text(octets, '\0');
  for (char& octet : text) octet = static_cast<char>(random());
  return text;
}

std::string prose(std::size_t octets, unsigned seed = 1) {
  static constexpr std::array<std::string_view, 8> kWords{"mail",   "server", "message", "queue",
                                                          "of the", "and",    "folder",  "\r\n"};
  std::mt19937_64 random(seed);
  std::string text;
  while (text.size() < octets) text.append(kWords[random() % kWords.size()]).append(" ");
  text.resize(octets);
  return text;
}

// What a run says and holds, apart from where its octets are.
struct Run {
  Codec codec;
  KeyId key;
  std::string octets;
};

Run encoded(const BodyCoder& coder, std::string_view plain, const RunPlace& place = {}) {
  const EncodedBody body = must(coder.encode(plain, place));
  return {body.codec, body.key, std::string(body.octets)};
}

Result<std::string> decoded(const BodyCoder& coder, const Run& run, std::uint64_t size,
                            std::uint64_t offset, std::uint64_t length) {
  std::string out = "before";
  const BodyCoder::Fetch fetch = [&run](std::uint64_t from, std::uint64_t count,
                                        std::string& octets) -> Result<void> {
    // What a store does where a chunk is missing.
    if (from > run.octets.size() || count > run.octets.size() - from) {
      return fail(ErrorCode::kCorrupt, "not there");
    }
    octets.append(run.octets, from, count);
    return {};
  };
  auto done = coder.decode(run.codec, run.key, size, run.octets.size(), offset, length, fetch, out);
  if (!done) {
    CHECK(out == "before");
    return tl::unexpected(done.error());
  }
  REQUIRE(out.starts_with("before"));
  return out.substr(6);
}

Result<std::string> decoded(const BodyCoder& coder, const Run& run, std::string_view plain) {
  return decoded(coder, run, plain.size(), 0, plain.size());
}

std::uint32_t length_at(const Run& run, std::size_t table, std::size_t frame) {
  std::uint32_t length = 0;
  std::memcpy(&length, run.octets.data() + table + 4 * frame, sizeof length);
  return length;
}

struct Coders {
  KeyringPtr keys = keyring({1});
  BodyCoder plain{false, nullptr};
  BodyCoder zstd{true, nullptr};
  BodyCoder sealed{false, keys};
  BodyCoder both{true, keys};
  [[nodiscard]] std::array<const BodyCoder*, 4> all() const {
    return {&plain, &zstd, &sealed, &both};
  }
};

constexpr std::size_t kSealedTable = 1 + 8 + 16;

}  // namespace

TEST_CASE("a run of any size around a frame's and a page's comes back") {
  const Coders coders;
  std::vector<std::size_t> sizes{0, 1, 2, 15, 16, 17, 100};
  for (const std::size_t edge : {kPage, 2 * kPage, kFrame, 2 * kFrame, 5 * kFrame}) {
    for (const std::size_t size : {edge - 17, edge - 1, edge, edge + 1, edge + 17}) {
      sizes.push_back(size);
    }
  }
  for (const std::size_t size : sizes) {
    for (const std::string& plain : {prose(size), random_text(size), std::string(size, 'x')}) {
      for (const BodyCoder* coder : coders.all()) {
        CAPTURE(size);
        const Run run = encoded(*coder, plain);
        CHECK(must(decoded(*coder, run, plain)) == plain);
        CHECK(must(coder->decode_whole(run.codec, run.key, run.octets, size)) == plain);
        CHECK(coder->is_current(run.codec, run.key));
        CHECK(is_encrypted(run.codec) == coder->encrypts());
        const EncodedBody summary = must(coder->encode_uncompressed(plain));
        CHECK(summary.codec == summary_codec(run.codec));
        CHECK(must(coder->decode_whole(summary.codec, summary.key, summary.octets, size)) == plain);
      }
    }
  }
}

TEST_CASE("any part of a run is read by itself, from the frames that it needs") {
  const Coders coders;
  std::mt19937_64 random(7);
  // Compressible and not, frame by frame.
  const std::string plain =
      prose(3 * kFrame) + random_text(2 * kFrame + 100) + prose(3 * kFrame + 77, 2);
  for (const BodyCoder* coder : coders.all()) {
    const Run run = encoded(*coder, plain);
    for (int i = 0; i < 300; ++i) {
      const std::uint64_t offset = random() % (plain.size() + 1);
      const std::uint64_t length = random() % (plain.size() - offset + 1) >> (random() % 16);
      CHECK(must(decoded(*coder, run, plain.size(), offset, length)) ==
            plain.substr(offset, length));
    }
    CHECK(code_of(decoded(*coder, run, plain.size(), plain.size(), 1)) == ErrorCode::kInternal);
    CHECK(code_of(decoded(*coder, run, plain.size(), 1, plain.size())) == ErrorCode::kInternal);
    CHECK(code_of(decoded(*coder, run, plain.size(), 1, ~std::uint64_t{0})) ==
          ErrorCode::kInternal);
  }
}

TEST_CASE("a read of a part fetches no more than its frames") {
  const Coders coders;
  const std::string plain = random_text(10 * kFrame);
  const Run run = encoded(coders.sealed, plain);
  std::uint64_t fetched = 0;
  const BodyCoder::Fetch fetch = [&](std::uint64_t from, std::uint64_t count,
                                     std::string& octets) -> Result<void> {
    fetched += count;
    octets.append(run.octets, from, count);
    return {};
  };
  std::string out;
  must(coders.sealed.decode(run.codec, run.key, plain.size(), run.octets.size(), 7 * kFrame + 5,
                            100, fetch, out));
  CHECK(out == plain.substr(7 * kFrame + 5, 100));
  CHECK(fetched == kFrame + 16 + kSealedTable + 4 * 10);
}

TEST_CASE("compression is used where it saves a page, and only there") {
  const Coders coders;
  const auto pages = [](std::size_t octets) { return (octets + kPage - 1) / kPage; };
  CHECK(encoded(coders.zstd, prose(kPage)).codec == Codec::kPlain);
  CHECK(encoded(coders.zstd, prose(kPage + 1)).codec == Codec::kZstd);
  CHECK(encoded(coders.both, prose(kPage + 1)).codec == Codec::kZstdSealed);
  for (const std::size_t size : {kPage + 1, 3 * kPage, kFrame, 4 * kFrame + 9}) {
    CAPTURE(size);
    CHECK(encoded(coders.zstd, random_text(size)).codec == Codec::kPlain);
    CHECK(encoded(coders.both, random_text(size)).codec == Codec::kSealed);
    // A little that can be compressed, at each end of what matters.
    for (std::size_t easy = 0; easy <= size; easy += 331) {
      const std::string plain = prose(easy) + random_text(size - easy);
      const Run run = encoded(coders.zstd, plain);
      const Run sealed = encoded(coders.both, plain);
      if (run.codec == Codec::kZstd) {
        CHECK(pages(run.octets.size()) < pages(size));
      } else {
        CHECK(run.octets == plain);
      }
      if (sealed.codec == Codec::kZstdSealed) {
        CHECK(pages(sealed.octets.size()) < pages(encoded(coders.sealed, plain).octets.size()));
      }
    }
  }
}

TEST_CASE("a large run is made in a file, and is the same") {
  const Coders coders;
  const TempFolder folder;
  const std::string plain = prose(5 * kFrame) + random_text(20 * kFrame + 3);
  for (const BodyCoder* coder : {&coders.zstd, &coders.both, &coders.sealed}) {
    EncodedBody body = must(coder->encode(plain, {folder.path(), kFrame}));
    // The octets stay where they are when the result is moved or copied.
    const EncodedBody kept = body;
    body = {};
    const Run run{kept.codec, kept.key, std::string(kept.octets)};
    CHECK(must(decoded(*coder, run, plain)) == plain);
    CHECK(std::filesystem::is_empty(folder.path()));
  }
  CHECK(coders.zstd.encode(plain, {folder / "missing", kFrame}).error().code ==
        ErrorCode::kNotFound);
}

TEST_CASE("no octet of a sealed run can be changed unnoticed") {
  const Coders coders;
  for (const std::string& plain :
       {std::string(), std::string("Subject: hello\r\n\r\nhello\r\n"), prose(kPage + 300)}) {
    for (const BodyCoder* coder : {&coders.sealed, &coders.both}) {
      const Run run = encoded(*coder, plain);
      for (std::size_t at = 0; at < run.octets.size(); ++at) {
        for (const unsigned flip : {0x01U, 0x80U, 0xFFU}) {
          Run changed = run;
          changed.octets[at] =
              static_cast<char>(static_cast<unsigned char>(changed.octets[at]) ^ flip);
          const auto result = decoded(*coder, changed, plain);
          CAPTURE(at);
          CHECK(code_of(result) == ErrorCode::kCorrupt);
          CHECK(code_of(coder->decode_whole(changed.codec, changed.key, changed.octets,
                                            plain.size())) == ErrorCode::kCorrupt);
        }
      }
    }
  }
}

TEST_CASE("a compressed run that was changed is noticed, or says the same") {
  const Coders coders;
  const std::string plain = prose(2 * kPage);
  const Run run = encoded(coders.zstd, plain);
  REQUIRE(run.codec == Codec::kZstd);
  for (std::size_t at = 0; at < run.octets.size(); ++at) {
    Run changed = run;
    changed.octets[at] = static_cast<char>(changed.octets[at] ^ 0x10);
    const auto result = decoded(coders.zstd, changed, plain);
    if (result) CHECK(*result == plain);
    if (!result) CHECK(result.error().code == ErrorCode::kCorrupt);
  }
}

TEST_CASE("frames can't be exchanged, dropped, doubled or cut") {
  const Coders coders;
  const std::string plain = random_text(4 * kFrame);  // four frames of one stored length
  const Run run = encoded(coders.sealed, plain);
  const std::size_t header = kSealedTable + 4 * 4;
  const std::size_t frame = kFrame + 16;
  REQUIRE(run.octets.size() == header + 4 * frame);
  const auto part = [&](std::size_t i) { return run.octets.substr(header + i * frame, frame); };
  const auto refused = [&](std::string octets, std::size_t size) {
    const Run changed{run.codec, run.key, std::move(octets)};
    return code_of(decoded(coders.sealed, changed, size, 0, size)) == ErrorCode::kCorrupt;
  };
  const std::string head = run.octets.substr(0, header);
  CHECK(refused(head + part(1) + part(0) + part(2) + part(3), plain.size()));
  CHECK(refused(head + part(0) + part(0) + part(2) + part(3), plain.size()));
  CHECK(refused(head + part(0) + part(1) + part(2), plain.size()));
  CHECK(refused(run.octets + "x", plain.size()));
  for (const std::size_t cut : {std::size_t{0}, std::size_t{1}, std::size_t{8}, header - 1, header,
                                header + 1, run.octets.size() - 1}) {
    CHECK(refused(run.octets.substr(0, cut), plain.size()));
  }
  // A run that says it is three frames long, with their lengths and their octets.
  std::string shorter = run.octets.substr(0, kSealedTable + 3 * 4);
  const std::uint64_t size = 3 * kFrame;
  std::memcpy(shorter.data() + 1, &size, sizeof size);
  CHECK(refused(shorter + part(0) + part(1) + part(2), size));
  // A frame of another run of the same key, at the same place.
  const Run other = encoded(coders.sealed, plain);
  CHECK(refused(head + other.octets.substr(header, frame) + part(1) + part(2) + part(3),
                plain.size()));
}

TEST_CASE("lengths that can't be are refused before anything is done with them") {
  const Coders coders;
  const std::string plain = prose(2 * kFrame);
  for (const BodyCoder* coder : {&coders.zstd, &coders.both, &coders.sealed}) {
    const Run run = encoded(*coder, plain);
    const std::size_t table = is_encrypted(run.codec) ? kSealedTable : 9;
    for (const std::uint32_t wrong :
         {std::uint32_t{0}, std::uint32_t{1}, std::uint32_t{15}, std::uint32_t{16},
          length_at(run, table, 0) - 1, length_at(run, table, 0) + 1,
          static_cast<std::uint32_t>(kFrame + 17), ~std::uint32_t{0}}) {
      Run changed = run;
      std::memcpy(changed.octets.data() + table, &wrong, sizeof wrong);
      CHECK(code_of(decoded(*coder, changed, plain)) == ErrorCode::kCorrupt);
    }
    for (const std::uint64_t wrong :
         {std::uint64_t{0}, std::uint64_t{1}, plain.size() - 1, plain.size() + 1,
          std::uint64_t{1} << 62, ~std::uint64_t{0}, ~std::uint64_t{0} - kFrame + 1}) {
      Run changed = run;
      std::memcpy(changed.octets.data() + 1, &wrong, sizeof wrong);
      CHECK(code_of(decoded(*coder, changed, plain)) == ErrorCode::kCorrupt);
      // The store's record may be just as wrong.
      const std::uint64_t end = std::min<std::uint64_t>(wrong, 100);
      CHECK(code_of(decoded(*coder, changed, wrong, wrong - end, end)) == ErrorCode::kCorrupt);
      CHECK(code_of(coder->decode_whole(changed.codec, changed.key, changed.octets,
                                        std::uint64_t{1} << 20)) == ErrorCode::kCorrupt);
    }
    CHECK(code_of(coder->decode_whole(run.codec, run.key, run.octets, plain.size() - 1)) ==
          ErrorCode::kCorrupt);
  }
  CHECK(code_of(coders.plain.decode_whole(Codec::kPlain, {}, "four", 3)) == ErrorCode::kCorrupt);
  CHECK(code_of(decoded(coders.plain, {Codec::kPlain, {}, "four"}, 5, 0, 5)) ==
        ErrorCode::kCorrupt);
  CHECK(code_of(decoded(coders.plain, {static_cast<Codec>(4), {}, "four"}, 4, 0, 4)) ==
        ErrorCode::kCorrupt);
}

TEST_CASE("a compressed frame makes neither more nor less than its place has") {
  std::string compressed;
  REQUIRE(must(compress_frame(std::string(50'000, 'x'), 1, compressed)));
  REQUIRE(compressed.size() < 100);
  std::string out(60'000, '.');
  CHECK(decompress_frame(compressed, out.data(), 50'000));
  CHECK(out == std::string(50'000, 'x') + std::string(10'000, '.'));
  CHECK_FALSE(decompress_frame(compressed, out.data(), 49'999));
  CHECK_FALSE(decompress_frame(compressed, out.data(), 50'001));
  CHECK_FALSE(decompress_frame(compressed, out.data(), 0));
  CHECK(out.substr(50'001) == std::string(9'999, '.'));
  // Two frames, a skippable one (RFC 8878 3.1.2), one of an old format, and none.
  CHECK_FALSE(decompress_frame(compressed + compressed, out.data(), 100'000));
  const std::string skippable("\x50\x2A\x4D\x18\x00\x00\x00\x00", 8);
  CHECK_FALSE(decompress_frame(skippable + compressed, out.data(), 50'000));
  CHECK_FALSE(decompress_frame(compressed + skippable, out.data(), 50'000));
  CHECK_FALSE(decompress_frame("\x25\xB5\x2F\xFD" + compressed.substr(4), out.data(), 50'000));
  CHECK_FALSE(decompress_frame("", out.data(), 0));
  CHECK_FALSE(decompress_frame(compressed.substr(0, 7), out.data(), 50'000));
}

TEST_CASE("a key that is not there, or is another, opens nothing") {
  const std::string plain = prose(10'000);
  const BodyCoder writer(true, keyring({1}));
  const Run run = encoded(writer, plain);
  const auto missing = decoded(BodyCoder(true, keyring({2})), run, plain);
  CHECK(code_of(missing) == ErrorCode::kPermission);
  CHECK(missing.error().message == "encrypted with key 00000001, which test.keys does not have");
  CHECK(code_of(decoded(BodyCoder::plain(), run, plain)) == ErrorCode::kPermission);
  CHECK(code_of(decoded(BodyCoder(true, keyring({1}, 99)), run, plain)) == ErrorCode::kCorrupt);
  // Older keys read on, the last one writes.
  const BodyCoder rotated(true, keyring({1, 2}));
  CHECK(must(decoded(rotated, run, plain)) == plain);
  CHECK_FALSE(rotated.is_current(run.codec, run.key));
  CHECK(encoded(rotated, plain).key == KeyId(2));
}

TEST_CASE("two runs of the same octets have nothing in common but their size") {
  const Coders coders;
  const std::string plain = prose(3000);
  const Run one = encoded(coders.sealed, plain);
  const Run two = encoded(coders.sealed, plain);
  CHECK(one.octets.size() == two.octets.size());
  std::size_t equal = 0;
  for (std::size_t at = kSealedTable + 4; at < one.octets.size(); ++at) {
    equal += one.octets[at] == two.octets[at] ? 1 : 0;
  }
  CHECK(equal < 60);  // chance makes it 12
  CHECK(one.octets.find(plain.substr(0, 12)) == std::string::npos);
}

TEST_CASE("names tell nothing without the key, and the same with it") {
  const Sha256Digest sha256 = [] {
    Sha256 hash;
    hash.update("Subject: known\r\n");
    return hash.finish();
  }();
  CHECK(BodyCoder::plain().name_of(sha256) == sha256);
  const BodyCoder one(true, keyring({1}));
  const BodyCoder two(true, keyring({1, 2}));
  CHECK(one.name_of(sha256) != sha256);
  CHECK(one.name_of(sha256) == BodyCoder(false, keyring({1})).name_of(sha256));
  CHECK(one.name_of(sha256) != two.name_of(sha256));
  CHECK(one.name_of(sha256) != BodyCoder(true, keyring({1}, 99)).name_of(sha256));
  CHECK(must(two.name_of(sha256, Codec::kSealed, KeyId(1))) == one.name_of(sha256));
  CHECK(must(two.name_of(sha256, Codec::kZstdSealed, KeyId(2))) == two.name_of(sha256));
  CHECK(must(two.name_of(sha256, Codec::kZstd, KeyId())) == sha256);
  CHECK(code_of(two.name_of(sha256, Codec::kSealed, KeyId(3))) == ErrorCode::kPermission);
}

TEST_CASE("what is current is what would be made now") {
  const Coders coders;
  const KeyId none;
  const KeyId key(1);
  CHECK(coders.plain.is_current(Codec::kPlain, none));
  CHECK_FALSE(coders.plain.is_current(Codec::kZstd, none));
  CHECK_FALSE(coders.plain.is_current(Codec::kSealed, key));
  CHECK(coders.zstd.is_current(Codec::kPlain, none));
  CHECK(coders.zstd.is_current(Codec::kZstd, none));
  CHECK_FALSE(coders.sealed.is_current(Codec::kPlain, none));
  CHECK(coders.sealed.is_current(Codec::kSealed, key));
  CHECK_FALSE(coders.sealed.is_current(Codec::kSealed, KeyId(2)));
  CHECK_FALSE(coders.sealed.is_current(Codec::kZstdSealed, key));
  CHECK(coders.both.is_current(Codec::kZstdSealed, key));
  CHECK(coders.both.is_current(Codec::kSealed, key));
  CHECK_FALSE(coders.both.is_current(Codec::kZstd, none));
}
