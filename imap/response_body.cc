// BODY and BODYSTRUCTURE.
#include <algorithm>

#include "core/base/ascii.h"
#include "imap/quote.h"
#include "imap/response.h"

namespace twinpost::imap {

namespace {

bool has_8bit(std::string_view text) {
  return std::any_of(text.begin(), text.end(), ascii::is_8bit);
}

// RFC 2231 section 7, ext-value: what stands for itself.
bool is_attribute_char(char c) {
  constexpr std::string_view kSpecials = "()<>@,;:\\\"/[]?= *'%";
  return !ascii::is_control(c) && !ascii::is_8bit(c) && kSpecials.find(c) == std::string_view::npos;
}

std::string extended_value(const mail::Parameter& parameter) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const bool language_fits =
      std::all_of(parameter.language.begin(), parameter.language.end(), is_attribute_char);
  std::string out = "utf-8'" + (language_fits ? parameter.language : std::string()) + "'";
  for (const char c : parameter.value) {
    if (is_attribute_char(c)) {
      out += c;
      continue;
    }
    const auto octet = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[octet >> 4];
    out += kHex[octet & 0xf];
  }
  return out;
}

class BodyWriter {
 public:
  BodyWriter(std::string& out, BodyForm form, const Style& style)
      : out_(out), form_(form), style_(style) {}

  void part(const mail::Part& part) {
    out_ += '(';
    if (part.is_multipart()) {
      multipart(part);
    } else {
      single(part);
    }
    out_ += ')';
  }

 private:
  [[nodiscard]] bool is_extended() const { return form_ == BodyForm::kBodyStructure; }

  // body-type-mpart
  void multipart(const mail::Part& part) {
    for (const mail::Part& child : part.children) this->part(child);
    if (part.children.empty()) {
      out_ += R"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)";
      out_ += is_extended() ? " NIL NIL NIL NIL)" : ")";
    }
    out_ += ' ';
    string(part.subtype);
    if (!is_extended()) return;
    out_ += ' ';
    parameters(part.parameters, false);
    common_extension(part);
  }

  // body-type-1part
  void single(const mail::Part& part) {
    string(part.type);
    out_ += ' ';
    string(part.subtype);
    out_ += ' ';
    parameters(part.parameters, part.type == "text");
    out_ += ' ';
    nstring(part.id);
    out_ += ' ';
    nstring(part.description);
    out_ += ' ';
    string(part.encoding.empty() ? "7bit" : part.encoding);
    out_ += ' ';
    out_ += std::to_string(part.body.size());
    if (part.type == "text") {
      lines(part);
    } else if (shows_message(part)) {
      out_ += ' ';
      append_envelope(out_, part.envelope ? *part.envelope : mail::Envelope{}, style_);
      out_ += ' ';
      this->part(part.children.front());
      lines(part);
    }
    if (!is_extended()) return;
    out_ += ' ';
    nstring(part.md5);
    common_extension(part);
  }

  [[nodiscard]] bool shows_message(const mail::Part& part) const {
    return part.is_message() && !part.children.empty() && (style_.rev2 || part.subtype == "rfc822");
  }

  void lines(const mail::Part& part) {
    out_ += ' ';
    out_ += std::to_string(part.body_lines);
  }

  // body-fld-dsp, body-fld-lang, body-fld-loc
  void common_extension(const mail::Part& part) {
    if (part.disposition) {
      out_ += " (";
      string(*part.disposition);
      out_ += ' ';
      parameters(part.disposition_parameters, false);
      out_ += ')';
    } else {
      out_ += " NIL";
    }
    out_ += ' ';
    languages(part.languages);
    out_ += ' ';
    nstring(part.location);
  }

  void languages(const std::vector<std::string>& list) {
    if (list.empty()) {
      out_ += "NIL";
      return;
    }
    out_ += '(';
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (i > 0) out_ += ' ';
      string(list[i]);
    }
    out_ += ')';
  }

  void parameters(const std::vector<mail::Parameter>& list, bool needs_charset) {
    const bool add_charset =
        needs_charset && std::none_of(list.begin(), list.end(), [](const auto& p) {
          return ascii::equals_ignore_case(p.name, "charset");
        });
    if (list.empty() && !add_charset) {
      out_ += "NIL";
      return;
    }
    out_ += '(';
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (i > 0) out_ += ' ';
      parameter(list[i]);
    }
    if (add_charset) {
      if (!list.empty()) out_ += ' ';
      out_ += R"("charset" "us-ascii")";
    }
    out_ += ')';
  }

  void parameter(const mail::Parameter& parameter) {
    const bool extend =
        !style_.utf8 && has_8bit(parameter.value) && ascii::is_utf8(parameter.value);
    string(extend ? parameter.name + "*" : parameter.name);
    out_ += ' ';
    string(extend ? extended_value(parameter) : parameter.value);
  }

  void string(std::string_view text) { append_string(out_, text, style_.utf8); }
  void nstring(const std::optional<std::string>& text) { append_nstring(out_, text, style_.utf8); }

  std::string& out_;
  BodyForm form_;
  const Style& style_;
};

}  // namespace

void append_body(std::string& out, const mail::Part& part, BodyForm form, const Style& style) {
  BodyWriter(out, form, style).part(part);
}

}  // namespace twinpost::imap
