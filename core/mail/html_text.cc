#include "core/mail/html_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "core/base/ascii.h"

namespace twinpost::mail {

namespace {

constexpr std::size_t kMaxHeld = 32;

struct Reference {
  std::string_view name;
  char32_t character;
};
// Those that mail is full of; others stay as they are written.
constexpr std::array kReferences = {
    Reference{"amp", '&'},       Reference{"lt", '<'},       Reference{"gt", '>'},
    Reference{"quot", '"'},      Reference{"apos", '\''},    Reference{"nbsp", 0xA0},
    Reference{"iexcl", 0xA1},    Reference{"cent", 0xA2},    Reference{"pound", 0xA3},
    Reference{"yen", 0xA5},      Reference{"sect", 0xA7},    Reference{"copy", 0xA9},
    Reference{"laquo", 0xAB},    Reference{"shy", 0xAD},     Reference{"reg", 0xAE},
    Reference{"deg", 0xB0},      Reference{"middot", 0xB7},  Reference{"raquo", 0xBB},
    Reference{"iquest", 0xBF},   Reference{"Agrave", 0xC0},  Reference{"Aacute", 0xC1},
    Reference{"Acirc", 0xC2},    Reference{"Atilde", 0xC3},  Reference{"Auml", 0xC4},
    Reference{"Aring", 0xC5},    Reference{"AElig", 0xC6},   Reference{"Ccedil", 0xC7},
    Reference{"Egrave", 0xC8},   Reference{"Eacute", 0xC9},  Reference{"Ecirc", 0xCA},
    Reference{"Iacute", 0xCD},   Reference{"Ntilde", 0xD1},  Reference{"Oacute", 0xD3},
    Reference{"Ocirc", 0xD4},    Reference{"Ouml", 0xD6},    Reference{"times", 0xD7},
    Reference{"Oslash", 0xD8},   Reference{"Uacute", 0xDA},  Reference{"Uuml", 0xDC},
    Reference{"szlig", 0xDF},    Reference{"agrave", 0xE0},  Reference{"aacute", 0xE1},
    Reference{"acirc", 0xE2},    Reference{"atilde", 0xE3},  Reference{"auml", 0xE4},
    Reference{"aring", 0xE5},    Reference{"aelig", 0xE6},   Reference{"ccedil", 0xE7},
    Reference{"egrave", 0xE8},   Reference{"eacute", 0xE9},  Reference{"ecirc", 0xEA},
    Reference{"euml", 0xEB},     Reference{"igrave", 0xEC},  Reference{"iacute", 0xED},
    Reference{"icirc", 0xEE},    Reference{"iuml", 0xEF},    Reference{"ntilde", 0xF1},
    Reference{"ograve", 0xF2},   Reference{"oacute", 0xF3},  Reference{"ocirc", 0xF4},
    Reference{"otilde", 0xF5},   Reference{"ouml", 0xF6},    Reference{"oslash", 0xF8},
    Reference{"ugrave", 0xF9},   Reference{"uacute", 0xFA},  Reference{"ucirc", 0xFB},
    Reference{"uuml", 0xFC},     Reference{"ensp", 0x2002},  Reference{"emsp", 0x2003},
    Reference{"thinsp", 0x2009}, Reference{"zwnj", 0x200C},  Reference{"zwj", 0x200D},
    Reference{"ndash", 0x2013},  Reference{"mdash", 0x2014}, Reference{"lsquo", 0x2018},
    Reference{"rsquo", 0x2019},  Reference{"sbquo", 0x201A}, Reference{"ldquo", 0x201C},
    Reference{"rdquo", 0x201D},  Reference{"bdquo", 0x201E}, Reference{"bull", 0x2022},
    Reference{"hellip", 0x2026}, Reference{"euro", 0x20AC},  Reference{"trade", 0x2122},
    Reference{"rarr", 0x2192},   Reference{"larr", 0x2190},
};

// Elements within a line: their tags do not end a word.
constexpr std::array<std::string_view, 22> kInline = {
    "a",   "abbr", "b", "bdi",  "bdo",   "big",  "code",   "em",  "font", "i", "ins",
    "kbd", "mark", "s", "samp", "small", "span", "strong", "sub", "sup",  "u", "wbr"};

constexpr std::array<std::string_view, 5> kHidden = {"style", "script", "head", "title",
                                                     "template"};

void append_utf8(char32_t c, std::string& out) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

// "#228", "#xE4", "auml"; without "&" and ";".
std::optional<char32_t> resolve(std::string_view name) {
  if (!name.starts_with('#')) {
    const auto* const found =
        std::find_if(kReferences.begin(), kReferences.end(),
                     [&](const Reference& reference) { return reference.name == name; });
    if (found == kReferences.end()) return std::nullopt;
    return found->character;
  }
  name.remove_prefix(1);
  const bool hexadecimal = name.starts_with('x') || name.starts_with('X');
  if (hexadecimal) name.remove_prefix(1);
  std::uint32_t value = 0;
  const auto [end, error] =
      std::from_chars(name.data(), name.data() + name.size(), value, hexadecimal ? 16 : 10);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  if (value == 0 || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return 0xFFFD;
  return value;
}

}  // namespace

void HtmlText::add(std::string_view html, std::string& out) {
  for (const char c : html) octet(c, out);
}

void HtmlText::finish(std::string& out) {
  if (state_ == State::kReference) end_reference(false, out);
  if (state_ == State::kTagOpen) show("<", out);
  state_ = State::kText;
}

void HtmlText::show(std::string_view text, std::string& out) {
  if (hidden_.empty()) out += text;
}

void HtmlText::octet(char c, std::string& out) {
  switch (state_) {
    case State::kText: in_text(c, out); break;
    case State::kReference: in_reference(c, out); break;
    case State::kTagOpen:
      if (c != '/' && !hidden_.empty() && hidden_ != "head") {
        state_ = State::kText;  // within a script "<" is less-than; only its end tag counts
      } else if (ascii::is_alpha(c) || c == '/') {
        held_ = ascii::to_lower(c);
        state_ = State::kTagName;
      } else if (c == '!' || c == '?') {
        dashes_ = 0;
        state_ = State::kMarkup;
      } else {
        show("<", out);
        state_ = State::kText;
        in_text(c, out);
      }
      break;
    case State::kTagName: in_tag_name(c, out); break;
    case State::kTag: in_tag(c, out); break;
    case State::kQuoted:
      if (c == quote_) state_ = State::kTag;
      break;
    case State::kMarkup: in_markup(c); break;
    case State::kComment:
      if (c == '>' && dashes_ >= 2) {
        state_ = State::kText;
      } else {
        dashes_ = c == '-' ? dashes_ + 1 : 0;
      }
      break;
  }
}

void HtmlText::in_text(char c, std::string& out) {
  if (c == '<') {
    state_ = State::kTagOpen;
  } else if (c == '&' && hidden_.empty()) {
    held_.clear();
    state_ = State::kReference;
  } else {
    show({&c, 1}, out);
  }
}

void HtmlText::in_reference(char c, std::string& out) {
  if (ascii::is_alnum(c) || (c == '#' && held_.empty())) {
    held_ += c;
    if (held_.size() < kMaxHeld) return;
    end_reference(false, out);
    return;
  }
  end_reference(c == ';', out);
  if (c != ';') in_text(c, out);
}

void HtmlText::end_reference(bool semicolon, std::string& out) {
  state_ = State::kText;
  if (const auto character = resolve(held_)) {
    append_utf8(*character, out);
    return;
  }
  out += '&';
  out += held_;
  if (semicolon) out += ';';
}

void HtmlText::in_tag_name(char c, std::string& out) {
  if (ascii::is_alnum(c) || c == '-' || c == ':' || c == '_') {
    if (held_.size() < kMaxHeld) held_ += ascii::to_lower(c);
    return;
  }
  end_tag_name(out);
  state_ = State::kTag;
  in_tag(c, out);
}

void HtmlText::end_tag_name(std::string& out) {
  std::string_view name = held_;
  const bool end = name.starts_with('/');
  if (end) name.remove_prefix(1);
  if (!hidden_.empty()) {
    // A body shows that the head's end tag was forgotten.
    if ((end && name == hidden_) || (hidden_ == "head" && name == "body")) hidden_.clear();
    return;
  }
  if (std::find(kInline.begin(), kInline.end(), name) == kInline.end()) out += ' ';
  if (!end && std::find(kHidden.begin(), kHidden.end(), name) != kHidden.end()) hidden_ = name;
}

void HtmlText::in_tag(char c, std::string& /*out*/) {
  if (c == '>') {
    state_ = State::kText;
  } else if (c == '"' || c == '\'') {
    quote_ = c;
    state_ = State::kQuoted;
  }
}

// Behind "<!" or "<?": a comment begins with two dashes, anything else ends at the first ">".
void HtmlText::in_markup(char c) {
  if (c == '-' && dashes_ < 2) {
    if (++dashes_ == 2) state_ = State::kComment;
    return;
  }
  if (c == '>') state_ = State::kText;
  dashes_ = 3;  // no comment any more
}

}  // namespace twinpost::mail
