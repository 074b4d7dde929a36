// Octets of records and keys: bounds-checked reading and writing, and the seal that every record
// wears.
//
// Keys are big-endian, so that the engine's order is the numbers' order. Inside records numbers are
// little-endian. A sealed record:
//
//   octet 0      version of this kind of record
//   octets 1..4  CRC-32C of the key, the version octet and the body
//   octets 5..   body
//
// The engine has no checksums of its own: the seal finds a flipped bit, and a record that stands under a
// wrong key. Pure; any thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "core/base/encoding.h"
#include "core/base/error.h"
#include "store/engine/engine.h"

namespace twinpost::store {

using engine::failed;

template <class T>
[[nodiscard]] constexpr T big_endian(T value) {
  if constexpr (std::endian::native == std::endian::little && sizeof(T) == 4) {
    return static_cast<T>(__builtin_bswap32(value));
  } else if constexpr (std::endian::native == std::endian::little && sizeof(T) == 8) {
    return static_cast<T>(__builtin_bswap64(value));
  } else {
    return value;
  }
}

template <class T>
[[nodiscard]] constexpr T little_endian(T value) {
  if constexpr (std::endian::native == std::endian::big) {
    T swapped{};
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      swapped = static_cast<T>((swapped << 8) | ((value >> (8 * i)) & 0xFF));
    }
    return swapped;
  } else {
    return value;
  }
}

// A key under construction: Key().u32(account).u32(mailbox).view()
class Key {
 public:
  Key& u32(std::uint32_t value) { return number(big_endian(value)); }
  Key& u64(std::uint64_t value) { return number(big_endian(value)); }
  // The caller has checked that names fit (kMaxNameOctets); a key that does not is refused by the
  // engine.
  Key& octets(std::string_view text) {
    const std::size_t fits = std::min(text.size(), octets_.size() - size_);
    std::copy_n(text.data(), fits,
                octets_.data() + size_);  // memcpy takes no null, even of length 0
    size_ += fits;
    return *this;
  }
  [[nodiscard]] std::string_view view() const { return {octets_.data(), size_}; }

 private:
  template <class T>
  Key& number(T value) {
    return octets({reinterpret_cast<const char*>(&value), sizeof value});
  }
  std::array<char, engine::kMaxKeyOctets + 1> octets_;  // one more than the engine takes
  std::size_t size_ = 0;
};

// Reads numbers off the front; once it has run out, everything is 0 or empty and ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view octets) : rest_(octets) {}

  std::uint8_t u8() { return number<std::uint8_t>(); }
  std::uint16_t u16() { return little_endian(number<std::uint16_t>()); }
  std::uint32_t u32() { return little_endian(number<std::uint32_t>()); }
  std::uint64_t u64() { return little_endian(number<std::uint64_t>()); }
  std::int64_t i64() { return static_cast<std::int64_t>(u64()); }
  std::uint32_t key_u32() { return big_endian(number<std::uint32_t>()); }
  std::uint64_t key_u64() { return big_endian(number<std::uint64_t>()); }

  // LEB128, at most ten octets.
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t octet = u8();
      if (shift == 63 && octet > 1) break;
      value |= static_cast<std::uint64_t>(octet & 0x7F) << shift;
      if ((octet & 0x80) == 0) return value;
    }
    fail();
    return 0;
  }
  std::string_view octets(std::uint64_t count) {
    if (count > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(count));
    rest_.remove_prefix(static_cast<std::size_t>(count));
    return taken;
  }
  std::string_view sized() { return octets(varint()); }

  void fail() {
    ok_ = false;
    rest_ = {};
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return ok_ && rest_.empty(); }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }

 private:
  template <class T>
  T number() {
    T value{};
    if (rest_.size() < sizeof value) {
      fail();
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  std::string_view rest_;
  bool ok_ = true;
};

inline constexpr std::size_t kSealOctets = 5;

// Writes a sealed record: numbers to the body, then seal() with the key that it will stand under.
class Record {
 public:
  explicit Record(std::uint8_t version) : octets_(kSealOctets, '\0') {
    octets_[0] = static_cast<char>(version);
  }
  Record& u8(std::uint8_t value) { return number(value); }
  Record& u16(std::uint16_t value) { return number(little_endian(value)); }
  Record& u32(std::uint32_t value) { return number(little_endian(value)); }
  Record& u64(std::uint64_t value) { return number(little_endian(value)); }
  Record& i64(std::int64_t value) { return u64(static_cast<std::uint64_t>(value)); }
  Record& varint(std::uint64_t value) {
    while (value >= 0x80) {
      octets_.push_back(static_cast<char>((value & 0x7F) | 0x80));
      value >>= 7;
    }
    octets_.push_back(static_cast<char>(value));
    return *this;
  }
  Record& octets(std::string_view text) {
    octets_.append(text);
    return *this;
  }
  Record& sized(std::string_view text) { return varint(text.size()).octets(text); }

  [[nodiscard]] std::size_t size() const { return octets_.size(); }  // so far, the seal included
  [[nodiscard]] const std::string& seal(std::string_view key) {
    const std::uint32_t crc = little_endian(checksum(key, octets_));
    std::memcpy(octets_.data() + 1, &crc, sizeof crc);
    return octets_;
  }

  [[nodiscard]] static std::uint32_t checksum(std::string_view key, std::string_view sealed) {
    std::uint32_t crc = crc32c(0, key);
    crc = crc32c(crc, sealed.substr(0, 1));
    return crc32c(crc, sealed.substr(kSealOctets));
  }

 private:
  template <class T>
  Record& number(T value) {
    octets_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  std::string octets_;
};

// The body of a sealed record. kCorrupt where it does not verify, kNewerFormat where its version is
// above `version`.
[[nodiscard]] inline Result<std::string_view> unseal(std::string_view key, std::string_view sealed,
                                                     std::uint8_t version, const char* what) {
  if (sealed.size() < kSealOctets) {
    return fail(ErrorCode::kCorrupt, std::string(what) + " record is cut short");
  }
  std::uint32_t crc = 0;
  std::memcpy(&crc, sealed.data() + 1, sizeof crc);
  if (little_endian(crc) != Record::checksum(key, sealed)) {
    return fail(ErrorCode::kCorrupt, std::string(what) + " record does not match its checksum");
  }
  const auto found = static_cast<std::uint8_t>(sealed[0]);
  if (found > version) {
    return fail(ErrorCode::kNewerFormat, std::string(what) + " record of version " +
                                             std::to_string(found) + ", this build reads up to " +
                                             std::to_string(version));
  }
  return sealed.substr(kSealOctets);
}

[[nodiscard]] inline tl::unexpected<Error> malformed(const char* what) {
  return fail(ErrorCode::kCorrupt, std::string(what) + " record is malformed");
}

}  // namespace twinpost::store
