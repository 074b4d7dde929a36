// Expected failures are values.
//
// An Error says what kind of failure it was (for the code that decides on a reply) and one line for people.
// Exceptions are for broken invariants only and end at the session's edge.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace twinpost {

enum class ErrorCode : std::uint8_t {
  kInternal,     // a broken invariant, or a library that failed for no reason we know
  kInvalid,      // malformed input or argument
  kNotFound,     // no such account, mailbox, message, file
  kExists,       // already there
  kInUse,        // held by another session or process
  kOverQuota,    // the account's quota would be exceeded
  kTooLarge,     // one thing is over its size limit
  kLimit,        // a count or rate limit is reached
  kDiskFull,     // the disk, or what is left of it above the reserve
  kIo,           // the operating system failed a read or write
  kCorrupt,      // stored data does not verify
  kNewerFormat,  // stored by a newer version than this one
  kUnsupported,  // valid, but not something that this build does
  kPermission,   // refused: wrong credentials, or not allowed
  kClosed,       // the peer closed, or the connection broke
  kTimeout,      // the wait was over before anything came
  kShutdown,     // the server (or an admin) is ending this session
  kTls,          // handshake or record layer failure
  kConflict,     // a condition did not hold (UNCHANGEDSINCE and the like)
};

[[nodiscard]] std::string_view to_string(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // one line, no trailing full stop, fit for a log or an admin's terminal
};

template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

// "<context>: <strerror(error_number)>", with the code that fits the errno (ENOSPC is kDiskFull, ...).
[[nodiscard]] Error system_error(std::string_view context, int error_number);

}  // namespace twinpost
