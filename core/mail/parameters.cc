#include "core/mail/parameters.h"

#include <algorithm>
#include <map>
#include <optional>

#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "core/mail/charset.h"
#include "core/mail/structured.h"

namespace twinpost::mail {

namespace {

// RFC 2045 5.1, and 8-bit octets, which no one may write and some do.
bool is_token_octet(char c) {
  return c > ' ' && c != 0x7f
             ? std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos
             : ascii::is_8bit(c);
}

std::string read_token(std::string_view text, std::size_t& at) {
  const std::size_t begin = at;
  while (at < text.size() && is_token_octet(text[at])) ++at;
  return ascii::lower(text.substr(begin, at - begin));
}

struct Written {
  std::string name;  // lower case
  std::string value;
};

class ParameterReader {
 public:
  ParameterReader(std::string_view text, ParsedParameters& result) : text_(text), result_(result) {}

  // The next parameter that has a name and a value.
  std::optional<Written> next() {
    while (at_ < text_.size()) {
      at_ = skip_cfws(text_, at_);
      if (at_ >= text_.size()) break;
      if (text_[at_] == ';') {
        ++at_;
        continue;
      }
      Written written;
      written.name = read_token(text_, at_);
      at_ = skip_cfws(text_, at_);
      if (!written.name.empty() && at_ < text_.size() && text_[at_] == '=') {
        ++at_;
        written.value = read_value();
        return written;
      }
      result_.malformed = true;
      // "text/plain; foo charset=x": the next word may begin a parameter; else go on behind this
      // octet.
      if (written.name.empty()) ++at_;
    }
    return std::nullopt;
  }

 private:
  std::string read_value() {
    at_ = skip_cfws(text_, at_);
    std::string out;
    if (at_ < text_.size() && text_[at_] == '"') {
      bool closed = false;
      at_ = read_quoted_string(text_, at_, out, &closed);
      if (!closed) result_.malformed = true;
      return out;
    }
    const std::size_t end = unquoted_end();
    const std::string_view raw = without_last_comments(text_.substr(at_, end - at_));
    if (!std::all_of(raw.begin(), raw.end(), [](char c) { return is_token_octet(c); })) {
      result_.malformed = true;
    }
    at_ = end;
    return std::string(raw);
  }

  // At the next ";", or at the blanks before a parameter whose ";" was forgotten ("a=b c=d").
  [[nodiscard]] std::size_t unquoted_end() const {
    std::size_t at = at_;
    while (at < text_.size() && text_[at] != ';') {
      if (!is_wsp(text_[at])) {
        ++at;
        continue;
      }
      const std::size_t blank = at;
      while (at < text_.size() && is_wsp(text_[at])) ++at;
      const std::size_t word = at;
      while (at < text_.size() && is_token_octet(text_[at])) ++at;
      if (at > word && at < text_.size() && text_[at] == '=') return blank;
    }
    return at;
  }

  // "us-ascii (Plain text)" (RFC 2045 5.1) without its comment; parentheses elsewhere are part of a
  // file's name.
  static std::string_view without_last_comments(std::string_view raw) {
    raw = ascii::trim(raw);
    while (!raw.empty() && raw.back() == ')') {
      std::size_t depth = 0;
      std::size_t open = raw.size();
      while (open > 0) {
        --open;
        if (raw[open] == ')') ++depth;
        if (raw[open] == '(' && --depth == 0) break;
      }
      const bool comment = depth == 0 && open > 0 && is_wsp(raw[open - 1]);
      if (!comment) break;
      raw = ascii::trim(raw.substr(0, open));
    }
    return raw;
  }

  std::string_view text_;
  ParsedParameters& result_;
  std::size_t at_ = 0;
};

// RFC 2231: "name", "name*", "name*7", "name*7*".
struct SectionName {
  std::string_view base;
  unsigned section = 0;
  bool extended = false;
};

std::optional<SectionName> section_name(std::string_view name) {
  const std::size_t star = name.find('*');
  if (star == std::string_view::npos || star == 0) return std::nullopt;
  SectionName result;
  result.base = name.substr(0, star);
  std::string_view rest = name.substr(star + 1);
  if (rest.empty()) {
    result.extended = true;
    return result;
  }
  if (rest.back() == '*') {
    result.extended = true;
    rest.remove_suffix(1);
  }
  constexpr std::size_t kMaxDigits = 9;
  const auto number = ascii::parse_number<unsigned>(rest);
  if (!number || rest.size() > kMaxDigits) return std::nullopt;
  result.section = *number;
  return result;
}

std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      if (const auto octet = hex_decode(text.substr(i + 1, 2))) {
        out += *octet;
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

struct Section {
  unsigned number;
  bool extended;
  std::size_t written;  // index into what was written
};

// Joins the sections of one name.
class Joiner {
 public:
  explicit Joiner(std::vector<Written>& written) : written_(written) {}

  // Takes the sections that go on from 0 without a gap and makes one parameter of them; nullopt
  // where 0 is missing. What was taken is marked by an empty name.
  std::optional<Parameter> join(std::string_view name, std::vector<Section>& sections) {
    std::stable_sort(sections.begin(), sections.end(),
                     [](const Section& a, const Section& b) { return a.number < b.number; });
    Parameter result;
    std::string octets;
    unsigned expected = 0;
    for (const Section& section : sections) {
      if (expected > 0 && section.number == expected - 1) {  // there again: the first counts
        written_[section.written].name.clear();
        continue;
      }
      if (section.number != expected) break;
      std::string_view value = written_[section.written].value;
      if (section.extended) {
        if (result.charset.empty()) value = take_charset(value, expected == 0, result);
        octets += percent_decode(value);
      } else {
        octets += value;
      }
      written_[section.written].name.clear();
      ++expected;
    }
    if (expected == 0) return std::nullopt;
    result.name = name;
    const auto utf8 = result.charset.empty() ? std::nullopt : to_utf8(result.charset, octets);
    result.value = utf8.value_or(std::move(octets));
    return result;
  }

 private:
  // charset'language'value; without both quotes it is all value. Only section 0 may have it (RFC
  // 2231 4.1); in a later one it must at least name a charset that exists.
  static std::string_view take_charset(std::string_view value, bool first_section,
                                       Parameter& result) {
    const std::size_t first = value.find('\'');
    if (first == std::string_view::npos) return value;
    const std::size_t second = value.find('\'', first + 1);
    if (second == std::string_view::npos) return value;
    if (!first_section && !is_known_charset(value.substr(0, first))) return value;
    result.charset = value.substr(0, first);
    result.language = value.substr(first + 1, second - first - 1);
    return value.substr(second + 1);
  }

  std::vector<Written>& written_;
};

using SectionMap = std::map<std::string, std::vector<Section>, std::less<>>;

SectionMap collect_sections(const std::vector<Written>& written) {
  SectionMap sections;
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (const auto name = section_name(written[i].name)) {
      auto& list = sections[std::string(name->base)];
      list.push_back({name->section, name->extended, i});
    }
  }
  return sections;
}

}  // namespace

ParsedParameters parse_parameters(std::string_view text, std::size_t limit) {
  ParsedParameters result;
  std::vector<Written> written;
  ParameterReader reader(text, result);
  while (auto next = reader.next()) {
    if (written.size() >= limit) {
      result.cut = true;
      break;
    }
    written.push_back(std::move(*next));
  }

  SectionMap sections = collect_sections(written);
  std::map<std::string, Parameter, std::less<>> joined;
  Joiner joiner(written);
  std::vector<std::string> places(written.size());  // the joined name that belongs to a taken place
  for (auto& [name, list] : sections) {
    auto parameter = joiner.join(name, list);
    if (!parameter) continue;
    for (const Section& section : list) places[section.written] = name;
    joined.emplace(name, std::move(*parameter));
  }

  for (std::size_t i = 0; i < written.size(); ++i) {
    const std::string& name = written[i].name.empty() ? places[i] : written[i].name;
    if (const auto found = joined.find(name); found != joined.end()) {
      if (!found->second.name.empty()) result.list.push_back(std::move(found->second));
      found->second.name.clear();  // the name's first place; at its others nothing is left to say
    } else if (!written[i].name.empty()) {
      Parameter plain;
      plain.name = std::move(written[i].name);
      plain.value = std::move(written[i].value);
      result.list.push_back(std::move(plain));
    }
  }
  return result;
}

ContentType parse_content_type(std::string_view value, std::size_t limit) {
  ContentType result;
  std::size_t at = skip_cfws(value, 0);
  result.type = read_token(value, at);
  at = skip_cfws(value, at);
  bool malformed = result.type.empty();
  if (at < value.size() && value[at] == '/') {
    at = skip_cfws(value, at + 1);
    result.subtype = read_token(value, at);
  }
  if (result.subtype.empty()) {
    malformed = true;
    if (result.type == "text") {
      result.subtype = "plain";
    } else if (result.type == "multipart") {
      result.subtype = "mixed";
    } else if (result.type == "application" || result.type == "image" || result.type == "audio" ||
               result.type == "video") {
      result.type = "application";
      result.subtype = "octet-stream";
    }
  }
  if (result.type.empty() || result.subtype.empty()) {
    result.type.clear();
    result.subtype.clear();
  }
  result.parameters = parse_parameters(value.substr(at), limit);
  result.parameters.malformed = result.parameters.malformed || malformed;
  return result;
}

Disposition parse_disposition(std::string_view value, std::size_t limit) {
  Disposition result;
  std::size_t at = skip_cfws(value, 0);
  result.kind = read_token(value, at);
  at = skip_cfws(value, at);
  if (at < value.size() && value[at] == '=') at = 0;  // "filename=x" alone: the kind is missing
  if (at == 0) result.kind.clear();
  result.parameters = parse_parameters(value.substr(at), limit);
  return result;
}

const Parameter* find_parameter(const std::vector<Parameter>& list, std::string_view name) {
  const auto found = std::find_if(
      list.begin(), list.end(), [&](const Parameter& parameter) { return parameter.name == name; });
  return found == list.end() ? nullptr : &*found;
}

}  // namespace twinpost::mail
