#include "core/net/deflate.h"

#include <algorithm>
#include <array>
#include <new>

namespace twinpost::net {

namespace {

// Measured on mail and on the answers to FETCH: within a tenth of the ratio of window bits 15 and
// memory level 8, at a fifth of its memory; levels above 5 cost time and gain nothing here.
constexpr int kLevel = 5;
constexpr int kWindowBits = 13;
constexpr int kMemoryLevel = 5;
constexpr int kLargestWindowBits = 15;

constexpr std::size_t kPiece = 16 * 1024;

Bytef* to_input(std::string_view octets) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(octets.data()));
}

}  // namespace

Deflater::Deflater() {
  // Negative: raw, without header and checksum (RFC 4978 section 4).
  if (deflateInit2(&stream_, kLevel, Z_DEFLATED, -kWindowBits, kMemoryLevel, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    throw std::bad_alloc();
  }
}

Deflater::~Deflater() { deflateEnd(&stream_); }

void Deflater::compress(std::string_view plain, Flush flush, std::string& out) {
  std::array<char, kPiece> piece;
  do {
    // zlib counts its input in 32 bits.
    const std::string_view now = plain.substr(0, std::size_t{1} << 30);
    plain.remove_prefix(now.size());
    const int last = flush == Flush::kFinish ? Z_FINISH
                     : flush == Flush::kSync ? Z_SYNC_FLUSH
                                             : Z_NO_FLUSH;
    stream_.next_in = to_input(now);
    stream_.avail_in = static_cast<uInt>(now.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(piece.data());
      stream_.avail_out = static_cast<uInt>(piece.size());
      // Fails only where there is nothing to do.
      (void)deflate(&stream_, plain.empty() ? last : Z_NO_FLUSH);
      out.append(piece.data(), piece.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
  } while (!plain.empty());
}

Inflater::Inflater() {
  if (inflateInit2(&stream_, -kLargestWindowBits) != Z_OK) throw std::bad_alloc();
}

Inflater::~Inflater() { inflateEnd(&stream_); }

Inflater::Progress Inflater::inflate(std::size_t room, std::string& plain) {
  if (over_) return Progress::kEnded;
  std::array<char, kPiece> piece;
  stream_.next_in = to_input(held_);
  stream_.avail_in = static_cast<uInt>(held_.size());
  int status = Z_OK;
  stalled_ = true;
  while (stalled_ && room > 0) {
    const std::size_t most = std::min(room, piece.size());
    stream_.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream_.avail_out = static_cast<uInt>(most);
    status = ::inflate(&stream_, Z_SYNC_FLUSH);
    const std::size_t count = most - stream_.avail_out;
    plain.append(piece.data(), count);
    room -= count;
    // Z_BUF_ERROR: all input is used up.
    stalled_ = status == Z_OK && stream_.avail_out == 0;
  }
  held_.erase(0, held_.size() - stream_.avail_in);
  if (held_.empty()) held_ = std::string();
  if (status == Z_OK || status == Z_BUF_ERROR) return Progress::kGoesOn;
  over_ = true;
  held_ = std::string();
  return status == Z_STREAM_END ? Progress::kEnded : Progress::kFailed;
}

}  // namespace twinpost::net
