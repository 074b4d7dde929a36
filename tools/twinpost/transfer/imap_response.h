// Responses of an IMAP server (RFC 9051 section 7 and 9, RFC 3501), taken apart for a client.
//
// Strict where a mistake could mix up messages (the structure of FETCH, LIST and STATUS), tolerant
// of what real servers send beside it: literals anywhere, 8-bit octets in quoted strings, blanks
// where none belong, unknown responses. Pure; any thread. Linear in what it reads; depth is
// bounded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "store/types.h"

namespace twinpost::tools {

// One response as it came: its lines without their line ends, and the literals between them.
// pieces[i] is followed by literals[i], of which the "{123}" at the end of the line is taken off.
struct ImapWire {
  std::vector<std::string> lines;
  std::vector<std::string> literals;  // one fewer than lines
};

// The size that a literal's announcement at the end of `line` gives (RFC 9051 4.3, RFC 7888,
// literal8); nullopt where there is none: the line is text for people, or the brace stands within
// quotes. kTooLarge where it is no number of 63 bits. `begin` is where the announcement begins.
// `first` says that the response begins with this line.
struct LiteralMark {
  std::uint64_t octets = 0;
  std::size_t begin = 0;
};
[[nodiscard]] Result<std::optional<LiteralMark>> literal_mark(std::string_view line, bool first);

struct ImapValue {
  enum class Kind : std::uint8_t { kNil, kAtom, kString, kList };
  Kind kind = Kind::kNil;
  std::string text;             // of an atom or string
  std::vector<ImapValue> list;  // of a list

  [[nodiscard]] bool is_text() const { return kind == Kind::kAtom || kind == Kind::kString; }
  [[nodiscard]] bool is_list() const { return kind == Kind::kList; }
  [[nodiscard]] std::optional<std::uint64_t> number() const;
};

struct ImapResponse {
  enum class Kind : std::uint8_t {
    kContinuation,  // "+ ..."
    kStatus,        // OK, NO, BAD, PREAUTH, BYE
    kData,          // anything else that is untagged
  };
  Kind kind = Kind::kData;
  std::string tag;                // empty: untagged
  std::string name;               // upper case: "OK", "FETCH", "LIST"
  std::uint32_t number = 0;       // "* 12 FETCH"
  std::string code;               // of a status, upper case: "UIDVALIDITY", "CAPABILITY"
  std::string code_text;          // what follows it within the brackets
  std::string text;               // for people
  std::vector<ImapValue> values;  // of data; empty where `fault` is not
  std::string fault;  // why the values of data can't be read; unknown responses may have any form

  [[nodiscard]] bool is_status(std::string_view which) const {
    return kind == Kind::kStatus && name == which;
  }
};

// kInvalid where it is no response at all.
[[nodiscard]] Result<ImapResponse> parse_imap_response(ImapWire wire);

// RFC 9051 7.5.2: what one FETCH response says of a message.
struct ImapFetched {
  std::uint32_t sequence = 0;
  std::optional<std::uint32_t> uid;
  std::optional<std::vector<std::string>> flags;
  std::optional<store::InternalDate> date;
  std::optional<UnixTime> save_date;  // RFC 8514
  std::optional<std::uint64_t> size;
  std::optional<std::vector<std::string>> gmail_labels;
  std::optional<std::string> octets;  // of BODY[]; empty and `no_octets` for NIL
  bool no_octets = false;
  std::optional<std::string> header;  // of BODY[HEADER]
};
// kInvalid where the response is malformed.
[[nodiscard]] Result<ImapFetched> read_fetch(ImapResponse response);

}  // namespace twinpost::tools
