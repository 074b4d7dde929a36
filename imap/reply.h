// The tagged answer that ends a command (RFC 9051 section 7.1): what a handler returns, and what the session sends after
// the untagged updates that may go before it.
#pragma once

#include <string>
#include <utility>

#include "core/base/error.h"
#include "imap/response.h"

namespace twinpost::imap {

struct Reply {
  Condition condition = Condition::kOk;
  std::string code{};  // without brackets; may be empty
  std::string text{};  // one line
  // Nothing is sent: the handler has ended the session, or has sent the tagged line itself (STARTTLS, COMPRESS).
  bool is_said = false;
  // The code is HIGHESTMODSEQ, as it is when the answer goes out (RFC 7162 3.2.7).
  bool tells_modseq = false;

  [[nodiscard]] static Reply ok(std::string text, std::string code = {}) {
    return {Condition::kOk, std::move(code), std::move(text)};
  }
  [[nodiscard]] static Reply no(std::string text, std::string code = {}) {
    return {Condition::kNo, std::move(code), std::move(text)};
  }
  [[nodiscard]] static Reply bad(std::string text, std::string code = {}) {
    return {Condition::kBad, std::move(code), std::move(text)};
  }
  [[nodiscard]] static Reply said() { return {Condition::kOk, {}, {}, true}; }
};

// NO with the code of RFC 5530 (or RFC 9051 7.1) that says best what the store or another part failed with: kNotFound
// NONEXISTENT, kExists ALREADYEXISTS, kOverQuota OVERQUOTA, kLimit LIMIT, kTooLarge TOOBIG, kInvalid CANNOT, kInUse INUSE,
// kDiskFull and kIo UNAVAILABLE (with words for the first), kCorrupt SERVERBUG... Errors whose text is for the
// admin (kIo, kCorrupt, kInternal) are logged with `what` and their own text does not reach the client.
[[nodiscard]] Reply reply_for(const Error& error, std::string_view what);

}  // namespace twinpost::imap
