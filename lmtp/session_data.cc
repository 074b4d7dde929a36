// The part of the session that takes the message: DATA, BDAT, and what follows their end.

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "core/base/log.h"
#include "lmtp/data.h"
#include "lmtp/pace.h"
#include "lmtp/session.h"

namespace twinpost::lmtp {

namespace {

constexpr std::size_t kPiece = 64 * 1024;

const Reply kNoTransaction{503, "5.5.1", "Say MAIL and RCPT first"};
const Reply kNoRecipient{503, "5.5.1", "No valid recipients"};

}  // namespace

Task<void> Session::data() {
  if (!transaction_.is_open) {
    refuse(kNoTransaction);
    co_return;
  }
  // RFC 2033 section 4.2
  if (transaction_.envelope.recipients.empty()) {
    refuse(kNoRecipient);
    co_return;
  }
  if (transaction_.has_chunks) {
    refuse({503, "5.5.1", "DATA and BDAT do not mix"});
    co_return;
  }
  open_spool();
  accept({354, "", "Send the message, end it with <CRLF>.<CRLF>"});
  DotDecoder decoder;
  Pace pace(bounded(limits().idle_time_lmtp));
  while (!decoder.has_ended()) {
    const Duration timeout = pace.next_wait();
    const auto octets = co_await input_.read_some(kPiece, timeout);
    if (!octets) {
      end_on(octets.error());
      co_return;
    }
    piece_.clear();
    const std::size_t used = decoder.decode(*octets, piece_);
    input_.put_back(octets->size() - used);
    pace.count(used);
    co_await keep_piece();
  }
  co_await finish_message();
}

// RFC 3030 section 2: the chunk's octets are read in any case, since they follow the command at
// once; only then comes the answer.
std::optional<Reply> Session::why_no_chunk(const Command& command) const {
  if (!transaction_.is_open) return kNoTransaction;
  // RFC 2033 section 4.3 would have BDAT LAST answered by nothing at all where no RCPT succeeded. A
  // client that does not know this would wait for ever, one that knows it ignores the reply: so
  // there is one.
  if (transaction_.envelope.recipients.empty()) return kNoRecipient;
  if (command.is_malformed_chunk) return Reply{501, "5.5.4", "Syntax: BDAT size [LAST]"};
  return std::nullopt;
}

Task<void> Session::bdat(Command command) {
  const std::optional<Reply> misplaced = why_no_chunk(command);
  if (!misplaced) {
    if (!transaction_.has_chunks) open_spool();
    const std::uint64_t largest = limits().message_size;
    const std::uint64_t so_far = transaction_.spool ? transaction_.spool->size() : 0;
    if (largest != 0 && !transaction_.failure &&
        command.chunk_octets > largest - std::min(so_far, largest)) {
      co_await fail_transaction(too_large_reply());
    }
    transaction_.has_chunks = true;
  } else if (transaction_.is_open && !transaction_.failure) {
    // A part of the message is lost with this chunk: the rest must not pass for the whole.
    co_await fail_transaction(*misplaced);
    transaction_.has_chunks = true;
  }
  const bool is_read = co_await read_chunk(command.chunk_octets);
  if (!is_read) co_return;
  if (misplaced) {
    // Not counted as a bad command: chunks that were pipelined behind a failure are no fault (RFC
    // 3030 section 2).
    if (command.is_last_chunk) co_await reset_transaction();
    reply(*misplaced);
  } else if (command.is_last_chunk) {
    co_await finish_message();
  } else if (transaction_.failure) {
    reply(*transaction_.failure);
  } else {
    accept({250, "2.0.0", fmt::format("{} octets received", command.chunk_octets)});
  }
}

// False where the connection failed in the middle. Keeps what it reads unless the transaction has
// failed.
Task<bool> Session::read_chunk(std::uint64_t octets) {
  Pace pace(bounded(limits().idle_time_lmtp));
  while (octets > 0) {
    const Duration timeout = pace.next_wait();
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(octets, kPiece));
    const auto read = co_await input_.read_some(most, timeout);
    if (!read) {
      end_on(read.error());
      co_return false;
    }
    octets -= read->size();
    pace.count(read->size());
    piece_ = *read;
    co_await keep_piece();
  }
  co_return true;
}

void Session::open_spool() {
  transaction_.spool.emplace(context_.store.spool_folder(), limits().message_size);
}

Task<void> Session::keep_piece() {
  auto& spool = transaction_.spool;
  if (transaction_.failure || !spool) co_return;
  Result<void> kept;
  if (spool->needs_worker(piece_.size())) {
    auto append = [this] { return transaction_.spool->append(piece_); };
    kept = co_await on_worker(context_.services.executor, append);
  } else {
    kept = spool->append(piece_);
  }
  if (kept) co_return;
  if (kept.error().code == ErrorCode::kTooLarge) {
    co_await fail_transaction(too_large_reply());
  } else {
    log::error("spool-failed", {{"protocol", "lmtp"}, {"reason", kept.error().message}});
    co_await fail_transaction(trouble_reply(kept.error()));
  }
}

Task<void> Session::fail_transaction(Reply failure) {
  transaction_.failure = std::move(failure);
  co_await drop_spool();
}

Task<void> Session::finish_message() {
  std::vector<Reply> replies;
  if (transaction_.failure) {
    replies = refuse_all(transaction_.envelope, *transaction_.failure);
  } else {
    store::Spool spool = std::move(*transaction_.spool);
    transaction_.spool.reset();
    replies = co_await deliver(context_, transaction_.envelope, std::move(spool));
  }
  // RFC 2033 section 4.2: one for each successful RCPT, in their order.
  for (const auto& each : replies) reply(each);
  // RFC 2033 section 5: as soon as possible, not behind a next message that is here already.
  connection_.flush();
  bad_commands_ = 0;
  co_await reset_transaction();
}

Task<void> Session::drop_spool() {
  if (transaction_.spool && transaction_.spool->size() > store::Spool::kSpoolMemory) {
    // Giving a big temporary file back to the file system takes time that is not the loop's.
    auto release = [this] { transaction_.spool.reset(); };
    co_await on_worker(context_.services.executor, release);
  }
  transaction_.spool.reset();
}

Task<void> Session::reset_transaction() {
  std::string().swap(piece_);
  co_await drop_spool();
  transaction_ = Transaction{};
}

}  // namespace twinpost::lmtp
