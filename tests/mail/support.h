// What the mail tests share.
#pragma once

#include <string>
#include <string_view>

#include "core/mail/message.h"

namespace twinpost::mail {

// Text as raw string literals have it, with LF at line ends, as it is on the wire.
inline std::string crlf(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n' && !out.ends_with('\r')) out += '\r';
    out += c;
  }
  return out;
}

inline std::string repeat(std::string_view text, std::size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

inline std::string body_of(std::string_view octets, const Part& part) {
  return std::string(octets.substr(part.body.begin, part.body.size()));
}

inline bool has(const Message& message, Defect defect) {
  return (message.defects & static_cast<DefectBits>(defect)) != 0;
}

}  // namespace twinpost::mail
