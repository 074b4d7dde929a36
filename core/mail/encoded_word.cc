#include "core/mail/encoded_word.h"

#include <algorithm>
#include <optional>

#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "core/mail/charset.h"
#include "core/mail/structured.h"
#include "core/mail/transfer_encoding.h"

namespace twinpost::mail {

namespace {

struct Word {
  std::string_view charset;  // without the language
  bool base64 = false;
  std::string_view text;
  std::size_t end = 0;  // behind "?="
};

// Reads words at given places, which only go forward: the next "?=" is looked for once.
class WordReader {
 public:
  explicit WordReader(std::string_view text) : text_(text) {}

  // text[at] is "=?".
  std::optional<Word> read(std::size_t at) {
    constexpr std::size_t kMaxCharset = 100;  // with language
    const std::size_t charset = at + 2;
    const std::size_t mark = text_.substr(charset, kMaxCharset).find_first_of("? \t\r\n");
    if (mark == std::string_view::npos || mark == 0 || text_[charset + mark] != '?') {
      return std::nullopt;
    }
    const std::size_t encoding = charset + mark + 1;
    if (encoding + 1 >= text_.size() || text_[encoding + 1] != '?') return std::nullopt;
    const char letter = ascii::to_lower(text_[encoding]);
    if (letter != 'q' && letter != 'b') return std::nullopt;
    const std::size_t begin = encoding + 2;
    const std::size_t end = next_terminator(begin);
    if (end == std::string_view::npos) return std::nullopt;
    Word word;
    word.charset = text_.substr(charset, mark);
    word.charset = word.charset.substr(0, word.charset.find('*'));  // RFC 2231 section 5
    word.base64 = letter == 'b';
    word.text = text_.substr(begin, end - begin);
    word.end = end + 2;
    // An unfinished word shall not swallow the one that follows it.
    if (word.text.find("=?") != std::string_view::npos) return std::nullopt;
    return word;
  }

 private:
  std::size_t next_terminator(std::size_t from) {
    if (terminator_ != std::string_view::npos && terminator_ < from) {
      terminator_ = text_.find("?=", from);
    }
    return terminator_;
  }

  std::string_view text_;
  std::size_t terminator_ = 0;
};

std::string decode_q(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '_') {
      out += ' ';
    } else if (text[i] == '=' && i + 2 < text.size() && hex_decode(text.substr(i + 1, 2))) {
      out += *hex_decode(text.substr(i + 1, 2));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// Words in a row that share a charset, kept as octets until the row ends.
class Row {
 public:
  [[nodiscard]] bool empty() const { return raw_.empty(); }
  [[nodiscard]] bool takes(const Word& word) const {
    return ascii::equals_ignore_case(charset_, word.charset);
  }
  void add(const Word& word, std::string_view raw) {
    charset_ = word.charset;
    octets_ +=
        word.base64 ? decode_transfer(TransferEncoding::kBase64, word.text) : decode_q(word.text);
    raw_ = raw_.empty()
               ? raw
               : std::string_view(raw_.data(),
                                  static_cast<std::size_t>(raw.data() + raw.size() - raw_.data()));
  }
  void flush(std::string& out) {
    if (empty()) return;
    if (auto text = to_utf8(charset_, octets_)) {
      out += *text;
    } else {
      out += raw_;
    }
    octets_.clear();
    raw_ = {};
  }

 private:
  std::string_view charset_;
  std::string octets_;
  std::string_view raw_;
};

bool is_blank_text(std::string_view text) { return std::all_of(text.begin(), text.end(), is_wsp); }

// Octets that stand for themselves in "Q": RFC 2047 4.2, 5 (3).
bool is_q_literal(char c, WordContext context) {
  if (ascii::is_alnum(c)) return true;
  if (std::string_view("!*+-/").find(c) != std::string_view::npos) return true;
  return context == WordContext::kText && c > ' ' && c < 0x7f && c != '=' && c != '?' && c != '_';
}

std::string encode_q(std::string_view octets, WordContext context) {
  std::string out;
  for (const char c : octets) {
    if (is_q_literal(c, context)) {
      out += c;
    } else if (c == ' ') {
      out += '_';
    } else {
      out += '=';
      out += ascii::upper(hex_encode({&c, 1}));
    }
  }
  return out;
}

std::size_t character_size(std::string_view utf8) {
  std::size_t size = 1;
  while (size < utf8.size() && (static_cast<unsigned char>(utf8[size]) & 0xC0) == 0x80) ++size;
  return size;
}

// `octets` in words of at most 75 octets (RFC 2047 section 2).
std::string encode_as(std::string_view utf8, bool base64, WordContext context) {
  constexpr std::string_view kEnd = "?=";
  const std::string_view begin = base64 ? "=?UTF-8?B?" : "=?UTF-8?Q?";
  const std::size_t room = 75 - begin.size() - kEnd.size();
  const auto cost = [&](std::string_view octets) {
    return base64 ? (octets.size() + 2) / 3 * 4 : encode_q(octets, context).size();
  };
  std::string out;
  std::string_view chunk = utf8.substr(0, 0);
  std::size_t used = 0;
  const auto emit = [&] {
    if (!out.empty()) out += ' ';
    out += begin;
    out += base64 ? base64_encode(chunk) : encode_q(chunk, context);
    out += kEnd;
  };
  while (chunk.data() + chunk.size() < utf8.data() + utf8.size()) {
    const auto at = static_cast<std::size_t>(chunk.data() + chunk.size() - utf8.data());
    const std::size_t size = character_size(utf8.substr(at));
    const std::size_t grown =
        base64 ? cost({chunk.data(), chunk.size() + size}) : used + cost(utf8.substr(at, size));
    if (grown > room && !chunk.empty()) {
      emit();
      chunk = utf8.substr(at, 0);
      used = 0;
      continue;
    }
    used = grown;
    chunk = {chunk.data(), chunk.size() + size};
  }
  if (!chunk.empty()) emit();
  return out;
}

}  // namespace

std::string decode_words(std::string_view text) {
  const bool well_formed = ascii::is_utf8(text);
  std::string out;
  out.reserve(text.size());
  const auto add_plain = [&](std::string_view plain) {
    if (well_formed) {
      out += plain;
    } else {
      out += guess_utf8(plain);
    }
  };
  WordReader reader(text);
  Row row;
  std::size_t plain = 0;  // where text begins that is in no word
  std::size_t at = text.find("=?");
  while (at != std::string_view::npos) {
    const auto word = reader.read(at);
    if (!word) {
      at = text.find("=?", at + 2);
      continue;
    }
    const std::string_view gap = text.substr(plain, at - plain);
    const bool in_row = !row.empty() && is_blank_text(gap);
    if (!in_row || !row.takes(*word)) row.flush(out);
    if (!in_row) add_plain(gap);
    row.add(*word, text.substr(at, word->end - at));
    plain = word->end;
    at = text.find("=?", plain);
  }
  row.flush(out);
  add_plain(text.substr(plain));
  return out;
}

std::string encode_words(std::string_view utf8, WordContext context) {
  const bool printable =
      std::all_of(utf8.begin(), utf8.end(), [](char c) { return c >= ' ' && c < 0x7f; });
  if (printable && utf8.find("=?") == std::string_view::npos) return std::string(utf8);
  const std::string clean = to_utf8("UTF-8", utf8).value_or(std::string());
  const std::string q = encode_as(clean, false, context);
  const std::string b = encode_as(clean, true, context);
  return q.size() <= b.size() ? q : b;
}

}  // namespace twinpost::mail
