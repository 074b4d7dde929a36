// Object ids as IMAP clients see them (RFC 8474 section 7: 1*255 of [A-Za-z0-9_-]): EMAILID "M12",
// THREADID "T12".
//
// The letter keeps ids of different kinds apart, as section 8 asks for. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/ascii.h"
#include "store/types.h"

namespace twinpost::imap {

namespace object_id_detail {

// What was not made by append_*_id() names nothing: leading zeros and signs are refused.
inline std::optional<std::uint64_t> number_after(char letter, std::string_view text) {
  if (text.size() < 2 || text.front() != letter || text[1] == '0') return std::nullopt;
  return ascii::parse_number<std::uint64_t>(text.substr(1));
}

}  // namespace object_id_detail

inline void append_email_id(std::string& out, store::EmailId id) {
  out += 'M';
  out += std::to_string(id.value());
}
inline void append_thread_id(std::string& out, store::ThreadId id) {
  out += 'T';
  out += std::to_string(id.value());
}

// nullopt for a text that is no message's id. Case counts (RFC 8474 section 7).
[[nodiscard]] inline std::optional<store::EmailId> parse_email_id(std::string_view text) {
  const auto number = object_id_detail::number_after('M', text);
  if (!number) return std::nullopt;
  return store::EmailId(*number);
}
[[nodiscard]] inline std::optional<store::ThreadId> parse_thread_id(std::string_view text) {
  const auto number = object_id_detail::number_after('T', text);
  if (!number) return std::nullopt;
  return store::ThreadId(*number);
}

}  // namespace twinpost::imap
