// The Connection over a socket, with or without TLS. See connection.h for what it promises.
//
// The layers, from the protocol down: InputBuffer and `gathered_` hold plain octets; Compression,
// where there is one (stream_connection_deflate.cc), makes them smaller; TlsSession, where there is
// one, turns them into records; Stream moves those.
//
// A coroutine that waits is resumed either as the last thing that a callback of the loop does, or
// by a posted function; never from inside a member function that other code calls.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/base/clock.h"
#include "core/net/connection.h"
#include "core/net/event_loop.h"
#include "core/net/input_buffer.h"
#include "core/net/stream.h"
#include "core/net/tls_session.h"

namespace twinpost::net {

class StreamConnection final : public Connection, private StreamOwner {
 public:
  StreamConnection(EventLoop& loop, std::unique_ptr<Stream> stream, Peer peer);
  ~StreamConnection() override;

  Task<Result<std::string_view>> read_line(std::size_t limit, Duration timeout) override;
  Task<Result<std::string_view>> read_some(std::size_t max, Duration timeout) override;
  Task<Result<Wake>> wait_input(Duration timeout) override;
  void wake() override;
  bool has_buffered_input() const override;

  void queue(std::string_view octets) override;
  void flush() override;
  std::size_t unsent() const override;
  Task<Result<void>> drained(Duration timeout) override;
  Task<Result<void>> flushed(Duration timeout) override;

  Task<Result<void>> start_tls(TlsContextPtr context, Alpn alpn, Duration timeout) override;
  void start_compression() override;
  bool is_tls() const override { return tls_info_ != nullptr; }
  const TlsInfo* tls_info() const override { return tls_info_.get(); }

  Task<void> close(Duration timeout) override;
  void abort() override;
  void interrupt() override;
  bool interrupted() const override { return interrupted_; }

  const Peer& peer() const override { return peer_; }
  std::uint64_t octets_in() const override { return octets_in_; }
  std::uint64_t octets_out() const override { return octets_out_; }

 private:
  // A place where one coroutine waits.
  struct Wait {
    std::coroutine_handle<> handle;
    Executor::TimerId timer = 0;
    bool timed_out = false;
  };

  // co_await: true where something happened, false where the deadline passed.
  struct Suspension {
    StreamConnection& connection;
    Wait& wait;
    SteadyTime deadline;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
      connection.suspend(wait, handle, deadline);
    }
    bool await_resume() const noexcept { return !wait.timed_out; }
  };

  Suspension wait_for_input(SteadyTime deadline);
  Suspension wait_for_output(SteadyTime deadline, std::size_t until_unsent);
  void suspend(Wait& wait, std::coroutine_handle<> handle, SteadyTime deadline);
  void resume(Wait& wait);        // only as a callback's last act
  void resume_later(Wait& wait);  // from anywhere
  std::coroutine_handle<> take(Wait& wait);

  std::optional<Error> read_refusal() const;
  tl::unexpected<Error> report(const Error& error);
  Task<Result<void>> wait_sent(std::size_t allowed, std::size_t until, Duration timeout);
  Task<Result<void>> finish_handshake(SteadyTime deadline);
  Task<void> linger(SteadyTime deadline);
  void shut_down();

  void want_input();
  void receive(std::string_view octets, std::string& in);
  void tls_failed();
  void transmit(std::string octets);
  void end_output();

  // stream_connection_deflate.cc
  struct Compression;
  [[nodiscard]] bool input_is_pending() const;  // compressed input that is here may hold more
  [[nodiscard]] std::string& compressed_input();
  void inflate_some();
  void inflate_soon();
  [[nodiscard]] std::size_t undeflated() const;  // plain octets of output
  void deflate(std::string plain);
  void deflate_more();
  void deflated();
  void end_compression();
  void drop_compression();

  std::size_t input_room() override;
  void on_input(std::string_view octets) override;
  void on_input_end(Error reason) override;
  void on_sent() override;

  EventLoop& loop_;
  std::unique_ptr<Stream> stream_;  // null once closed
  Peer peer_;
  InputBuffer input_;
  std::string view_;                          // what the last read returned
  std::string gathered_;                      // plain output that was not flushed yet
  std::shared_ptr<Compression> compression_;  // with its work on a worker
  std::unique_ptr<TlsSession> tls_;
  std::unique_ptr<TlsInfo> tls_info_;
  Wait reader_;
  Wait writer_;
  std::size_t writer_until_ = 0;    // resume the writer when no more than this is unsent
  std::optional<Error> input_end_;  // no more input will come; what is buffered is still good
  std::optional<Error> failure_;    // what a wait has reported already, and all later ones will
  bool woken_ = false;
  bool interrupted_ = false;
  bool closing_ = false;
  bool discarding_ = false;  // input is thrown away
  bool input_held_ = false;  // nothing is read until the client takes what is unsent
  std::uint64_t octets_in_ = 0;
  std::uint64_t octets_out_ = 0;
};

// Takes the connected socket `fd`.
[[nodiscard]] Result<ConnectionPtr> make_connection(EventLoop& loop, int fd, Peer peer);

}  // namespace twinpost::net
