// How a session reads one command: lines and literals into the reader, messages into the spool.
#include <algorithm>
#include <string>
#include <utility>

#include "imap/commands.h"
#include "imap/session.h"

namespace twinpost::imap {
namespace {

// The connection counts a line that the reader would still refuse with its own words.
constexpr std::size_t kLineFactor = 4;
constexpr std::size_t kLiteralPiece = 64 * 1024;
constexpr std::string_view kGoAhead = "+ OK\r\n";

}  // namespace

void Session::update_reader_settings() {
  ReaderSettings settings =
      state_ == State::kNotAuthenticated ? ReaderSettings::before_login() : ReaderSettings{};
  settings.utf8 = utf8();
  settings.literal_plus = true;
  settings.message_octets = config()->limits.message_size;
  if (state_ != State::kNotAuthenticated && settings.message_octets != 0) {
    // One message over the limit that comes without being asked for is read to be dropped, so that its client gets an answer.
    settings.skip_octets = std::max(settings.skip_octets, 2 * settings.message_octets);
  }
  reader_.settings() = settings;
}

Task<Result<std::string_view>> Session::read_line() {
  const std::size_t limit = kLineFactor * reader_.settings().text_octets;
  auto line = co_await connection_.read_line(limit, patience());
  co_return line;
}

Task<void> Session::read_command() {
  update_reader_settings();
  std::optional<Step> step = co_await feed_line();
  while (step && !ended_) {
    switch (step->kind) {
      case Step::Kind::kComplete: co_await execute(reader_.command()); co_return;
      case Step::Kind::kRefused: refuse_command(reader_.refusal()); co_return;
      case Step::Kind::kBye:
        bye(reader_.refusal().text, "bad-command", reader_.refusal().code);
        co_return;
      case Step::Kind::kLiteral: step = co_await take_literal(*step); break;
      case Step::Kind::kSkip: step = co_await skip_literal(*step); break;
      case Step::Kind::kMessage: step = co_await take_message(*step); break;
    }
  }
}

// The next line of the command goes to the reader. nullopt where the session is over.
Task<std::optional<Step>> Session::feed_line() {
  const auto line = co_await read_line();
  if (line) co_return reader_.line(*line);
  if (line.error().code == ErrorCode::kTooLarge) co_return reader_.line_lost();
  handle_read_error(line.error());
  co_return std::nullopt;
}

Task<bool> Session::read_octets(std::uint64_t count, std::function<void(std::string_view)> take) {
  while (count > 0) {
    const auto piece = co_await connection_.read_some(
        static_cast<std::size_t>(std::min<std::uint64_t>(count, kLiteralPiece)), patience());
    if (!piece) {
      handle_read_error(piece.error());
      co_return false;
    }
    take(*piece);
    count -= piece->size();
  }
  co_return true;
}

Task<std::optional<Step>> Session::take_literal(Step step) {
  if (step.synchronizing) send(kGoAhead);
  std::function<void(std::string_view)> take = [this](std::string_view octets) {
    reader_.literal(octets);
  };
  const bool whole = co_await read_octets(step.size, std::move(take));
  if (!whole) co_return std::nullopt;
  auto next = co_await feed_line();
  co_return next;
}

Task<std::optional<Step>> Session::skip_literal(Step step) {
  std::function<void(std::string_view)> take = [](std::string_view) {};
  const bool whole = co_await read_octets(step.size, std::move(take));
  if (!whole) co_return std::nullopt;
  auto next = co_await feed_line();
  co_return next;
}

Task<std::optional<Step>> Session::take_message(Step step) {
  const AppendMessage& message = reader_.message();
  const CommandId id = message.is_replace ? CommandId::kReplace : CommandId::kAppend;
  const std::string_view wrong_state = wrong_state_text(info(id), state_);
  if (!wrong_state.empty()) {
    Refusal refusal;
    refusal.text = wrong_state;
    co_return reader_.refuse(std::move(refusal));
  }
  if (!append_) append_ = make_append_receiver(*this);
  auto unwanted = co_await append_->begin(message);
  if (unwanted) co_return reader_.refuse(*std::move(unwanted));
  if (step.synchronizing) send(kGoAhead);
  for (std::uint64_t left = step.size; left > 0;) {
    const auto piece = co_await connection_.read_some(
        static_cast<std::size_t>(std::min<std::uint64_t>(left, kLiteralPiece)), patience());
    if (!piece) {
      handle_read_error(piece.error());
      co_return std::nullopt;
    }
    left -= piece->size();
    co_await append_->octets(*piece);
  }
  co_await append_->end_message();
  auto next = co_await feed_line();
  co_return next;
}

}  // namespace twinpost::imap
