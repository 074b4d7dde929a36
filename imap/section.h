// Sections of a message (RFC 9051 6.4.5.1 and 7.5.2): BODY[1.2.HEADER.FIELDS (To Cc)]<0.100>, BINARY[2].
//
// parse happens in the command parser; here is what a section is, where in the message its octets are, and how
// it is written back in the response. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/mail/message.h"
#include "core/mail/transfer_encoding.h"

namespace twinpost::imap {

enum class SectionText : std::uint8_t {
  kWhole,
  kHeader,
  kHeaderFields,
  kHeaderFieldsNot,
  kText,
  kMime
};

// `fields` are views into the command buffer.
struct Section {
  std::vector<std::uint32_t> part;  // "1.2" as {1, 2}; empty: the message itself
  SectionText text = SectionText::kWhole;
  std::vector<std::string_view>
      fields;  // of kHeaderFields and kHeaderFieldsNot, as the client wrote them
  friend bool operator==(const Section&, const Section&) = default;
};

// "<offset.length>"; length is at least 1.
struct Partial {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  // The part of [0, total) it names; empty past the end (RFC 9051 6.4.5.1: an empty string then).
  [[nodiscard]] mail::Span clip(std::uint64_t total) const;
  friend bool operator==(const Partial&, const Partial&) = default;
};

// How the octets that a section gives come from the span.
enum class Produce : std::uint8_t {
  kNothing,          // there is no such part: NIL
  kOctets,           // the span as it is
  kHeaderFields,     // append_header_fields() of the span
  kDecoded,          // BINARY: the span through mail::TransferDecoder(encoding)
  kUnknownEncoding,  // BINARY: NO [UNKNOWN-CTE]
};

struct SectionSource {
  Produce produce = Produce::kNothing;
  mail::Span span;  // in the body that was parsed (a store::MessageRecord's prefix is not counted)
  bool from_start =
      false;  // begins with the message's own header: the record's prefix goes before it
  mail::TransferEncoding encoding = mail::TransferEncoding::kIdentity;  // of kDecoded
  friend bool operator==(const SectionSource&, const SectionSource&) = default;
};

// Where a BODY[...] section is. `root` is mail::Message::root.
//   - Part 1 of a message that is not multipart is its body (RFC 9051 6.4.5.1); 1.MIME is then the MIME header
//     that describes it, which is the message's own.
//   - n.HEADER, n.HEADER.FIELDS and n.TEXT are of the message inside a message/rfc822 or message/global part;
//     any other part has none.
[[nodiscard]] SectionSource resolve_body(const mail::Part& root, const Section& section);

// Where a BINARY[...] or BINARY.SIZE[...] section is and how it is decoded (RFC 3516). A part that holds others
// (multipart, message) has an identity encoding and comes as it is.
[[nodiscard]] SectionSource resolve_binary(const mail::Part& root, const Section& section);

// HEADER.FIELDS / HEADER.FIELDS.NOT: the fields of `header` (octets with CRLF or LF line ends) whose names are, or
// with `inverted` are not, in `fields`, in their order, and a blank line at the end always. Names are compared
// without case; a line that is no field goes with the field before it.
void append_header_fields(std::string& out, std::string_view header,
                          const std::vector<std::string_view>& fields, bool inverted);

// What stands in the response: "[1.HEADER.FIELDS (To Cc)]", without any <origin>. Field names are quoted where they must be.
void append_section(std::string& out, const Section& section);

}  // namespace twinpost::imap
