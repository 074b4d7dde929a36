// LIST (RFC 9051 6.3.9, RFC 5258, 5819, 6154) and LSUB (RFC 3501 6.3.9).
#include "imap/parser_productions.h"

namespace twinpost::imap {

namespace {

constexpr std::size_t kMaxPatterns = 100;  // each is tried on every mailbox

bool selection_option(Cursor& cursor, List& out) {
  std::string_view name;
  if (!cursor.word(name, "selection option")) return false;
  if (ascii::equals_ignore_case(name, "SUBSCRIBED")) {
    out.select_subscribed = true;
  } else if (ascii::equals_ignore_case(name, "REMOTE")) {
    out.select_remote = true;
  } else if (ascii::equals_ignore_case(name, "RECURSIVEMATCH")) {
    out.select_recursive_match = true;
  } else if (ascii::equals_ignore_case(name, "SPECIAL-USE")) {
    out.select_special_use = true;
  } else {
    return cursor.fail("Unknown LIST selection option " + ascii::printable(name, 40));
  }
  return true;
}

bool return_option(Cursor& cursor, List& out) {
  std::string_view name;
  if (!cursor.word(name, "return option")) return false;
  if (ascii::equals_ignore_case(name, "SUBSCRIBED")) {
    out.return_subscribed = true;
  } else if (ascii::equals_ignore_case(name, "CHILDREN")) {
    out.return_children = true;
  } else if (ascii::equals_ignore_case(name, "SPECIAL-USE")) {
    out.return_special_use = true;
  } else if (ascii::equals_ignore_case(name, "STATUS")) {
    return cursor.space("STATUS") && parse_status_items(cursor, out.return_status);
  } else {
    return cursor.fail("Unknown LIST return option " + ascii::printable(name, 40));
  }
  return true;
}

bool parse_selection(Cursor& cursor, List& out) {
  out.extended = true;
  if (!cursor.list("selection options", true, [&] { return selection_option(cursor, out); }))
    return false;
  // RFC 5258 section 3.1: it modifies another option and REMOTE is none that it could modify.
  if (out.select_recursive_match && !out.select_subscribed && !out.select_special_use) {
    return cursor.fail("RECURSIVEMATCH needs SUBSCRIBED or SPECIAL-USE beside it");
  }
  return cursor.space("the selection options");
}

bool parse_patterns(Cursor& cursor, List& out) {
  const auto pattern = [&] {
    std::string_view text;
    if (!cursor.list_mailbox(text)) return false;
    if (out.patterns.size() == kMaxPatterns) return cursor.fail("Too many patterns");
    out.patterns.push_back(text);
    return true;
  };
  if (cursor.peek() != '(') return pattern();
  out.extended = true;
  return cursor.list("patterns", false, pattern);
}

bool parse_return(Cursor& cursor, List& out) {
  out.extended = true;
  if (!cursor.space("the pattern")) return false;
  if (!cursor.accept_word("RETURN")) return cursor.fail("Expected RETURN after the pattern");
  return cursor.space("RETURN") &&
         cursor.list("return options", true, [&] { return return_option(cursor, out); });
}

}  // namespace

bool parse_list(Cursor& cursor, List& out) {
  if (!cursor.space("LIST")) return false;
  if (cursor.peek() == '(' && !parse_selection(cursor, out)) return false;
  if (!cursor.astring(out.reference, "reference name") || !cursor.space("the reference name") ||
      !parse_patterns(cursor, out)) {
    return false;
  }
  if (cursor.has_more() && !parse_return(cursor, out)) return false;
  return cursor.end("the arguments");
}

bool parse_lsub(Cursor& cursor, Lsub& out) {
  return cursor.space("LSUB") && cursor.astring(out.reference, "reference name") &&
         cursor.space("the reference name") && cursor.list_mailbox(out.pattern) &&
         cursor.end("the pattern");
}

}  // namespace twinpost::imap
