#include "imap/fetch_message.h"

#include <algorithm>
#include <span>

namespace twinpost::imap {

namespace {

// What a piece of a section has at least, however full the slice is.
constexpr std::size_t kLeastPiece = std::size_t{16} * 1024;
// How many sections of one message may keep what is made for them (SectionReader::kKept each);
// further ones are made twice.
constexpr std::size_t kMostKept = 16;

bool is_binary(FetchKind kind) {
  return kind == FetchKind::kBinary || kind == FetchKind::kBinarySize;
}

// RFC 9051 6.4.5: the old names stand for sections.
SectionText text_of(const FetchItem& item) {
  switch (item.kind) {
    case FetchKind::kRfc822Header: return SectionText::kHeader;
    case FetchKind::kRfc822Text: return SectionText::kText;
    default: return item.section.text;
  }
}

void append_name(std::string& out, const FetchItem& item) {
  switch (item.kind) {
    case FetchKind::kRfc822: out += "RFC822"; return;
    case FetchKind::kRfc822Header: out += "RFC822.HEADER"; return;
    case FetchKind::kRfc822Text: out += "RFC822.TEXT"; return;
    case FetchKind::kBinary: out += "BINARY"; break;
    case FetchKind::kBinarySize: out += "BINARY.SIZE"; break;
    default: out += "BODY"; break;
  }
  append_section(out, item.section);
  if (!item.partial) return;
  out += '<';
  append_number(out, item.partial->offset);
  out += '>';
}

// NUL can't be in a literal (RFC 9051 section 9, CHAR8); see quote.h.
void replace_nuls(std::string& out, std::size_t from) {
  constexpr char kInPlaceOfNul = '\x80';
  const auto begin = out.begin() + static_cast<std::ptrdiff_t>(from);
  if (std::string_view(out).substr(from).find('\0') == std::string_view::npos) return;
  std::replace(begin, out.end(), '\0', kInPlaceOfNul);
}

Making making_of(const SectionSource& source, const PlannedSection& planned) {
  if (source.produce == Produce::kHeaderFields) {
    return HeaderFieldsOf{&planned.names,
                          planned.item.section.text == SectionText::kHeaderFieldsNot};
  }
  if (source.produce == Produce::kDecoded) return DecodedFrom{source.encoding};
  return std::monostate{};
}

}  // namespace

void MessageResponse::begin(const store::MessageRecord& record, SequenceNumber number,
                            bool can_be_marked) {
  record_ = record;
  number_ = number;
  can_be_marked_ = can_be_marked;
  marks_seen_ = false;
  met_unknown_encoding_ = false;
  sections_.clear();
  at_ = 0;
  state_ = State::kFind;
}

Result<bool> MessageResponse::go_on(const store::ReadView& view, const SliceLimits& limits,
                                    std::string& out) {
  const MessageBytes message{view, record_};
  if (state_ == State::kFind) {
    if (auto found = find(view); !found) return tl::unexpected(found.error());
    state_ = State::kMeasure;
  }
  if (state_ == State::kMeasure) {
    auto measured = measure(message, limits);
    if (!measured || !*measured) return measured;
    at_ = 0;
    append_head(out);
    summary_.reset();
    state_ = State::kSections;
  }
  auto complete = append_sections(message, limits, out);
  if (complete && *complete) state_ = State::kIdle;
  return complete;
}

Result<void> MessageResponse::find(const store::ReadView& view) {
  std::uint64_t header_end = 0;
  if (plan_.needs_summary) {
    auto summary = view.summary(record_.blob);
    if (!summary) return tl::unexpected(summary.error());
    summary_ = std::move(*summary);
    header_end = summary_->message.root.header.end;
  } else if (plan_.needs_header_end) {
    const auto info = view.blob_info(record_.blob);
    if (!info) return tl::unexpected(info.error());
    header_end = info->header_octets;
  }
  for (const PlannedSection& planned : plan_.sections) {
    if (auto found = find_section(planned, header_end); !found) return found;
  }
  marks_seen_ = can_be_marked_ && plan_.marks_seen &&
                std::any_of(sections_.begin(), sections_.end(), [](const FoundSection& section) {
                  return sets_seen(section.planned->item);
                });
  return {};
}

Result<void> MessageResponse::find_section(const PlannedSection& planned,
                                           std::uint64_t header_end) {
  const SectionSource source = resolve(planned.item, header_end);
  if (source.produce == Produce::kUnknownEncoding) {
    met_unknown_encoding_ =
        true;  // RFC 3516 4.3: the command fails; what else was asked for is given
    return {};
  }
  const std::uint64_t prefix = record_.prefix.size();
  const mail::Span span{source.from_start ? source.span.begin : prefix + source.span.begin,
                        prefix + source.span.end};
  const bool is_there = source.produce != Produce::kNothing;
  if (is_there && (span.end > record_.size || span.begin > span.end)) {
    return fail(ErrorCode::kCorrupt, "the summary does not fit the message");
  }
  const bool may_hold_nul =
      planned.item.kind == FetchKind::kBinary && source.produce == Produce::kOctets &&
      (summary_->message.defects & static_cast<mail::DefectBits>(mail::Defect::kNul)) != 0;
  sections_.push_back({&planned, is_there, may_hold_nul, false,
                       SectionReader(is_there ? span : mail::Span{}, making_of(source, planned),
                                     planned.item.partial, sections_.size() < kMostKept)});
  return {};
}

// In the body, as a summary has it.
SectionSource MessageResponse::resolve(const FetchItem& item, std::uint64_t header_end) const {
  if (is_binary(item.kind)) return resolve_binary(summary_->message.root, item.section);
  if (!item.section.part.empty()) return resolve_body(summary_->message.root, item.section);
  SectionSource source;
  source.produce = Produce::kOctets;
  source.from_start = true;
  source.span = {0, record_.size - record_.prefix.size()};
  switch (text_of(item)) {
    case SectionText::kHeader: source.span.end = header_end; break;
    case SectionText::kHeaderFields:
    case SectionText::kHeaderFieldsNot:
      source.produce = Produce::kHeaderFields;
      source.span.end = header_end;
      break;
    case SectionText::kText:
      source.from_start = false;
      source.span.begin = header_end;
      break;
    default: break;
  }
  return source;
}

Result<bool> MessageResponse::measure(const MessageBytes& message, const SliceLimits& limits) {
  for (; at_ < sections_.size(); ++at_) {
    auto measured = sections_[at_].reader.measure(message, limits.deadline);
    if (!measured || !*measured) return measured;
  }
  return true;
}

void MessageResponse::append_head(std::string& out) {
  if (plan_.values.empty() && sections_.empty()) return;  // nothing that could be given
  append_fetch_start(out, number_);
  // RFC 9051 6.4.5: the flags that the fetch itself changes SHOULD be in its response.
  const bool becomes_seen = marks_seen_ && (record_.flags & store::bit(store::Flag::kSeen)) == 0;
  if (becomes_seen && !plan_.shows_flags) {
    const FetchItem flags;  // kFlags
    append_values(out, std::span(&flags, 1), view_, record_, nullptr, true);
    out += ' ';  // a section follows, it is what sets the flag
  }
  append_values(out, plan_.values, view_, record_, summary_ ? &summary_->message : nullptr,
                marks_seen_);
}

Result<bool> MessageResponse::append_sections(const MessageBytes& message,
                                              const SliceLimits& limits, std::string& out) {
  while (at_ < sections_.size()) {
    FoundSection& section = sections_[at_];
    if (!section.is_announced) announce(section, out);
    const bool has_octets = section.planned->item.kind != FetchKind::kBinarySize;
    while (has_octets && !section.reader.at_end()) {
      const std::size_t before = out.size();
      const std::size_t room = limits.octets > before ? limits.octets - before : 0;
      auto read = section.reader.next(message, std::max(room, kLeastPiece), out);
      if (!read) return tl::unexpected(read.error());
      if (!section.is_literal8) replace_nuls(out, before);
      if (!section.reader.at_end() && limits.are_reached(out.size())) return false;
    }
    ++at_;
    if (at_ < sections_.size() && limits.are_reached(out.size())) return false;
  }
  if (!plan_.values.empty() || !sections_.empty()) out += ")\r\n";
  return true;
}

void MessageResponse::announce(FoundSection& section, std::string& out) const {
  section.is_announced = true;
  if (at_ > 0 || !plan_.values.empty()) out += ' ';
  const FetchItem& item = section.planned->item;
  append_name(out, item);
  out += ' ';
  if (item.kind == FetchKind::kBinarySize) {
    append_number(out, section.reader.size());
    return;
  }
  if (!section.is_there) {
    out += "NIL";
    return;
  }
  // RFC 3516 4.3: literal8 where there is a NUL, so that the client learns of it.
  section.is_literal8 =
      section.is_literal8 || (item.kind == FetchKind::kBinary && section.reader.has_nul());
  if (section.is_literal8) out += '~';
  out += '{';
  append_number(out, section.reader.size());
  out += "}\r\n";
}

}  // namespace twinpost::imap
