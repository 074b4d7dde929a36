// mboxes of every kind, read and written.
#include "tools/twinpost/transfer/mbox.h"

#include <doctest/doctest.h>

#include "tests/tools/transfer_support.h"
#include "tools/twinpost/transfer/mbox_fields.h"

using namespace twinpost;
using namespace twinpost::tools;
using namespace twinpost::tools::test;

namespace {

constexpr const char* kFrom = "From sam@example.net Thu Nov 23 19:00:00 2023\n";

struct Read {
  std::vector<MailFolder> folders;
  std::vector<MailItem> items;  // of the first folder
  std::vector<std::string> octets;
};

Read read_mbox(const std::string& path, MboxOptions options = {}) {
  auto source = must(open_mbox(path, std::move(options)));
  Read read;
  read.folders = must(source->folders());
  read.items = must(source->items(read.folders.at(0)));
  for (const MailItem& item : read.items) {
    read.octets.push_back(must(source->read(read.folders[0], item, {})));
  }
  return read;
}

Read read_text(std::string_view text, MboxOptions options = {}) {
  const TempFolder folder;
  write_file(folder / "mbox", text);
  return read_mbox(folder / "mbox", std::move(options));
}

std::int64_t time_of(std::string_view line) {
  const auto date = parse_from_line(line);
  return date ? date->time.time_since_epoch().count() : -1;
}

}  // namespace

TEST_CASE("a From_ line is one only with a date, in any of its usual forms") {
  CHECK(time_of("From sam@example.net Thu Nov 23 19:00:00 2023\n") == 1'700'766'000);
  CHECK(time_of("From sam@example.net  Thu Nov 23 19:00 2023") == 1'700'766'000);
  CHECK(time_of("From sam@example.net Thu Nov 23 19:00:00 2023 +0100") == 1'700'762'400);
  CHECK(time_of("From sam@example.net Thu Nov 23 19:00:00 MET 2023") == 1'700'766'000);
  CHECK(time_of("From \"sam the man\"@example.net Thu Nov  3 09:00:00 2022") == 1'667'466'000);
  CHECK(time_of("From  Thu Nov 23 19:00:00 2023") == 1'700'766'000);
  CHECK(time_of("From me to you") == -1);
  CHECK(time_of("From sam Thu Nov 31 19:00:00 2023") == -1);
  CHECK(time_of("From sam Thu Nov 23 25:00:00 2023") == -1);
  CHECK(time_of("From sam Thu Nov 23 19:00:00") == -1);
  CHECK(time_of("from sam Thu Nov 23 19:00:00 2023") == -1);
  const store::InternalDate date{UnixTime(std::chrono::seconds(1'700'766'000)), 60};
  CHECK(from_line("sam@example.net", date) + "\n" == kFrom);
  CHECK(parse_from_line("From x Thu Nov 23 19:00:00 2023 +0100")->zone_minutes == 60);
}

TEST_CASE("messages begin at From_ lines after blank lines, and escaped ones are unescaped once") {
  const std::string text = std::string(kFrom) +
                           "Subject: one\n\nFrom here on\n>From me\n>>From you\nFrom sam "
                           "Thu Nov 23 19:00:00 2023\n\n" +
                           kFrom + "Subject: two\r\n\r\nbody\r\n\r\n\r\n" + kFrom +
                           "Subject: three\n\n" + kFrom + "Subject: four\n\nno end";
  const Read read = read_text(text);
  REQUIRE(read.octets.size() == 4);
  CHECK(read.octets[0] ==
        "Subject: one\r\n\r\nFrom here on\r\nFrom me\r\n>From you\r\n"
        "From sam Thu Nov 23 19:00:00 2023\r\n");
  CHECK(read.octets[1] == "Subject: two\r\n\r\nbody\r\n\r\n");
  CHECK(read.octets[2] == "Subject: three\r\n\r\n");
  CHECK(read.octets[3] == "Subject: four\r\n\r\nno end\r\n");
  CHECK(read.items[0].date.time.time_since_epoch().count() == 1'700'766'000);
  MboxOptions options;
  options.unescape = false;
  CHECK(read_text(text, options).octets[0].find("\r\n>From me\r\n>>From you\r\n") !=
        std::string::npos);
}

TEST_CASE("a Content-Length is believed where another message begins behind it, and only there") {
  const std::string body = "quoted:\n\n" + std::string(kFrom) + "Subject: inner\n\n>From x\n";
  const auto with = [&](std::size_t length) {
    return std::string(kFrom) + "Content-Length: " + std::to_string(length) +
           "\nSubject: outer\n\n" + body + "\n" + kFrom + "Subject: next\n\nbody\n\n";
  };
  Read read = read_text(with(body.size()));
  REQUIRE(read.octets.size() == 2);
  CHECK(read.octets[0].starts_with("Subject: outer\r\n\r\nquoted:\r\n\r\nFrom sam"));
  CHECK(read.octets[0].ends_with("\r\n>From x\r\n"));  // mboxcl2 escapes nothing
  CHECK(read.octets[1] == "Subject: next\r\n\r\nbody\r\n");
  for (const std::size_t wrong :
       {body.size() - 5, std::size_t{3}, std::size_t{1'000'000}, ~std::size_t{0}}) {
    CHECK(read_text(with(wrong)).octets.size() == 3);
  }
}

TEST_CASE("the servers' own fields become flags, keywords, UIDs and UIDLs and leave the message") {
  const Read read =
      read_text(std::string(kFrom) +
                "X-IMAPbase: 1700000000 20 Work\nStatus: RO\nX-Status: AFTD\n"
                "X-Keywords: Work bad(one $Junk\nX-UID: 7\nX-UIDL: abc\nSubject: one\n\nStatus: in "
                "the body\n\n" +
                kFrom + "Subject: two\nSTATUS: O\nX-UID: 9\nX-UIDL: with blank\n\nbody\n\n" +
                kFrom + "Subject: lies\nX-UID: 9\nX-IMAPbase: 5 5\n\nbody\n\n" + kFrom +
                "Subject: after a lie\nX-UID: 12\n\nbody\n\n");
  REQUIRE(read.items.size() == 4);
  CHECK(read.folders[0].uid_validity.value() == 1'700'000'000);
  CHECK(read.folders[0].uid_next.value() == 21);
  CHECK(read.items[0].flags == 31);
  CHECK(read.items[0].keywords == std::vector<std::string>{"Work", "$Junk"});
  CHECK(read.items[0].uid.value() == 7);
  CHECK(read.items[0].uidl == "abc");
  CHECK(read.octets[0] == "Subject: one\r\n\r\nStatus: in the body\r\n");
  CHECK(read.items[1].flags == 0);
  CHECK(read.items[1].uid.value() == 9);
  CHECK(read.items[1].uidl.empty());
  CHECK(read.items[2].uid.value() == 0);
  CHECK(read.items[3].uid.value() == 0);
}

TEST_CASE("a server's own first message is none, whatever a later message says of itself") {
  const std::string pseudo =
      "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 5 7\n\nx\n\n";
  const Read read = read_text(kFrom + pseudo + kFrom + pseudo + kFrom + "Subject: real\n\n");
  CHECK(read.items.size() == 2);
  CHECK(read.folders[0].uid_validity.value() == 5);
}

TEST_CASE(
    "import keys tell equal messages apart and do not change with flags or what comes behind") {
  const std::string message = std::string(kFrom) + "Subject: same\n\nbody\n\n";
  const Read once = read_text(message);
  const Read more =
      read_text(std::string(kFrom) + "Status: RO\nSubject: same\n\nbody\n\n" + message + message);
  REQUIRE(more.items.size() == 3);
  CHECK(once.items[0].key == more.items[0].key);
  CHECK(more.items[0].key != more.items[1].key);
  CHECK(more.items[1].key != more.items[2].key);
}

TEST_CASE("an mbox that changes under the reader gives no message in another's place") {
  TempFolder folder;
  write_file(folder / "mbox",
             std::string(kFrom) + "Subject: one\n\n1\n\n" + kFrom + "Subject: two\n\n2\n\n");
  auto source = must(open_mbox(folder / "mbox", {}));
  const auto inbox = must(source->folders()).at(0);
  const auto items = must(source->items(inbox));
  write_file(folder / "mbox",
             std::string(kFrom) + "Subject: six\n\n6\n\n" + kFrom + "Subject: two\n\n2\n\n");
  CHECK(code_of(source->read(inbox, items.at(0), {})) == ErrorCode::kCorrupt);
  CHECK(must(source->read(inbox, items.at(1), {})) == "Subject: two\r\n\r\n2\r\n");
}

TEST_CASE(
    "lines and headers of ten megabytes pass, and a message above the limit is refused alone") {
  const std::string large(10'000'000, 'x');
  const std::string text = std::string(kFrom) + "X: " + large + "\nSubject: one\n\n" + large +
                           "\n\n" + kFrom + "Subject: two\n\n2\n\n";
  Read read = read_text(text);
  REQUIRE(read.octets.size() == 2);
  CHECK(read.octets[0].size() == 20'000'000 + 3 + 2 + 14 + 2 + 2);
  CHECK(read.octets[1] == "Subject: two\r\n\r\n2\r\n");
  TempFolder folder;
  write_file(folder / "mbox", text);
  MboxOptions options;
  options.message_limit = 1'000'000;
  auto source = must(open_mbox(folder / "mbox", options));
  const auto inbox = must(source->folders()).at(0);
  const auto items = must(source->items(inbox));
  CHECK(code_of(source->read(inbox, items.at(0), {})) == ErrorCode::kTooLarge);
  CHECK(must(source->read(inbox, items.at(1), {})).size() == 19);
}

TEST_CASE("a folder of mboxes is a mailbox each, and what is no mbox is passed over") {
  TempFolder folder;
  const std::string mail = std::string(kFrom) + "Subject: x\n\n";
  for (const char* name : {"INBOX", "A%2FB.mbox", "%2Edots.mbox", "Work.sbd/2024", "Work", "x.msf",
                           "half.mbox.part"}) {
    write_file(folder / name, mail);
  }
  write_file(folder / "notes.txt", "no mbox\n");
  write_file(folder / "empty.mbox", "");
  std::filesystem::create_symlink("/etc/passwd", folder / "link");
  auto source = must(open_mbox(folder.path(), {}));
  std::vector<std::string> names;
  for (const MailFolder& found : must(source->folders())) names.push_back(found.name);
  CHECK(names == std::vector<std::string>{"INBOX", ".dots", "A/B", "Work", "Work/2024", "empty"});
  CHECK(source->take_notes().size() == 2);
}

TEST_CASE("of mboxes those are subscribed that a first login would make") {
  TempFolder folder;
  for (const char* name : {"INBOX", "Sent", "Work"}) {
    write_file(folder / name, std::string(kFrom) + "Subject: x\n\n");
  }
  std::map<std::string, bool> subscribed;
  for (const MailFolder& found : must(must(open_mbox(folder.path(), {}))->folders())) {
    subscribed[found.name] = found.subscribed;
  }
  CHECK(subscribed ==
        std::map<std::string, bool>{{"INBOX", false}, {"Sent", true}, {"Work", false}});
}

TEST_CASE("what is no mbox is said so") {
  TempFolder folder;
  write_file(folder / "text", "Dear Sam,\n");
  CHECK(code_of(open_mbox(folder / "text", {})) == ErrorCode::kInvalid);
  CHECK(code_of(open_mbox(folder / "missing", {})) == ErrorCode::kNotFound);
  MboxOptions options;
  options.uidl_format = must(UidlFormat::parse("%f"));
  CHECK(code_of(open_mbox(folder / "text", options)) == ErrorCode::kInvalid);
}

TEST_CASE("names of mailboxes become file names that stay in the folder, and back") {
  for (const std::string name : {"A/B", "..", "../../etc/passwd", ".hidden", "100%", "%2F",
                                 "tab\there", "\xc3\xa9t\xc3\xa9", "x.mbox"}) {
    const std::string file = mbox_file_name(name);
    CHECK(file.find('/') == std::string::npos);
    CHECK(file.front() != '.');
    CHECK(mailbox_of_file(file) == name);
  }
  CHECK(mbox_file_name(std::string(500, 'x')).size() <= 240);
  CHECK(mbox_file_name(std::string(500, 'x')) != mbox_file_name(std::string(499, 'x')));
}

TEST_CASE("what is written is mboxrd, and read back it is the same") {
  TempFolder folder;
  auto sink = must(make_mbox(folder / "out"));
  MailFolder inbox;
  inbox.name = "INBOX";
  inbox.uid_validity = store::UidValidity(77);
  inbox.uid_next = store::Uid(10);
  MailItem item;
  item.uid = store::Uid(3);
  item.flags = store::bit(store::Flag::kSeen) | store::bit(store::Flag::kFlagged);
  item.keywords = {"Work"};
  item.uidl = "uidl-3";
  item.date.time = UnixTime(std::chrono::seconds(1'700'766'000));
  const std::string first =
      "Return-Path: <sam@example.net>\r\nSubject: one\r\n\r\nFrom me\r\n>From you\r\n\r\n";
  const std::string second = "Subject: two\r\n\r\na\r\r\nFrom b\r\n";
  must(sink->begin({inbox}));
  CHECK(must(sink->wants(inbox, std::vector{item})) == std::vector<bool>{true});
  must(sink->put(inbox, item, first));
  MailItem other;
  other.uid = store::Uid(9);
  must(sink->put(inbox, other, second));
  CHECK(files_in(folder / "out") == std::vector<std::string>{"INBOX.mbox.part"});
  must(sink->finish_folder(inbox));
  must(sink->finish());
  CHECK(files_in(folder / "out") == std::vector<std::string>{"INBOX.mbox"});
  CHECK(sink->stored() == 2);
  CHECK(read_file(folder / "out/INBOX.mbox")
            .starts_with("From sam@example.net Thu Nov 23 19:00:00 2023\nX-IMAPbase: 77 9 "
                         "Work\nStatus: RO\nX-Status: "
                         "F\nX-Keywords: Work\nX-UID: 3\nX-UIDL: uidl-3\nReturn-Path: "
                         "<sam@example.net>\nSubject: "
                         "one\n\n>From me\n>>From you\n\n\nFrom MAILER-DAEMON "));
  const Read read = read_mbox(folder / "out/INBOX.mbox");
  CHECK(read.octets == std::vector<std::string>{first, second});
  CHECK(read.items[0].uidl == "uidl-3");
  CHECK(read.items[1].uid.value() == 9);
  CHECK(read.folders[0].uid_next.value() == 10);
}

TEST_CASE(
    "messages come back octet by octet, From lines and servers' fields in their headers too") {
  TempFolder folder;
  auto sink = must(make_mbox(folder / "out"));
  MailFolder inbox;
  inbox.name = "INBOX";
  inbox.uid_validity = store::UidValidity(77);
  inbox.uid_next = store::Uid(10);
  const std::vector<std::string> messages = {
      "From sam@example.net Thu Nov 23 19:00:00 2023\r\nSubject: one\r\n\r\nFrom me\r\n",
      "Subject: two\r\n>From sam\r\n>>From you\r\nFrom : sam@example.net\r\n\r\n>From b\r\n",
      ">From first\r\n\tfolded\r\nSubject: three\r\n>>>From last\r\n\r\nbody\r\n",
      "Subject: four\r\nStatus: RO\r\nX-Status: D\r\nX-UID: 5\r\nX-UIDL: mine\r\n"
      "X-Keywords: Mine\r\nX-IMAPbase: 1 2\r\nX-IMAP: 1 2\r\nContent-Length : \r\n "
      "3\r\n\r\nabc\r\n",
      "x-twinpost-kept-Status: x\r\nSTATUS:\r\n\tfolded\r\nX-Twinpost-Kept-Subject: "
      "y\r\n\r\nbody\r\n",
      "Subject: six\r\n\r\nStatus: in the body\r\nX-Twinpost-Kept-Status: in the body\r\n"};
  must(sink->begin({inbox}));
  std::vector<MailItem> items(messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i) {
    items[i].uid = store::Uid(static_cast<std::uint32_t>(i + 1));
  }
  must(sink->wants(inbox, items));
  for (std::size_t i = 0; i < messages.size(); ++i) must(sink->put(inbox, items[i], messages[i]));
  must(sink->finish_folder(inbox));
  must(sink->finish());
  const auto notes = sink->take_notes();
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].starts_with("2 messages have fields of their own"));
  const Read read = read_mbox(folder / "out/INBOX.mbox");
  CHECK(read.octets == messages);
  REQUIRE(read.items.size() == messages.size());
  CHECK(read.items[3].flags == 0);
  CHECK(read.items[3].uid.value() == 4);
  CHECK(read.items[3].uidl.empty());
  CHECK(read.items[3].keywords.empty());
  // Others' readers see no flags but those of the store.
  const std::string text = read_file(folder / "out/INBOX.mbox");
  CHECK(text.find("\nContent-Length") == std::string::npos);
  CHECK(text.find("\nX-Twinpost-Kept-X-UID: 5\n") != std::string::npos);
}

TEST_CASE("what is escaped in a header stays so where nothing is to be unescaped") {
  const std::string text = std::string(kFrom) + ">From sam\nX-Twinpost-Kept-Status: x\n\n>From y\n";
  MboxOptions options;
  options.unescape = false;
  CHECK(read_text(text, options).octets.at(0) ==
        ">From sam\r\nX-Twinpost-Kept-Status: x\r\n\r\n>From y\r\n");
  // mboxcl2 escapes nothing.
  CHECK(read_text(std::string(kFrom) + "Content-Length: 8\n>From sam\n\n>From y\n").octets.at(0) ==
        ">From sam\r\n\r\n>From y\r\n");
}

TEST_CASE(
    "mboxes are written to a folder that has nothing else, and over none of another mailbox") {
  TempFolder folder;
  MailFolder inbox;
  inbox.name = "INBOX";
  inbox.uid_validity = store::UidValidity(77);
  const auto export_to = [&](const std::string& path) -> Result<void> {
    auto sink = make_mbox(path);
    if (!sink) return tl::unexpected(sink.error());
    if (auto begun = (*sink)->begin({inbox}); !begun) return begun;
    must((*sink)->wants(inbox, std::vector{MailItem()}));
    must((*sink)->put(inbox, MailItem(), "Subject: one\r\n\r\n1\r\n"));
    return (*sink)->finish_folder(inbox);
  };
  write_file(folder / "home/notes.txt", "mine\n");
  CHECK(code_of(export_to(folder / "home")) == ErrorCode::kExists);
  CHECK(files_in(folder / "home") == std::vector<std::string>{"notes.txt"});

  const std::string foreign = std::string(kFrom) + "Subject: theirs\n\n";
  write_file(folder / "boxes/INBOX.mbox", foreign);
  CHECK(code_of(export_to(folder / "boxes")) == ErrorCode::kExists);
  CHECK(read_file(folder / "boxes/INBOX.mbox") == foreign);

  std::filesystem::create_directories(folder / "out/lost+found");
  must(export_to(folder / "out"));
  write_file(folder / "out/INBOX.mbox.part", "half");
  must(export_to(folder / "out"));
  CHECK(files_in(folder / "out") == std::vector<std::string>{"INBOX.mbox", "lost+found"});
  inbox.uid_validity = store::UidValidity(78);
  CHECK(code_of(export_to(folder / "out")) == ErrorCode::kExists);
}
