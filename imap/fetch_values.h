// The short data items of a FETCH response (RFC 9051 7.5.2): what the message's record and its
// summary say.
//
// Pure; any thread. A FETCH of a million flags spends its time here: nothing is allocated but by
// `out`.
#pragma once

#include <span>
#include <string>

#include "core/mail/message.h"
#include "imap/fetch_plan.h"
#include "imap/response.h"
#include "imap/selected.h"

namespace twinpost::imap {

// What the client's session adds to a message.
struct FetchView {
  const Selected& selected;
  Style style;
};

void append_number(std::string& out, std::uint64_t number);

// "* 3 FETCH ("
void append_fetch_start(std::string& out, SequenceNumber number);

// `items` with a blank between two of them; at least one. `summary` is null where none of them
// needs it. `seen_too`: FLAGS show \Seen, which this command sets.
void append_values(std::string& out, std::span<const FetchItem> items, const FetchView& view,
                   const store::MessageRecord& record, const mail::Message* summary, bool seen_too);

}  // namespace twinpost::imap
