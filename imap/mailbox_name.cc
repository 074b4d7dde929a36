#include "imap/mailbox_name.h"

#include <algorithm>

#include "core/base/ascii.h"
#include "core/mail/unicode.h"

namespace twinpost::imap {

namespace {

constexpr std::string_view kInbox = "INBOX";

// UTF-8, NFC, or the reason why not.
Result<std::string> decode(std::string_view wire, bool utf8) {
  if (utf8) {
    auto name = mail::normalize_nfc(wire);
    if (!name) return fail(ErrorCode::kInvalid, "The mailbox name is not valid UTF-8");
    return *std::move(name);
  }
  const auto name = utf7_decode(wire);
  if (!name) return fail(ErrorCode::kInvalid, "The mailbox name is not valid modified UTF-7");
  auto normal = mail::normalize_nfc(*name);
  if (!normal) return fail(ErrorCode::kInvalid, "The mailbox name is not valid modified UTF-7");
  return *std::move(normal);
}

// C0, DEL, C1, and the line and paragraph separators (RFC 9051 5.1 by way of RFC 5198 section 2).
bool has_control(std::string_view name) {
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (ascii::is_control(name[i])) return true;
    if (name[i] == '\xc2' && static_cast<unsigned char>(name[i + 1]) < 0xa0) return true;
    if (name.substr(i).starts_with("\xe2\x80\xa8") || name.substr(i).starts_with("\xe2\x80\xa9"))
      return true;
  }
  return false;
}

// The first part in the form that the store keeps.
void fix_inbox(std::string& name) {
  if (!ascii::starts_with_ignore_case(name, kInbox)) return;
  if (name.size() > kInbox.size() && name[kInbox.size()] != kDelimiter) return;
  name.replace(0, kInbox.size(), kInbox);
}

Result<void> check_parts(std::string_view name) {
  std::size_t depth = 0;
  for (std::string_view rest = name;;) {
    const auto end = rest.find(kDelimiter);
    const std::string_view part = rest.substr(0, end);
    if (part.empty()) return fail(ErrorCode::kInvalid, "The mailbox name has an empty part");
    if (part.size() > kMaxPartOctets) {
      return fail(ErrorCode::kInvalid, "A part of the mailbox name is longer than 255 octets");
    }
    if (++depth > kMaxDepth)
      return fail(ErrorCode::kInvalid, "The mailbox name has more than 50 levels");
    if (end == std::string_view::npos) return {};
    rest.remove_prefix(end + 1);
  }
}

bool is_wildcard(char c) { return c == '*' || c == '%'; }

// True where `name` is INBOX or below it: its first part is then compared without case.
bool is_in_inbox(std::string_view name) {
  return name.starts_with(kInbox) &&
         (name.size() == kInbox.size() || name[kInbox.size()] == kDelimiter);
}

}  // namespace

Result<std::string> mailbox_from_wire(std::string_view wire, bool utf8, NameUse use) {
  if (wire.empty()) return fail(ErrorCode::kInvalid, "The mailbox name is empty");
  auto name = decode(wire, utf8);
  if (!name) return name;
  if (name->ends_with(kDelimiter)) name->pop_back();
  if (has_control(*name)) {
    return fail(ErrorCode::kInvalid, "The mailbox name has control characters in it");
  }
  if (auto checked = check_parts(*name); !checked)
    return tl::unexpected(std::move(checked.error()));
  // RFC 9051 5.1: a name with wildcards in it could not be listed alone.
  if (use == NameUse::kNew && std::any_of(name->begin(), name->end(), is_wildcard)) {
    return fail(ErrorCode::kInvalid, "'*' and '%' are not allowed in a new mailbox name");
  }
  fix_inbox(*name);
  return name;
}

std::string mailbox_to_wire(std::string_view name, bool utf8) {
  return utf8 || !ascii::is_utf8(name) ? std::string(name) : utf7_encode(name);
}

std::optional<ListPattern> ListPattern::from_wire(std::string_view reference,
                                                  std::string_view pattern, bool utf8) {
  const auto joined = std::string(reference) + std::string(pattern);
  const auto decoded = decode(joined, utf8);
  if (!decoded) return std::nullopt;
  return ListPattern(*decoded);
}

ListPattern::ListPattern(std::string_view pattern) {
  for (const char c : pattern) {
    if (!is_wildcard(c)) {
      pattern_ += c;
      ++fixed_octets_;
    } else if (pattern_.empty() || !is_wildcard(pattern_.back())) {
      pattern_ += c;
    } else if (c == '*') {
      pattern_.back() = '*';  // "%*" and "*%" are "*"
    }
  }
}

// All places of the pattern that can be reached are followed at once, so nothing is ever tried twice.
bool ListPattern::matches(std::string_view name) const {
  if (fixed_octets_ > name.size()) return false;
  const std::size_t folded = is_in_inbox(name) ? kInbox.size() : 0;
  const std::size_t size = pattern_.size();
  std::vector<bool> now(size + 1, false);
  std::vector<bool> next(size + 1, false);
  const auto reach = [&](std::vector<bool>& places, std::size_t place) {
    places[place] = true;
    if (place < size && is_wildcard(pattern_[place]))
      places[place + 1] = true;  // it may stand for nothing
  };
  reach(now, 0);
  for (std::size_t i = 0; i < name.size(); ++i) {
    std::fill(next.begin(), next.end(), false);
    for (std::size_t place = 0; place < size; ++place) {
      if (!now[place]) continue;
      const char wanted = pattern_[place];
      if (wanted == '*' || (wanted == '%' && name[i] != kDelimiter)) {
        reach(next, place);
      } else if (!is_wildcard(wanted) &&
                 (wanted == name[i] || (i < folded && ascii::to_upper(wanted) == name[i]))) {
        reach(next, place + 1);
      }
    }
    now.swap(next);
  }
  return now[size];
}

}  // namespace twinpost::imap
