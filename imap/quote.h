// Strings in responses (RFC 9051 section 4.3 and 9): atom, quoted, literal or literal8, whichever may carry the octets.
//
// `utf8` says whether this client may get UTF-8 in quoted strings (ENABLE UTF8=ACCEPT or IMAP4rev2); without it
// 8-bit octets go in a literal. No octet is lost but one: NUL can't be in a literal (RFC 9051 section 9, CHAR8) and
// goes out as 0x80, as Dovecot does; where the octets matter, the caller uses append_literal8. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace twinpost::imap {

// Longer strings go in a literal: RFC 2683 3.4.5 has clients that choke on long quoted ones.
inline constexpr std::size_t kMaxQuoted = 1000;

[[nodiscard]] bool is_atom(std::string_view text);  // 1*ATOM-CHAR
[[nodiscard]] bool is_astring_atom(
    std::string_view text);  // 1*ASTRING-CHAR, and not NIL, which old clients misread
[[nodiscard]] bool is_quotable(std::string_view text, bool utf8);

void append_quoted(std::string& out,
                   std::string_view text);  // the caller knows that it is quotable
void append_literal(std::string& out, std::string_view octets);
void append_literal8(std::string& out, std::string_view octets);

void append_string(std::string& out, std::string_view text, bool utf8);
void append_nstring(std::string& out, const std::optional<std::string>& text, bool utf8);
void append_astring(std::string& out, std::string_view text, bool utf8);

// One line of free text for a response (resp-text): controls and, without utf8, 8-bit octets become '?'.
void append_text(std::string& out, std::string_view text, bool utf8);

}  // namespace twinpost::imap
