// A connection: one client's byte stream over TCP, a Unix socket, or TLS on either.
//
// Loop thread only. One reader and one writer coroutine at a time (as a rule they are one
// coroutine: the session's). The session owns the Connection by unique_ptr and closes it before it
// ends.
//
// Input. read_line() and read_some() return views into the connection's buffer that are good until
// the next read. The peer can never make the buffer grow past the limit of the read that is
// waiting: the socket is not read while enough is buffered (back-pressure), and an idle connection
// holds no buffer at all.
//
// Output. queue() appends; nothing is lost or reordered. Queued octets go out when the session next
// waits for input that is not there yet (so that the answers to pipelined commands share a packet),
// when more than 16 KiB have gathered, or at flush(). A session that makes much output calls
// drained() between pieces: it waits while more than kHighWater is unsent, so memory stays bounded
// by a client that does not read. A client that goes on sending small commands without reading the
// answers is not read from while more than kHighWater is unsent.
//
// Errors of every wait: kClosed (peer closed or reset), kTimeout, kShutdown (interrupt() was
// called), kTls (the record layer failed), kInvalid (what came is not DEFLATE). After kClosed, kTls
// or kInvalid every later wait fails at once with the same code and queue() drops what it is given.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/executor.h"
#include "core/base/task.h"
#include "core/net/address.h"
#include "core/net/tls.h"

namespace twinpost::net {

class EventLoop;

inline constexpr std::size_t kHighWater = 512 * 1024;  // unsent octets above which drained() waits
inline constexpr std::size_t kLowWater = 128 * 1024;   // and below which it goes on

// Which ALPN name this connection accepts.
enum class Alpn : std::uint8_t { kNone, kImap, kPop3 };

struct TlsInfo {
  std::string version;      // "TLSv1.3"
  std::string cipher;       // "TLS_AES_128_GCM_SHA256"
  std::string server_name;  // from SNI, or empty
  bool resumed = false;
};

enum class Wake : std::uint8_t { kInput, kWoken };

class Connection {
 public:
  virtual ~Connection() = default;  // closes at once if close() has not finished
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The next line, without its end (CRLF, or a bare LF), at most `limit` octets long without it.
  // A longer line is thrown away to its end as it comes, without keeping it, then the answer is
  // kTooLarge and the connection can go on. `timeout` bounds the whole wait for the line, not each
  // octet of it. A connection that closes in the middle of a line gives kClosed; what came of the
  // line is dropped.
  virtual Task<Result<std::string_view>> read_line(std::size_t limit, Duration timeout) = 0;

  // At least one octet and at most `max`, as they come (no end is looked for).
  virtual Task<Result<std::string_view>> read_some(std::size_t max, Duration timeout) = 0;

  // Waits until there is input to read (without taking any) or wake() is called: IDLE. A wake()
  // that came while nobody waited is remembered once.
  virtual Task<Result<Wake>> wait_input(Duration timeout) = 0;
  virtual void wake() = 0;

  // True where a whole or partial command is already here: answers may still be gathered.
  [[nodiscard]] virtual bool has_buffered_input() const = 0;

  virtual void queue(std::string_view octets) = 0;
  virtual void flush() = 0;
  [[nodiscard]] virtual std::size_t unsent() const = 0;
  // Flushes, and waits while more than kHighWater is unsent. kTimeout when nothing at all could be
  // sent for `timeout`.
  virtual Task<Result<void>> drained(Duration timeout) = 0;
  // Flushes, and waits until all is handed to the kernel.
  virtual Task<Result<void>> flushed(Duration timeout) = 0;

  // The server side of a TLS handshake: after accept for implicit TLS, or after the reply to
  // STARTTLS/STLS has been queued. Everything that the client sent before the handshake and that
  // was not read yet is thrown away (RFC 2595 section 9; CVE-2011-0411). Queued output is sent
  // first, in the clear.
  virtual Task<Result<void>> start_tls(TlsContextPtr context, Alpn alpn, Duration timeout) = 0;
  [[nodiscard]] virtual bool is_tls() const = 0;
  [[nodiscard]] virtual const TlsInfo* tls_info() const = 0;  // null without TLS

  // COMPRESS DEFLATE (RFC 4978): called when the answer has been queued. That and all before it
  // goes out as it is; from then on both directions are DEFLATE streams, inside TLS where there is
  // TLS. Output: a flush withholds nothing; a little is compressed at once, more on workers, in
  // order, and counts as unsent meanwhile. Input: all that was not read yet is taken as compressed
  // (what a client sends after the command comes after the answer, section 3), and inflated only as
  // far as a read has room for it. A peer that ends its stream has closed the connection. Costs
  // about 95 KiB until the connection ends. Later calls do nothing; start_tls() is refused with
  // kInvalid then.
  virtual void start_compression() = 0;

  // Sends what is queued (for at most `timeout`), TLS close_notify, then closes. Always ends. After
  // it, reads fail.
  virtual Task<void> close(Duration timeout) = 0;
  // Closes now; what is unsent is dropped. A wait in progress fails with kClosed.
  virtual void abort() = 0;

  // Makes the read in progress, and all later reads, fail with kShutdown; output still works, so
  // that the session can say goodbye. For graceful stop, kicks, and switched-off protocols. Input
  // already buffered is not answered any more.
  virtual void interrupt() = 0;
  [[nodiscard]] virtual bool interrupted() const = 0;

  [[nodiscard]] virtual const Peer& peer() const = 0;
  // Of the protocol: as if there were neither TLS nor compression.
  [[nodiscard]] virtual std::uint64_t octets_in() const = 0;
  [[nodiscard]] virtual std::uint64_t octets_out() const = 0;
};

using ConnectionPtr = std::unique_ptr<Connection>;

}  // namespace twinpost::net
