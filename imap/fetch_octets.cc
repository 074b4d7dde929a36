#include "imap/fetch_octets.h"

#include <algorithm>
#include <limits>

#include "core/base/encoding.h"

namespace twinpost::imap {

namespace {

constexpr std::uint64_t kPiece = std::uint64_t{64} * 1024;

tl::unexpected<Error> shorter() {
  return fail(ErrorCode::kCorrupt, "the message is shorter than its record or summary says");
}

// The part of `wanted` that lies in the `octets` which begin at `begin`.
std::string_view overlap(std::string_view octets, std::uint64_t begin, mail::Span wanted) {
  const std::uint64_t end = begin + octets.size();
  const std::uint64_t from = std::clamp(wanted.begin, begin, end);
  const std::uint64_t to = std::clamp(wanted.end, from, end);
  return octets.substr(from - begin, to - from);
}

mail::Span wanted_by(const std::optional<Partial>& partial) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  return partial ? partial->clip(kMost) : mail::Span{0, kMost};
}

Result<void> read_exactly(const MessageBytes& message, mail::Span span, std::string& out) {
  const std::size_t before = out.size();
  auto read = message.view.read_message(message.record, span.begin, span.size(), out);
  if (!read) return read;
  if (out.size() - before == span.size()) return {};
  out.resize(before);
  return shorter();
}

}  // namespace

SectionReader::SectionReader(mail::Span span, Making making, std::optional<Partial> partial,
                             bool may_keep)
    : span_(span), making_(making), partial_(partial), may_keep_(may_keep) {}

Result<bool> SectionReader::measure(const MessageBytes& message, SteadyTime deadline) {
  if (!measured_ && is_plain()) settle(span_.size());
  while (!measured_) {
    auto counted = count_some(message);
    if (!counted) return counted;
    if (!measured_ && steady_now() >= deadline) return false;
  }
  return true;
}

void SectionReader::settle(std::uint64_t total) {
  clip_ = partial_ ? partial_->clip(total) : mail::Span{0, total};
  measured_ = true;
  pass_.reset();
}

Result<bool> SectionReader::count_some(const MessageBytes& message) {
  if (!pass_) pass_ = new_pass();
  const mail::Span wanted = wanted_by(partial_);
  const std::uint64_t begin = pass_->made;
  std::string made;
  if (auto went = go_on(message, *pass_, made); !went) return tl::unexpected(went.error());
  has_nul_ = has_nul_ || overlap(made, begin, wanted).find('\0') != std::string_view::npos;
  if (is_kept()) kept_ += made;
  // What comes after the part that is wanted need not be counted.
  if (pass_->finished || pass_->made >= wanted.end) settle(pass_->made);
  return measured_;
}

SectionReader::Pass SectionReader::new_pass() const {
  if (const auto* fields = std::get_if<HeaderFieldsOf>(&making_)) {
    return Pass{HeaderFieldFilter(*fields->names, fields->inverted)};
  }
  return Pass{mail::TransferDecoder(std::get<DecodedFrom>(making_).encoding)};
}

Result<void> SectionReader::go_on(const MessageBytes& message, Pass& pass, std::string& made) {
  const std::uint64_t take = std::min(kPiece, span_.size() - pass.read);
  const std::uint64_t from = span_.begin + pass.read;
  const std::size_t before = made.size();
  std::string raw;
  if (auto read = read_exactly(message, {from, from + take}, raw); !read) return read;
  pass.read += take;
  pass.finished = pass.read == span_.size();
  if (auto* filter = std::get_if<HeaderFieldFilter>(&pass.maker)) {
    filter->add(raw, made);
    if (pass.finished) filter->finish(made);
  } else {
    auto& decoder = std::get<mail::TransferDecoder>(pass.maker);
    decoder.decode(raw, made);
    if (pass.finished) decoder.finish(made);
  }
  pass.made += made.size() - before;
  return {};
}

Result<void> SectionReader::next(const MessageBytes& message, std::uint64_t most,
                                 std::string& out) {
  if (at_end()) return {};
  if (is_plain()) return next_plain(message, most, out);
  if (!is_kept()) return next_made(message, out);
  const std::uint64_t take = std::min(most, clip_.size() - sent_);
  out.append(kept_, clip_.begin + sent_, take);
  sent_ += take;
  return {};
}

Result<void> SectionReader::next_plain(const MessageBytes& message, std::uint64_t most,
                                       std::string& out) {
  const std::uint64_t take = std::min(most, clip_.size() - sent_);
  const std::uint64_t from = span_.begin + clip_.begin + sent_;
  const std::size_t before = out.size();
  if (auto read = read_exactly(message, {from, from + take}, out); !read) return read;
  auto verified = verify(message, std::string_view(out).substr(before));
  sent_ += take;
  return verified;
}

// The store verifies only what it reads as a whole; here a whole message may be read in pieces.
Result<void> SectionReader::verify(const MessageBytes& message, std::string_view octets) {
  const store::MessageRecord& record = message.record;
  const bool is_whole = span_.begin == 0 && span_.end == record.size &&
                        clip_.size() == span_.size() && octets.size() < span_.size();
  if (!is_whole) return {};
  const std::uint64_t prefix_left = sent_ < record.prefix.size() ? record.prefix.size() - sent_ : 0;
  crc_ = crc32c(crc_, octets.substr(std::min<std::uint64_t>(prefix_left, octets.size())));
  if (sent_ + octets.size() < span_.size()) return {};
  const auto info = message.view.blob_info(record.blob);
  if (!info) return tl::unexpected(info.error());
  if (!info->crc32c || *info->crc32c == crc_) return {};
  return fail(ErrorCode::kCorrupt, "the message does not match its checksum");
}

Result<void> SectionReader::next_made(const MessageBytes& message, std::string& out) {
  if (!pass_) pass_ = new_pass();
  if (pass_->finished) return shorter();
  const std::uint64_t begin = pass_->made;
  std::string made;
  if (auto went = go_on(message, *pass_, made); !went) return went;
  const std::string_view wanted = overlap(made, begin, clip_);
  out += wanted;
  sent_ += wanted.size();
  if (at_end()) pass_.reset();
  return {};
}

}  // namespace twinpost::imap
