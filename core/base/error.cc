#include "core/base/error.h"

#include <cerrno>
#include <system_error>

namespace twinpost {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInternal: return "internal";
    case ErrorCode::kInvalid: return "invalid";
    case ErrorCode::kNotFound: return "not-found";
    case ErrorCode::kExists: return "exists";
    case ErrorCode::kInUse: return "in-use";
    case ErrorCode::kOverQuota: return "over-quota";
    case ErrorCode::kTooLarge: return "too-large";
    case ErrorCode::kLimit: return "limit";
    case ErrorCode::kDiskFull: return "disk-full";
    case ErrorCode::kIo: return "io";
    case ErrorCode::kCorrupt: return "corrupt";
    case ErrorCode::kNewerFormat: return "newer-format";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kPermission: return "permission";
    case ErrorCode::kClosed: return "closed";
    case ErrorCode::kTimeout: return "timeout";
    case ErrorCode::kShutdown: return "shutdown";
    case ErrorCode::kTls: return "tls";
    case ErrorCode::kConflict: return "conflict";
  }
  return "unknown";
}

namespace {

ErrorCode code_for_errno(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT: return ErrorCode::kDiskFull;
    case ENOENT: return ErrorCode::kNotFound;
    case EEXIST: return ErrorCode::kExists;
    case EACCES:
    case EPERM: return ErrorCode::kPermission;
    case EADDRINUSE:
    case EBUSY: return ErrorCode::kInUse;
    case EMFILE:
    case ENFILE: return ErrorCode::kLimit;
    case ETIMEDOUT: return ErrorCode::kTimeout;
    case ECONNRESET:
    case EPIPE: return ErrorCode::kClosed;
    default: return ErrorCode::kIo;
  }
}

}  // namespace

Error system_error(std::string_view context, int error_number) {
  std::string message(context);
  message += ": ";
  message += std::generic_category().message(error_number);
  return Error{code_for_errno(error_number), std::move(message)};
}

}  // namespace twinpost
