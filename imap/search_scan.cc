#include "imap/search_scan.h"

#include <algorithm>

#include "core/base/ascii.h"

namespace twinpost::imap {
namespace {

std::string charset_of(const mail::Part& part) {
  for (const mail::Parameter& parameter : part.parameters) {
    if (parameter.name == "charset") return parameter.value;
  }
  return {};
}

}  // namespace

MessageScan::MessageScan(const store::MessageRecord& record, std::uint64_t header_octets,
                         std::vector<Needle> needles, std::size_t piece_octets)
    : record_(record), needles_(std::move(needles)), piece_octets_(piece_octets) {
  Segment header;
  header.kind = Segment::Kind::kTopHeader;
  header.end = record.prefix.size() + header_octets;
  segments_.push_back(std::move(header));
}

MessageScan::MessageScan(const store::MessageRecord& record, const mail::Part& root,
                         std::vector<Needle> needles, std::size_t piece_octets)
    : record_(record), needles_(std::move(needles)), piece_octets_(piece_octets) {
  add_part(root, Segment::Kind::kTopHeader);
  segments_.front().begin = 0;  // this recipient's own fields belong to the header
}

void MessageScan::add_part(const mail::Part& part, Segment::Kind header_kind) {
  const std::uint64_t prefix = record_.prefix.size();
  Segment header;
  header.kind = header_kind;
  header.begin = prefix + part.header.begin;
  header.end = prefix + part.header.end;
  segments_.push_back(std::move(header));
  const auto child_kind =
      part.is_message() ? Segment::Kind::kInnerHeader : Segment::Kind::kPartHeader;
  for (const mail::Part& child : part.children) add_part(child, child_kind);
  if (part.children.empty()) add_content(part);
}

void MessageScan::add_content(const mail::Part& part) {
  const bool is_text = part.type == "text";
  if (!is_text && part.type != "message" && !part.is_multipart()) return;
  Segment content;
  content.kind = is_text && part.subtype == "html" ? Segment::Kind::kHtml : Segment::Kind::kText;
  content.begin = record_.prefix.size() + part.body.begin;
  content.end = record_.prefix.size() + part.body.end;
  content.encoding = mail::transfer_encoding(part.encoding);
  if (is_text) content.charset = charset_of(part);
  segments_.push_back(std::move(content));
}

bool MessageScan::has_wanted(Needle::Scope scope) const {
  return std::any_of(needles_.begin(), needles_.end(), [scope](const Needle& needle) {
    return needle.wanted && !needle.found && needle.scope == scope;
  });
}

bool MessageScan::is_wanted(Segment::Kind kind) const {
  using Scope = Needle::Scope;
  if (has_wanted(Scope::kText)) return true;
  if (kind == Segment::Kind::kTopHeader) return has_wanted(Scope::kField);
  return kind != Segment::Kind::kPartHeader && has_wanted(Scope::kBody);
}

std::size_t MessageScan::count_found() const {
  return static_cast<std::size_t>(std::count_if(needles_.begin(), needles_.end(),
                                                [](const Needle& needle) { return needle.found; }));
}

Result<MessageScan::State> MessageScan::step(const store::ReadView& view, const SliceTimer& timer) {
  bool has_fed = false;  // each step gets on, whatever the time is
  for (;;) {
    if (!is_searched_) {
      const std::size_t before = count_found();
      is_searched_ = text_.search(needles_, timer) && second_.search(needles_, timer);
      if (count_found() > before) return State::kFound;
      if (!is_searched_) return State::kMore;
    }
    while (segment_ < segments_.size() && !is_wanted(segments_[segment_].kind)) {
      ++segment_;
      is_inside_ = false;
    }
    if (segment_ == segments_.size()) return State::kEnd;
    if (has_fed && timer.is_over()) return State::kMore;
    if (auto fed = feed(view); !fed) return tl::unexpected(std::move(fed.error()));
    has_fed = true;
    is_searched_ = false;
  }
}

// A bounded piece of work: a field, or so many octets.
Result<void> MessageScan::feed(const store::ReadView& view) {
  const Segment& segment = segments_[segment_];
  if (!is_inside_) {
    begin_segment(segment);
    if (segment.is_header()) {
      const std::uint64_t take = std::min(segment.end - segment.begin, kHeaderOctets);
      at_ += take;
      return view.read_message(record_, segment.begin, take, header_);
    }
  }
  if (header_at_ < header_.size()) {
    feed_field();
    return {};
  }
  if (at_ < segment.end && has_text_needle_) return feed_octets(view, segment.end);
  end_segment();
  return {};
}

void MessageScan::begin_segment(const Segment& segment) {
  is_inside_ = true;
  at_ = segment.begin;
  header_.clear();
  header_at_ = field_end_ = 0;
  transfer_.reset();
  html_.reset();
  charset_ = std::make_unique<TextDecoder>(segment.charset);
  has_text_needle_ = has_wanted(Needle::Scope::kText) || has_wanted(Needle::Scope::kBody);
  if (segment.is_header()) {
    text_.begin(segment.kind == Segment::Kind::kInnerHeader ? TextPlace::kInnerHeader
                                                            : TextPlace::kHeader);
    second_.begin(TextPlace::kField);
    return;
  }
  transfer_ = std::make_unique<mail::TransferDecoder>(segment.encoding);
  if (segment.kind == Segment::Kind::kHtml) html_ = std::make_unique<mail::HtmlText>();
  text_.begin(TextPlace::kBody);
  second_.begin(TextPlace::kBody);
}

void MessageScan::end_segment() {
  std::string octets;
  std::string utf8;
  if (transfer_) transfer_->finish(octets);
  charset_->decode(octets, utf8);
  charset_->finish(utf8);
  take_text(utf8);
  text_.end();
  if (html_) {
    std::string shown;
    html_->finish(shown);
    second_.add(shown);
    second_.end();
  }
  is_inside_ = false;
  header_.clear();
  header_.shrink_to_fit();
  ++segment_;
}

void MessageScan::begin_field(const mail::HeaderField& field) {
  const std::string_view raw =
      std::string_view(header_).substr(header_at_ + field.begin, field.end - field.begin);
  field_end_ = header_at_ + field.end;
  if (has_text_needle_) field_text_.begin(raw);
  const std::string name = ascii::lower(field.name);
  has_value_needle_ = segments_[segment_].kind == Segment::Kind::kTopHeader && !field.malformed() &&
                      std::any_of(needles_.begin(), needles_.end(), [&name](const Needle& needle) {
                        return needle.scope == Needle::Scope::kField && needle.field == name;
                      });
  if (!has_value_needle_) return;
  field_value_.begin(field.value);
  second_.begin(TextPlace::kField, name);
}

void MessageScan::feed_field() {
  if (field_end_ == 0) {
    mail::HeaderReader reader(std::string_view(header_).substr(header_at_));
    const auto field = reader.next();
    if (!field) {  // the blank line
      header_at_ = header_.size();
      return;
    }
    begin_field(*field);
  }
  std::string piece;
  const bool more_text = has_text_needle_ && field_text_.next(piece);
  if (has_text_needle_) text_.add(piece);
  piece.clear();
  const bool more_value = has_value_needle_ && field_value_.next(piece);
  if (has_value_needle_) second_.add(piece);
  if (more_text || more_value) return;
  if (has_text_needle_) text_.add("\r\n");
  if (has_value_needle_) second_.end();
  header_at_ = field_end_;
  field_end_ = 0;
}

Result<void> MessageScan::feed_octets(const store::ReadView& view, std::uint64_t end) {
  std::string octets;
  const std::uint64_t take = std::min<std::uint64_t>(end - at_, piece_octets_);
  if (auto read = view.read_message(record_, at_, take, octets); !read) return read;
  at_ += take;
  std::string decoded;
  if (transfer_) {
    transfer_->decode(octets, decoded);
    octets.clear();
  }
  std::string utf8;
  charset_->decode(transfer_ ? decoded : octets, utf8);
  take_text(utf8);
  return {};
}

void MessageScan::take_text(std::string_view utf8) {
  text_.add(utf8);
  if (!html_) return;
  std::string shown;
  html_->add(utf8, shown);
  second_.add(shown);
}

}  // namespace twinpost::imap
