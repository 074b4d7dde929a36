// One POP3 command line, octets to Command (RFC 1939 section 9, RFC 2449 section 5, RFC 2595
// section 4, RFC 5034 section 4, RFC 6856 section 3).
//
// Pure: no I/O, no state, never throws on any input; memory in proportion to the line that is
// really there.
//
// Kinder than the RFC where old clients are sloppy: any case, several blanks between arguments and
// blanks at the end are taken ("AUTH " asks for the list of mechanisms). Strict where a guess could
// do harm: a number is digits only, an argument too many is an error. PASS takes everything after
// its one blank as the password.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/strong_id.h"

namespace twinpost::pop3 {

using MessageNumber =
    StrongId<struct MessageNumberTag, std::uint64_t>;  // from 1, as the client counts

enum class Verb : std::uint8_t {
  kInvalid,
  kUser,
  kPass,
  kStat,
  kList,
  kRetr,
  kDele,
  kNoop,
  kRset,
  kQuit,
  kTop,
  kUidl,
  kCapa,
  kStls,
  kAuth,
  kApop,
  kLast,
  kLang,
};

struct Command {
  Verb verb = Verb::kInvalid;
  std::string_view problem;  // of kInvalid: what to tell the client (static text)
  // LIST, UIDL: if one was given. RETR, DELE, TOP: always. A number too large for 64 bits is the
  // largest: no maildrop has such a message, and a TOP of so many lines is the whole message.
  std::optional<MessageNumber> number;
  std::uint64_t lines = 0;  // TOP
  // USER, APOP: the name; PASS: the password; AUTH: the mechanism, upper case; LANG: the language range, or
  // nothing
  std::string text;
  std::string digest;                           // APOP: as it came
  std::optional<std::string> initial_response;  // AUTH, as it came ("=" is an empty one)
};

// `line` without its line end.
[[nodiscard]] Command parse_command(std::string_view line);

}  // namespace twinpost::pop3
