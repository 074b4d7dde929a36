#include "lmtp/trace.h"

#include <algorithm>

#include "core/base/ascii.h"

namespace twinpost::lmtp {

namespace {

// The name of the field that `line` begins, and what follows its colon. Blanks before the colon are
// obsolete but seen (RFC 5322 section 4.5).
bool split_field(std::string_view line, std::string_view& name, std::string_view& value) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  name = ascii::trim(line.substr(0, colon));
  value = line.substr(colon + 1);
  return true;
}

// The address of a Delivered-To field, some write it in brackets.
std::string address_of(std::string_view value) {
  value = ascii::trim(value);
  if (value.size() >= 2 && value.front() == '<' && value.back() == '>') {
    value = value.substr(1, value.size() - 2);
  }
  return ascii::lower(value);
}

}  // namespace

Trace read_trace(std::string_view message, const std::unordered_set<std::string>& recipients) {
  Trace trace;
  while (!message.empty()) {
    const std::size_t end = std::min(message.find('\n'), message.size());
    const std::string_view line = message.substr(0, end);
    message.remove_prefix(std::min(end + 1, message.size()));
    if (line.empty() || line == "\r") break;  // the end of the header
    std::string_view name;
    std::string_view value;
    if (ascii::is_blank(line.front()) || !split_field(line, name, value)) continue;
    if (ascii::equals_ignore_case(name, "Received")) {
      ++trace.received_fields;
    } else if (ascii::equals_ignore_case(name, "Delivered-To")) {
      // A longer value is none of ours: a path is far shorter (kMaxPath).
      constexpr std::size_t kLongest = 1000;
      if (value.size() > kLongest) continue;
      if (auto address = address_of(value); recipients.contains(address)) {
        trace.delivered_to.insert(std::move(address));
      }
    }
  }
  return trace;
}

}  // namespace twinpost::lmtp
