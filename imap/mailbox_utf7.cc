// Modified UTF-7 (RFC 3501 5.1.3): UTF-16 in base64 between '&' and '-', with ',' in the place of '/'.
#include "imap/mailbox_name.h"

namespace twinpost::imap {

namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

bool is_printable(char32_t c) { return c >= 0x20 && c <= 0x7e; }

void append_utf8(std::string& out, char32_t c) {
  const auto octet = [&out](char32_t value) { out += static_cast<char>(value); };
  if (c < 0x80) {
    octet(c);
  } else if (c < 0x800) {
    octet(0xc0 | c >> 6);
    octet(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    octet(0xe0 | c >> 12);
    octet(0x80 | (c >> 6 & 0x3f));
    octet(0x80 | (c & 0x3f));
  } else {
    octet(0xf0 | c >> 18);
    octet(0x80 | (c >> 12 & 0x3f));
    octet(0x80 | (c >> 6 & 0x3f));
    octet(0x80 | (c & 0x3f));
  }
}

// The next character of well-formed UTF-8.
char32_t next_character(std::string_view text, std::size_t& at) {
  const auto octet = [&](std::size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[i]));
  };
  const char32_t lead = octet(at);
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  constexpr char32_t kMasks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  char32_t value = lead & kMasks[length];
  for (std::size_t i = 1; i < length; ++i) value = value << 6 | (octet(at + i) & 0x3f);
  at += length;
  return value;
}

// Turns UTF-16 units into UTF-8, strictly.
class Utf16Sink {
 public:
  explicit Utf16Sink(std::string& out) : out_(out) {}

  bool add(char32_t unit) {
    if (unit >= 0xdc00 && unit <= 0xdfff) {
      if (high_ == 0) return false;
      append_utf8(out_, 0x10000 + ((high_ - 0xd800) << 10) + (unit - 0xdc00));
      high_ = 0;
      return true;
    }
    if (high_ != 0) return false;
    if (unit >= 0xd800 && unit <= 0xdbff) {
      high_ = unit;
      return true;
    }
    if (is_printable(unit)) return false;  // it must stand for itself
    append_utf8(out_, unit);
    return true;
  }
  [[nodiscard]] bool is_whole() const { return high_ == 0; }

 private:
  std::string& out_;
  char32_t high_ = 0;
};

// What stands between '&' and '-'.
bool decode_run(std::string_view base64, std::string& out) {
  Utf16Sink sink(out);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : base64) {
    const auto value = kAlphabet.find(c);
    if (value == std::string_view::npos) return false;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 16) continue;
    count -= 16;
    if (!sink.add(bits >> count & 0xffff)) return false;
    bits &= (1U << count) - 1;
  }
  return sink.is_whole() && count < 6 && bits == 0;
}

class Utf7Run {
 public:
  explicit Utf7Run(std::string& out) : out_(out) {}
  void add(char32_t c) {
    if (!open_) out_ += '&';
    open_ = true;
    if (c >= 0x10000) {
      unit(0xd800 + ((c - 0x10000) >> 10));
      unit(0xdc00 + ((c - 0x10000) & 0x3ff));
    } else {
      unit(c);
    }
  }
  void close() {
    if (!open_) return;
    if (count_ > 0) out_ += kAlphabet[bits_ << (6 - count_) & 0x3f];
    out_ += '-';
    open_ = false;
    bits_ = 0;
    count_ = 0;
  }

 private:
  void unit(char32_t value) {
    bits_ = bits_ << 16 | static_cast<std::uint32_t>(value);
    count_ += 16;
    while (count_ >= 6) {
      count_ -= 6;
      out_ += kAlphabet[bits_ >> count_ & 0x3f];
      bits_ &= (1U << count_) - 1;
    }
  }

  std::string& out_;
  bool open_ = false;
  std::uint32_t bits_ = 0;
  unsigned count_ = 0;
};

}  // namespace

std::optional<std::string> utf7_decode(std::string_view wire) {
  std::string out;
  bool after_run = false;
  for (std::size_t at = 0; at < wire.size();) {
    const char c = wire[at];
    if (c != '&') {
      if (!is_printable(static_cast<unsigned char>(c))) return std::nullopt;
      out += c;
      ++at;
      after_run = false;
      continue;
    }
    const auto end = wire.find('-', at);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view base64 = wire.substr(at + 1, end - at - 1);
    at = end + 1;
    if (base64.empty()) {
      out += '&';
      after_run = false;
      continue;
    }
    // "&...-&...-" has a shift too much.
    if (after_run || !decode_run(base64, out)) return std::nullopt;
    after_run = true;
  }
  return out;
}

std::string utf7_encode(std::string_view utf8) {
  std::string out;
  Utf7Run run(out);
  for (std::size_t at = 0; at < utf8.size();) {
    const char32_t c = next_character(utf8, at);
    if (!is_printable(c)) {
      run.add(c);
      continue;
    }
    run.close();
    out += static_cast<char>(c);
    if (c == '&') out += '-';
  }
  run.close();
  return out;
}

}  // namespace twinpost::imap
