#include "imap/mailbox_name.h"

#include <algorithm>
#include <array>

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

// Places in a pattern, one bit each: before its first octet, ..., after its last.
using Places = std::vector<std::uint64_t>;

void add(Places& places, std::size_t place) {
  places[place / 64] |= std::uint64_t{1} << (place % 64);
}

bool contains(const Places& places, std::size_t place) {
  return ((places[place / 64] >> (place % 64)) & 1U) != 0;
}

// What stands at each place of a pattern whose wildcards are never neighbours.
class PatternMasks {
 public:
  explicit PatternMasks(std::string_view pattern)
      : words_(pattern.size() / 64 + 1), any_(words_, 0), level_(words_, 0) {
    for (std::size_t place = 0; place < pattern.size(); ++place) {
      const char c = pattern[place];
      if (c == '*') {
        add(any_, place);
      } else if (c == '%') {
        add(level_, place);
      } else {
        add(places_of(c), place);
      }
    }
  }

  [[nodiscard]] std::size_t words() const { return words_; }

  // A wildcard may stand for nothing.
  void pass_wildcards(Places& now) const {
    std::uint64_t carry = 0;
    for (std::size_t word = 0; word < words_; ++word) {
      const std::uint64_t wild = now[word] & (any_[word] | level_[word]);
      now[word] |= (wild << 1) | carry;
      carry = wild >> 63;
    }
  }

  // The places after one more octet of the name; false where there are none. `folded`: in the INBOX
  // of a name.
  bool advance(Places& now, char c, bool folded) const {
    const Places* same = find(c);
    const Places* lower = folded ? find(ascii::to_lower(c)) : nullptr;
    std::uint64_t carry = 0;
    std::uint64_t all = 0;
    for (std::size_t word = 0; word < words_; ++word) {
      const std::uint64_t literal =
          (same != nullptr ? (*same)[word] : 0) | (lower != nullptr ? (*lower)[word] : 0);
      const std::uint64_t stay = any_[word] | (c == kDelimiter ? 0 : level_[word]);
      const std::uint64_t go = now[word] & literal;
      now[word] = (now[word] & stay) | (go << 1) | carry;
      carry = go >> 63;
      all |= now[word];
    }
    return all != 0;
  }

 private:
  static std::size_t index_of(char c) { return static_cast<unsigned char>(c); }
  Places& places_of(char c) {
    std::uint16_t& slot = slots_[index_of(c)];
    if (slot == 0) {
      literals_.emplace_back(words_, 0);
      slot = static_cast<std::uint16_t>(literals_.size());
    }
    return literals_[slot - 1U];
  }
  [[nodiscard]] const Places* find(char c) const {
    const std::uint16_t slot = slots_[index_of(c)];
    return slot == 0 ? nullptr : &literals_[slot - 1U];
  }

  std::size_t words_;
  Places any_;                              // '*'
  Places level_;                            // '%'
  std::array<std::uint16_t, 256> slots_{};  // by octet: which of literals_, from 1
  std::vector<Places> literals_;
};

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

// All places of the pattern that can be reached are followed at once, 64 to a word, so nothing is ever
// tried twice.
bool ListPattern::matches(std::string_view name) const {
  if (fixed_octets_ > name.size()) return false;
  const PatternMasks masks(pattern_);
  const std::size_t folded = is_in_inbox(name) ? kInbox.size() : 0;
  Places now(masks.words(), 0);
  now[0] = 1;
  masks.pass_wildcards(now);
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (!masks.advance(now, name[i], i < folded)) return false;
    masks.pass_wildcards(now);
  }
  return contains(now, pattern_.size());
}

}  // namespace twinpost::imap
