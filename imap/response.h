// What responses are written with (RFC 9051 section 7): status lines, flags, dates, ENVELOPE and BODYSTRUCTURE.
//
// Each function appends to `out` and never fails: whatever a message holds comes out as valid grammar. `Style` says
// what this client understands. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/mail/message.h"
#include "imap/command.h"
#include "store/types.h"

namespace twinpost::imap {

struct Style {
  bool utf8 = false;  // UTF-8 in quoted strings and mailbox names: ENABLE UTF8=ACCEPT or IMAP4rev2
  bool rev2 = false;  // ENABLE IMAP4rev2: message/global is a message in BODYSTRUCTURE
};

// "tag OK [CODE] text" CRLF; `code` without brackets, may be empty. `tag` is "*" for untagged ones.
enum class Condition : std::uint8_t { kOk, kNo, kBad, kBye, kPreauth };
void append_status(std::string& out, std::string_view tag, Condition condition,
                   std::string_view code, std::string_view text);

// "(\Seen \Flagged $Junk)": keyword bits that have no name in `names` are left out.
void append_flags(std::string& out, store::FlagBits flags, const store::KeywordBits& keywords,
                  std::span<const std::string> names, bool recent);
// "\Seen", by one flag.
[[nodiscard]] std::string_view flag_name(store::Flag flag);
inline constexpr store::Flag kAllFlags[] = {store::Flag::kAnswered, store::Flag::kFlagged,
                                            store::Flag::kDeleted, store::Flag::kSeen,
                                            store::Flag::kDraft};

// "17-Jul-1996 02:44:25 -0700" in quotes. Years beyond 0000 to 9999 do not fit the form and are cut to its ends.
void append_date_time(std::string& out, const store::InternalDate& date);

// A mailbox name as an astring.
void append_mailbox(std::string& out, std::string_view name, const Style& style);

// "\Sent"; empty for kNone.
[[nodiscard]] std::string_view special_use_name(store::SpecialUse use);
[[nodiscard]] std::optional<store::SpecialUse> parse_special_use(
    std::string_view name);  // without case

// RFC 9051 7.5.2 ENVELOPE: Sender and Reply-To default to From where they are missing or empty.
void append_envelope(std::string& out, const mail::Envelope& envelope, const Style& style);

enum class BodyForm : std::uint8_t { kBody, kBodyStructure };  // without and with extension data

// RFC 9051 7.5.2 BODY and BODYSTRUCTURE, of a message's root part. What the grammar has no word for is shown as Dovecot
// shows it:
//   - a multipart without parts has one empty text/plain part;
//   - a text part without charset has ("charset" "us-ascii");
//   - type, subtype and parameter names come in lower case.
// A parameter in UTF-8 goes to a client that does not take UTF-8 as RFC 2231 has it: "filename*" "utf-8''%C3%A9".
// message/global is a basic part for clients of IMAP4rev1, whose grammar knows message/rfc822 only.
void append_body(std::string& out, const mail::Part& part, BodyForm form, const Style& style);

}  // namespace twinpost::imap
