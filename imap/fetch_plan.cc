#include "imap/fetch_plan.h"

#include <algorithm>

namespace twinpost::imap {

namespace {

FetchItem plain(FetchKind kind) {
  FetchItem item;
  item.kind = kind;
  return item;
}

bool is_section(FetchKind kind) {
  switch (kind) {
    case FetchKind::kSection:
    case FetchKind::kRfc822:
    case FetchKind::kRfc822Header:
    case FetchKind::kRfc822Text:
    case FetchKind::kBinary:
    case FetchKind::kBinarySize: return true;
    default: return false;
  }
}

bool is_of_summary(FetchKind kind) {
  return kind == FetchKind::kEnvelope || kind == FetchKind::kBodyStructure ||
         kind == FetchKind::kBodyShort || kind == FetchKind::kPreview;
}

// The same data: asked for twice it is given once. RFC 9051 7.5.2: the response says nothing of
// PEEK.
bool is_same(const FetchItem& left, const FetchItem& right) {
  return left.kind == right.kind && left.section == right.section && left.partial == right.partial;
}

bool has_field_names(const Section& section) {
  return section.text == SectionText::kHeaderFields ||
         section.text == SectionText::kHeaderFieldsNot;
}

}  // namespace

FetchPlan::FetchPlan(const Fetch& fetch, bool read_only) {
  if (fetch.uid) add(plain(FetchKind::kUid));  // RFC 9051 6.4.9: always
  for (const FetchItem& item : fetch.items) {
    add(item);
    marks_seen = marks_seen || (!read_only && sets_seen(item));
  }
  if (fetch.changed_since) {
    add(plain(FetchKind::kModSeq));  // RFC 7162 3.1.4.1
    changed_since = store::ModSeq(*fetch.changed_since);
  }
}

void FetchPlan::add(const FetchItem& item) {
  if (is_section(item.kind)) {
    add_section(item);
  } else {
    add_value(item);
  }
}

void FetchPlan::add_value(const FetchItem& item) {
  if (std::any_of(values.begin(), values.end(),
                  [&](const FetchItem& have) { return is_same(have, item); })) {
    return;
  }
  values.push_back(item);
  if (is_of_summary(item.kind)) {
    needs_summary = true;
    is_record_only = false;
  }
  shows_flags = shows_flags || item.kind == FetchKind::kFlags;
  shows_modseq = shows_modseq || item.kind == FetchKind::kModSeq;
}

void FetchPlan::add_section(const FetchItem& item) {
  for (PlannedSection& have : sections) {
    if (!is_same(have.item, item)) continue;
    have.item.peek = have.item.peek && item.peek;
    return;
  }
  PlannedSection& added = sections.emplace_back();
  added.item = item;
  if (has_field_names(item.section)) added.names = FieldNames(item.section.fields);
  is_record_only = false;
  const bool is_binary = item.kind == FetchKind::kBinary || item.kind == FetchKind::kBinarySize;
  if (is_binary || !item.section.part.empty()) {
    needs_summary = true;
  } else if (item.kind != FetchKind::kRfc822 &&
             !(item.kind == FetchKind::kSection && item.section.text == SectionText::kWhole)) {
    needs_header_end = true;
  }
}

}  // namespace twinpost::imap
