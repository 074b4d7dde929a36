#include "core/net/stream_connection.h"

#include <algorithm>
#include <utility>

#include "core/base/log.h"

namespace twinpost::net {

namespace {

constexpr std::size_t kGather = 16 * 1024;     // gathered output is sent when it is more than this
constexpr std::size_t kReadAhead = 16 * 1024;  // pipelined input that is taken while no read waits
constexpr std::size_t kOneRead = 64 * 1024;    // what one socket read may bring while a read waits
constexpr Duration kLinger = std::chrono::seconds(1);
constexpr Duration kLongestWait = std::chrono::hours(24 * 365);
constexpr int kProgressChecks = 8;  // per write timeout

SteadyTime deadline_after(Duration timeout) {
  return steady_now() + std::clamp(timeout, Duration::zero(), kLongestWait);
}

Error closed_error(const char* message) { return Error{ErrorCode::kClosed, message}; }

}  // namespace

StreamConnection::StreamConnection(EventLoop& loop, std::unique_ptr<Stream> stream, Peer peer)
    : loop_(loop), stream_(std::move(stream)), peer_(std::move(peer)) {
  stream_->set_owner(this);
}

StreamConnection::~StreamConnection() {
  drop_compression();
  take(reader_);
  take(writer_);
}

// Waiting

StreamConnection::Suspension StreamConnection::wait_for_input(SteadyTime deadline) {
  view_ = std::string();
  // A client that sends commands and does not read the answers is not read from until it does: else its
  // answers would fill the memory, one small one after the other.
  input_held_ = unsent() > (input_held_ ? kLowWater : kHighWater);
  if (stream_ && input_held_) stream_->stop_input();
  if (stream_ && !input_held_) want_input();
  return Suspension{*this, reader_, deadline};
}

StreamConnection::Suspension StreamConnection::wait_for_output(SteadyTime deadline,
                                                               std::size_t until_unsent) {
  writer_until_ = until_unsent;
  return Suspension{*this, writer_, deadline};
}

void StreamConnection::suspend(Wait& wait, std::coroutine_handle<> handle, SteadyTime deadline) {
  wait.handle = handle;
  wait.timed_out = false;
  const auto delay = std::chrono::ceil<Duration>(deadline - steady_now());
  wait.timer = loop_.start_timer(delay, [this, &wait] {
    wait.timer = 0;
    wait.timed_out = true;
    resume(wait);
  });
}

std::coroutine_handle<> StreamConnection::take(Wait& wait) {
  if (wait.timer != 0) loop_.cancel_timer(std::exchange(wait.timer, 0));
  return std::exchange(wait.handle, nullptr);
}

void StreamConnection::resume(Wait& wait) {
  if (const auto handle = take(wait)) handle.resume();
}

// The posted function knows the coroutine only: it is right also where this connection is gone by
// then.
void StreamConnection::resume_later(Wait& wait) {
  if (const auto handle = take(wait)) loop_.post([handle] { handle.resume(); });
}

std::optional<Error> StreamConnection::read_refusal() const {
  if (failure_) return failure_;
  if (closing_) return closed_error("connection closed");
  if (interrupted_) return Error{ErrorCode::kShutdown, "session is being ended"};
  return std::nullopt;
}

tl::unexpected<Error> StreamConnection::report(const Error& error) {
  if (!failure_) failure_ = error;
  return tl::unexpected<Error>(*failure_);
}

// Input

Task<Result<std::string_view>> StreamConnection::read_line(std::size_t limit, Duration timeout) {
  const SteadyTime deadline = deadline_after(timeout);
  bool in_time = true;
  for (;;) {
    const std::optional<Error> refusal = read_refusal();
    if (refusal) co_return tl::unexpected<Error>(*refusal);
    const InputBuffer::Line line = input_.take_line(limit, view_);
    if (line == InputBuffer::Line::kWhole) co_return std::string_view(view_);
    if (line == InputBuffer::Line::kTooLong) {
      co_return fail(ErrorCode::kTooLarge, "line longer than " + std::to_string(limit) + " octets");
    }
    flush();
    if (input_end_ && !input_is_pending()) co_return report(*input_end_);
    if (!in_time) co_return fail(ErrorCode::kTimeout, "no whole line came in time");
    in_time = co_await wait_for_input(deadline);
  }
}

Task<Result<std::string_view>> StreamConnection::read_some(std::size_t max, Duration timeout) {
  const SteadyTime deadline = deadline_after(timeout);
  bool in_time = true;
  for (;;) {
    const std::optional<Error> refusal = read_refusal();
    if (refusal) co_return tl::unexpected<Error>(*refusal);
    if (!input_.empty()) {
      input_.take_some(std::max<std::size_t>(max, 1), view_);
      co_return std::string_view(view_);
    }
    flush();
    if (input_end_ && !input_is_pending()) co_return report(*input_end_);
    if (!in_time) co_return fail(ErrorCode::kTimeout, "nothing came in time");
    in_time = co_await wait_for_input(deadline);
  }
}

Task<Result<Wake>> StreamConnection::wait_input(Duration timeout) {
  const SteadyTime deadline = deadline_after(timeout);
  bool in_time = true;
  for (;;) {
    const std::optional<Error> refusal = read_refusal();
    if (refusal) co_return tl::unexpected<Error>(*refusal);
    if (!input_.empty()) co_return Wake::kInput;
    if (std::exchange(woken_, false)) co_return Wake::kWoken;
    flush();
    if (input_end_ && !input_is_pending()) co_return report(*input_end_);
    if (!in_time) co_return fail(ErrorCode::kTimeout, "nothing came in time");
    in_time = co_await wait_for_input(deadline);
  }
}

void StreamConnection::wake() {
  woken_ = true;
  resume_later(reader_);
}

bool StreamConnection::has_buffered_input() const {
  return (!input_.empty() || input_is_pending()) && !read_refusal();
}

// What is here already comes before what is not.
void StreamConnection::want_input() {
  if (input_is_pending() && !discarding_) {
    inflate_soon();
  } else {
    stream_->want_input();
  }
}

std::size_t StreamConnection::input_room() {
  if (discarding_) return kOneRead;
  if (input_is_pending()) return 0;
  if (reader_.handle) return kOneRead;
  return input_.size() < kReadAhead ? kReadAhead - input_.size() : 0;
}

void StreamConnection::on_input(std::string_view octets) {
  if (discarding_) return;
  if (compression_) {
    receive(octets, compressed_input());
    inflate_some();
  } else {
    const std::size_t before = input_.size();
    receive(octets, input_.tail());
    octets_in_ += input_.size() - before;
  }
  resume(reader_);
}

void StreamConnection::receive(std::string_view octets, std::string& in) {
  if (!tls_) {
    in.append(octets);
    return;
  }
  std::string out;
  const TlsSession::Progress progress = tls_->receive(octets, in, out);
  if (tls_->established() && !tls_info_) tls_info_ = std::make_unique<TlsInfo>(tls_->info());
  stream_->send(std::move(out));
  if (progress == TlsSession::Progress::kGoesOn) return;
  stream_->stop_input();
  if (progress == TlsSession::Progress::kFailed) {
    tls_failed();
  } else if (!input_end_) {
    input_end_ = closed_error("connection closed by the peer");
  }
}

void StreamConnection::tls_failed() {
  const std::string what = tls_->established() ? "TLS failed: " : "TLS handshake failed: ";
  if (!input_end_) input_end_ = Error{ErrorCode::kTls, what + tls_->error()};
  log::debug("tls_failed", {{"address", peer_.address}, {"reason", input_end_->message}});
}

void StreamConnection::on_input_end(Error reason) {
  if (!input_end_) input_end_ = std::move(reason);
  resume(reader_);
}

// Output

void StreamConnection::queue(std::string_view octets) {
  if (failure_ || closing_ || !stream_ || stream_->failed()) return;
  octets_out_ += octets.size();
  gathered_.append(octets);
  if (gathered_.size() > kGather) flush();
}

void StreamConnection::flush() {
  if (gathered_.empty() || !stream_) return;
  if (tls_ && !tls_->established()) return;  // it was not meant to go in the clear
  std::string plain = std::exchange(gathered_, std::string());
  if (compression_) {
    deflate(std::move(plain));
  } else {
    transmit(std::move(plain));
  }
}

void StreamConnection::transmit(std::string octets) {
  if (!tls_) {
    stream_->send(std::move(octets));
    return;
  }
  std::string records;
  if (tls_->seal(octets, records)) {
    stream_->send(std::move(records));
  } else {
    tls_failed();
  }
}

std::size_t StreamConnection::unsent() const {
  return gathered_.size() + undeflated() + (stream_ ? stream_->unsent() : 0);
}

Task<Result<void>> StreamConnection::drained(Duration timeout) {
  return wait_sent(kHighWater, kLowWater, timeout);
}

Task<Result<void>> StreamConnection::flushed(Duration timeout) { return wait_sent(0, 0, timeout); }

// Waits while more than `allowed` is unsent, then until no more than `until` is. The timeout starts
// anew with every octet that the kernel takes, which is looked at several times in a timeout's
// length.
Task<Result<void>> StreamConnection::wait_sent(std::size_t allowed, std::size_t until,
                                               Duration timeout) {
  const Duration bounded = std::clamp(timeout, Duration::zero(), kLongestWait);
  SteadyTime progress_at = steady_now();
  flush();
  std::size_t limit = allowed;
  std::size_t seen = unsent();
  for (;;) {
    if (failure_) co_return tl::unexpected<Error>(*failure_);
    if (!stream_ || stream_->failed()) co_return report(closed_error("connection lost"));
    if (tls_ && input_end_ && input_end_->code == ErrorCode::kTls) co_return report(*input_end_);
    const std::size_t left = unsent();
    if (left <= limit) co_return Result<void>{};
    limit = until;
    const SteadyTime now = steady_now();
    if (left < seen) {
      progress_at = now;
    } else if (now >= progress_at + bounded) {
      co_return fail(ErrorCode::kTimeout, "the peer takes no data");
    }
    seen = left;
    const SteadyTime next_look = now + bounded / kProgressChecks + Duration(1);
    co_await wait_for_output(std::min(progress_at + bounded, next_look), until);
  }
}

void StreamConnection::on_sent() {
  if (input_held_ && unsent() <= kLowWater) {
    input_held_ = false;
    if (reader_.handle && stream_) want_input();
  }
  if (!stream_ || stream_->failed() || unsent() <= writer_until_) resume(writer_);
}

// TLS

Task<Result<void>> StreamConnection::start_tls(TlsContextPtr context, Alpn alpn, Duration timeout) {
  const SteadyTime deadline = deadline_after(timeout);
  const std::optional<Error> refusal = read_refusal();
  if (refusal) co_return tl::unexpected<Error>(*refusal);
  if (compression_) co_return fail(ErrorCode::kInvalid, "TLS can't be started under compression");
  if (tls_ || !context) co_return fail(ErrorCode::kInternal, "TLS can't be started here");
  flush();
  // RFC 2595 section 9: what came in the clear (perhaps not from the client at all) must not be
  // taken for something that was said inside TLS.
  input_.clear();
  view_ = std::string();
  tls_ = std::make_unique<TlsSession>(std::move(context), alpn);
  Result<void> result = co_await finish_handshake(deadline);
  // There is no way back to plain text, so that a handshake which did not end well ends the
  // connection.
  if (!result && !failure_) failure_ = Error{ErrorCode::kTls, "the TLS handshake was not finished"};
  co_return result;
}

Task<Result<void>> StreamConnection::finish_handshake(SteadyTime deadline) {
  bool in_time = true;
  for (;;) {
    const std::optional<Error> refusal = read_refusal();
    if (refusal) co_return tl::unexpected<Error>(*refusal);
    if (tls_->established()) co_return Result<void>{};
    if (input_end_) co_return report(*input_end_);
    if (!in_time) co_return fail(ErrorCode::kTimeout, "the TLS handshake took too long");
    in_time = co_await wait_for_input(deadline);
  }
}

// The end

Task<void> StreamConnection::close(Duration timeout) {
  const SteadyTime deadline = deadline_after(timeout);
  flush();
  closing_ = true;
  resume_later(reader_);
  bool in_time = true;
  while (in_time && stream_ && !stream_->failed() && undeflated() > 0) {
    in_time = co_await wait_for_output(deadline, 0);
  }
  end_output();
  while (in_time && stream_ && !stream_->failed() && stream_->unsent() > 0) {
    in_time = co_await wait_for_output(deadline, 0);
  }
  if (in_time && stream_ && !stream_->failed()) co_await linger(deadline);
  shut_down();
}

void StreamConnection::end_output() {
  if (!stream_) return;
  end_compression();
  if (tls_ && tls_->established()) {
    std::string alert;
    tls_->close_notify(alert);
    stream_->send(std::move(alert));
  }
}

// Closing a socket with unread input makes the kernel send a reset, which can destroy the last
// answer on its way to the client. Where there is such input it is read and thrown away, for a
// moment.
Task<void> StreamConnection::linger(SteadyTime deadline) {
  stream_->shut_output();
  if (input_end_ || !stream_->input_waits_in_kernel()) co_return;
  discarding_ = true;
  const SteadyTime until = std::min(deadline, steady_now() + kLinger);
  bool in_time = true;
  while (in_time && stream_ && !input_end_) in_time = co_await wait_for_input(until);
}

void StreamConnection::abort() {
  if (!failure_) failure_ = closed_error("connection aborted");
  shut_down();
}

void StreamConnection::shut_down() {
  if (!failure_) failure_ = closed_error("connection closed");
  stream_.reset();
  drop_compression();
  gathered_ = std::string();
  input_.clear();
  resume_later(reader_);
  resume_later(writer_);
}

void StreamConnection::interrupt() {
  interrupted_ = true;
  resume_later(reader_);
}

Result<ConnectionPtr> make_connection(EventLoop& loop, int fd, Peer peer) {
  auto stream = Stream::adopt(loop, fd, peer.is_unix);
  if (!stream) return tl::unexpected(stream.error());
  return std::make_unique<StreamConnection>(loop, std::move(*stream), std::move(peer));
}

}  // namespace twinpost::net
