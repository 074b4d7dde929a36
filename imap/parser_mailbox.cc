// SELECT, EXAMINE, CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS.
#include <array>

#include "imap/parser_productions.h"

namespace twinpost::imap {

namespace {

struct StatusName {
  std::string_view name;
  StatusItem item;
};
constexpr std::array kStatusNames = {
    StatusName{"MESSAGES", StatusItem::kMessages},
    StatusName{"RECENT", StatusItem::kRecent},
    StatusName{"UIDNEXT", StatusItem::kUidNext},
    StatusName{"UIDVALIDITY", StatusItem::kUidValidity},
    StatusName{"UNSEEN", StatusItem::kUnseen},
    StatusName{"DELETED", StatusItem::kDeleted},
    StatusName{"SIZE", StatusItem::kSize},
    StatusName{"APPENDLIMIT", StatusItem::kAppendLimit},
    StatusName{"HIGHESTMODSEQ", StatusItem::kHighestModSeq},
    StatusName{"MAILBOXID", StatusItem::kMailboxId},
    StatusName{"DELETED-STORAGE", StatusItem::kDeletedStorage},
};

// A set of UIDs or numbers that were seen: no "*", no "$" (RFC 7162 section 7).
bool known_set(Cursor& cursor, NumberSet& out) {
  SequenceSet set;
  if (!cursor.sequence_set(set)) return false;
  if (set.saved || set.has_star()) return cursor.fail("\"*\" and \"$\" are not allowed in QRESYNC");
  out = set.resolve(0);
  return true;
}

// "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"
bool parse_qresync(Cursor& cursor, QResync& out) {
  if (!cursor.space("QRESYNC") || !cursor.open("QRESYNC arguments") ||
      !cursor.nz_number(out.uid_validity, "UIDVALIDITY") || !cursor.space("the UIDVALIDITY") ||
      !cursor.number64(out.mod_seq, "mod-sequence")) {
    return false;
  }
  if (out.mod_seq == 0) return cursor.fail("The mod-sequence must not be zero");
  if (cursor.has_more() && cursor.peek_after_spaces() != ')' && cursor.peek_after_spaces() != '(') {
    if (!cursor.space("the mod-sequence") || !known_set(cursor, out.known_uids.emplace()))
      return false;
  }
  if (cursor.peek_after_spaces() == '(') {
    auto& [numbers, uids] = out.sequence_match.emplace();
    if (!cursor.space("the known UIDs") || !cursor.open("sequence match data") ||
        !known_set(cursor, numbers) || !cursor.space("the known sequence set") ||
        !known_set(cursor, uids) || !cursor.close("sequence match data")) {
      return false;
    }
    if (numbers.count() != uids.count()) {
      return cursor.fail("The known sequence set and the known UID set differ in length");
    }
  }
  return cursor.close("QRESYNC arguments");
}

}  // namespace

bool parse_mailbox(Cursor& cursor, std::string_view after, std::string_view& out) {
  return cursor.space(after) && cursor.astring(out, "mailbox name");
}

bool parse_select(Cursor& cursor, Select& out) {
  if (!parse_mailbox(cursor, "the command", out.mailbox)) return false;
  if (!cursor.has_more()) return cursor.end("the mailbox name");
  const auto parameter = [&] {
    if (cursor.accept_word("CONDSTORE")) {
      out.condstore = true;
      return true;
    }
    if (cursor.accept_word("QRESYNC")) {
      if (out.qresync) return cursor.fail("QRESYNC was given twice");
      return parse_qresync(cursor, out.qresync.emplace());
    }
    return cursor.fail("Unknown parameter: CONDSTORE and QRESYNC are known");
  };
  return cursor.space("the mailbox name") && cursor.list("parameters", false, parameter) &&
         cursor.end("the parameters");
}

bool parse_create(Cursor& cursor, Create& out) {
  if (!parse_mailbox(cursor, "CREATE", out.mailbox)) return false;
  if (!cursor.has_more()) return cursor.end("the mailbox name");
  const auto attribute = [&] {
    std::string_view name;
    if (!cursor.flag_name(name)) return false;
    if (out.special_use.size() == cursor.settings().list_items)
      return cursor.fail("Too many attributes");
    out.special_use.push_back(name);
    return true;
  };
  const auto parameter = [&] {
    if (!cursor.accept_word("USE")) return cursor.fail("Unknown parameter: USE is known");
    return cursor.space("USE") && cursor.list("special-use attributes", true, attribute);
  };
  return cursor.space("the mailbox name") && cursor.list("parameters", false, parameter) &&
         cursor.end("the parameters");
}

bool parse_rename(Cursor& cursor, Rename& out) {
  return parse_mailbox(cursor, "RENAME", out.from) &&
         parse_mailbox(cursor, "the mailbox name", out.to) && cursor.end("the new mailbox name");
}

bool parse_status_items(Cursor& cursor, StatusItems& out) {
  const auto item = [&] {
    std::string_view name;
    if (!cursor.word(name, "status item")) return false;
    for (const StatusName& known : kStatusNames) {
      if (ascii::equals_ignore_case(known.name, name)) {
        out = static_cast<StatusItems>(out | bit(known.item));
        return true;
      }
    }
    return cursor.fail("Unknown status item " + ascii::printable(name, 40));
  };
  return cursor.list("status items", false, item);
}

bool parse_status(Cursor& cursor, Status& out) {
  return parse_mailbox(cursor, "STATUS", out.mailbox) && cursor.space("the mailbox name") &&
         parse_status_items(cursor, out.items) && cursor.end("the status items");
}

}  // namespace twinpost::imap
