#include "core/config/uidl_template.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "core/base/ascii.h"

namespace twinpost::config {
namespace {

constexpr std::size_t kMostOctets = 70;
constexpr unsigned kMostDigits = 20;

// Dovecot's default (pop3_uidl_format = %08Xu%08Xv), Cyrus's (uidl_format), Courier's and Stalwart's.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kNamed = {{
    {"dovecot", "{uid:08x}{uidvalidity:08x}"},
    {"cyrus", "{uidvalidity}.{uid}"},
    {"courier", "UID{uid}-{uidvalidity}"},
    {"stalwart", "{uidvalidity}{uid}"},
}};

std::string digits_of(std::uint32_t number, bool hexadecimal) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const unsigned base = hexadecimal ? 16 : 10;
  std::string digits;
  do {
    digits += kDigits[number % base];
    number /= base;
  } while (number != 0);
  std::reverse(digits.begin(), digits.end());
  return digits;
}

}  // namespace

Result<UidlTemplate::Piece> UidlTemplate::parse_number(std::string_view inside) {
  Piece piece;
  const std::size_t colon = std::min(inside.find(':'), inside.size());
  const std::string_view name = inside.substr(0, colon);
  if (name == "uid") {
    piece.what = What::kUid;
  } else if (name == "uidvalidity") {
    piece.what = What::kUidValidity;
  } else {
    return fail(ErrorCode::kInvalid,
                "{" + std::string(name) + "} is neither {uid} nor {uidvalidity}");
  }
  if (colon == inside.size()) return piece;
  std::string_view format = inside.substr(colon + 1);
  if (format.ends_with('x')) {
    piece.hexadecimal = true;
    format.remove_suffix(1);
  }
  if (format.empty() && piece.hexadecimal) return piece;
  const auto digits = ascii::parse_number<unsigned>(format);
  if (!format.starts_with('0') || !digits || *digits == 0 || *digits > kMostDigits) {
    return fail(ErrorCode::kInvalid,
                "{" + std::string(inside) + "} must be like {uid}, {uid:x}, {uid:08} or {uid:08x}");
  }
  piece.digits = *digits;
  return piece;
}

Result<UidlTemplate> UidlTemplate::parse(std::string_view text) {
  for (const auto& [name, meaning] : kNamed) {
    if (ascii::equals_ignore_case(text, name)) text = meaning;
  }
  UidlTemplate parsed;
  std::string plain;
  const auto flush = [&] {
    if (plain.empty()) return;
    Piece piece;
    piece.text = std::exchange(plain, {});
    parsed.pieces_.push_back(std::move(piece));
  };
  bool has_uid = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c < 0x21 || c > 0x7e) {
      return fail(ErrorCode::kInvalid, "a UIDL has no blanks and no characters beyond ASCII");
    }
    if ((c == '{' || c == '}') && at + 1 < text.size() && text[at + 1] == c) {
      plain += c;
      ++at;
      continue;
    }
    if (c == '}') return fail(ErrorCode::kInvalid, "has a } without its {");
    if (c != '{') {
      plain += c;
      continue;
    }
    const std::size_t end = text.find('}', at);
    if (end == std::string_view::npos) return fail(ErrorCode::kInvalid, "has a { without its }");
    flush();
    auto piece = parse_number(text.substr(at + 1, end - at - 1));
    if (!piece) return tl::unexpected(std::move(piece.error()));
    has_uid = has_uid || piece->what == What::kUid;
    parsed.pieces_.push_back(std::move(*piece));
    at = end;
  }
  flush();
  if (!has_uid)
    return fail(ErrorCode::kInvalid, "must have {uid} in it: messages need different UIDLs");
  constexpr std::uint32_t kLargest = std::numeric_limits<std::uint32_t>::max();
  if (parsed.make(kLargest, kLargest).size() > kMostOctets) {
    return fail(ErrorCode::kInvalid,
                "makes UIDLs of more than " + std::to_string(kMostOctets) + " octets");
  }
  return parsed;
}

std::string UidlTemplate::make(std::uint32_t uid, std::uint32_t uid_validity) const {
  std::string uidl;
  for (const Piece& piece : pieces_) {
    if (piece.what == What::kText) {
      uidl += piece.text;
      continue;
    }
    const std::string digits =
        digits_of(piece.what == What::kUid ? uid : uid_validity, piece.hexadecimal);
    if (digits.size() < piece.digits) uidl.append(piece.digits - digits.size(), '0');
    uidl += digits;
  }
  return uidl;
}

}  // namespace twinpost::config
