// RETR (RFC 1939 section 5) and TOP (section 7): message bytes, in slices, dot-stuffed on their
// way.
//
// One slice is in memory while the socket drains the one before it, so a session's memory does not
// grow with the message. The first slice is read before +OK, so that most failures have an honest
// -ERR. After +OK there is no way to say that the rest can't be read or does not verify: the
// connection is dropped without the terminating line, and every client knows then that it has not
// got the message.
#include <algorithm>
#include <optional>
#include <string>

#include "core/base/encoding.h"
#include "core/base/log.h"
#include "pop3/commands.h"

namespace twinpost::pop3::commands {
namespace {

constexpr std::uint64_t kSlice = 256 * 1024;
constexpr std::uint64_t kFirstSliceOfTop = 16 * 1024;  // the header and some lines, as a rule

// Reads one message from its beginning to its end, slice by slice, and checks at the end that the
// octets are those that once arrived.
class MessageReader {
 public:
  MessageReader(store::Store& store, store::MessageRecord record)
      : store_(store), record_(std::move(record)) {}

  // The next slice, of at most `most` octets; never empty unless the message is. Fails with
  // kCorrupt when the message is shorter than its record says or its checksum differs, then nothing
  // of this slice may be sent.
  Task<Result<std::string>> next(std::uint64_t most) {
    const bool is_first = offset_ == 0;
    std::uint32_t crc = crc_;
    auto slice = co_await store_.read([&](const store::ReadView& view) -> Result<std::string> {
      if (is_first) {
        const auto info = view.blob_info(record_.blob);
        if (!info) return tl::unexpected(info.error());
        expected_crc_ = info->crc32c;
      }
      std::string octets;
      auto read = view.read_message(record_, offset_, most, octets);
      if (!read) return tl::unexpected(std::move(read.error()));
      crc = crc32c(crc_, body_part(octets));
      return octets;
    });
    if (!slice) co_return slice;
    if (slice->size() != std::min(most, record_.size - offset_)) {
      co_return fail(ErrorCode::kCorrupt, "the message is shorter than its record says");
    }
    crc_ = crc;
    offset_ += slice->size();
    if (at_end() && expected_crc_ && crc_ != *expected_crc_) {
      co_return fail(ErrorCode::kCorrupt, "the message's checksum differs");
    }
    co_return slice;
  }

  [[nodiscard]] bool at_end() const { return offset_ == record_.size; }

 private:
  // The checksum is the body's: the prefix (store/types.h) is not part of it. The store verifies
  // only reads of a whole body by itself.
  [[nodiscard]] std::string_view body_part(std::string_view slice) const {
    const std::uint64_t prefix_left =
        offset_ < record_.prefix.size() ? record_.prefix.size() - offset_ : 0;
    return slice.substr(std::min<std::uint64_t>(prefix_left, slice.size()));
  }

  store::Store& store_;
  store::MessageRecord record_;
  std::uint64_t offset_ = 0;
  std::uint32_t crc_ = 0;
  std::optional<std::uint32_t> expected_crc_;  // none: the store verifies every slice
};

void log_unreadable(Session& session, MessageNumber number, const Error& error) {
  log::error("pop3-message", {{"account", session.account().name},
                              {"uid", session.maildrop().record(number).uid.value()},
                              {"error", error.message}});
}

void reply_unreadable(Session& session, MessageNumber number, const Error& error) {
  log_unreadable(session, number, error);
  const ResponseCode code = response_code_for(error);
  session.reply_error(code, code == ResponseCode::kSysPerm ? "this message is damaged on the server"
                                                           : "this message can't be read now");
}

// Sends the rest of a response whose first slice is here. `cutter`: TOP's; null sends all. False:
// the session ends.
Task<bool> send_message(Session& session, MessageNumber number, MessageReader& reader,
                        std::string slice, TopCutter* cutter) {
  DotStuffer stuffer;
  std::string out;
  for (;;) {
    const std::size_t wanted = cutter != nullptr ? cutter->take(slice) : slice.size();
    out.clear();
    stuffer.append(std::string_view(slice).substr(0, wanted), out);
    session.connection().queue(out);
    if (reader.at_end() || (cutter != nullptr && cutter->done())) break;
    auto more = co_await reader.next(kSlice);  // while the socket drains
    if (!more) {
      log_unreadable(session, number, more.error());
      session.drop("message-unreadable");
      co_return false;
    }
    slice = std::move(*more);
    if (!co_await session.drained()) co_return false;
  }
  out.clear();
  stuffer.finish(out);
  session.connection().queue(out);
  co_return co_await session.drained();
}

}  // namespace

Task<void> retr(Session& session, const Command& command) {
  const MessageNumber number = *command.number;
  if (!session.check_number(number)) co_return;
  MessageReader reader(session.context().store, session.maildrop().record(number));
  auto first = co_await reader.next(kSlice);
  if (!first) {
    reply_unreadable(session, number, first.error());
    co_return;
  }
  session.reply_ok(std::to_string(session.maildrop().size_octets(number)) + " octets");
  const bool sent = co_await send_message(session, number, reader, std::move(*first), nullptr);
  if (!sent) co_return;
  session.maildrop().set_retrieved(number);
  ++session.counts().retrieved;
}

Task<void> top(Session& session, const Command& command) {
  const MessageNumber number = *command.number;
  if (!session.check_number(number)) co_return;
  MessageReader reader(session.context().store, session.maildrop().record(number));
  auto first = co_await reader.next(kFirstSliceOfTop);
  if (!first) {
    reply_unreadable(session, number, first.error());
    co_return;
  }
  session.reply_ok("top of message follows");
  TopCutter cutter(command.lines);
  co_await send_message(session, number, reader, std::move(*first), &cutter);
}

}  // namespace twinpost::pop3::commands
