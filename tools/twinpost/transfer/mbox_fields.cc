#include "tools/twinpost/transfer/mbox_fields.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <fmt/format.h>
#include <openssl/md5.h>

#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "core/mail/header.h"
#include "core/mail/unicode.h"
#include "store/names.h"
#include "tools/twinpost/transfer/maildir_names.h"
#include "tools/twinpost/transfer/maildir_uidl.h"

namespace twinpost::tools {

namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::size_t kLongestFromLine = 2048;
constexpr std::string_view kSuffix = ".mbox";
// Before the name of a message's own field that an mbox's keeper has one of its own of.
constexpr std::string_view kKept = "X-Twinpost-Kept-";
constexpr std::size_t kLongestFileName = 240;

using Words = std::vector<std::string_view>;

Words words_of(std::string_view text) {
  Words words;
  while (true) {
    const auto begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) return words;
    text.remove_prefix(begin);
    const auto end = text.find_first_of(" \t\r\n");
    words.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end);
  }
}

template <class List>
std::optional<unsigned> place_in(const List& list, std::string_view word) {
  const auto found = std::find(list.begin(), list.end(), word);
  if (found == list.end()) return std::nullopt;
  return static_cast<unsigned>(found - list.begin());
}

std::optional<std::int64_t> seconds_of_day(std::string_view word) {
  std::array<unsigned, 3> parts{};
  std::size_t count = 0;
  while (count < parts.size()) {
    const auto end = word.find(':');
    const auto number = ascii::parse_number<unsigned>(word.substr(0, end));
    if (!number || end == 0 || word.substr(0, end).size() > 2) return std::nullopt;
    parts[count++] = *number;
    if (end == std::string_view::npos) break;
    word.remove_prefix(end + 1);
  }
  if (count < 2 || parts[0] > 23 || parts[1] > 59 || parts[2] > 60) return std::nullopt;
  return static_cast<std::int64_t>(parts[0]) * 3600 + parts[1] * 60 + parts[2];
}

// "+0100"; a name means UTC, which most of them do not, but nothing says which one is meant.
std::optional<std::int16_t> zone_of(std::string_view word) {
  if (word.size() != 5 || (word[0] != '+' && word[0] != '-')) return std::nullopt;
  const auto number = ascii::parse_number<unsigned>(word.substr(1));
  if (!number || *number % 100 > 59 || *number / 100 > 23) return std::nullopt;
  const int minutes = static_cast<int>(*number / 100 * 60 + *number % 100);
  return static_cast<std::int16_t>(word[0] == '-' ? -minutes : minutes);
}

// The words from a day's name on: "Thu Jan 1 00:00:00 1970".
std::optional<store::InternalDate> parse_date_words(std::span<const std::string_view> words) {
  if (words.size() < 5 || !place_in(kDays, words[0])) return std::nullopt;
  const auto month = place_in(kMonths, words[1]);
  const auto day = ascii::parse_number<unsigned>(words[2]);
  const auto time = seconds_of_day(words[3]);
  if (!month || !day || *day < 1 || *day > 31 || !time) return std::nullopt;
  store::InternalDate date;
  std::optional<int> year;
  for (const std::string_view word : words.subspan(4, std::min<std::size_t>(3, words.size() - 4))) {
    if (const auto zone = zone_of(word)) date.zone_minutes = *zone;
    const auto number = ascii::parse_number<unsigned>(word);
    if (!year && word.size() == 4 && number && *number >= 1970) year = static_cast<int>(*number);
  }
  if (!year) return std::nullopt;
  const std::chrono::year_month_day calendar(
      std::chrono::year(*year), std::chrono::month(*month + 1), std::chrono::day(*day));
  if (!calendar.ok()) return std::nullopt;
  date.time = UnixTime(std::chrono::sys_days(calendar)) + std::chrono::seconds(*time) -
              std::chrono::minutes(date.zone_minutes);
  return date;
}

// What Dovecot's mbox storage makes of a header for %m: the fields that deliveries differ in, as they stand,
// without line ends.
class HeaderDigest {
 public:
  HeaderDigest() { MD5_Init(&context_); }
  void add(const mail::HeaderField& field) {
    const bool received = ascii::equals_ignore_case(field.name, "Received");
    const bool weak = received || ascii::equals_ignore_case(field.name, "Date") ||
                      ascii::equals_ignore_case(field.name, "Message-ID");
    const bool strong = ascii::equals_ignore_case(field.name, "Delivered-To") ||
                        ascii::equals_ignore_case(field.name, "X-Delivery-ID");
    if (!strong && (!weak || seen_received_)) return;
    std::string_view value = field.value;
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    for (const char c : value) {
      if (c != '\r' && c != '\n') MD5_Update(&context_, &c, 1);
    }
    seen_received_ = seen_received_ || received;
  }
  std::string finish() {
    std::array<std::uint8_t, MD5_DIGEST_LENGTH> digest{};
    MD5_Final(digest.data(), &context_);
    return hex_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
  }

 private:
  MD5_CTX context_{};
  bool seen_received_ = false;
};

void set(store::FlagBits& flags, store::Flag flag) {
  flags = static_cast<store::FlagBits>(flags | store::bit(flag));
}

void parse_base(std::string_view value, bool is_pseudo, MboxFields& fields) {
  const Words words = words_of(value);
  if (words.size() < 2) return;
  const auto validity = ascii::parse_number<std::uint32_t>(words[0]);
  const auto last = ascii::parse_number<std::uint32_t>(words[1]);
  if (validity && last) fields.base = MboxFields::Base{*validity, *last, is_pseudo};
}

bool is_apart(const mail::HeaderField& field) {
  return ascii::starts_with_ignore_case(field.name, kKept);
}

// A line "From ", ">From " and so on.
bool is_from_line(std::string_view line) {
  const auto begin = line.find_first_not_of('>');
  return begin != std::string_view::npos && line.substr(begin).starts_with("From ");
}

// Calls `line` with each, its line end included.
template <class Line>
void for_each_line_of(std::string_view text, Line line) {
  while (!text.empty()) {
    const std::size_t end = mail::line_end(text, 0);
    line(text.substr(0, end));
    text.remove_prefix(end);
  }
}

// True for a field that is the keeper's own.
bool take_field(const mail::HeaderField& field, MboxFields& fields) {
  const auto is = [&](std::string_view name) {
    return ascii::equals_ignore_case(field.name, name);
  };
  const std::string value = mail::unfold(field.value);
  const auto has = [&](char letter) { return value.find(letter) != std::string::npos; };
  if (is("Status")) {
    if (has('R')) set(fields.flags, store::Flag::kSeen);
  } else if (is("X-Status")) {
    if (has('A')) set(fields.flags, store::Flag::kAnswered);
    if (has('F')) set(fields.flags, store::Flag::kFlagged);
    if (has('T')) set(fields.flags, store::Flag::kDraft);
    if (has('D')) set(fields.flags, store::Flag::kDeleted);
  } else if (is("X-Keywords")) {
    for (const std::string_view word : words_of(value)) {
      if (is_keyword(word) && fields.keywords.size() < store::kMaxKeywords) {
        fields.keywords.emplace_back(word);
      }
    }
  } else if (is("X-UID")) {
    fields.uid = ascii::parse_number<std::uint32_t>(ascii::trim(value)).value_or(0);
  } else if (is("X-UIDL")) {
    if (is_usable_uidl(value) && fields.uidl.empty()) fields.uidl = value;
  } else if (is("X-IMAPbase") || is("X-IMAP")) {
    if (!fields.base) parse_base(value, is("X-IMAP"), fields);
  } else if (is("Content-Length")) {
    if (!fields.content_length) {
      fields.content_length = ascii::parse_number<std::uint64_t>(ascii::trim(value));
    }
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::optional<store::InternalDate> parse_from_line(std::string_view line) {
  if (!line.starts_with("From ") || line.size() > kLongestFromLine) return std::nullopt;
  const Words words = words_of(line.substr(5));
  // The sender may have blanks in quotes, or be missing.
  for (std::size_t i = 0; i < words.size() && i < 16; ++i) {
    if (auto date = parse_date_words(std::span(words).subspan(i))) return date;
  }
  return std::nullopt;
}

std::string from_line(std::string_view sender, const store::InternalDate& date) {
  const auto day = std::chrono::floor<std::chrono::days>(date.time);
  const std::chrono::year_month_day calendar(day);
  const std::chrono::hh_mm_ss time(date.time - day);
  return fmt::format("From {} {} {} {:2} {:02}:{:02}:{:02} {:04}", sender,
                     kDays[std::chrono::weekday(day).c_encoding()],
                     kMonths[static_cast<unsigned>(calendar.month()) - 1],
                     static_cast<unsigned>(calendar.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count(),
                     static_cast<int>(calendar.year()));
}

MboxFields parse_mbox_fields(std::string_view header, bool restore, std::string& kept) {
  MboxFields fields;
  HeaderDigest digest;
  mail::HeaderReader reader(header);
  kept.clear();
  while (const auto field = reader.next()) {
    if (!field->malformed()) {
      digest.add(*field);
      if (take_field(*field, fields)) continue;
    }
    std::string_view whole = header.substr(field->begin, field->end - field->begin);
    if (restore && is_apart(*field)) whole.remove_prefix(kKept.size());
    kept += whole;
  }
  if (reader.met_blank_line()) {
    const std::size_t end = reader.offset();
    const bool crlf = end >= 2 && header[end - 2] == '\r';
    kept += crlf ? "\r\n" : "\n";
  }
  kept += header.substr(reader.offset());
  fields.header_md5 = digest.finish();
  return fields;
}

std::string set_own_fields_apart(std::string_view header, std::size_t& changed) {
  std::string text;
  changed = 0;
  std::size_t done = 0;
  mail::HeaderReader reader(header);
  MboxFields none;
  while (const auto field = reader.next()) {
    if (!field->malformed() && (is_apart(*field) || take_field(*field, none))) {
      text += kKept;
      ++changed;
    }
    text += header.substr(field->begin, field->end - field->begin);
    done = field->end;
  }
  text += header.substr(done);
  return text;
}

void append_escaped(std::string& out, std::string_view text) {
  for_each_line_of(text, [&](std::string_view line) {
    if (is_from_line(line)) out += '>';
    out += line;
  });
}

void append_unescaped(std::string& out, std::string_view text) {
  for_each_line_of(text, [&](std::string_view line) {
    if (line.starts_with('>') && is_from_line(line)) line.remove_prefix(1);
    out += line;
  });
}

std::string mbox_fields(const MboxFields& fields, const std::vector<std::string>& base_keywords) {
  std::string text;
  if (fields.base) {
    text += fmt::format("X-IMAPbase: {} {}", fields.base->uid_validity, fields.base->last_uid);
    for (const std::string& keyword : base_keywords) text += " " + keyword;
    text += '\n';
  }
  const auto has = [&](store::Flag flag) { return (fields.flags & store::bit(flag)) != 0; };
  text += has(store::Flag::kSeen) ? "Status: RO\n" : "Status: O\n";
  std::string letters;
  if (has(store::Flag::kAnswered)) letters += 'A';
  if (has(store::Flag::kDeleted)) letters += 'D';
  if (has(store::Flag::kFlagged)) letters += 'F';
  if (has(store::Flag::kDraft)) letters += 'T';
  if (!letters.empty()) text += fmt::format("X-Status: {}\n", letters);
  if (!fields.keywords.empty()) {
    text += fmt::format("X-Keywords: {}\n", fmt::join(fields.keywords, " "));
  }
  if (fields.uid != 0) text += fmt::format("X-UID: {}\n", fields.uid);
  if (!fields.uidl.empty()) text += fmt::format("X-UIDL: {}\n", fields.uidl);
  return text;
}

std::string envelope_sender(std::string_view message) {
  const auto field = mail::find_field(message, "Return-Path");
  std::string sender;
  if (field) {
    const std::string_view value = field->value;
    const auto open = value.find('<');
    const auto close = value.find('>', open == std::string_view::npos ? 0 : open);
    if (open != std::string_view::npos && close != std::string_view::npos) {
      sender = std::string(value.substr(open + 1, close - open - 1));
    }
  }
  const bool is_plain =
      !sender.empty() && sender.size() <= 256 &&
      std::all_of(sender.begin(), sender.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  return is_plain ? sender : "MAILER-DAEMON";
}

std::string mbox_file_name(std::string_view mailbox) {
  std::string name;
  for (std::size_t i = 0; i < mailbox.size(); ++i) {
    const char c = mailbox[i];
    if (c == '/' || c == '%' || ascii::is_control(c) || (c == '.' && i == 0)) {
      name += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      name += c;
    }
  }
  if (name.size() + kSuffix.size() > kLongestFileName) {
    Sha256 sha;
    sha.update(mailbox);
    const Sha256Digest digest = sha.finish();
    name.resize(kLongestFileName - kSuffix.size() - 17);
    while (!name.empty() && ascii::is_8bit(name.back())) name.pop_back();
    name += "_" + hex_encode({reinterpret_cast<const char*>(digest.data()), 8});
  }
  return name + std::string(kSuffix);
}

std::string mailbox_of_file(std::string_view file) {
  if (file.size() > kSuffix.size() && file.ends_with(kSuffix)) file.remove_suffix(kSuffix.size());
  std::string name;
  for (std::size_t i = 0; i < file.size(); ++i) {
    const auto octet = file[i] == '%' ? hex_decode(file.substr(i + 1, 2)) : std::nullopt;
    if (octet && octet->size() == 1) {
      name += *octet;
      i += 2;
    } else {
      name += file[i];
    }
  }
  return store::canonical_name(mail::normalize_nfc(name).value_or(name));
}

}  // namespace twinpost::tools
