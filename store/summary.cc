// The encoded summary: a sealed record (codec.h) under an empty key.
//
//   varint    LEB128                        text      varint length, octets
//   span      varint begin, varint length   optional  varint length + 1, octets; 0 is absent
//   list      varint count, elements
//
//   summary   varint defects, u8 1 where there is a date, zigzag varint date, text preview,
//             envelope, list of header fields, part
//   field     text name, span
//   envelope  optional date, subject, in-reply-to, message-id;
//             lists of addresses: from, sender, reply-to, to, cc, bcc
//   address   optional name, route, mailbox, host
//   part      u8 flags: 1 envelope, 2 id, 4 description, 8 md5, 16 disposition, 32 languages,
//             64 location; text type, subtype, encoding; list of parameters; what the flags say,
//             in their order (disposition: optional, and its list of parameters); span header,
//             span body, varint lines; list of parts
//   parameter text name, value, charset, language
#include "store/summary.h"

#include <optional>
#include <vector>

#include "store/codec.h"

namespace twinpost::store {

namespace {

constexpr std::uint8_t kVersion = 1;
// Deeper than any that the parser makes (MessageLimits::depth): hostile octets can't take the
// stack.
constexpr unsigned kMaxDepth = 256;

enum PartFlag : std::uint8_t {
  kHasEnvelope = 1,
  kHasId = 2,
  kHasDescription = 4,
  kHasMd5 = 8,
  kHasDisposition = 16,
  kHasLanguages = 32,
  kHasLocation = 64,
};

// Writing.

void write(Record& out, const std::optional<std::string>& text) {
  if (!text) {
    out.varint(0);
    return;
  }
  out.varint(text->size() + 1).octets(*text);
}

void write(Record& out, const mail::Span& span) { out.varint(span.begin).varint(span.size()); }

void write(Record& out, const mail::Address& address) {
  write(out, address.name);
  write(out, address.route);
  write(out, address.mailbox);
  write(out, address.host);
}

void write(Record& out, const mail::Parameter& parameter) {
  out.sized(parameter.name)
      .sized(parameter.value)
      .sized(parameter.charset)
      .sized(parameter.language);
}

void write(Record& out, const mail::FieldSpan& field) {
  out.sized(field.name);
  write(out, field.field);
}

void write(Record& out, const std::string& text) { out.sized(text); }

void write(Record& out, const mail::Part& part);

template <class T>
void write(Record& out, const std::vector<T>& list) {
  out.varint(list.size());
  for (const T& element : list) write(out, element);
}

void write(Record& out, const mail::Envelope& envelope) {
  write(out, envelope.date);
  write(out, envelope.subject);
  write(out, envelope.in_reply_to);
  write(out, envelope.message_id);
  for (const auto* list : {&envelope.from, &envelope.sender, &envelope.reply_to, &envelope.to,
                           &envelope.cc, &envelope.bcc}) {
    write(out, *list);
  }
}

void write(Record& out, const mail::Part& part) {
  const bool has_disposition = part.disposition || !part.disposition_parameters.empty();
  unsigned flags = 0;
  if (part.envelope) flags |= kHasEnvelope;
  if (part.id) flags |= kHasId;
  if (part.description) flags |= kHasDescription;
  if (part.md5) flags |= kHasMd5;
  if (has_disposition) flags |= kHasDisposition;
  if (!part.languages.empty()) flags |= kHasLanguages;
  if (part.location) flags |= kHasLocation;
  out.u8(static_cast<std::uint8_t>(flags))
      .sized(part.type)
      .sized(part.subtype)
      .sized(part.encoding);
  write(out, part.parameters);
  if (part.envelope) write(out, *part.envelope);
  if (part.id) write(out, *part.id);
  if (part.description) write(out, *part.description);
  if (part.md5) write(out, *part.md5);
  if (has_disposition) {
    write(out, part.disposition);
    write(out, part.disposition_parameters);
  }
  if (!part.languages.empty()) write(out, part.languages);
  if (part.location) write(out, *part.location);
  write(out, part.header);
  write(out, part.body);
  out.varint(part.body_lines);
  write(out, part.children);
}

// Reading. Each returns with the reader failed where the octets make no sense; whoever began asks
// it at the end.

void read(Reader& in, std::optional<std::string>& text) {
  const std::uint64_t length = in.varint();
  if (length > 0) text.emplace(in.octets(length - 1));
}

void read(Reader& in, std::string& text) { text = in.sized(); }

void read(Reader& in, mail::Span& span) {
  span.begin = in.varint();
  const std::uint64_t length = in.varint();
  if (length > ~span.begin) in.fail();
  span.end = span.begin + length;
}

void read(Reader& in, mail::Address& address) {
  read(in, address.name);
  read(in, address.route);
  read(in, address.mailbox);
  read(in, address.host);
}

void read(Reader& in, mail::Parameter& parameter) {
  read(in, parameter.name);
  read(in, parameter.value);
  read(in, parameter.charset);
  read(in, parameter.language);
}

void read(Reader& in, mail::FieldSpan& field) {
  read(in, field.name);
  read(in, field.field);
}

// Grows element by element: memory follows what is there, not what a count claims.
template <class T, class ReadElement>
void read_list(Reader& in, std::vector<T>& list, ReadElement read_element) {
  const std::uint64_t count = in.varint();
  if (count > in.left()) in.fail();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) read_element(list.emplace_back());
}

template <class T>
void read(Reader& in, std::vector<T>& list) {
  read_list(in, list, [&in](T& element) { read(in, element); });
}

void read(Reader& in, mail::Envelope& envelope) {
  read(in, envelope.date);
  read(in, envelope.subject);
  read(in, envelope.in_reply_to);
  read(in, envelope.message_id);
  for (auto* list : {&envelope.from, &envelope.sender, &envelope.reply_to, &envelope.to,
                     &envelope.cc, &envelope.bcc}) {
    read(in, *list);
  }
}

void read_part(Reader& in, mail::Part& part, unsigned depth) {
  if (depth == 0) {
    in.fail();
    return;
  }
  const unsigned flags = in.u8();
  read(in, part.type);
  read(in, part.subtype);
  read(in, part.encoding);
  read(in, part.parameters);
  if ((flags & kHasEnvelope) != 0) read(in, part.envelope.emplace());
  if ((flags & kHasId) != 0) read(in, part.id.emplace());
  if ((flags & kHasDescription) != 0) read(in, part.description.emplace());
  if ((flags & kHasMd5) != 0) read(in, part.md5.emplace());
  if ((flags & kHasDisposition) != 0) {
    read(in, part.disposition);
    read(in, part.disposition_parameters);
  }
  if ((flags & kHasLanguages) != 0) read(in, part.languages);
  if ((flags & kHasLocation) != 0) read(in, part.location.emplace());
  read(in, part.header);
  read(in, part.body);
  part.body_lines = in.varint();
  read_list(in, part.children,
            [&in, depth](mail::Part& child) { read_part(in, child, depth - 1); });
}

std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ (value < 0 ? ~std::uint64_t{0} : 0);
}
std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1) ^ ((value & 1) != 0 ? ~std::uint64_t{0} : 0));
}

}  // namespace

std::string encode_summary(const Summary& summary) {
  const mail::Message& message = summary.message;
  Record out(kVersion);
  out.varint(message.defects).u8(message.date ? 1 : 0);
  if (message.date) out.varint(zigzag(*message.date));
  out.sized(message.preview);
  write(out, message.envelope);
  write(out, message.fields);
  write(out, message.root);
  return out.seal({});
}

Result<Summary> decode_summary(std::string_view octets) {
  auto body = unseal({}, octets, kVersion, "summary");
  if (!body && body.error().code == ErrorCode::kNewerFormat) {
    return fail(ErrorCode::kUnsupported, body.error().message);
  }
  if (!body) return failed(body);
  if (static_cast<std::uint8_t>(octets[0]) != kVersion) {
    return fail(ErrorCode::kUnsupported, "summary of an older version");
  }
  Reader in(*body);
  Summary summary;
  mail::Message& message = summary.message;
  const std::uint64_t defects = in.varint();
  message.defects = static_cast<mail::DefectBits>(defects);
  if (in.u8() != 0) message.date = unzigzag(in.varint());
  read(in, message.preview);
  read(in, message.envelope);
  read(in, message.fields);
  read_part(in, message.root, kMaxDepth);
  if (!in.at_end() || defects != message.defects) return malformed("summary");
  return summary;
}

}  // namespace twinpost::store
