// Reading Maildirs as Dovecot, Courier and others leave them.
#include "tools/twinpost/transfer/maildir.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/tools/transfer_support.h"
#include "tools/twinpost/transfer/maildir_names.h"
#include "tools/twinpost/transfer/maildir_octets.h"

using namespace twinpost;
using namespace twinpost::tools;
using namespace twinpost::tools::test;

namespace {

constexpr const char* kMail = "Subject: x\n\nbody\n";
const store::FlagBits kSeen = store::bit(store::Flag::kSeen);

struct Opened {
  std::unique_ptr<MailSource> source;
  std::vector<MailFolder> folders;
};

Opened open(const TempFolder& folder, MaildirOptions options = {}) {
  Opened opened{must(open_maildir(folder.path(), std::move(options))), {}};
  opened.folders = must(opened.source->folders());
  return opened;
}

std::vector<MailItem> inbox_items(const TempFolder& folder, MaildirOptions options = {}) {
  Opened opened = open(folder, std::move(options));
  return must(opened.source->items(opened.folders.at(0)));
}

MaildirOptions with_uidls(std::string_view format) {
  MaildirOptions options;
  options.uidl_format = must(UidlFormat::parse(format));
  return options;
}

std::string uidl_by(std::string_view format) {
  return must(UidlFormat::parse(format))
      .format(
          {store::Uid(77), store::UidValidity(0x65b04985), "170.M1.host,S=4", "guid", "0123ab"});
}

}  // namespace

TEST_CASE(
    "a file's flags are read behind any of the marks, and only the upper case letters known") {
  TempFolder folder;
  write_file(folder / "cur/1.a.host:2,FS", kMail);
  write_file(folder / "cur/2.b.host;2,DRT", kMail);
  write_file(folder / "cur/3.c.host!2,S", kMail);
  write_file(folder / "cur/4.d.host", kMail);
  write_file(folder / "new/5.e.host:2,S", kMail);
  write_file(folder / "cur/6.f.host:2,PSx,future=1Z", kMail);
  write_file(folder / "tmp/7.g.host", kMail);
  const auto items = inbox_items(folder);
  REQUIRE(items.size() == 6);
  CHECK(items[0].flags == (kSeen | store::bit(store::Flag::kFlagged)));
  CHECK(items[1].flags == (store::bit(store::Flag::kDraft) | store::bit(store::Flag::kAnswered) |
                           store::bit(store::Flag::kDeleted)));
  CHECK(items[2].flags == kSeen);
  CHECK(items[3].flags == 0);
  CHECK(items[4].flags == 0);  // nobody has seen what is in new/
  CHECK(items[5].flags == kSeen);
  CHECK(items[5].keywords == std::vector<std::string>{"$Forwarded"});
  CHECK(items[0].date.time.time_since_epoch().count() == 1'600'000'000);
  CHECK(items[0].uid.value() == 0);
}

TEST_CASE("without a list of UIDs messages come by the time in their names") {
  TempFolder folder;
  write_file(folder / "cur/1000.b.host:2,", kMail);
  write_file(folder / "cur/999.z.host:2,S", kMail);
  write_file(folder / "new/1000.a.host", kMail);
  write_file(folder / "cur/no-time:2,", kMail);
  std::vector<std::string> names;
  for (const MailItem& item : inbox_items(folder)) names.push_back(item.native_name);
  CHECK(names == std::vector<std::string>{"cur/999.z.host:2,S", "new/1000.a.host",
                                          "cur/1000.b.host:2,", "cur/no-time:2,"});
}

TEST_CASE("an import key does not change with a message's flags, place or hints of its size") {
  TempFolder folder;
  make_maildir_folders(folder.path());
  write_file(folder / "new/1000.M1P2.host", kMail);
  const auto fresh = inbox_items(folder).at(0).key;
  std::filesystem::rename(folder / "new/1000.M1P2.host",
                          folder / "cur/1000.M1P2.host,S=17,W=20:2,S");
  write_file(folder / "dovecot-uidlist", "3 V5 N2\n1 :1000.M1P2.host\n");
  const auto moved = inbox_items(folder).at(0).key;
  REQUIRE(fresh);
  CHECK(fresh == moved);
}

TEST_CASE("Dovecot's list gives UIDVALIDITY, UIDs, UIDLs and the order") {
  TempFolder folder;
  write_file(folder / "cur/20.a.host,S=17:2,S", kMail);
  write_file(folder / "cur/10.b.host:2,", kMail);
  write_file(folder / "cur/30.c.host:2,", kMail);
  write_file(folder / "new/40.d.host", kMail);
  write_file(folder / "dovecot-uidlist",
             "3 V1706051973 N25 G3085f01b7f11094c501100008c4a11c1\n"
             "7 Pold-uidl W20 :20.a.host,S=17:2,\n9 :10.b.host:2,FS\n31 P :30.c.host\n");
  Opened opened = open(folder);
  CHECK(opened.folders[0].uid_validity.value() == 1'706'051'973);
  CHECK(opened.folders[0].uid_next.value() ==
        32);  // records were added since the header was written
  CHECK(opened.folders[0].mailbox_guid == "3085f01b7f11094c501100008c4a11c1");
  const auto items = must(opened.source->items(opened.folders[0]));
  REQUIRE(items.size() == 4);
  CHECK(items[0].uid.value() == 7);
  CHECK(items[0].uidl == "old-uidl");
  CHECK(items[1].uid.value() == 9);
  CHECK(items[1].uidl == "0000000965b04985");
  CHECK(items[2].uid.value() == 31);
  CHECK(items[2].uidl == "30.c.host");  // an empty P means the file's name
  CHECK(items[3].uid.value() == 0);
  CHECK(items[3].uidl.empty());  // Dovecot has shown it to nobody yet
}

TEST_CASE("a list of UIDs that lies costs UIDs, never messages") {
  TempFolder folder;
  for (const char* name : {"1.a", "2.b", "3.c", "4.d", "5.e", "6.f"}) {
    write_file(folder / ("cur/" + std::string(name) + ":2,"), kMail);
  }
  write_file(folder / "dovecot-uidlist",
             "3 V9 N4294967297\n5 :1.a\n5 :2.b\n3 Pkept :3.c\n4294967303 :4.d\nrubbish\n0 :5.e\n"
             "8 :../../etc/passwd\n9 :6.f\n" +
                 std::string(20'000, '1') + " :1.a\n");
  Opened opened = open(folder);
  const auto items = must(opened.source->items(opened.folders[0]));
  REQUIRE(items.size() == 6);
  CHECK(items[0].uid.value() == 5);
  CHECK(items[1].uid.value() == 9);
  for (std::size_t i = 2; i < items.size(); ++i) CHECK(items[i].uid.value() == 0);
  CHECK(items[3].uidl == "kept");
  CHECK(opened.source->take_notes().size() == 1);
  CHECK(opened.folders[0].uid_next.value() == 10);
}

TEST_CASE("Dovecot's formats of UIDLs come out as Dovecot's") {
  CHECK(uidl_by("%08Xu%08Xv") == "0000004d65b04985");
  CHECK(uidl_by("%u.%v") == "77.1706051973");
  CHECK(uidl_by("%f") == "170.M1.host,S=4");
  CHECK(uidl_by("%Uf-%g%%") == "170.M1.HOST,S=4-guid%");
  CHECK(uidl_by("%-2.0v") == "73");
  CHECK(uidl_by("%2.3v") == "060");
  CHECK(uidl_by("%m") == "0123ab");
  CHECK(code_of(UidlFormat::parse("%q")) == ErrorCode::kInvalid);
  CHECK(code_of(UidlFormat::parse("%08X")) == ErrorCode::kInvalid);
  CHECK(code_of(UidlFormat::parse("same")) == ErrorCode::kInvalid);
  CHECK(code_of(UidlFormat::parse("%09999u")) == ErrorCode::kInvalid);
  CHECK(must(UidlFormat::parse("%08Xu%08Xv")).format({}) == "");
}

TEST_CASE("UIDLs are of the inbox, unless all are asked for") {
  TempFolder folder;
  make_maildir_folders(folder.path());
  write_file(folder / ".Sent/cur/1.a:2,", kMail);
  write_file(folder / ".Sent/dovecot-uidlist", "3 V5 N2\n1 :1.a\n");
  Opened opened = open(folder);
  CHECK(must(opened.source->items(opened.folders.at(1)))[0].uidl.empty());
  MaildirOptions options;
  options.uidl_all = true;
  opened = open(folder, options);
  CHECK(must(opened.source->items(opened.folders.at(1)))[0].uidl == "0000000100000005");
  CHECK(opened.folders[1].special_use == store::SpecialUse::kSent);
}

TEST_CASE("Courier's files give UIDs, keywords, subscriptions and the UIDLs that POP3 showed") {
  TempFolder folder;
  write_file(folder / "cur/1.a.host,S=17:2,S", kMail);
  write_file(folder / "cur/2.b.host:2,", kMail);
  write_file(folder / "cur/3.c+.host:2,", kMail);
  write_file(folder / "cur/4.d.host:2,", kMail);
  make_maildir_folders(folder / ".Sent");
  make_maildir_folders(folder / ".Unread");
  write_file(folder / "courierimapuiddb", "1 1300000000 12\n3 1.a.host,S=17\n11 2.b.host\n");
  write_file(
      folder / "courierpop3dsizelist",
      "/2 9 1300000001\n1.a.host,S=17:2,S 20 7:1300000001\n2.b.host 20 8:0\n3.c+.host 20 0:0\n");
  write_file(folder / "courierimapkeywords/:list",
             "$Label1\nWork\n\n1.a.host,S=17:0 1\n2.b.host:1\n");
  write_file(folder / "courierimapkeywords/.5.2.b.host", "Old\n");
  write_file(folder / "courierimapkeywords/.6.2.b.host", "New\n");
  write_file(folder / "courierimapsubscribed", "INBOX\nINBOX.Sent\n");
  Opened opened = open(folder);
  CHECK(opened.folders[0].uid_validity.value() == 1'300'000'000);
  CHECK(opened.folders[0].uid_next.value() == 12);
  CHECK(opened.folders[0].subscribed);
  CHECK(opened.folders[1].subscribed);
  CHECK_FALSE(opened.folders[2].subscribed);
  auto items = must(opened.source->items(opened.folders[0]));
  REQUIRE(items.size() == 4);
  CHECK(items[0].uid.value() == 3);
  CHECK(items[0].uidl == "UID7-1300000001");
  CHECK(items[0].keywords == std::vector<std::string>{"$Label1", "Work"});
  CHECK(items[1].uidl == "UID8");
  CHECK(items[1].keywords == std::vector<std::string>{"New"});
  CHECK(items[2].uidl == "3.c+2B.host");
  CHECK(items[3].uidl.empty());  // it came after POP3 was last used
  items = inbox_items(folder, with_uidls("courier"));
  CHECK(items[3].uidl == "4.d.host");
  items = inbox_items(folder, with_uidls("none"));
  CHECK(items[0].uidl.empty());
}

TEST_CASE("Dovecot's keywords are the letters of its list") {
  TempFolder folder;
  write_file(folder / "cur/1.a:2,Sacz", kMail);
  write_file(folder / "dovecot-keywords", "0 $Junk\n2 Work\n99 Never\nrubbish\n");
  const auto items = inbox_items(folder);
  CHECK(items.at(0).keywords == std::vector<std::string>{"$Junk", "Work"});
}

TEST_CASE("folder names are read as mailbox names, and subscriptions in both of Dovecot's forms") {
  TempFolder folder;
  make_maildir_folders(folder.path());
  for (const char* name :
       {".A", ".A.B", ".&AOk-t&AOk-", ".&broken", ".caf\xc3\xa9", ".8bit\xe9", ".INBOX.x"}) {
    make_maildir_folders(folder / name);
  }
  std::filesystem::create_directories(folder / ".no-maildir");
  write_file(folder / ".a-file", "x");
  write_file(folder / "subscriptions", "V\t2\n\nA\tB\n&AOk-t&AOk-\nGone\n");
  const Opened opened = open(folder);
  std::set<std::string> names;
  std::set<std::string> subscribed;
  for (const MailFolder& found : opened.folders) {
    names.insert(found.name);
    if (found.subscribed) subscribed.insert(found.name);
  }
  CHECK(opened.folders[0].name == "INBOX");
  CHECK(names == std::set<std::string>{"INBOX", "A", "A/B", "\xc3\xa9t\xc3\xa9", "&broken",
                                       "caf\xc3\xa9", "8bit\xef\xbf\xbd", "INBOX/x"});
  CHECK(subscribed == std::set<std::string>{"A/B", "\xc3\xa9t\xc3\xa9"});
  write_file(folder / "subscriptions", "A.B\nINBOX\n");
  CHECK(open(folder).folders[0].subscribed);
}

TEST_CASE("two folders that would be one mailbox become two") {
  TempFolder folder;
  make_maildir_folders(folder / ".e\xcc\x81");
  make_maildir_folders(folder / ".&AOk-");
  Opened opened = open(folder);
  REQUIRE(opened.folders.size() == 2);
  CHECK(opened.folders[0].name == "\xc3\xa9");
  CHECK(opened.folders[1].name == "\xc3\xa9 (2)");
  CHECK(opened.source->take_notes().size() == 1);
}

TEST_CASE("the fs layout is folders within folders") {
  TempFolder folder;
  make_maildir_folders(folder.path());
  make_maildir_folders(folder / "Work");
  make_maildir_folders(folder / "Work/2024.old");
  make_maildir_folders(folder / "Only/Below");
  MaildirOptions options;
  options.layout = MaildirLayout::kFs;
  write_file(folder / "Work/2024.old/cur/1.a:2,S", kMail);
  Opened opened = open(folder, options);
  std::vector<std::string> names;
  for (const MailFolder& found : opened.folders) names.push_back(found.name);
  CHECK(names == std::vector<std::string>{"INBOX", "Only/Below", "Work", "Work/2024.old"});
  const auto items = must(opened.source->items(opened.folders[3]));
  CHECK(must(opened.source->read(opened.folders[3], items.at(0), {})) ==
        "Subject: x\r\n\r\nbody\r\n");
}

TEST_CASE("line ends come out as CRLF, and go back to files without a change") {
  CHECK(to_crlf("a\nb\r\nc") == "a\r\nb\r\nc\r\n");
  CHECK(to_crlf("") == "");
  CHECK(to_crlf("a\rb\n\n") == "a\rb\r\n\r\n");
  for (const std::string canonical : {"a\r\nb\r\n", "a\r\r\nb\r\n", "\r\n", "a\rb\r\n", ""}) {
    CHECK(to_crlf(to_lf(canonical)) == canonical);
  }
  std::string pieces;
  char last = 0;
  append_crlf(pieces, "a\r", last);
  append_crlf(pieces, "\nb", last);
  append_crlf(pieces, "\n", last);
  CHECK(pieces == "a\r\nb\r\n");
}

TEST_CASE(
    "a message that is renamed or removed between the list and the reading is found, or passed "
    "over") {
  TempFolder folder;
  write_file(folder / "new/1.a", kMail);
  write_file(folder / "cur/2.b:2,", kMail);
  Opened opened = open(folder);
  const auto items = must(opened.source->items(opened.folders[0]));
  std::filesystem::rename(folder / "new/1.a", folder / "cur/1.a:2,FS");
  std::filesystem::remove(folder / "cur/2.b:2,");
  CHECK(must(opened.source->read(opened.folders[0], items.at(0), {})) ==
        "Subject: x\r\n\r\nbody\r\n");
  CHECK(code_of(opened.source->read(opened.folders[0], items.at(1), {})) == ErrorCode::kNotFound);
}

TEST_CASE("a hostile Maildir leads nowhere and holds nothing up") {
  TempFolder folder;
  TempFolder elsewhere;
  write_file(elsewhere / "secret", "secret\n");
  make_maildir_folders(elsewhere / "mail");
  write_file(folder / "cur/1.good:2,", kMail);
  std::filesystem::create_symlink(elsewhere / "secret", folder / "cur/2.link:2,");
  std::filesystem::create_symlink(folder / "cur/3.loop:2,", folder / "cur/3.loop:2,");
  REQUIRE(::mkfifo((folder / "cur/4.fifo:2,").c_str(), 0600) == 0);
  std::filesystem::create_directories(folder / "cur/5.folder:2,");
  std::filesystem::create_directory_symlink(elsewhere / "mail", folder / ".Elsewhere");
  std::filesystem::create_directory_symlink(".", folder / ".Loop");
  REQUIRE(::mkfifo((folder / "dovecot-uidlist").c_str(), 0600) == 0);
  std::filesystem::create_symlink(elsewhere / "secret", folder / "subscriptions");
  Opened opened = open(folder);
  CHECK(opened.folders.size() == 1);
  CHECK(opened.source->take_notes().size() == 2);
  const auto items = must(opened.source->items(opened.folders[0]));
  REQUIRE(items.size() == 1);
  CHECK(opened.source->take_notes().size() == 1);
  // Exchanged for a link after it was listed.
  std::filesystem::remove(folder / "cur/1.good:2,");
  std::filesystem::create_symlink(elsewhere / "secret", folder / "cur/1.good:2,");
  CHECK(code_of(opened.source->read(opened.folders[0], items[0], {})) == ErrorCode::kInvalid);
}

TEST_CASE("a message above the limit is refused by itself, a header of ten megabytes is not") {
  TempFolder folder;
  write_file(folder / "cur/1.a:2,", "X: " + std::string(10'000'000, 'x') + "\n\nbody\n");
  write_file(folder / "cur/2.b:2,", kMail);
  MaildirOptions options;
  options.message_limit = 19;  // the other's octets, were its line ends LF
  Opened opened = open(folder, options);
  const auto items = must(opened.source->items(opened.folders[0]));
  CHECK(code_of(opened.source->read(opened.folders[0], items.at(0), {})) == ErrorCode::kTooLarge);
  CHECK(code_of(opened.source->read(opened.folders[0], items.at(1), {})) == ErrorCode::kTooLarge);
  options.message_limit = 20;
  opened = open(folder, options);
  CHECK(must(opened.source->read(opened.folders[0], items[1], {})).size() == 20);
  opened = open(folder);
  CHECK(must(opened.source->read(opened.folders[0], items[0], {})).size() == 10'000'013);
}

TEST_CASE("what is no Maildir is said so") {
  TempFolder folder;
  CHECK(code_of(open_maildir(folder.path(), {})) == ErrorCode::kNotFound);
  CHECK(code_of(open_maildir(folder / "missing", {})) == ErrorCode::kNotFound);
  make_maildir_folders(folder.path());
  CHECK(code_of(open_maildir(folder.path(), with_uidls("%m"))) == ErrorCode::kInvalid);
}

TEST_CASE("a Maildir is written to a folder that is empty or one already, to no other") {
  TempFolder folder;
  MailFolder work;
  work.name = "Work";
  work.uid_validity = store::UidValidity(77);
  const auto export_to = [&](const std::string& path) -> Result<void> {
    auto sink = make_maildir(path, {});
    if (!sink) return tl::unexpected(sink.error());
    must((*sink)->begin({work}));
    return (*sink)->finish();
  };
  write_file(folder / "home/notes.txt", "mine\n");
  write_file(folder / "home/.config/x", "mine\n");
  CHECK(code_of(export_to(folder / "home")) == ErrorCode::kExists);
  CHECK(files_in(folder / "home") == std::vector<std::string>{".config", "notes.txt"});
  write_file(folder / "dots/.config/x", "mine\n");
  CHECK(code_of(export_to(folder / "dots")) == ErrorCode::kExists);
  write_file(folder / "file", "mine\n");
  CHECK_FALSE(export_to(folder / "file"));

  // What an export without INBOX made, one that was interrupted at once, and another program's.
  must(export_to(folder / "out"));
  must(export_to(folder / "out"));
  CHECK(files_in(folder / "out") == std::vector<std::string>{".Work", "subscriptions"});
  std::filesystem::create_directories(folder / "begun/.Work");
  must(export_to(folder / "begun"));
  std::filesystem::create_directories(folder / "disk/lost+found");
  must(export_to(folder / "disk"));
  make_maildir_folders(folder / "dovecot");
  write_file(folder / "dovecot/dovecot.index.log", "x");
  must(export_to(folder / "dovecot"));
}
