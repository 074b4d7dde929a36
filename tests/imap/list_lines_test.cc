#include "imap/list_lines.h"

#include <doctest/doctest.h>
#include <string>

using namespace twinpost;
using namespace twinpost::imap;

namespace {

const Style kRev1{false, false};
const Style kUtf8{true, true};

std::string list_line(const ListEntry& entry, const ListLineOptions& options = {},
                      const Style& style = kRev1) {
  std::string out;
  append_list_line(out, entry, options, style);
  return out;
}

ListEntry entry_of(std::string_view name, const store::MailboxInfo* mailbox) {
  ListEntry entry;
  entry.name = name;
  entry.mailbox = mailbox;
  entry.selected = mailbox != nullptr;
  return entry;
}

}  // namespace

TEST_CASE("a LIST line always says whether there are children, and the special use") {
  store::MailboxInfo info;
  info.special_use = store::SpecialUse::kSent;
  ListEntry entry = entry_of("Sent Mail", &info);
  CHECK(list_line(entry) == "* LIST (\\HasNoChildren \\Sent) \"/\" \"Sent Mail\"\r\n");
  entry.has_children = true;
  info.special_use = store::SpecialUse::kNone;
  entry.name = "a/b";
  CHECK(list_line(entry) == "* LIST (\\HasChildren) \"/\" a/b\r\n");
}

TEST_CASE("\\Subscribed is said where it was asked for") {
  const store::MailboxInfo info;
  ListEntry entry = entry_of("a", &info);
  entry.subscribed = true;
  CHECK(list_line(entry) == "* LIST (\\HasNoChildren) \"/\" a\r\n");
  ListLineOptions options;
  options.subscribed = true;
  CHECK(list_line(entry, options) == "* LIST (\\Subscribed \\HasNoChildren) \"/\" a\r\n");
}

TEST_CASE("a name that does not exist can't be selected") {
  ListEntry entry = entry_of("gone", nullptr);
  entry.has_children = true;
  CHECK(list_line(entry) == "* LIST (\\NonExistent \\Noselect \\HasChildren) \"/\" gone\r\n");
}

TEST_CASE("CHILDINFO names the selection options") {
  const store::MailboxInfo info;
  ListEntry entry = entry_of("foo", &info);
  entry.has_selected_below = true;
  ListLineOptions options;
  CHECK(list_line(entry, options) == "* LIST (\\HasNoChildren) \"/\" foo\r\n");
  options.child_subscribed = true;
  CHECK(list_line(entry, options) ==
        "* LIST (\\HasNoChildren) \"/\" foo (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n");
  options.child_special_use = true;
  CHECK(list_line(entry, options) ==
        "* LIST (\\HasNoChildren) \"/\" foo (\"CHILDINFO\" (\"SUBSCRIBED\" \"SPECIAL-USE\"))\r\n");
}

TEST_CASE("names go out in the encoding that the client understands") {
  const store::MailboxInfo info;
  const ListEntry entry = entry_of("Entw\xc3\xbcrfe", &info);
  CHECK(list_line(entry, {}, kRev1) == "* LIST (\\HasNoChildren) \"/\" Entw&APw-rfe\r\n");
  CHECK(list_line(entry, {}, kUtf8) == "* LIST (\\HasNoChildren) \"/\" \"Entw\xc3\xbcrfe\"\r\n");
}

TEST_CASE("LSUB says \\Noselect of a name that is there for those below it") {
  std::string out;
  ListEntry entry = entry_of("foo", nullptr);
  append_lsub_line(out, entry, kRev1);
  entry.selected = true;
  append_lsub_line(out, entry, kRev1);
  CHECK(out == "* LSUB (\\Noselect) \"/\" foo\r\n* LSUB () \"/\" foo\r\n");
}

TEST_CASE("a STATUS line has what was asked for, in one order") {
  store::MailboxInfo info;
  info.name = "blurdybloop";
  info.messages = 231;
  info.uid_next = store::Uid(44292);
  info.uid_validity = store::UidValidity(9);
  info.unseen = 5;
  info.deleted = 2;
  info.bytes = 5'000'000'000;
  info.highest_modseq = store::ModSeq(7011231777);
  info.mailbox_guid = "M01";
  const auto line = [&](StatusItems items, std::uint64_t append_limit = 0) {
    std::string out;
    append_status_line(out, items, StatusValues{info, 3, append_limit, 4'294'967'296}, kRev1);
    return out;
  };
  CHECK(line(bit(StatusItem::kMessages) | bit(StatusItem::kUidNext)) ==
        "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)\r\n");
  CHECK(
      line(0x7ff) ==
      "* STATUS blurdybloop (MESSAGES 231 RECENT 3 UIDNEXT 44292 UIDVALIDITY 9 UNSEEN 5 DELETED 2 "
      "DELETED-STORAGE 4294967296 SIZE 5000000000 APPENDLIMIT NIL HIGHESTMODSEQ 7011231777 "
      "MAILBOXID (M01))\r\n");
  CHECK(line(bit(StatusItem::kAppendLimit), 257890) ==
        "* STATUS blurdybloop (APPENDLIMIT 257890)\r\n");
}

TEST_CASE("a name that came in another form than NFC is told with the old one") {
  CHECK(was_normalized("e\xcc\x81", "\xc3\xa9", true));
  CHECK_FALSE(was_normalized("\xc3\xa9", "\xc3\xa9", true));
  CHECK_FALSE(was_normalized("\xc3\xa9/", "\xc3\xa9", true));
  CHECK_FALSE(was_normalized("inbox", "INBOX", true));
  CHECK_FALSE(was_normalized("Inbox/x", "INBOX/x", true));
  CHECK(was_normalized("Inbox/e\xcc\x81", "INBOX/\xc3\xa9", true));
  CHECK_FALSE(was_normalized("Entw&APw-rfe", "Entw\xc3\xbcrfe", false));
  CHECK(was_normalized("Entwu&Awg-rfe", "Entw\xc3\xbcrfe", false));
  std::string out;
  append_oldname_line(out, "\xc3\xa9", "e\xcc\x81", "\\NonExistent", kUtf8);
  CHECK(out == "* LIST (\\NonExistent) \"/\" \"\xc3\xa9\" (\"OLDNAME\" (\"e\xcc\x81\"))\r\n");
}
