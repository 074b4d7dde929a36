#include "tests/support/transcript_text.h"

#include <stdexcept>

#include "core/base/ascii.h"
#include "core/base/encoding.h"

namespace twinpost::testing {
namespace {

bool match_from(std::string_view pattern, std::string_view line, Captures& captures) {
  while (!pattern.empty()) {
    if (pattern.starts_with("...")) {
      const std::string_view rest = pattern.substr(3);
      for (std::size_t skip = 0; skip <= line.size(); ++skip) {
        if (match_from(rest, line.substr(skip), captures)) return true;
      }
      return false;
    }
    const std::size_t end = pattern.starts_with("<<") ? pattern.find(">>") : std::string_view::npos;
    if (end != std::string_view::npos) {
      const std::string name(pattern.substr(2, end - 2));
      const std::string_view rest = pattern.substr(end + 2);
      const std::string_view run = line.substr(0, line.find(' '));
      if (const auto known = captures.find(name); known != captures.end()) {
        if (!run.starts_with(known->second)) return false;
        pattern = rest;
        line.remove_prefix(known->second.size());
        continue;
      }
      // The longest that lets the rest of the pattern match.
      for (std::size_t size = run.size(); size > 0; --size) {
        captures[name] = run.substr(0, size);
        if (match_from(rest, line.substr(size), captures)) return true;
      }
      captures.erase(name);
      return false;
    }
    if (line.empty() || line.front() != pattern.front()) return false;
    pattern.remove_prefix(1);
    line.remove_prefix(1);
  }
  return line.empty();
}

std::string_view without_quotes(std::string_view text) {
  const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  return quoted ? text.substr(1, text.size() - 2) : text;
}

// "ann:secret" or "authzid:ann:secret"
std::string sasl_plain(std::string_view text) {
  std::string message;
  std::size_t colons = 0;
  for (const char c : text) {
    colons += c == ':' ? 1U : 0U;
    message += c == ':' ? '\0' : c;
  }
  if (colons == 1) message.insert(0, 1, '\0');
  return base64_encode(message);
}

}  // namespace

bool matches(std::string_view pattern, std::string_view line, Captures& captures) {
  Captures tried = captures;
  if (!match_from(without_quotes(pattern), line, tried)) return false;
  captures = std::move(tried);
  return true;
}

std::string expand(std::string_view text, const Captures& captures) {
  text = without_quotes(text);
  std::string out;
  while (!text.empty()) {
    const bool is_plain = text.starts_with("{plain:");
    const std::size_t end = is_plain                 ? text.find('}')
                            : text.starts_with("<<") ? text.find(">>")
                                                     : std::string_view::npos;
    if (end == std::string_view::npos) {
      out += text.front();
      text.remove_prefix(1);
    } else if (is_plain) {
      out += sasl_plain(text.substr(7, end - 7));
      text.remove_prefix(end + 1);
    } else {
      out += captures.at(std::string(text.substr(2, end - 2)));
      text.remove_prefix(end + 2);
    }
  }
  return out;
}

std::string make_message(std::uint64_t octets, std::uint64_t seed) {
  if (octets < 30) throw std::invalid_argument("a transcript's message has 30 octets at least");
  std::string message = "Subject: " + std::to_string(seed % 1'000'000) + "\r\n\r\n";
  message.reserve(octets);
  std::uint64_t state = seed * 2654435761U + 1;
  std::uint64_t line = 0;
  while (message.size() < octets) {
    const std::uint64_t left = octets - message.size();
    if (left < 3) {  // no room for another line: the last one gets longer
      message.insert(message.size() - 2, left, 'x');
      break;
    }
    std::uint64_t text = std::min<std::uint64_t>(left - 2, 60);
    if (left - 2 - text == 1) --text;
    for (std::uint64_t i = 0; i < text; ++i) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      const char letter = static_cast<char>('a' + (state >> 33) % 26);
      message += i < line % 3 ? '.' : letter;  // none, one or two dots at the line's beginning
    }
    message += "\r\n";
    ++line;
  }
  return message;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = ascii::parse_number<std::uint32_t>(text.substr(0, digits));
  const std::string_view unit = text.substr(digits);
  if (!count) return std::nullopt;
  if (unit == "ms") return std::chrono::milliseconds(*count);
  if (unit == "s") return std::chrono::seconds(*count);
  if (unit == "min") return std::chrono::minutes(*count);
  return std::nullopt;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while ((at = text.find_first_not_of(' ', at)) != std::string_view::npos) {
    const bool quoted = text[at] == '"';
    if (quoted) ++at;
    const std::size_t end = std::min(text.find(quoted ? '"' : ' ', at), text.size());
    words.emplace_back(text.substr(at, end - at));
    at = std::min(quoted ? end + 1 : end, text.size());
  }
  return words;
}

}  // namespace twinpost::testing
