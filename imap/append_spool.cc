#include "imap/append_spool.h"

#include <utility>

namespace twinpost::imap {

namespace {

// Summaries are kept in memory until the commit. One is seldom more than some KiB; headers made to
// be large make large ones.
constexpr std::size_t kMostSummaryOctets = 32 * 1024 * 1024;

}  // namespace

AppendSpool::AppendSpool(std::string folder, const store::BodyCoder& coder)
    : coder_(coder), spool_(std::make_shared<store::Spool>(std::move(folder), 0)) {}

void AppendSpool::begin_message(bool binary) {
  begin_ = spool_->size();
  last_ = '\0';
  binary_ = binary;
}

Result<void> AppendSpool::append(std::string_view octets) {
  if (octets.empty()) return {};
  if (!binary_ && octets.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::kInvalid, "NUL is not allowed in this literal, send a literal8");
  }
  last_ = octets.back();
  return spool_->append(octets);
}

// The spool puts a last line end to its own end only.
Result<void> AppendSpool::end_message() {
  if (last_ != '\n') {
    if (auto ended = spool_->append("\r\n"); !ended) return ended;
  }
  messages_.push_back({begin_, spool_->size()});
  return {};
}

Result<bool> AppendSpool::prepare(SteadyTime deadline) {
  if (auto finished = spool_->finish(); !finished) return tl::unexpected(finished.error());
  const auto octets = spool_->view();
  if (!octets) return tl::unexpected(octets.error());
  while (prepared_.size() < messages_.size()) {
    const Extent& extent = messages_[prepared_.size()];
    const auto size = static_cast<std::size_t>(extent.end - extent.begin);
    auto message = store::prepare_message(
        spool_, octets->substr(static_cast<std::size_t>(extent.begin), size), coder_);
    if (!message) return tl::unexpected(std::move(message.error()));
    summary_octets_ += (*message)->summary.size();
    if (messages_.size() > 1 && summary_octets_ > kMostSummaryOctets) {
      return fail(ErrorCode::kLimit, "The messages have too much in their headers for one command");
    }
    prepared_.push_back(std::move(*message));
    if (steady_now() >= deadline) break;
  }
  return prepared_.size() == messages_.size();
}

}  // namespace twinpost::imap
