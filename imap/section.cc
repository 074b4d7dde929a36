#include "imap/section.h"

#include <algorithm>

#include "core/base/ascii.h"
#include "imap/quote.h"

namespace twinpost::imap {

namespace {

// The parts that numbers below `holder` name. RFC 9051 6.4.5.1: those of a multipart are its children; a message's
// are its body's, and where that is not multipart, the body itself is part 1.
const mail::Part* child(const mail::Part& holder, std::uint32_t number,
                        bool holder_is_body_of_message) {
  if (holder.is_multipart()) {
    return number >= 1 && number <= holder.children.size() ? &holder.children[number - 1] : nullptr;
  }
  return holder_is_body_of_message && number == 1 ? &holder : nullptr;
}

const mail::Part* find_part(const mail::Part& root, const std::vector<std::uint32_t>& path) {
  const mail::Part* part = &root;
  bool body_of_message = true;
  for (const std::uint32_t number : path) {
    if (!body_of_message && part->is_message() && !part->children.empty()) {
      part = &part->children.front();
      body_of_message = true;
    }
    const mail::Part* next = child(*part, number, body_of_message);
    if (next == nullptr) return nullptr;
    part = next;
    body_of_message = false;
  }
  return part;
}

SectionSource source(Produce produce, mail::Span span, bool from_start) {
  return {produce, span, from_start, mail::TransferEncoding::kIdentity};
}

SectionSource octets(mail::Span span) { return source(Produce::kOctets, span, false); }

SectionSource of_message(const mail::Part& body, const Section& section, bool is_top) {
  switch (section.text) {
    case SectionText::kHeader: return source(Produce::kOctets, body.header, is_top);
    case SectionText::kHeaderFields:
    case SectionText::kHeaderFieldsNot: return source(Produce::kHeaderFields, body.header, is_top);
    case SectionText::kText: return octets(body.body);
    default: return source(Produce::kOctets, {body.header.begin, body.body.end}, is_top);
  }
}

// The header field that begins at `begin`: [name, end of its last line).
struct FieldRun {
  std::string_view name;  // empty for a line that is no field
  std::size_t end;
};

std::size_t line_end(std::string_view text, std::size_t begin) {
  const auto newline = text.find('\n', begin);
  return newline == std::string_view::npos ? text.size() : newline + 1;
}

FieldRun field_at(std::string_view header, std::size_t begin) {
  std::size_t end = line_end(header, begin);
  while (end < header.size() && ascii::is_blank(header[end])) end = line_end(header, end);
  const std::string_view line = header.substr(begin, line_end(header, begin) - begin);
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return {{}, end};
  return {ascii::trim(line.substr(0, colon)),
          end};  // RFC 5322 4.5: blanks before the colon are obsolete syntax
}

bool is_blank_line(std::string_view header, std::size_t begin) {
  return header[begin] == '\n' ||
         (header[begin] == '\r' && begin + 1 < header.size() && header[begin + 1] == '\n');
}

}  // namespace

mail::Span Partial::clip(std::uint64_t total) const {
  const std::uint64_t begin = std::min(offset, total);
  return {begin, begin + std::min(length, total - begin)};
}

SectionSource resolve_body(const mail::Part& root, const Section& section) {
  if (section.part.empty()) return of_message(root, section, true);
  const mail::Part* found = find_part(root, section.part);
  if (found == nullptr) return {};
  const mail::Part& part = *found;
  if (section.text == SectionText::kWhole) return octets(part.body);
  if (section.text == SectionText::kMime)
    return source(Produce::kOctets, part.header, &part == &root);
  if (!part.is_message() || part.children.empty()) return {};
  return of_message(part.children.front(), section, false);
}

SectionSource resolve_binary(const mail::Part& root, const Section& section) {
  if (section.part.empty()) return resolve_body(root, section);
  const mail::Part* found = find_part(root, section.part);
  if (found == nullptr) return {};
  const mail::Part& part = *found;
  if (part.is_multipart() || part.is_message()) return octets(part.body);
  SectionSource decoded = octets(part.body);
  decoded.encoding = mail::transfer_encoding(part.encoding);
  if (decoded.encoding == mail::TransferEncoding::kUnknown)
    decoded.produce = Produce::kUnknownEncoding;
  if (decoded.encoding != mail::TransferEncoding::kIdentity &&
      decoded.produce == Produce::kOctets) {
    decoded.produce = Produce::kDecoded;
  }
  return decoded;
}

void append_header_fields(std::string& out, std::string_view header,
                          const std::vector<std::string_view>& fields, bool inverted) {
  const auto listed = [&](std::string_view name) {
    return std::any_of(fields.begin(), fields.end(), [&](std::string_view field) {
      return ascii::equals_ignore_case(field, name);
    });
  };
  bool keep = inverted;
  for (std::size_t at = 0; at < header.size() && !is_blank_line(header, at);) {
    const FieldRun run = field_at(header, at);
    if (!run.name.empty()) keep = listed(run.name) != inverted;
    if (keep) {
      out += header.substr(at, run.end - at);
      if (!out.ends_with('\n')) out += "\r\n";
    }
    at = run.end;
  }
  out += "\r\n";
}

void append_section(std::string& out, const Section& section) {
  out += '[';
  for (std::size_t i = 0; i < section.part.size(); ++i) {
    if (i > 0) out += '.';
    out += std::to_string(section.part[i]);
  }
  if (!section.part.empty() && section.text != SectionText::kWhole) out += '.';
  switch (section.text) {
    case SectionText::kWhole: break;
    case SectionText::kHeader: out += "HEADER"; break;
    case SectionText::kHeaderFields: out += "HEADER.FIELDS"; break;
    case SectionText::kHeaderFieldsNot: out += "HEADER.FIELDS.NOT"; break;
    case SectionText::kText: out += "TEXT"; break;
    case SectionText::kMime: out += "MIME"; break;
  }
  if (!section.fields.empty()) {
    out += " (";
    for (std::size_t i = 0; i < section.fields.size(); ++i) {
      if (i > 0) out += ' ';
      append_astring(out, section.fields[i], false);
    }
    out += ')';
  }
  out += ']';
}

}  // namespace twinpost::imap
