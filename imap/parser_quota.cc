// GETQUOTA and SETQUOTA (RFC 9208 section 7).
#include "imap/parser_productions.h"

namespace twinpost::imap {

bool parse_get_quota(Cursor& cursor, GetQuota& out) {
  return cursor.space("GETQUOTA") && cursor.astring(out.root, "quota root") &&
         cursor.end("the quota root");
}

bool parse_set_quota(Cursor& cursor, SetQuota& out) {
  if (!cursor.space("SETQUOTA") || !cursor.astring(out.root, "quota root") ||
      !cursor.space("the quota root")) {
    return false;
  }
  const auto resource = [&] {
    std::string_view name;
    std::uint64_t limit = 0;
    if (!cursor.atom(name, "resource name") || !cursor.space("the resource name") ||
        !cursor.number64(limit, "limit")) {
      return false;
    }
    if (out.limits.size() == cursor.settings().list_items) return cursor.fail("Too many resources");
    out.limits.emplace_back(name, limit);
    return true;
  };
  return cursor.list("resource limits", true, resource) && cursor.end("the resource limits");
}

}  // namespace twinpost::imap
