// How octets of messages (bodies and summaries) are kept: as they are, compressed, encrypted, or both.
//
// Plain octets are cut into frames of kFrameOctets, each compressed (zstd) and encrypted (AES-256-GCM) by
// itself, so that a part of a large body is read without the rest. A stored run that is not plain:
//
//   u8 version (1) | u64 plain octets | [16 octets salt, where encrypted] | u32 stored length of each frame | frames
//
// Numbers are little-endian. There is at least one frame, if of nothing. A frame that compression does not help is
// not compressed: its stored length is its plain one (and the tag's 16 octets, where encrypted).
//
// Each run has a key of its own, derived (HKDF-SHA-256) from the store's and the salt; a frame's nonce is its
// number, and its additional data say which frame of how many, of what plain length, in a run of what plain
// length it is, so that frames can't be exchanged, dropped or cut short unnoticed. What is not plain is used
// only where it takes fewer pages (compression) or always (encryption).
//
// Immutable; any thread. Errors: kCorrupt (a frame does not verify, lengths that can't be), kPermission (a key
// that the keyring does not have).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/encoding.h"
#include "core/base/error.h"
#include "store/keyring.h"
#include "store/run_buffer.h"

namespace twinpost::store {

// Bits; the values are those on the disk.
enum class Codec : std::uint8_t { kPlain = 0, kZstd = 1, kSealed = 2, kZstdSealed = 3 };
[[nodiscard]] constexpr bool is_compressed(Codec codec) {
  return (static_cast<unsigned>(codec) & 1U) != 0;
}
[[nodiscard]] constexpr bool is_encrypted(Codec codec) {
  return (static_cast<unsigned>(codec) & 2U) != 0;
}
// How a body's summary is kept: never compressed, encrypted with the same key where the body is.
[[nodiscard]] constexpr Codec summary_codec(Codec body) {
  return is_encrypted(body) ? Codec::kSealed : Codec::kPlain;
}

// A run as it is stored. `octets` are `owner`'s, or, where that is null, the plain ones themselves.
struct EncodedBody {
  Codec codec = Codec::kPlain;
  KeyId key{};  // where encrypted
  std::shared_ptr<const void> owner;
  std::string_view octets;
};

class BodyCoder {
 public:
  static constexpr std::size_t kFrameOctets = 64 * 1024;
  static constexpr std::size_t kPageOctets = 4080;

  // Encrypts with keys->current() where there are keys, which it keeps alive.
  BodyCoder(bool compression, KeyringPtr keys);
  // Neither; for tests and where there is no store.
  [[nodiscard]] static const BodyCoder& plain();

  [[nodiscard]] bool encrypts() const { return keys_ != nullptr; }
  [[nodiscard]] bool compresses() const { return compression_; }
  // Where encrypts().
  [[nodiscard]] KeyId current_key() const { return keys_->current(); }

  // `plain` must outlive the result where that is kept plain. kInternal where a library fails; kDiskFull, kIo.
  [[nodiscard]] Result<EncodedBody> encode(std::string_view plain,
                                           const RunPlace& place = {}) const;
  // The same, but never compressed: for summaries.
  [[nodiscard]] Result<EncodedBody> encode_uncompressed(std::string_view plain) const;

  // True where a run of this codec and key is what encode() would make by today's settings (as far as the
  // codec tells: a plain run may be one that compression would not have made smaller).
  [[nodiscard]] bool is_current(Codec codec, KeyId key) const;

  // Gives stored octets [offset, offset + length) of the run, appended to `out`.
  using Fetch =
      std::function<Result<void>(std::uint64_t offset, std::uint64_t length, std::string& out)>;
  // Appends plain octets [offset, offset + length), of a run of `stored` octets whose plain size is known to be
  // `size`, to `out`; the range lies inside it. On an error `out` is as it was.
  [[nodiscard]] Result<void> decode(Codec codec, KeyId key, std::uint64_t size,
                                    std::uint64_t stored, std::uint64_t offset,
                                    std::uint64_t length, const Fetch& fetch,
                                    std::string& out) const;
  // A whole run, whose plain size it says itself (at most `limit`, else kCorrupt).
  [[nodiscard]] Result<std::string> decode_whole(Codec codec, KeyId key, std::string_view stored,
                                                 std::uint64_t limit) const;

  // What a body is named by: its SHA-256, or, encrypted, an HMAC of that with a key derived from the store's,
  // so that names tell nobody which known message is here.
  [[nodiscard]] Sha256Digest name_of(const Sha256Digest& sha256) const;
  [[nodiscard]] Result<Sha256Digest> name_of(const Sha256Digest& sha256, Codec codec,
                                             KeyId key) const;

 private:
  [[nodiscard]] Result<const Keyring::Secret*> secret(Codec codec, KeyId key) const;

  bool compression_;
  KeyringPtr keys_;
};

}  // namespace twinpost::store
