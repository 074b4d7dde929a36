// DEFLATE streams as RFC 4978 has them: raw (RFC 1951), no zlib header, one stream in each
// direction.
//
// Pure; no I/O. Each belongs to one thread at a time. The constructors throw std::bad_alloc where
// there is no memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <zlib.h>

namespace twinpost::net {

// About 55 KiB while it lives: a window of 8 KiB and small tables. With zlib's defaults it would be
// 270 KiB, for mail that gets smaller by another tenth.
class Deflater {
 public:
  Deflater();
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  enum class Flush : std::uint8_t {
    kNone,    // more is coming: some may be withheld for it
    kSync,    // the peer can read all of it now
    kFinish,  // and nothing comes after it
  };
  // Appends to `out`.
  void compress(std::string_view plain, Flush flush, std::string& out);

 private:
  z_stream stream_{};
};

// About 40 KiB while it lives: the peer may use the largest window that there is.
class Inflater {
 public:
  Inflater();
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Where compressed octets are appended.
  [[nodiscard]] std::string& tail() { return held_; }
  // True where inflate() may have more to give, without anything new in tail().
  [[nodiscard]] bool has_more() const { return !over_ && (stalled_ || !held_.empty()); }

  enum class Progress : std::uint8_t { kGoesOn, kEnded, kFailed };
  // Appends up to `room` octets to `plain`; what there is no room for stays compressed. kEnded: the
  // peer has ended its stream (nothing after it is looked at). kFailed: this is not DEFLATE.
  [[nodiscard]] Progress inflate(std::size_t room, std::string& plain);

 private:
  z_stream stream_{};
  std::string held_;      // not inflated yet
  bool stalled_ = false;  // the last call had no room left
  bool over_ = false;
};

}  // namespace twinpost::net
