// What one header says: about its part (Content-*), about its message (the envelope), and where its
// fields are.
//
// An inside piece of parse_message(); see message.h for the meaning of every member.
#pragma once

#include <string_view>

#include "core/mail/message.h"

namespace twinpost::mail {

inline void add_defect(DefectBits& bits, Defect defect) { bits |= static_cast<DefectBits>(defect); }

// What is left of the limits that count for the whole message.
struct Allowance {
  std::size_t addresses;
  std::size_t parameters;
};

struct HeaderTargets {
  Part& part;
  Envelope* envelope = nullptr;  // for a message's header
  Message* top = nullptr;        // for the top header: its field spans and date
  bool in_digest = false;        // the default type is message/rfc822 (RFC 2046 5.1.5)
};

// `block`: the header, its blank line or not. `begin`: where it is in the message.
void read_part_header(std::string_view block, std::uint64_t begin, const MessageLimits& limits,
                      Allowance& allowance, const HeaderTargets& targets, DefectBits& defects);

}  // namespace twinpost::mail
