#include "tools/twinpost/transfer/mbox_reader.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/ascii.h"
#include "core/mail/header.h"
#include "tools/twinpost/transfer/maildir_octets.h"

namespace twinpost::tools {

namespace {

constexpr std::size_t kBuffer = 256 * 1024;
constexpr std::size_t kLongestPiece = 64 * 1024;
// Fields behind so much of a header are taken as they stand.
constexpr std::size_t kLargestHeader = 1024 * 1024;

bool is_blank(std::string_view line) { return line == "\n" || line == "\r\n"; }

// ">From " and ">>From ": written for "From " and ">From " (mboxrd).
bool is_escaped(std::string_view line) {
  const auto begin = line.find_first_not_of('>');
  return begin != std::string_view::npos && begin > 0 && line.substr(begin).starts_with("From ");
}

bool is_internal_data(std::string_view header) {
  const auto subject = mail::find_field(header, "Subject");
  return subject && subject->value.find("FOLDER INTERNAL DATA") != std::string_view::npos;
}

}  // namespace

// Takes the message's octets as they stand in the file.
class MboxReader::Output {
 public:
  Output(std::string* octets, std::uint64_t limit) : octets_(octets), limit_(limit) {}

  void add(std::string_view piece) {
    plain_.clear();
    append_crlf(plain_, piece, last_);
    give(plain_);
  }
  void finish(MboxMessage& message) {
    plain_.clear();
    if (size_ > 0) end_crlf(plain_, last_ == 0 ? ' ' : last_);
    give(plain_);
    message.size = size_;
    message.digest = sha_.finish();
  }

 private:
  void give(std::string_view octets) {
    sha_.update(octets);
    size_ += octets.size();
    if (octets_ == nullptr || octets_->size() >= limit_) return;
    *octets_ += octets.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(
                                     octets.size(), limit_ - octets_->size())));
  }

  std::string* octets_;
  std::uint64_t limit_;
  Sha256 sha_;
  std::uint64_t size_ = 0;
  char last_ = 0;
  std::string plain_;
};

MboxReader::MboxReader(int fd, bool unescape) : fd_(fd), unescape_(unescape) {}

void MboxReader::seek(std::uint64_t offset) {
  offset_ = offset;
  buffer_.clear();
  at_ = 0;
  begins_line_ = true;
}

// More behind what is left in the buffer. False at the file's end.
Result<bool> MboxReader::fill() {
  buffer_.erase(0, at_);
  at_ = 0;
  const std::size_t left = buffer_.size();
  buffer_.resize(left + kBuffer);
  while (true) {
    const ssize_t count =
        ::pread(fd_, buffer_.data() + left, kBuffer, static_cast<off_t>(offset_ + left));
    if (count < 0 && errno == EINTR) continue;
    buffer_.resize(left + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0) return tl::unexpected(system_error("reading the mbox", errno));
    return count > 0;
  }
}

Result<std::optional<MboxReader::Piece>> MboxReader::next_piece() {
  std::size_t end = std::string::npos;
  std::size_t looked = 0;
  while (true) {
    end = buffer_.find('\n', at_ + looked);
    if (end != std::string::npos || buffer_.size() - at_ >= kLongestPiece) break;
    looked = buffer_.size() - at_;
    auto more = fill();
    if (!more) return tl::unexpected(more.error());
    if (!*more) break;
  }
  if (at_ == buffer_.size()) return std::nullopt;
  std::size_t length = (end == std::string::npos ? buffer_.size() : end + 1) - at_;
  length = std::min(length, kLongestPiece);
  const Piece piece{std::string_view(buffer_).substr(at_, length), begins_line_};
  begins_line_ = piece.text.back() == '\n';
  at_ += length;
  offset_ += length;
  return piece;
}

// Only the one that came last.
void MboxReader::put_back(const Piece& piece) {
  at_ -= piece.text.size();
  offset_ -= piece.text.size();
  begins_line_ = piece.begins_line;
}

// Whether a message may end there: the file does, or another one begins, perhaps behind a blank line.
bool MboxReader::is_message_end(std::uint64_t offset) const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0 || offset > static_cast<std::uint64_t>(status.st_size))
    return false;
  std::array<char, 512> head{};
  const ssize_t count = ::pread(fd_, head.data(), head.size(), static_cast<off_t>(offset));
  if (count < 0) return false;
  std::string_view text(head.data(), static_cast<std::size_t>(count));
  if (text.starts_with("\r\n")) text.remove_prefix(2);
  if (text.starts_with("\n")) text.remove_prefix(1);
  return text.empty() || parse_from_line(text.substr(0, text.find('\n'))).has_value();
}

Result<std::string> MboxReader::read_header() {
  std::string header;
  while (header.size() < kLargestHeader) {
    auto piece = next_piece();
    if (!piece) return tl::unexpected(piece.error());
    if (!*piece) break;
    header += (*piece)->text;
    if ((*piece)->begins_line && is_blank((*piece)->text)) break;
  }
  return header;
}

Result<void> MboxReader::read_body(Output& output) {
  // A blank line is the message's only if none begins behind it.
  std::string held;
  bool after_blank = true;  // the header's end
  while (true) {
    auto next = next_piece();
    if (!next) return tl::unexpected(next.error());
    if (!*next) return {};
    const Piece piece = **next;
    if (piece.begins_line && after_blank && parse_from_line(piece.text)) {
      put_back(piece);
      return {};
    }
    output.add(held);
    held.clear();
    after_blank = piece.begins_line && is_blank(piece.text);
    if (after_blank) {
      held = piece.text;
    } else if (unescape_ && piece.begins_line && is_escaped(piece.text)) {
      output.add(piece.text.substr(1));
    } else {
      output.add(piece.text);
    }
  }
}

Result<void> MboxReader::read_counted_body(Output& output, std::uint64_t end) {
  while (offset_ < end) {
    auto piece = next_piece();
    if (!piece) return tl::unexpected(piece.error());
    if (!*piece) return {};
    const std::uint64_t over = offset_ > end ? offset_ - end : 0;
    output.add((*piece)->text.substr(0, (*piece)->text.size() - static_cast<std::size_t>(over)));
  }
  seek(end);
  // The blank line that ends it.
  auto piece = next_piece();
  if (!piece) return tl::unexpected(piece.error());
  if (*piece && !is_blank((*piece)->text)) put_back(**piece);
  return {};
}

Result<std::optional<MboxMessage>> MboxReader::next(std::string* octets, std::uint64_t limit) {
  MboxMessage message;
  std::optional<Piece> line;
  do {
    message.begin = offset_;
    auto piece = next_piece();
    if (!piece) return tl::unexpected(piece.error());
    line = *piece;
  } while (line && is_blank(line->text));
  if (!line) return std::nullopt;
  const auto date = parse_from_line(line->text);
  if (!date)
    return fail(ErrorCode::kInvalid, "no mbox: a message begins without a line \"From ...\"");
  message.date = *date;
  auto header = read_header();
  if (!header) return tl::unexpected(header.error());
  std::string kept;
  message.fields = parse_mbox_fields(*header, unescape_, kept);
  message.is_pseudo = message.begin == 0 && message.fields.base && message.fields.base->is_pseudo &&
                      is_internal_data(*header);
  const auto length = message.fields.content_length;
  const bool counted = length && *length <= ~std::uint64_t{0} - offset_ && *length > 0 &&
                       is_message_end(offset_ + *length);
  Output output(octets, limit);
  if (unescape_ && !counted) {
    std::string plain;
    append_unescaped(plain, kept);
    output.add(plain);
  } else {
    output.add(kept);
  }
  auto body = counted ? read_counted_body(output, offset_ + *length) : read_body(output);
  if (!body) return tl::unexpected(body.error());
  output.finish(message);
  return message;
}

}  // namespace twinpost::tools
