// The command parser: one line in, one Command or the reply that refuses it out.
//
// Pure; any thread; no I/O; nothing is allocated in proportion to a number that the client merely
// claims. Grammar: RFC 5321 section 4.1.1 with RFC 2033 (LHLO), RFC 1870 (SIZE), RFC 6152 (BODY),
// RFC 6531 (SMTPUTF8), RFC 3030 (BDAT) and RFC 3207 (STARTTLS).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "lmtp/address.h"
#include "lmtp/reply.h"

namespace twinpost::lmtp {

enum class Verb : std::uint8_t {
  kLhlo,
  kMail,
  kRcpt,
  kData,
  kBdat,
  kRset,
  kNoop,
  kVrfy,
  kHelp,
  kQuit,
  kStartTls
};

struct Command {
  Verb verb = Verb::kNoop;
  std::string argument;  // LHLO: the client's name
  Path path;             // MAIL, RCPT
  std::uint64_t declared_octets =
      0;  // MAIL SIZE=; 0 where there is none; the largest number where it does not fit
  bool smtputf8 = false;            // MAIL SMTPUTF8
  std::uint64_t chunk_octets = 0;   // BDAT
  bool is_last_chunk = false;       // BDAT LAST
  bool is_malformed_chunk = false;  // BDAT whose size is known but whose second word is not LAST
};

// Why a line is no command.
struct Refusal {
  Reply reply;
  // BDAT with a size that can't be read: where its octets end is unknown, and to take them for
  // commands would let a message forge them. The connection must end.
  bool must_close = false;
};

// `line` is without its line end.
[[nodiscard]] tl::expected<Command, Refusal> parse_command(std::string_view line);

}  // namespace twinpost::lmtp
