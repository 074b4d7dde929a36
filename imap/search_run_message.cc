// What a search asks of one message: its summary, its header, its text.
#include <algorithm>

#include "core/mail/date.h"
#include "core/mail/header.h"
#include "imap/search_run.h"

namespace twinpost::imap {
namespace {

Verdict verdict(bool yes) { return yes ? Verdict::kYes : Verdict::kNo; }

// The Date field as it is written (RFC 9051 6.4.4: time and zone are disregarded). A message
// without one that can be read was sent on no day.
bool was_sent(const SearchNode& leaf, const mail::Envelope& envelope) {
  const auto date = mail::parse_date(envelope.date.value_or(std::string()));
  return date && matches_day(leaf, day_of(date->seconds, date->zone_minutes));
}

// The envelope has the first Subject field; where there are more, or may be, HEADER wants them all.
bool has_one_subject(const store::MessageRecord& record, const mail::Message& message) {
  constexpr auto kMore = static_cast<mail::DefectBits>(mail::Defect::kDuplicateField) |
                         static_cast<mail::DefectBits>(mail::Defect::kHeaderTooLong) |
                         static_cast<mail::DefectBits>(mail::Defect::kTooManyFields);
  return (message.defects & kMore) == 0 && !mail::find_field(record.prefix, "subject");
}

Needle needle_of(const SearchNode& leaf) {
  Needle needle;
  needle.scope = leaf.kind == SearchKind::kHeader ? Needle::Scope::kField
                 : leaf.kind == SearchKind::kBody ? Needle::Scope::kBody
                                                  : Needle::Scope::kText;
  needle.field = leaf.text.field;
  needle.key = leaf.text.key;
  needle.header_key = leaf.text.header_key;
  needle.slot = leaf.slot;
  return needle;
}

// Marks those of `needles`, all of which look for a Subject, that are in this one.
void search_subject(std::string_view raw, std::vector<Needle>& needles) {
  const SliceTimer no_limit(std::chrono::hours(1));
  TextWindow window;
  window.begin(TextPlace::kField, "subject");
  FieldText field;
  field.begin(raw);
  std::string piece;
  while (field.next(piece)) {
    window.add(piece);
    while (!window.search(needles, no_limit)) {
    }
    piece.clear();
  }
  window.end();
  while (!window.search(needles, no_limit)) {
  }
}

}  // namespace

SearchNeeds SearchRun::needs_now(const SearchNode& leaf) const {
  const bool is_asked = leaf.needs == SearchNeeds::kSummary && at_work_->is_summary_asked;
  return is_asked ? SearchNeeds::kHeader : leaf.needs;
}

Result<const store::Summary*> SearchRun::summary(const store::ReadView& view) {
  if (!at_work_->summary) {
    auto read = view.summary(at_work_->record.blob);
    if (!read) return tl::unexpected(std::move(read.error()));
    at_work_->summary = std::move(*read);
  }
  return &*at_work_->summary;
}

Result<void> SearchRun::answer_from_summary(const store::ReadView& view,
                                            const std::vector<const SearchNode*>& missing) {
  auto found = summary(view);
  if (!found) return tl::unexpected(std::move(found.error()));
  const mail::Message& message = (*found)->message;
  at_work_->is_summary_asked = true;
  std::vector<Needle> subjects;
  for (const SearchNode* leaf : missing) {
    if (leaf->kind == SearchKind::kSentDate) {
      at_work_->slots[leaf->slot] = verdict(was_sent(*leaf, message.envelope));
    } else if (leaf->needs == SearchNeeds::kSummary) {
      subjects.push_back(needle_of(*leaf));
    }
  }
  if (subjects.empty() || !has_one_subject(at_work_->record, message)) return {};
  if (message.envelope.subject) search_subject(*message.envelope.subject, subjects);
  for (const Needle& needle : subjects) at_work_->slots[needle.slot] = verdict(needle.found);
  return {};
}

// `need` is kHeader or kBody.
Result<void> SearchRun::begin_scan(const store::ReadView& view,
                                   const std::vector<const SearchNode*>& missing,
                                   SearchNeeds need) {
  std::vector<Needle> needles;
  for (const SearchNode* leaf : missing) {
    if (needs_now(*leaf) == need) needles.push_back(needle_of(*leaf));
  }
  if (need == SearchNeeds::kHeader) {
    auto blob = view.blob_info(at_work_->record.blob);
    if (!blob) return tl::unexpected(std::move(blob.error()));
    at_work_->scan = std::make_unique<MessageScan>(at_work_->record, blob->header_octets,
                                                   std::move(needles), settings_.piece_octets);
    return {};
  }
  auto found = summary(view);
  if (!found) return tl::unexpected(std::move(found.error()));
  at_work_->scan = std::make_unique<MessageScan>(at_work_->record, (*found)->message.root,
                                                 std::move(needles), settings_.piece_octets);
  return {};
}

// False where the time is over. True where there is something to test the message anew with.
Result<bool> SearchRun::go_on_scanning(const store::ReadView& view, const SliceTimer& timer) {
  auto state = at_work_->scan->step(view, timer);
  if (!state) return tl::unexpected(std::move(state.error()));
  if (*state == MessageScan::State::kMore) return false;
  const bool at_end = *state == MessageScan::State::kEnd;
  for (const Needle& needle : at_work_->scan->needles()) {
    if (needle.found || at_end) at_work_->slots[needle.slot] = verdict(needle.found);
  }
  if (at_end) at_work_->scan.reset();
  return true;
}

}  // namespace twinpost::imap
