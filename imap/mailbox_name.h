// Mailbox names: between the wire and the store (RFC 3501 5.1, RFC 9051 5.1, RFC 6855 section 3).
//
// In the store a name is UTF-8 in form NFC, parts separated by '/', the inbox "INBOX". On the wire it is modified UTF-7
// (RFC 3501 5.1.3), or UTF-8 once the client has enabled IMAP4rev2 or UTF8=ACCEPT. "inbox" in any case as the
// first part is INBOX, so that "Inbox/work" and "INBOX/work" never are two mailboxes.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace twinpost::imap {

inline constexpr char kDelimiter = '/';
inline constexpr std::size_t kMaxPartOctets = 255;  // of one part, UTF-8
inline constexpr std::size_t kMaxDepth = 50;        // parts

// Strict: only what utf7_encode() makes is decoded (RFC 3501 5.1.3: no superfluous shifts, printable ASCII stands for
// itself, right padding bits, whole characters). Otherwise nullopt.
[[nodiscard]] std::optional<std::string> utf7_decode(std::string_view wire);
// Of well-formed UTF-8; controls are encoded like everything else that is not printable ASCII.
[[nodiscard]] std::string utf7_encode(std::string_view utf8);

enum class NameUse : std::uint8_t {
  kExisting,  // to be looked up: what can't be a name is just not there
  kNew,       // CREATE, the target of RENAME: also no wildcards in it
};

// The store's name for what a client sent as a mailbox argument. One delimiter at the end is taken off (RFC 9051
// 6.3.4: "foo/" only says that there will be children). kInvalid with a line for the client (NO [CANNOT]) where it is no
// name: not decodable, empty parts, a part above kMaxPartOctets, more than kMaxDepth parts, control characters.
[[nodiscard]] Result<std::string> mailbox_from_wire(std::string_view wire, bool utf8, NameUse use);

// The octets that stand for it in a response, to be quoted by append_mailbox() of response.h or append_astring().
[[nodiscard]] std::string mailbox_to_wire(std::string_view name, bool utf8);

// A LIST pattern: '*' is any run of octets, '%' any run without the delimiter.
class ListPattern {
 public:
  // Reference and pattern as sent; they are joined as they stand. nullopt where they can't match any name, as
  // undecodable ones (RFC 5258 section 3: such a pattern is ignored).
  [[nodiscard]] static std::optional<ListPattern> from_wire(std::string_view reference,
                                                            std::string_view pattern, bool utf8);
  explicit ListPattern(std::string_view pattern);  // UTF-8, NFC

  // Of a store's name. Time is at most its length times the pattern's, whatever wildcards there are; both
  // are bounded by what a name may be.
  [[nodiscard]] bool matches(std::string_view name) const;

 private:
  std::string pattern_;  // runs of wildcards reduced to one
  std::size_t fixed_octets_ = 0;
};

}  // namespace twinpost::imap
