#include "store/body_codec.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "store/codec.h"
#include "store/frame_cipher.h"
#include "store/frame_zstd.h"

namespace twinpost::store {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kSaltOctets = 16;
constexpr std::size_t kSizeOctets = 1 + 8;  // version and plain octets
constexpr std::size_t kLengthOctets = 4;
constexpr std::size_t kFrameOctets = BodyCoder::kFrameOctets;
// Stored octets that are fetched for one round of decoding: what a slice of reading is (DESIGN).
constexpr std::uint64_t kFetchOctets = 256 * 1024;

tl::unexpected<Error> corrupt(const char* what) {
  return fail(ErrorCode::kCorrupt, std::string("stored octets ") + what);
}

std::uint64_t pages(std::uint64_t octets) {
  return octets / BodyCoder::kPageOctets + (octets % BodyCoder::kPageOctets != 0 ? 1 : 0);
}

// What follows from a run's codec and plain size.
struct Layout {
  Codec codec;
  std::uint64_t plain_octets;

  [[nodiscard]] std::size_t tag() const {
    return is_encrypted(codec) ? FrameCipher::kTagOctets : 0;
  }
  [[nodiscard]] std::uint64_t frames() const {
    const std::uint64_t full = plain_octets / kFrameOctets;
    return full + (plain_octets % kFrameOctets != 0 || full == 0 ? 1 : 0);
  }
  [[nodiscard]] std::size_t plain_length(std::uint64_t frame) const {
    return static_cast<std::size_t>(
        std::min<std::uint64_t>(kFrameOctets, plain_octets - frame * kFrameOctets));
  }
  [[nodiscard]] std::uint64_t table_offset() const {
    return kSizeOctets + (is_encrypted(codec) ? kSaltOctets : 0);
  }
  [[nodiscard]] std::uint64_t header_octets() const {
    return table_offset() + kLengthOctets * frames();
  }
  [[nodiscard]] std::string associated_data(std::uint64_t frame) const {
    std::string data(1, static_cast<char>(kVersion));
    for (const std::uint64_t number :
         {plain_octets, frame, frames(), std::uint64_t{plain_length(frame)}}) {
      const std::uint64_t stored = little_endian(number);
      data.append(reinterpret_cast<const char*>(&stored), sizeof stored);
    }
    return data;
  }
};

void append_u32(std::string& out, std::uint32_t value) {
  const std::uint32_t stored = little_endian(value);
  out.append(reinterpret_cast<const char*>(&stored), sizeof stored);
}

// How many octets compression must save in a frame of this length to save a page: exact where the frame is
// all there is; else a page's worth of octets saves one wherever the frame lies.
std::size_t worth_a_page(const Layout& layout, std::size_t length) {
  if (layout.frames() > 1) return BodyCoder::kPageOctets;
  const auto header = static_cast<std::size_t>(layout.header_octets());
  const std::size_t in_last_page = (header + layout.tag() + length) % BodyCoder::kPageOctets;
  return in_last_page == 0 ? BodyCoder::kPageOctets : in_last_page;
}

// Writes a run. The codec's compression is what may be; what came of it is in the result.
Result<EncodedBody> write_run(std::string_view plain, Codec codec, KeyId key,
                              const Keyring::Secret* secret, const RunPlace& place) {
  const Layout layout{codec, plain.size()};
  std::string header(1, static_cast<char>(kVersion));
  const std::uint64_t size = little_endian(layout.plain_octets);
  header.append(reinterpret_cast<const char*>(&size), sizeof size);
  std::optional<FrameCipher> cipher;
  if (secret != nullptr) {
    std::array<std::byte, kSaltOctets> salt{};
    random_octets(salt);
    header.append(reinterpret_cast<const char*>(salt.data()), salt.size());
    cipher.emplace(*secret, std::string_view(header).substr(kSizeOctets));
  }
  auto run = RunBuffer::make(plain.size(), place);
  if (!run) return failed(run);
  // Its place; the lengths are known at the end.
  auto written = run->append(std::string(static_cast<std::size_t>(layout.header_octets()), '\0'));
  if (!written) return failed(written);
  bool any_compressed = false;
  std::string compressed;
  std::string sealed;
  for (std::uint64_t frame = 0; frame < layout.frames(); ++frame) {
    std::string_view octets =
        plain.substr(static_cast<std::size_t>(frame * kFrameOctets), layout.plain_length(frame));
    if (is_compressed(codec)) {
      compressed.clear();
      auto smaller = compress_frame(octets, worth_a_page(layout, octets.size()), compressed);
      if (!smaller) return failed(smaller);
      if (*smaller) octets = compressed;
      any_compressed = any_compressed || *smaller;
    }
    if (cipher) {
      sealed.clear();
      auto done = cipher->seal(frame, octets, layout.associated_data(frame), sealed);
      if (!done) return failed(done);
      octets = sealed;
    }
    append_u32(header, static_cast<std::uint32_t>(octets.size()));
    if (written = run->append(octets); !written) return failed(written);
  }
  auto finished = run->finish(header);
  if (!finished) return failed(finished);
  if (!any_compressed) codec = secret != nullptr ? Codec::kSealed : Codec::kPlain;
  return EncodedBody{codec, key, std::move(finished->owner), finished->octets};
}

// One run that is being read.
class RunReader {
 public:
  // `header` is the whole of it, as fetched.
  static Result<RunReader> open(const Layout& layout, std::uint64_t stored,
                                const Keyring::Secret* secret, std::string header) {
    Reader in(header);
    if (in.u8() != kVersion) return corrupt("have an unknown version");
    if (in.u64() != layout.plain_octets) return corrupt("are not of the size they should be");
    RunReader run(layout);
    if (secret != nullptr) {
      run.cipher_ = std::make_unique<FrameCipher>(*secret, in.octets(kSaltOctets));
    }
    std::uint64_t end = layout.header_octets();
    for (std::uint64_t frame = 0; frame < layout.frames(); ++frame) {
      const std::uint64_t length = in.u32();
      const std::uint64_t most = layout.plain_length(frame) + layout.tag();
      const std::uint64_t least = is_compressed(layout.codec) ? layout.tag() : most;
      if (length < least || length > most) return corrupt("have a frame of an impossible length");
      end += length;
    }
    if (!in.at_end() || end != stored) return corrupt("are not as long as their frames");
    run.header_ = std::move(header);
    return run;
  }

  [[nodiscard]] std::uint32_t stored_length(std::uint64_t frame) const {
    const std::uint64_t at = layout_.table_offset() + kLengthOctets * frame;
    return Reader(std::string_view(header_).substr(static_cast<std::size_t>(at))).u32();
  }
  [[nodiscard]] std::uint64_t offset_of(std::uint64_t frame) const {
    std::uint64_t offset = layout_.header_octets();
    for (std::uint64_t before = 0; before < frame; ++before) offset += stored_length(before);
    return offset;
  }

  // Appends the frame's plain octets from..to.
  Result<void> decode(std::uint64_t frame, std::string_view stored, std::size_t from,
                      std::size_t to, std::string& out) {
    const std::size_t length = layout_.plain_length(frame);
    const std::size_t before = out.size();
    if (to - from == length) {
      out.resize(before + length);
      return decode_whole(frame, stored, out.data() + before);
    }
    frame_.resize(length);
    if (auto done = decode_whole(frame, stored, frame_.data()); !done) return done;
    out.append(frame_, from, to - from);
    return {};
  }

 private:
  explicit RunReader(const Layout& layout) : layout_(layout) {}

  Result<void> decode_whole(std::uint64_t frame, std::string_view stored, char* out) {
    const std::size_t length = layout_.plain_length(frame);
    const bool compressed = stored.size() != length + layout_.tag();
    std::string_view octets = stored;
    if (cipher_) {
      char* opened = out;
      if (compressed) {
        opened_.resize(stored.size());
        opened = opened_.data();
      }
      if (!cipher_->open(frame, stored, layout_.associated_data(frame), opened)) {
        return corrupt("do not match their seal");
      }
      if (!compressed) return {};
      octets = std::string_view(opened, stored.size() - layout_.tag());
    }
    if (!compressed) {
      std::copy(octets.begin(), octets.end(), out);
      return {};
    }
    if (!decompress_frame(octets, out, length)) return corrupt("can't be decompressed");
    return {};
  }

  Layout layout_;
  std::string header_;
  std::unique_ptr<FrameCipher> cipher_;
  std::string opened_;  // a frame, decrypted and still compressed
  std::string frame_;   // one of which a part is wanted
};

// Fetches frames together, and decodes what is wanted of them.
Result<void> decode_range(RunReader& run, std::uint64_t offset, std::uint64_t length,
                          const BodyCoder::Fetch& fetch, std::string& out) {
  const std::uint64_t end = offset + length;
  std::uint64_t frame = offset / kFrameOctets;
  const std::uint64_t last = length == 0 ? frame : (end - 1) / kFrameOctets;
  std::uint64_t at = run.offset_of(frame);
  std::string stored;
  while (frame <= last) {
    std::uint64_t together = 0;
    std::uint64_t next = frame;
    do {
      together += run.stored_length(next++);
    } while (next <= last && together + run.stored_length(next) <= kFetchOctets);
    stored.clear();
    if (auto fetched = fetch(at, together, stored); !fetched) return fetched;
    if (stored.size() != together) return corrupt("are cut short");
    at += together;
    std::string_view rest = stored;
    for (; frame < next; ++frame) {
      const std::uint32_t stored_length = run.stored_length(frame);
      const std::uint64_t begin = frame * kFrameOctets;
      const std::uint64_t from = offset > begin ? offset - begin : 0;
      const std::uint64_t to = std::min<std::uint64_t>(kFrameOctets, end - begin);
      auto decoded = run.decode(frame, rest.substr(0, stored_length),
                                static_cast<std::size_t>(from), static_cast<std::size_t>(to), out);
      if (!decoded) return decoded;
      rest.remove_prefix(stored_length);
    }
  }
  return {};
}

std::string_view as_octets(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Sha256Digest keyed_name(const Keyring::Secret& secret, const Sha256Digest& sha256) {
  Sha256Digest name_key{};
  derive_key(secret, {}, kPurposeName, name_key.data(), name_key.size());
  return hmac_sha256(as_octets(name_key), as_octets(sha256));
}

}  // namespace

BodyCoder::BodyCoder(bool compression, KeyringPtr keys)
    : compression_(compression), keys_(std::move(keys)) {}

const BodyCoder& BodyCoder::plain() {
  static const BodyCoder coder(false, nullptr);
  return coder;
}

Result<const Keyring::Secret*> BodyCoder::secret(Codec codec, KeyId key) const {
  if (!is_encrypted(codec)) return nullptr;
  const Keyring::Secret* found = keys_ ? keys_->find(key) : nullptr;
  if (found != nullptr) return found;
  return fail(ErrorCode::kPermission, "encrypted with key " + to_string(key) +
                                          (keys_ ? ", which " + keys_->source() + " does not have"
                                                 : ", and no key file is set"));
}

Result<EncodedBody> BodyCoder::encode(std::string_view plain, const RunPlace& place) const {
  // What fits one page can't be made to take fewer.
  const bool compress = compression_ && plain.size() > kPageOctets;
  if (!keys_) {
    const EncodedBody as_it_is{Codec::kPlain, KeyId(), nullptr, plain};
    if (!compress) return as_it_is;
    auto run = write_run(plain, Codec::kZstd, KeyId(), nullptr, place);
    if (!run) return run;
    const bool smaller =
        is_compressed(run->codec) && pages(run->octets.size()) < pages(plain.size());
    if (smaller) return run;
    return as_it_is;
  }
  return write_run(plain, compress ? Codec::kZstdSealed : Codec::kSealed, keys_->current(),
                   keys_->find(keys_->current()), place);
}

Result<EncodedBody> BodyCoder::encode_uncompressed(std::string_view plain) const {
  return BodyCoder(false, keys_).encode(plain);
}

bool BodyCoder::is_current(Codec codec, KeyId key) const {
  if (is_encrypted(codec) != encrypts()) return false;
  if (encrypts() && key != keys_->current()) return false;
  return compression_ || !is_compressed(codec);
}

Result<void> BodyCoder::decode(Codec codec, KeyId key, std::uint64_t size, std::uint64_t stored,
                               std::uint64_t offset, std::uint64_t length, const Fetch& fetch,
                               std::string& out) const {
  if (offset > size || length > size - offset) {
    return fail(ErrorCode::kInternal, "a read past the end of a body");
  }
  const std::size_t before = out.size();
  const auto attempt = [&]() -> Result<void> {
    if (codec == Codec::kPlain) {
      if (stored != size) return corrupt("are not of the size they should be");
      return fetch(offset, length, out);
    }
    if (codec > Codec::kZstdSealed) return corrupt("have an unknown codec");
    auto found = secret(codec, key);
    if (!found) return failed(found);
    const Layout layout{codec, size};
    if (layout.header_octets() > stored) return corrupt("are cut short");
    std::string header;
    if (auto fetched = fetch(0, layout.header_octets(), header); !fetched) return fetched;
    if (header.size() != layout.header_octets()) return corrupt("are cut short");
    auto run = RunReader::open(layout, stored, *found, std::move(header));
    if (!run) return failed(run);
    return decode_range(*run, offset, length, fetch, out);
  };
  auto done = attempt();
  if (!done) out.resize(before);
  return done;
}

Result<std::string> BodyCoder::decode_whole(Codec codec, KeyId key, std::string_view stored,
                                            std::uint64_t limit) const {
  std::uint64_t size = stored.size();
  if (codec != Codec::kPlain) {
    Reader in(stored);
    in.u8();  // the version, which decode() looks at
    size = in.u64();
    if (!in.ok()) return corrupt("are cut short");
  }
  if (size > limit) return corrupt("are of more than can be");
  const Fetch fetch = [stored](std::uint64_t offset, std::uint64_t length,
                               std::string& out) -> Result<void> {
    // decode() asks for nothing past what is stored.
    out.append(stored.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(length)));
    return {};
  };
  std::string plain;
  auto decoded = decode(codec, key, size, stored.size(), 0, size, fetch, plain);
  if (!decoded) return failed(decoded);
  return plain;
}

Sha256Digest BodyCoder::name_of(const Sha256Digest& sha256) const {
  return keys_ ? keyed_name(*keys_->find(keys_->current()), sha256) : sha256;
}

Result<Sha256Digest> BodyCoder::name_of(const Sha256Digest& sha256, Codec codec, KeyId key) const {
  auto found = secret(codec, key);
  if (!found) return failed(found);
  return *found != nullptr ? keyed_name(**found, sha256) : sha256;
}

}  // namespace twinpost::store
