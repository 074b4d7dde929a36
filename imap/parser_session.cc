// CAPABILITY, LOGIN, AUTHENTICATE, ENABLE, ID and the others that name no mailbox.
#include <algorithm>

#include "imap/parser_productions.h"

namespace twinpost::imap {

namespace {

// RFC 2971 section 3.3: what a client may tell about itself.
constexpr std::size_t kIdFields = 30;
constexpr std::size_t kIdFieldOctets = 30;
constexpr std::size_t kIdValueOctets = 1024;

bool is_base64_char(char c) { return ascii::is_alnum(c) || c == '+' || c == '/' || c == '='; }

}  // namespace

bool parse_id(Cursor& cursor, Id& out) {
  if (!cursor.space("ID")) return false;
  if (cursor.accept_word("NIL")) return cursor.end("the fields");
  out.fields.emplace();
  const auto field = [&] {
    std::string_view name;
    std::optional<std::string_view> value;
    if (!cursor.astring(name, "field name") || !cursor.space("the field name") ||
        !cursor.nstring(value, "field value")) {
      return false;
    }
    if (name.size() > kIdFieldOctets || (value && value->size() > kIdValueOctets)) {
      return cursor.fail("A field name may have 30 octets and a value 1024 (RFC 2971)");
    }
    if (out.fields->size() == kIdFields) return cursor.fail("More than 30 fields (RFC 2971)");
    out.fields->emplace_back(name, value);
    return true;
  };
  return cursor.list("fields", true, field) && cursor.end("the fields");
}

bool parse_login(Cursor& cursor, Login& out) {
  return cursor.space("LOGIN") && cursor.credential(out.user, "user name") &&
         cursor.space("the user name") && cursor.credential(out.password, "password") &&
         cursor.end("the password");
}

bool parse_authenticate(Cursor& cursor, Authenticate& out) {
  if (!cursor.space("AUTHENTICATE") || !cursor.atom(out.mechanism, "mechanism")) return false;
  if (cursor.at_end() || !cursor.has_more()) return cursor.end("the mechanism");
  std::string_view response;
  if (!cursor.space("the mechanism") || !cursor.atom(response, "initial response")) return false;
  if (!std::all_of(response.begin(), response.end(), is_base64_char)) {
    return cursor.fail("The initial response is not base64");
  }
  out.initial_response = response == "=" ? std::string_view{} : response;  // RFC 4959 section 3
  return cursor.end("the initial response");
}

bool parse_enable(Cursor& cursor, Enable& out) {
  do {
    std::string_view name;
    if (!cursor.space("ENABLE") || !cursor.atom(name, "capability")) return false;
    if (out.capabilities.size() == cursor.settings().list_items)
      return cursor.fail("Too many capabilities");
    out.capabilities.push_back(name);
  } while (cursor.has_more());
  return cursor.end("the capabilities");
}

bool parse_compress(Cursor& cursor, Compress& out) {
  return cursor.space("COMPRESS") && cursor.atom(out.mechanism, "mechanism") &&
         cursor.end("the mechanism");
}

}  // namespace twinpost::imap
