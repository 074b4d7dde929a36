#include "imap/reply.h"

#include "core/base/log.h"

namespace twinpost::imap {
namespace {

Reply for_the_admin(const Error& error, std::string_view what, std::string text, std::string code) {
  log::error("imap-command-failed", {{"what", what}, {"error", error.message}});
  return Reply::no(std::move(text), std::move(code));
}

}  // namespace

Reply reply_for(const Error& error, std::string_view what) {
  switch (error.code) {
    case ErrorCode::kNotFound: return Reply::no(error.message, "NONEXISTENT");
    case ErrorCode::kExists: return Reply::no(error.message, "ALREADYEXISTS");
    case ErrorCode::kInUse: return Reply::no(error.message, "INUSE");
    case ErrorCode::kOverQuota: return Reply::no(error.message, "OVERQUOTA");
    case ErrorCode::kTooLarge: return Reply::no(error.message, "TOOBIG");
    case ErrorCode::kLimit: return Reply::no(error.message, "LIMIT");
    case ErrorCode::kInvalid:
    case ErrorCode::kUnsupported: return Reply::no(error.message, "CANNOT");
    case ErrorCode::kPermission: return Reply::no(error.message, "NOPERM");
    case ErrorCode::kConflict: return Reply::no(error.message, "EXPUNGEISSUED");
    case ErrorCode::kDiskFull:
      return for_the_admin(error, what, "The server's disk is full; nothing was changed",
                           "UNAVAILABLE");
    case ErrorCode::kIo:
      return for_the_admin(error, what, "The server can't reach its mail now, try later",
                           "UNAVAILABLE");
    case ErrorCode::kCorrupt:
      return for_the_admin(error, what, "Stored data is damaged, the server's log says more",
                           "SERVERBUG");
    default:
      return for_the_admin(error, what, "Internal error, the server's log says more", "SERVERBUG");
  }
}

}  // namespace twinpost::imap
