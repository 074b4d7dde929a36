#include "lmtp/input.h"

#include <algorithm>

namespace twinpost::lmtp {

Task<Result<std::string_view>> Input::read_line(std::size_t limit, Duration timeout) {
  if (connection_.interrupted()) co_return fail(ErrorCode::kShutdown, "interrupted");
  if (taken_ == given_back_.size()) {
    clear();
    co_return co_await connection_.read_line(limit, timeout);
  }
  const std::string_view here = std::string_view(given_back_).substr(taken_);
  const std::size_t end = here.find('\n');
  if (end != std::string_view::npos) {
    taken_ += end + 1;
    line_ = here.substr(0, end);
  } else {
    line_ = here;
    clear();
    const auto rest = co_await connection_.read_line(limit, timeout);
    if (!rest) co_return tl::unexpected(rest.error());
    line_ += *rest;
    // The connection took a CR off already where it saw one: only one that we had counts here.
    if (!rest->empty()) {
      if (line_.size() > limit) co_return fail(ErrorCode::kTooLarge, "line too long");
      co_return std::string_view(line_);
    }
  }
  if (!line_.empty() && line_.back() == '\r') line_.pop_back();
  if (line_.size() > limit) co_return fail(ErrorCode::kTooLarge, "line too long");
  co_return std::string_view(line_);
}

Task<Result<std::string_view>> Input::read_some(std::size_t max, Duration timeout) {
  if (connection_.interrupted()) co_return fail(ErrorCode::kShutdown, "interrupted");
  last_piece_is_ours_ = taken_ < given_back_.size();
  if (last_piece_is_ours_) {
    last_piece_ = std::string_view(given_back_).substr(taken_, max);
    taken_ += last_piece_.size();
    co_return last_piece_;
  }
  clear();
  const auto piece = co_await connection_.read_some(max, timeout);
  if (piece) last_piece_ = *piece;
  co_return piece;
}

void Input::put_back(std::size_t octets) {
  if (octets == 0) return;
  if (last_piece_is_ours_) {
    taken_ -= octets;
    return;
  }
  given_back_ = last_piece_.substr(last_piece_.size() - octets);
  taken_ = 0;
}

void Input::clear() {
  std::string().swap(given_back_);
  taken_ = 0;
  last_piece_ = {};
  last_piece_is_ours_ = false;
}

}  // namespace twinpost::lmtp
