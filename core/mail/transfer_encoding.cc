#include "core/mail/transfer_encoding.h"

#include <array>

#include "core/base/ascii.h"

namespace twinpost::mail {

namespace {

constexpr std::size_t kMaxHeld = 1000;

constexpr std::uint8_t kNoDigit = 0xFF;

constexpr std::array<std::uint8_t, 256> make_base64_digits() {
  std::array<std::uint8_t, 256> digits{};
  digits.fill(kNoDigit);
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return digits;
}

constexpr auto kBase64Digits = make_base64_digits();

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

TransferEncoding transfer_encoding(std::string_view name) {
  const std::string lower = ascii::lower(ascii::trim(name));
  if (lower.empty() || lower == "7bit" || lower == "8bit" || lower == "binary") {
    return TransferEncoding::kIdentity;
  }
  if (lower == "base64") return TransferEncoding::kBase64;
  if (lower == "quoted-printable") return TransferEncoding::kQuotedPrintable;
  if (lower == "uuencode" || lower == "x-uuencode" || lower == "x-uue") {
    return TransferEncoding::kUuencode;
  }
  return TransferEncoding::kUnknown;
}

void TransferDecoder::decode(std::string_view octets, std::string& out) {
  switch (encoding_) {
    case TransferEncoding::kBase64: base64(octets, out); break;
    case TransferEncoding::kQuotedPrintable: quoted_printable(octets, out); break;
    case TransferEncoding::kUuencode: uuencode(octets, out); break;
    case TransferEncoding::kIdentity:
    case TransferEncoding::kUnknown: out += octets; break;
  }
}

void TransferDecoder::finish(std::string& out) {
  if (encoding_ == TransferEncoding::kBase64) {
    if (digits_ != 0) damaged_ = true;
    end_quantum(out);
  } else if (encoding_ == TransferEncoding::kQuotedPrintable) {
    // Blanks at the end were padding; a "=" (with blanks) at the end was a soft line break.
    if (escape_ && held_.size() > 1 && !ascii::is_blank(held_[1]) && held_[1] != '\r') {
      out += held_;
      damaged_ = true;
    }
    held_.clear();
    escape_ = false;
  } else if (encoding_ == TransferEncoding::kUuencode) {
    if (inside_ && !held_.empty()) uuencoded_line(held_, out);
    if (inside_) damaged_ = true;
    held_.clear();
    inside_ = false;
    overlong_ = false;
  }
}

void TransferDecoder::base64(std::string_view octets, std::string& out) {
  for (const char c : octets) {
    const std::uint8_t digit = kBase64Digits[static_cast<unsigned char>(c)];
    if (digit == kNoDigit) {
      if (c == '=') {
        end_quantum(out);
      } else if (c != '\r' && c != '\n' && !ascii::is_blank(c)) {
        damaged_ = true;
      }
      continue;
    }
    bits_ = (bits_ << 6) | digit;
    if (++digits_ < 4) continue;
    out += static_cast<char>((bits_ >> 16) & 0xFF);
    out += static_cast<char>((bits_ >> 8) & 0xFF);
    out += static_cast<char>(bits_ & 0xFF);
    bits_ = 0;
    digits_ = 0;
  }
}

// Padding, or the end of the text: two digits carry one octet, three carry two.
void TransferDecoder::end_quantum(std::string& out) {
  if (digits_ == 1) damaged_ = true;
  if (digits_ == 2) out += static_cast<char>((bits_ >> 4) & 0xFF);
  if (digits_ == 3) {
    out += static_cast<char>((bits_ >> 10) & 0xFF);
    out += static_cast<char>((bits_ >> 2) & 0xFF);
  }
  bits_ = 0;
  digits_ = 0;
}

void TransferDecoder::quoted_printable(std::string_view octets, std::string& out) {
  for (const char c : octets) {
    if (escape_) {
      escaped_octet(c, out);
    } else {
      plain_octet(c, out);
    }
  }
}

// held_ has blanks that may turn out to be at the end of a line, and at last the CR of that line's
// end.
void TransferDecoder::plain_octet(char c, std::string& out) {
  if (ascii::is_blank(c) && (held_.empty() || held_.back() != '\r')) {
    if (held_.size() >= kMaxHeld) {
      out += held_;
      held_.clear();
      damaged_ = true;
    }
    held_ += c;
    return;
  }
  if (c == '\r' && !held_.empty() && held_.back() != '\r') {
    held_ += c;
    return;
  }
  if (c == '\n' && !held_.empty()) {
    if (held_.back() == '\r') out += '\r';
    held_.clear();
    out += c;
    return;
  }
  if (!held_.empty()) {
    out += held_;
    held_.clear();
    plain_octet(c, out);  // once: held_ is empty now
    return;
  }
  if (c == '=') {
    escape_ = true;
    held_ = "=";
    return;
  }
  out += c;
}

// held_ is "=" and what came after it: a hexadecimal digit, or the blanks and the CR of a soft line
// break.
void TransferDecoder::escaped_octet(char c, std::string& out) {
  if (held_.size() == 2 && hex_digit(held_[1]) >= 0 && hex_digit(c) >= 0) {
    out += static_cast<char>(hex_digit(held_[1]) * 16 + hex_digit(c));
    held_.clear();
    escape_ = false;
    return;
  }
  const bool only_blanks = held_.size() == 1 || ascii::is_blank(held_.back());
  if (c == '\n' && (only_blanks || held_.back() == '\r')) {
    held_.clear();
    escape_ = false;
    return;
  }
  if ((held_.size() == 1 && hex_digit(c) >= 0) ||
      (only_blanks && (ascii::is_blank(c) || c == '\r') && held_.size() < kMaxHeld)) {
    held_ += c;
    return;
  }
  out += held_;
  held_.clear();
  escape_ = false;
  damaged_ = true;
  plain_octet(c, out);
}

void TransferDecoder::uuencode(std::string_view octets, std::string& out) {
  for (const char c : octets) {
    if (c != '\n') {
      if (held_.size() < kMaxHeld) {
        held_ += c;
      } else {
        overlong_ = true;
      }
      continue;
    }
    if (!held_.empty() && held_.back() == '\r') held_.pop_back();
    if (overlong_) {
      damaged_ = true;
    } else {
      uuencoded_line(held_, out);
    }
    held_.clear();
    overlong_ = false;
  }
}

void TransferDecoder::uuencoded_line(std::string_view line, std::string& out) {
  if (!inside_) {
    inside_ = line.starts_with("begin ");
    return;
  }
  if (line == "end") {
    inside_ = false;
    return;
  }
  if (line.empty()) return;
  const auto value = [](char c) { return static_cast<std::uint32_t>(c - ' ') & 0x3F; };
  std::size_t left = value(line.front());
  line.remove_prefix(1);
  for (std::size_t i = 0; left > 0; i += 4) {
    // Mailers strip the blanks at the end of a line, which are zeros.
    if (i >= line.size() + 4) {
      damaged_ = true;
      return;
    }
    std::uint32_t bits = 0;
    for (std::size_t j = i; j < i + 4; ++j)
      bits = (bits << 6) | (j < line.size() ? value(line[j]) : 0);
    for (int shift = 16; shift >= 0 && left > 0; shift -= 8, --left) {
      out += static_cast<char>((bits >> shift) & 0xFF);
    }
  }
}

std::string decode_transfer(TransferEncoding encoding, std::string_view octets) {
  TransferDecoder decoder(encoding);
  std::string out;
  out.reserve(octets.size());
  decoder.decode(octets, out);
  decoder.finish(out);
  return out;
}

}  // namespace twinpost::mail
