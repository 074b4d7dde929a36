// The structure of an Internet message (RFC 5322, RFC 2045..2049, RFC 2231), found once and kept as
// offsets.
//
// parse_message() never fails: whatever is wrong with a message it says in `defects` and gives the
// most useful reading of it (what Dovecot or Cyrus would show, where they agree). All spans are
// octet offsets into the message that was parsed. Strings here are as the wire has them: unfolded,
// but not decoded (RFC 2047 words stay; see encoded_word.h). Pure; any thread; time and memory are
// linear in the message within MessageLimits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace twinpost::mail {

// [begin, end) in octets.
struct Span {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  [[nodiscard]] std::uint64_t size() const { return end - begin; }
  friend bool operator==(const Span&, const Span&) = default;
};

// One address of an ENVELOPE (RFC 9051 7.5.2), undecoded. Group syntax: a start has host absent and
// mailbox = the group's name; an end has both absent.
struct Address {
  std::optional<std::string> name;     // display name
  std::optional<std::string> route;    // source route (adl), obsolete
  std::optional<std::string> mailbox;  // local part, quotes taken off
  std::optional<std::string> host;     // domain
  friend bool operator==(const Address&, const Address&) = default;
};
using AddressList = std::vector<Address>;

// Absent fields are nullopt (NIL); present but empty ones are "".
struct Envelope {
  std::optional<std::string> date;
  std::optional<std::string> subject;
  AddressList from;
  AddressList sender;    // as in the message: the default (From) is the asker's business
  AddressList reply_to;  // likewise
  AddressList to;
  AddressList cc;
  AddressList bcc;
  std::optional<std::string> in_reply_to;
  std::optional<std::string> message_id;
  friend bool operator==(const Envelope&, const Envelope&) = default;
};

// name -> value, names lower case, in their order; RFC 2231 continuations joined, the value then in
// UTF-8 where its charset was known (`charset` and `language` say what it was in).
struct Parameter {
  std::string name;
  std::string value;
  std::string charset;  // from RFC 2231, or empty
  std::string language;
  friend bool operator==(const Parameter&, const Parameter&) = default;
};

struct Part {
  std::string type = "text";      // lower case
  std::string subtype = "plain";  // lower case
  std::vector<Parameter> parameters;
  std::optional<std::string> id;           // Content-ID
  std::optional<std::string> description;  // Content-Description
  std::string encoding = "7bit";           // lower case, as given, also where it is unknown
  std::optional<std::string> md5;
  std::optional<std::string> disposition;  // lower case
  std::vector<Parameter> disposition_parameters;
  std::vector<std::string> languages;
  std::optional<std::string> location;

  Span header;  // with the blank line
  Span body;    // without the CRLF that belongs to the boundary after it (RFC 2046 5.1.1)
  // Line ends in `body`; an unended last line does not count, as in Dovecot.
  std::uint64_t body_lines = 0;

  // multipart/*: its parts. message/rfc822 and message/global: one child, the inner message's body,
  // whose `header` is the inner message's header; and `envelope` is the inner message's.
  std::vector<Part> children;
  std::optional<Envelope> envelope;

  [[nodiscard]] bool is_multipart() const { return type == "multipart"; }
  [[nodiscard]] bool is_message() const {
    return type == "message" && (subtype == "rfc822" || subtype == "global");
  }
  friend bool operator==(const Part&, const Part&) = default;
};

// A header field of the top header that clients list (From, To, Subject, Date, References, List-*,
// ...): where it is.
struct FieldSpan {
  std::string name;  // lower case
  Span field;        // the whole field, name to its last CRLF
  friend bool operator==(const FieldSpan&, const FieldSpan&) = default;
};

// What was wrong, as bits: for `twinpost check`, logs and tests.
enum class Defect : std::uint32_t {
  kNoHeader = 1U << 0,          // does not begin with a header field
  kMalformedField = 1U << 1,    // a header line that is no field and no continuation
  kHeaderWithoutEnd = 1U << 2,  // no blank line
  kNul = 1U << 3,
  kBareCr = 1U << 4,
  kUnencoded8Bit = 1U << 5,      // 8-bit octets in a header that are not UTF-8
  kMissingBoundary = 1U << 6,    // multipart without a usable boundary parameter
  kBoundaryNotClosed = 1U << 7,  // no closing boundary line
  kBoundaryNotFound = 1U << 8,
  kTooDeep = 1U << 9,  // cut at MessageLimits::depth; the rest is one opaque part
  kTooManyParts = 1U << 10,
  kTooManyFields = 1U << 11,
  kBadContentType = 1U << 12,
  kBadDate = 1U << 13,
  kBadAddress = 1U << 14,
  kBadEncoding = 1U << 15,    // unknown Content-Transfer-Encoding
  kHeaderTooLong = 1U << 16,  // header cut at MessageLimits::header_octets for parsing (bytes stay)
  kDuplicateField = 1U << 17,    // a field that may be there once was there again; the first counts
  kTooManyAddresses = 1U << 18,  // cut at MessageLimits::addresses
  kTooManyParameters = 1U << 19,  // cut at MessageLimits::parameters
  kBadParameter = 1U << 20,  // a Content-Type or Content-Disposition that is not quite RFC 2045
};
using DefectBits = std::uint32_t;

struct MessageLimits {
  unsigned depth = 100;
  unsigned parts = 10'000;
  std::uint64_t header_octets = 1'048'576;  // of one header, for parsing
  unsigned fields = 10'000;                 // of one header
  unsigned addresses = 10'000;              // of one message, those of messages in it included
  unsigned parameters = 10'000;             // of one message: parameters and language tags
};

struct Message {
  Part root;  // its `header` is the message's
  Envelope envelope;
  std::optional<std::int64_t> date;  // Date field, seconds since 1970 UTC, where it could be read
  std::vector<FieldSpan> fields;     // every field of the top header, in order, up to the limit
  std::string preview;               // RFC 8970: UTF-8, at most 256 characters, white space folded
  DefectBits defects = 0;
  friend bool operator==(const Message&, const Message&) = default;
};

// `octets`: lines should end in CRLF; a bare LF is taken as a line end too.
[[nodiscard]] Message parse_message(std::string_view octets, const MessageLimits& limits = {});

}  // namespace twinpost::mail
