#include "imap/parser.h"

#include <bit>
#include <limits>

#include "core/base/ascii.h"
#include "imap/parser_cursor.h"
#include "imap/parser_productions.h"

namespace twinpost::imap {

namespace {

constexpr std::size_t kIdleBuffer = 1024;
constexpr std::uint64_t kMost63 = std::numeric_limits<std::int64_t>::max();  // number64

void clear(std::string& buffer) {
  if (buffer.capacity() > kIdleBuffer) {
    std::string().swap(buffer);
  } else {
    buffer.clear();
  }
}

}  // namespace

std::optional<LiteralHeader> LiteralHeader::parse(std::string_view text) {
  if (!text.starts_with('{')) return std::nullopt;
  std::size_t end = 1;
  while (end < text.size() && ascii::is_digit(text[end])) ++end;
  const std::string_view digits = text.substr(1, end - 1);
  LiteralHeader header;
  if (end < text.size() && text[end] == '+') {
    header.synchronizing = false;
    ++end;
  }
  if (digits.empty() || end >= text.size() || text[end] != '}') return std::nullopt;
  const auto size = ascii::parse_number<std::uint64_t>(digits);
  header.size = size && *size <= kMost63 ? *size : std::numeric_limits<std::uint64_t>::max();
  header.header_octets = end + 1;
  return header;
}

std::optional<LiteralHeader> LiteralHeader::at_end_of(std::string_view line) {
  if (!line.ends_with('}')) return std::nullopt;
  const auto begin = line.rfind('{');
  if (begin == std::string_view::npos) return std::nullopt;
  const auto header = parse(line.substr(begin));
  if (!header || header->header_octets != line.size() - begin) return std::nullopt;
  return header;
}

ReaderSettings ReaderSettings::before_login() {
  ReaderSettings settings;
  settings.text_octets = 16 * 1024;  // an initial response with a Kerberos ticket in it fits
  settings.literal_octets = 4 * 1024;
  settings.literals = 64;  // ID
  settings.skip_octets = 64 * 1024;
  return settings;
}

CommandReader::CommandReader(ReaderSettings settings) : settings_(settings) {}

void CommandReader::reset() {
  mode_ = Mode::kFirst;
  clear(text_);
  clear(later_text_);
  clear(tag_);
  unescaped_.clear();
  line_octets_ = 0;
  literal_octets_ = 0;
  skipped_octets_ = 0;
  literals_ = 0;
  last_header_.reset();
  is_append_ = false;
  command_ = {};
  message_ = {};
  refusal_ = {};
}

Step CommandReader::line(std::string_view text) {
  last_header_ = LiteralHeader::at_end_of(text);
  if (mode_ == Mode::kSkipping) {
    skipped_octets_ += text.size();
    return skip_or_refuse(last_header_);
  }
  line_octets_ += text.size();
  if (mode_ == Mode::kFirst) {
    // The tag first, so that even a line that is too long gets a tagged answer.
    Cursor cursor(text.substr(0, settings_.text_octets), settings_, unescaped_);
    std::string_view tag;
    if (cursor.tag(tag)) tag_ = tag;
  }
  if (line_octets_ > settings_.text_octets) return reject("Command line too long", "LIMIT");
  if (mode_ == Mode::kAfterMessage) return after_message(text);
  text_ += text;
  mode_ = Mode::kGathering;
  if (!last_header_) return parse(true);
  ++literals_;
  // See "Memory" at the head of parser.h.
  if (is_append_ || std::has_single_bit(literals_)) return parse(false);
  return want_literal(*last_header_);
}

Step CommandReader::line_lost() { return bye("LIMIT", "Command line too long"); }

void CommandReader::literal(std::string_view octets) { text_ += octets; }

// Parses what is there. Not `final`: the text ends in a literal's header, and parsing must come to stop there.
Step CommandReader::parse(bool final) {
  if (tag_.empty()) return reject(text_.empty() ? "Empty command line" : "Invalid tag");
  unescaped_.clear();
  Cursor cursor(text_, settings_, unescaped_);
  std::string_view name;
  cursor.tag(command_.tag);
  if (!cursor.has_more()) return reject("Missing command after the tag");
  if (!cursor.space("the tag") || !cursor.word(name, "command name")) return reject(cursor.error());
  command_.uid = ascii::equals_ignore_case(name, "UID");
  if (command_.uid && (!cursor.space("UID") || !cursor.word(name, "command name after UID"))) {
    return reject(cursor.error());
  }
  const CommandInfo* known = find_command(name);
  if (known == nullptr || (command_.uid && !known->has_uid_form)) {
    refusal_.is_unknown_command = true;
    return reject("Unknown command " + std::string(command_.uid ? "UID " : "") +
                  ascii::printable(name, 40));
  }
  command_.id = known->id;
  is_append_ = known->id == CommandId::kAppend || known->id == CommandId::kReplace;
  if (known->is_secret) cursor.keep_secret();
  if (is_append_) {
    message_ = {};
    message_.is_replace = known->id == CommandId::kReplace;
    message_.uid = command_.uid;
    parse_append(cursor, message_);
    return next_message(cursor);
  }
  const bool parsed = parse_arguments(cursor, command_);
  if (parsed && final) return Step{Step::Kind::kComplete, 0, false};
  if (cursor.status() == Cursor::Status::kLiteral && !final) return want_literal(*last_header_);
  return reject(std::string(known->name) + ": " +
                (cursor.error().empty() ? "A literal is not allowed here" : cursor.error()));
}

// After parse_append() or parse_append_message(), which stop at a literal if nothing is wrong.
Step CommandReader::next_message(Cursor& cursor) {
  if (cursor.status() == Cursor::Status::kLiteral) return want_literal(*last_header_);
  if (cursor.status() == Cursor::Status::kMessage) {
    message_.binary = cursor.message_is_binary();
    return want_message(*last_header_);
  }
  return reject((message_.is_replace ? "REPLACE: " : "APPEND: ") + cursor.error());
}

// The line after a message: the end, or what stands before the next one (RFC 3502).
Step CommandReader::after_message(std::string_view line) {
  const bool had_utf8 = message_.utf8;
  ++message_.index;
  later_text_ = line;
  Cursor cursor(later_text_, settings_, unescaped_);
  message_.flags = {};
  message_.internal_date.reset();
  message_.utf8 = false;
  message_.binary = false;
  const std::string name = message_.is_replace ? "REPLACE: " : "APPEND: ";
  if (had_utf8 && !cursor.close("UTF8 message")) return reject(name + cursor.error());
  if (!cursor.has_more()) {
    return cursor.end("the message") ? complete_append() : reject(name + cursor.error());
  }
  if (message_.is_replace) return reject(name + "One message only is allowed");
  if (message_.index >= settings_.literals)
    return reject(name + "Too many messages", "LIMIT", false);
  if (!cursor.space("the message")) return reject(name + cursor.error());
  parse_append_message(cursor, message_);
  return next_message(cursor);
}

Step CommandReader::complete_append() {
  if (message_.is_replace) {
    command_.arguments = Replace{message_.uid, message_.number, message_.mailbox};
  } else {
    command_.arguments = Append{message_.mailbox, message_.index};
  }
  return Step{Step::Kind::kComplete, 0, false};
}

Step CommandReader::want_literal(const LiteralHeader& header) {
  if (!header.synchronizing && !settings_.literal_plus && header.size > kLiteralMinusOctets) {
    return reject("A literal of more than 4096 octets must be synchronising (LITERAL-)", "TOOBIG");
  }
  if (literals_ > settings_.literals) return reject("Too many literals", "LIMIT", false);
  if (header.size > settings_.literal_octets - literal_octets_) {
    return reject("Literal too large", "LIMIT", false);
  }
  literal_octets_ += header.size;
  text_ += "\r\n";
  return Step{Step::Kind::kLiteral, header.size, header.synchronizing};
}

Step CommandReader::want_message(const LiteralHeader& header) {
  if (!header.synchronizing && !settings_.literal_plus && header.size > kLiteralMinusOctets) {
    return reject("A literal of more than 4096 octets must be synchronising (LITERAL-)", "TOOBIG");
  }
  const std::uint64_t limit = settings_.message_octets == 0 ? kMost63 : settings_.message_octets;
  if (header.size > limit) {
    return reject("Message too large, the limit is " + std::to_string(limit) + " octets", "TOOBIG",
                  false);
  }
  message_.size = header.size;
  mode_ = Mode::kAfterMessage;
  return Step{Step::Kind::kMessage, header.size, header.synchronizing};
}

Step CommandReader::refuse(Refusal refusal) {
  refusal_ = std::move(refusal);
  refusal_.tag = tag();
  return skip_or_refuse(last_header_);
}

Step CommandReader::reject(std::string text, std::string code, bool is_bad) {
  refusal_.is_bad = is_bad;
  refusal_.tag = tag();
  refusal_.code = std::move(code);
  refusal_.text = std::move(text);
  return skip_or_refuse(last_header_);
}

// The command is refused, but it ends only where its last line has no literal that comes anyway.
Step CommandReader::skip_or_refuse(const std::optional<LiteralHeader>& header) {
  mode_ = Mode::kSkipping;
  clear(text_);
  if (header && !header->synchronizing) return skip(*header);
  return Step{Step::Kind::kRefused, 0, false};
}

Step CommandReader::skip(const LiteralHeader& header) {
  if (skipped_octets_ > settings_.skip_octets ||
      header.size > settings_.skip_octets - skipped_octets_) {
    return bye(refusal_.code.empty() ? "TOOBIG" : refusal_.code, refusal_.text);
  }
  skipped_octets_ += header.size;
  return Step{Step::Kind::kSkip, header.size, false};
}

Step CommandReader::bye(std::string code, std::string text) {
  refusal_.tag = "*";
  refusal_.code = std::move(code);
  refusal_.text = std::move(text);
  return Step{Step::Kind::kBye, 0, false};
}

}  // namespace twinpost::imap
