// STORE, COPY, MOVE, and what stands before the message in APPEND and REPLACE.
#include <algorithm>
#include <array>

#include "core/mail/date.h"
#include "imap/parser_productions.h"

namespace twinpost::imap {

namespace {

struct FlagName {
  std::string_view name;
  store::Flag flag;
};
constexpr std::array kFlagNames = {
    FlagName{"\\Seen", store::Flag::kSeen},       FlagName{"\\Answered", store::Flag::kAnswered},
    FlagName{"\\Flagged", store::Flag::kFlagged}, FlagName{"\\Deleted", store::Flag::kDeleted},
    FlagName{"\\Draft", store::Flag::kDraft},
};

bool add_flag(Cursor& cursor, std::string_view name, FlagList& out) {
  if (!name.starts_with('\\')) {
    const bool known =
        std::any_of(out.keywords.begin(), out.keywords.end(),
                    [&](std::string_view k) { return ascii::equals_ignore_case(k, name); });
    if (known) return true;
    if (out.keywords.size() == cursor.settings().list_items)
      return cursor.fail("Too many keywords");
    out.keywords.push_back(name);
    return true;
  }
  for (const FlagName& known : kFlagNames) {
    if (!ascii::equals_ignore_case(known.name, name)) continue;
    out.flags = static_cast<store::FlagBits>(out.flags | store::bit(known.flag));
    return true;
  }
  // RFC 9051 2.3.2: flags that begin with "\" are the protocol's own, and \Recent is the server's.
  return cursor.fail("Flag " + std::string(name.substr(0, 40)) + " can't be set");
}

bool flag(Cursor& cursor, FlagList& out) {
  std::string_view name;
  return cursor.flag_name(name) && add_flag(cursor, name, out);
}

// \Recent is the server's to give. Clients that append what they fetched elsewhere send it along: it
// is left out.
bool append_flag(Cursor& cursor, FlagList& out) {
  std::string_view name;
  return cursor.flag_name(name) &&
         (ascii::equals_ignore_case(name, "\\Recent") || add_flag(cursor, name, out));
}

// STORE takes its flags with or without parentheses.
bool store_flags(Cursor& cursor, FlagList& out) {
  if (cursor.peek() == '(') return parse_flag_list(cursor, out);
  do {
    if (!flag(cursor, out)) return false;
  } while (cursor.has_more() && cursor.space("the flag"));
  return cursor.status() == Cursor::Status::kOk;
}

bool store_action(Cursor& cursor, Store& out) {
  if (cursor.accept('+')) {
    out.operation = store::FlagOperation::kAdd;
  } else if (cursor.accept('-')) {
    out.operation = store::FlagOperation::kRemove;
  }
  if (cursor.accept_word("FLAGS")) return true;
  if (cursor.accept_word("FLAGS.SILENT")) {
    out.silent = true;
    return true;
  }
  return cursor.fail("Unknown data item: FLAGS, +FLAGS and -FLAGS are known, each with .SILENT");
}

bool store_modifiers(Cursor& cursor, Store& out) {
  const auto modifier = [&] {
    if (!cursor.accept_word("UNCHANGEDSINCE")) {
      return cursor.fail("Unknown STORE modifier: UNCHANGEDSINCE is known");
    }
    if (out.unchanged_since) return cursor.fail("UNCHANGEDSINCE was given twice");
    return cursor.space("UNCHANGEDSINCE") &&
           cursor.number64(out.unchanged_since.emplace(), "mod-sequence");
  };
  return cursor.list("STORE modifiers", false, modifier) && cursor.space("the STORE modifiers");
}

bool date_time(Cursor& cursor, std::optional<store::InternalDate>& out) {
  std::string_view text;
  if (!cursor.string(text, "date-time")) return false;
  // date-day-fixed pads with a space; some clients leave it out.
  std::string padded;
  if (text.size() > 1 && text[1] == '-') {
    padded = " " + std::string(text);
    text = padded;
  }
  const auto parsed = mail::parse_imap_date_time(text);
  if (!parsed) {
    return cursor.fail("Invalid date-time \"" + ascii::printable(text, 40) +
                       "\": expected \"17-Jul-1996 02:44:25 -0700\"");
  }
  out = store::InternalDate{UnixTime{std::chrono::seconds{parsed->seconds}},
                            static_cast<std::int16_t>(parsed->zone_minutes)};
  return true;
}

}  // namespace

bool parse_set_and_mailbox(Cursor& cursor, SequenceSet& set, std::string_view& mailbox) {
  return cursor.space("the command") && cursor.sequence_set(set) &&
         parse_mailbox(cursor, "the sequence set", mailbox) && cursor.end("the mailbox name");
}

bool parse_flag_list(Cursor& cursor, FlagList& out) {
  return cursor.list("flags", true, [&] { return flag(cursor, out); });
}

bool parse_store(Cursor& cursor, Store& out) {
  if (!cursor.space("STORE") || !cursor.sequence_set(out.set) ||
      !cursor.space("the sequence set")) {
    return false;
  }
  if (cursor.peek() == '(' && !store_modifiers(cursor, out)) return false;
  return store_action(cursor, out) && cursor.space("the data item") &&
         store_flags(cursor, out.flags) && cursor.end("the flags");
}

bool parse_append_message(Cursor& cursor, AppendMessage& out) {
  if (cursor.peek() == '(') {
    const auto one = [&] { return append_flag(cursor, out.flags); };
    if (!cursor.list("flags", true, one) || !cursor.space("the flags")) return false;
  }
  if (cursor.peek() == '"') {
    if (!date_time(cursor, out.internal_date) || !cursor.space("the date-time")) return false;
  }
  if (cursor.accept_word("CATENATE")) return cursor.fail("CATENATE is not supported");
  if (cursor.accept_word("UTF8")) {  // RFC 6855 section 4
    out.utf8 = true;
    if (!cursor.space("UTF8") || !cursor.open("UTF8 message")) return false;
    if (cursor.peek() != '~') return cursor.fail("UTF8 needs a literal8 (RFC 6855)");
  }
  return cursor.message_literal();
}

bool parse_append(Cursor& cursor, AppendMessage& out) {
  if (out.is_replace) {
    if (!cursor.space("REPLACE")) return false;
    if (cursor.accept('*')) {
      out.number = SequenceSet::kStar;
    } else if (!cursor.nz_number(out.number, "message number")) {
      return false;
    }
  }
  return parse_mailbox(cursor, out.is_replace ? "the message number" : "APPEND", out.mailbox) &&
         cursor.space("the mailbox name") && parse_append_message(cursor, out);
}

}  // namespace twinpost::imap
