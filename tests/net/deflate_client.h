// A client's side of COMPRESS, of zlib alone, on a Client or a TlsClient.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <zlib.h>

namespace twinpost::net::testing {

// One direction's stream, as a client makes it.
class ZlibDeflate {
 public:
  explicit ZlibDeflate(int level = Z_DEFAULT_COMPRESSION, int window_bits = 15) {
    if (deflateInit2(&stream_, level, Z_DEFLATED, -window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::runtime_error("deflateInit2");
    }
  }
  ~ZlibDeflate() { deflateEnd(&stream_); }
  ZlibDeflate(const ZlibDeflate&) = delete;
  ZlibDeflate& operator=(const ZlibDeflate&) = delete;

  std::string operator()(std::string_view plain, int flush = Z_SYNC_FLUSH) {
    std::string out;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
    stream_.avail_in = static_cast<uInt>(plain.size());
    do {
      char piece[32768];
      stream_.next_out = reinterpret_cast<Bytef*>(piece);
      stream_.avail_out = sizeof piece;
      deflate(&stream_, flush);
      out.append(piece, sizeof piece - stream_.avail_out);
    } while (stream_.avail_out == 0);
    return out;
  }

 private:
  z_stream stream_{};
};

class ZlibInflate {
 public:
  ZlibInflate() {
    if (inflateInit2(&stream_, -15) != Z_OK) throw std::runtime_error("inflateInit2");
  }
  ~ZlibInflate() { inflateEnd(&stream_); }
  ZlibInflate(const ZlibInflate&) = delete;
  ZlibInflate& operator=(const ZlibInflate&) = delete;

  std::string operator()(std::string_view octets) {
    std::string plain;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(octets.data()));
    stream_.avail_in = static_cast<uInt>(octets.size());
    do {
      char piece[32768];
      stream_.next_out = reinterpret_cast<Bytef*>(piece);
      stream_.avail_out = sizeof piece;
      status_ = inflate(&stream_, Z_SYNC_FLUSH);
      plain.append(piece, sizeof piece - stream_.avail_out);
    } while (stream_.avail_out == 0 && (status_ == Z_OK || status_ == Z_BUF_ERROR));
    return plain;
  }
  [[nodiscard]] bool ended() const { return status_ == Z_STREAM_END; }
  [[nodiscard]] bool sound() const { return ended() || status_ == Z_OK || status_ == Z_BUF_ERROR; }

 private:
  z_stream stream_{};
  int status_ = Z_OK;
};

template <class Transport>
class DeflateClient {
 public:
  explicit DeflateClient(Transport& transport) : transport_(transport) {}

  bool send(std::string_view plain, int flush = Z_SYNC_FLUSH) {
    return transport_.send(deflate(plain, flush));
  }
  // Without its CRLF; "" at the end.
  std::string line() {
    while (buffer_.find("\r\n") == std::string::npos) {
      const std::string more = transport_.receive();
      if (more.empty()) return {};
      buffer_ += inflate(more);
    }
    const std::size_t end = buffer_.find("\r\n");
    std::string found = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    return found;
  }
  // All until the server closes.
  std::string rest() {
    std::string all = std::exchange(buffer_, {});
    for (;;) {
      const std::string more = transport_.receive();
      if (more.empty()) return all;
      all += inflate(more);
    }
  }

  ZlibDeflate deflate;
  ZlibInflate inflate;

 private:
  Transport& transport_;
  std::string buffer_;
};

}  // namespace twinpost::net::testing
