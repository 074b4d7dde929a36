// Unicode text as IMAP compares and stores it: i;unicode-casemap for SEARCH and SORT, NFC for
// mailbox names. UTF-8 in, UTF-8 out; octets that are not UTF-8 become U+FFFD. Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace twinpost::mail {

// The key that i;unicode-casemap compares (RFC 5051 section 2): every character's simple titlecase
// mapping, then decomposed, compatibility decompositions included. Beyond the RFC, combining marks
// come out in canonical order, so that canonically equal texts have equal keys. Two texts match
// where their keys are equal octet for octet, and one contains the other where its key is a
// substring.
[[nodiscard]] std::string unicode_casemap(std::string_view utf8);

// Unicode normalisation form C (RFC 9051 5.1: mailbox names). nullopt where the input is no UTF-8.
[[nodiscard]] std::optional<std::string> normalize_nfc(std::string_view utf8);

// Code points in well-formed UTF-8.
[[nodiscard]] std::size_t count_characters(std::string_view utf8);

}  // namespace twinpost::mail
