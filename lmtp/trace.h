// The trace of a message: which of its recipients it has been delivered to already, and over how
// many hops it came (RFC 5321 section 6.3). Pure; linear in the header; memory bounded by the
// recipients.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace twinpost::lmtp {

struct Trace {
  std::size_t received_fields = 0;
  std::unordered_set<std::string> delivered_to;  // lower case; only addresses that were asked for
};

// `recipients` in lower case.
[[nodiscard]] Trace read_trace(std::string_view message,
                               const std::unordered_set<std::string>& recipients);

}  // namespace twinpost::lmtp
