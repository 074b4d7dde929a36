// What one FETCH command asks for, sorted once for all its messages.
//
// Immutable while the command runs: workers read it. Its items hold views into the command's
// buffer, which is good until the handler returns.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "imap/command.h"
#include "imap/fetch_header_filter.h"

namespace twinpost::imap {

struct PlannedSection {
  FetchItem item;
  FieldNames names;  // of HEADER.FIELDS and HEADER.FIELDS.NOT
};

struct FetchPlan {
  FetchPlan(const Fetch& fetch, bool read_only);
  FetchPlan(const FetchPlan&) = delete;
  FetchPlan& operator=(const FetchPlan&) = delete;

  // Each once. Those that are short come first in a response (the order is free, RFC 9051 7.5.2),
  // so that nothing but the place in a section has to be kept while a large one is on its way.
  std::vector<FetchItem> values;
  std::vector<PlannedSection> sections;  // BODY[...], BINARY[...], BINARY.SIZE[...], RFC822...

  bool is_record_only = true;  // the message records say it all
  bool needs_summary = false;
  bool needs_header_end = false;  // where the header of the message itself ends
  bool shows_flags = false;
  bool shows_modseq = false;
  bool marks_seen = false;  // some item does, and the mailbox was not opened with EXAMINE
  std::optional<store::ModSeq> changed_since;

 private:
  void add(const FetchItem& item);
  void add_value(const FetchItem& item);
  void add_section(const FetchItem& item);
};

}  // namespace twinpost::imap
