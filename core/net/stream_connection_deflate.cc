// The connection's layer of COMPRESS (RFC 4978), between the protocol's octets and TLS.
//
// Output: flush() hands plain octets over. A little is deflated at once; more goes to a worker, a
// piece at a time, since a loop that deflates does nothing else (some 40 octets a microsecond).
// Input: at most one socket read is here compressed; it is inflated in steps of kInflateStep, each
// in a turn of the loop of its own, and the socket is not read before it is used up.
#include "core/base/log.h"
#include "core/net/deflate.h"
#include "core/net/stream_connection.h"

namespace twinpost::net {

namespace {

constexpr std::size_t kDeflatedAtOnce = 4 * 1024;
constexpr std::size_t kDeflatedTogether = 64 * 1024;  // in one piece of work
constexpr std::size_t kInflateStep = 16 * 1024;

}  // namespace

struct StreamConnection::Compression {
  StreamConnection* connection = nullptr;  // null once it is gone or closed

  Inflater inflater;
  bool inflating_soon = false;

  std::string plain;  // output that was not begun yet, from `begun` on
  std::size_t begun = 0;
  Deflater deflater;  // the worker's while it works
  bool working = false;
  std::string working_on;  // likewise
  std::string made;

  [[nodiscard]] std::size_t waiting() const { return plain.size() - begun; }
  // Up to `most` octets off the front of what waits.
  std::string take(std::size_t most) {
    std::string taken;
    if (begun == 0 && plain.size() <= most) {
      taken = std::exchange(plain, std::string());
    } else {
      taken = plain.substr(begun, most);
      begun += taken.size();
    }
    if (waiting() == 0) {
      plain = std::string();
      begun = 0;
    }
    return taken;
  }
};

void StreamConnection::start_compression() {
  if (compression_ || !stream_ || failure_ || closing_) return;
  flush();
  compression_ = std::make_shared<Compression>();
  compression_->connection = this;
  if (input_.empty()) return;
  octets_in_ -= input_.size();
  input_.take_some(input_.size(), compression_->inflater.tail());
}

// After it the worker's piece, where there is one, finds nobody to give it to.
void StreamConnection::drop_compression() {
  if (!compression_) return;
  compression_->connection = nullptr;
  compression_.reset();
}

// Input

bool StreamConnection::input_is_pending() const {
  return compression_ && compression_->inflater.has_more();
}

std::string& StreamConnection::compressed_input() { return compression_->inflater.tail(); }

void StreamConnection::inflate_some() {
  const std::size_t before = input_.size();
  std::size_t room = kInflateStep;
  if (!reader_.handle) room = before < kInflateStep ? kInflateStep - before : 0;
  const Inflater::Progress progress = compression_->inflater.inflate(room, input_.tail());
  octets_in_ += input_.size() - before;
  if (progress == Inflater::Progress::kGoesOn) return;
  stream_->stop_input();
  if (input_end_) return;
  if (progress == Inflater::Progress::kEnded) {
    input_end_ = Error{ErrorCode::kClosed, "compression ended by the peer"};
  } else {
    input_end_ = Error{ErrorCode::kInvalid, "what the peer sent is not DEFLATE"};
    log::debug("deflate_failed", {{"address", peer_.address}});
  }
}

// In a later turn of the loop: whoever sends a little that becomes much must not keep it busy.
void StreamConnection::inflate_soon() {
  if (compression_->inflating_soon) return;
  compression_->inflating_soon = true;
  loop_.post([compression = compression_] {
    compression->inflating_soon = false;
    StreamConnection* const connection = compression->connection;
    if (connection == nullptr || connection->discarding_) return;
    connection->inflate_some();
    connection->resume(connection->reader_);
  });
}

// Output

std::size_t StreamConnection::undeflated() const {
  return compression_ ? compression_->waiting() + compression_->working_on.size() : 0;
}

void StreamConnection::deflate(std::string plain) {
  Compression& c = *compression_;
  if (c.waiting() == 0) {
    c.plain = std::move(plain);
  } else {
    c.plain += plain;
  }
  deflate_more();
}

void StreamConnection::deflate_more() {
  Compression& c = *compression_;
  if (c.working || c.waiting() == 0) return;
  if (c.waiting() <= kDeflatedAtOnce) {
    std::string made;
    c.deflater.compress(c.take(kDeflatedAtOnce), Deflater::Flush::kSync, made);
    transmit(std::move(made));
    return;
  }
  c.working = true;
  c.working_on = c.take(kDeflatedTogether);
  // One sync flush for all that waits now: each costs octets, and what the peer could read sooner
  // are pieces of one answer.
  const Deflater::Flush how = c.waiting() > 0 ? Deflater::Flush::kNone : Deflater::Flush::kSync;
  loop_.run_on_worker(
      [compression = compression_, how] {
        compression->deflater.compress(compression->working_on, how, compression->made);
      },
      [compression = compression_] {
        compression->working = false;
        if (compression->connection != nullptr) compression->connection->deflated();
      });
}

// Resumes a waiting writer, so it is its caller's last act.
void StreamConnection::deflated() {
  Compression& c = *compression_;
  c.working_on = std::string();
  transmit(std::exchange(c.made, std::string()));
  deflate_more();
  on_sent();
}

// The stream ends properly, unless there was no time for what comes before the end.
void StreamConnection::end_compression() {
  if (!compression_ || undeflated() > 0) return;
  std::string made;
  compression_->deflater.compress({}, Deflater::Flush::kFinish, made);
  transmit(std::move(made));
}

}  // namespace twinpost::net
