#include "imap/fetch_values.h"

#include <charconv>

#include "imap/object_id.h"
#include "imap/quote.h"

namespace twinpost::imap {

namespace {

void append_flags_item(std::string& out, const FetchView& view, const store::MessageRecord& record,
                       bool seen_too) {
  const store::FlagBits seen = seen_too ? store::bit(store::Flag::kSeen) : store::FlagBits{0};
  const auto flags = static_cast<store::FlagBits>(record.flags | seen);
  // RFC 9051 appendix E: IMAP4rev2 has no \Recent.
  const bool recent = !view.style.rev2 && view.selected.is_recent(record.uid);
  append_flags(out, flags, record.keywords, view.selected.keywords, recent);
}

void append_value(std::string& out, FetchKind kind, const FetchView& view,
                  const store::MessageRecord& record, const mail::Message* summary, bool seen_too) {
  switch (kind) {
    case FetchKind::kUid:
      out += "UID ";
      append_number(out, record.uid.value());
      return;
    case FetchKind::kFlags:
      out += "FLAGS ";
      append_flags_item(out, view, record, seen_too);
      return;
    case FetchKind::kInternalDate:
      out += "INTERNALDATE ";
      append_date_time(out, record.internal_date);
      return;
    case FetchKind::kRfc822Size:
      out += "RFC822.SIZE ";
      append_number(out, record.size);
      return;
    case FetchKind::kModSeq:
      out += "MODSEQ (";
      append_number(out, record.modseq.value());
      out += ')';
      return;
    case FetchKind::kEmailId:  // RFC 8474 5.1
      out += "EMAILID (";
      append_email_id(out, record.email_id);
      out += ')';
      return;
    case FetchKind::kThreadId:  // RFC 8474 5.2
      out += "THREADID (";
      append_thread_id(out, record.thread_id);
      out += ')';
      return;
    case FetchKind::kSaveDate:  // RFC 8514 4.2
      out += "SAVEDATE ";
      append_date_time(out, {record.save_date, 0});
      return;
    case FetchKind::kEnvelope:
      out += "ENVELOPE ";
      append_envelope(out, summary->envelope, view.style);
      return;
    case FetchKind::kBodyStructure:
      out += "BODYSTRUCTURE ";
      append_body(out, summary->root, BodyForm::kBodyStructure, view.style);
      return;
    case FetchKind::kBodyShort:
      out += "BODY ";
      append_body(out, summary->root, BodyForm::kBody, view.style);
      return;
    case FetchKind::kPreview:  // RFC 8970 3.2: made at arrival, so it is there for LAZY too
      out += "PREVIEW ";
      append_string(out, summary->preview, view.style.utf8);
      return;
    default: return;  // sections
  }
}

}  // namespace

void append_number(std::string& out, std::uint64_t number) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

void append_fetch_start(std::string& out, SequenceNumber number) {
  out += "* ";
  append_number(out, number);
  out += " FETCH (";
}

void append_values(std::string& out, std::span<const FetchItem> items, const FetchView& view,
                   const store::MessageRecord& record, const mail::Message* summary,
                   bool seen_too) {
  bool is_first = true;
  for (const FetchItem& item : items) {
    if (!is_first) out += ' ';
    is_first = false;
    append_value(out, item.kind, view, record, summary, seen_too);
  }
}

}  // namespace twinpost::imap
