// BodyCoder on hostile runs: whatever is stored, no more comes out than was asked for, and nothing where it fails;
// and what it encodes itself comes back.
//
// The first octet chooses: the codec of a hostile run (2 bits), how its claimed size is made (2 bits); the next three are the
// read's offset and length; the rest is the run, or what is encoded.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "store/body_codec.h"

namespace {

using namespace twinpost;
using namespace twinpost::store;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

const KeyringPtr& keys() {
  static const KeyringPtr ring = *Keyring::parse(
      "twinpost-key-1 00000001 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", "fuzz");
  return ring;
}

// A read of a run that anyone may have written.
void read_hostile(const BodyCoder& coder, Codec codec, std::string_view run, std::uint64_t size,
                  std::uint64_t offset, std::uint64_t length) {
  const BodyCoder::Fetch fetch = [run](std::uint64_t from, std::uint64_t count,
                                       std::string& out) -> Result<void> {
    if (from > run.size() || count > run.size() - from) {
      return fail(ErrorCode::kCorrupt, "not there");
    }
    out.append(run.substr(from, count));
    return {};
  };
  std::string out = "kept";
  const auto read = coder.decode(codec, KeyId(1), size, run.size(), offset, length, fetch, out);
  expect(out.starts_with("kept"), "what was there before is still there");
  expect(out.size() == 4 + (read ? length : 0), "just what was asked for");
}

void check_round_trip(const BodyCoder& coder, std::string_view plain, std::uint64_t offset,
                      std::uint64_t length) {
  const auto body = coder.encode(plain);
  expect(body.has_value(), "it can be encoded");
  const auto whole = coder.decode_whole(body->codec, body->key, body->octets, plain.size());
  expect(whole && *whole == plain, "it comes back");
  if (offset > plain.size()) return;
  read_hostile(coder, body->codec, body->octets, plain.size(), offset,
               std::min<std::uint64_t>(length, plain.size() - offset));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const BodyCoder coder(true, keys());
  static const BodyCoder compressing(true, nullptr);
  if (size < 4) return 0;
  const std::string_view run(reinterpret_cast<const char*>(data) + 4, size - 4);
  const auto codec = static_cast<Codec>(data[0] & 3U);
  std::uint64_t claimed = run.size();
  if ((data[0] & 4U) != 0 && run.size() >= 9) std::memcpy(&claimed, run.data() + 1, 8);
  if ((data[0] & 8U) != 0) claimed = std::uint64_t{data[3]} << 10;
  // What a caller checks first: the range is inside, and not more than a slice.
  const std::uint64_t offset =
      claimed == 0 ? 0 : (std::uint64_t{data[1]} * 257 * data[2]) % claimed;
  const std::uint64_t length =
      std::min<std::uint64_t>(claimed - offset, std::uint64_t{data[2]} * 1031);
  read_hostile(coder, codec, run, claimed, offset, length);
  const auto whole = coder.decode_whole(codec, KeyId(1), run, 1U << 20);
  expect(!whole || whole->size() <= 1U << 20, "no more than the limit");
  check_round_trip(coder, run, offset, length);
  check_round_trip(compressing, run, offset, length);
  const auto ring = Keyring::parse(run, "fuzz");
  expect(!ring || !(*ring)->ids().empty(), "a keyring has a key");
  return 0;
}
