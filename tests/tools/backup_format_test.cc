#include <doctest/doctest.h>
#include <filesystem>
#include <random>
#include <string>

#include "tests/tools/backup_support.h"
#include "tools/twinpost/backup/checked_line.h"
#include "tools/twinpost/backup/manifest.h"
#include "tools/twinpost/backup/pack_format.h"

using namespace twinpost;
using namespace twinpost::tools::backup;
using namespace twinpost::tools::backup::test;

namespace {

MessageLine a_message() {
  MessageLine message;
  message.uid = store::Uid(4'000'000'000U);
  message.flags = 31;
  message.keywords = {"$Junk", std::string("\xff\xfe", 2)};
  message.modseq = store::ModSeq(std::uint64_t{1} << 62);
  message.date = {UnixTime(std::chrono::seconds(-5)), -720};
  message.save_date = UnixTime(std::chrono::seconds(1'700'000'000));
  message.size = std::uint64_t{5} << 32;
  message.prefix = "Return-Path: <\xe4@example.net>\r\n";
  message.uidl = "a\"b\\c";
  message.pop3_hidden = true;
  message.email_id = store::EmailId(~std::uint64_t{0});
  message.thread_id = store::ThreadId(7);
  message.body.fill(0xab);
  return message;
}

MailboxLine a_mailbox() {
  MailboxLine mailbox;
  mailbox.name =
      "Gr\xc3\xbc\xc3\x9f"
      "e/\"quoted\"/../etc";
  mailbox.id = store::MailboxId(7);
  mailbox.guid = "Mabc-_9";
  mailbox.uid_validity = store::UidValidity(~0U);
  mailbox.uid_next = store::Uid(9);
  mailbox.highest_modseq = store::ModSeq(77);
  mailbox.special_use = store::SpecialUse::kSent;
  mailbox.subscribed = true;
  mailbox.keywords = {"a", "b"};
  mailbox.messages = 3;
  mailbox.octets = 99;
  mailbox.listing = Listing::kDelta;
  mailbox.base = GenerationName{"20260131T080509Z", 12};
  mailbox.chain = 3;
  mailbox.weight = 17;
  mailbox.gone = {{store::Uid(1), store::Uid(3)}, {store::Uid(9), store::Uid(9)}};
  mailbox.records = 2;
  mailbox.left_out = 1;
  return mailbox;
}

}  // namespace

TEST_CASE("what a message line says comes back, whatever octets are in it") {
  const MessageLine message = a_message();
  const std::string text = encode_message(message);
  CHECK(text.find('\n') == text.size() - 1);
  const MessageLine back = must(decode_message(text));
  CHECK(back.uid == message.uid);
  CHECK(back.flags == message.flags);
  CHECK(back.keywords == message.keywords);
  CHECK(back.modseq == message.modseq);
  CHECK(back.date == message.date);
  CHECK(back.save_date == message.save_date);
  CHECK(back.size == message.size);
  CHECK(back.prefix == message.prefix);
  CHECK(back.uidl == message.uidl);
  CHECK(back.pop3_hidden);
  CHECK(back.email_id == message.email_id);
  CHECK(back.thread_id == message.thread_id);
  CHECK(back.body == message.body);
  CHECK(kind_of(text) == LineKind::kMessage);
  CHECK(uid_of_line(text) == message.uid);
  CHECK(body_of_line(std::string_view(text).substr(0, text.size() - 1)) == message.body);
}

TEST_CASE("what a mailbox line says comes back") {
  const MailboxLine mailbox = a_mailbox();
  const std::string text = encode_mailbox(mailbox);
  const MailboxLine back = must(decode_mailbox(text));
  CHECK(encode_mailbox(back) == text);
  CHECK(back.name == mailbox.name);
  CHECK(back.base == mailbox.base);
  CHECK(back.gone.size() == 2);
  CHECK(back.special_use == store::SpecialUse::kSent);
  CHECK(kind_of(text) == LineKind::kMailbox);
}

TEST_CASE("the other records come back") {
  AccountLine account{"ann@example.org", store::AccountId(4), true, {"INBOX", "gone away"}};
  CHECK(encode_account(must(decode_account(encode_account(account)))) == encode_account(account));
  const AccountEntry entry{5, 1, 2, 300, account};
  CHECK(encode_entry(must(decode_account_entry(encode_entry(entry)))) == encode_entry(entry));
  CHECK(kind_of(encode_entry(entry)) == LineKind::kAccountEntry);
  const MailboxEntry mailbox{7, account.id, 90, 1000, a_mailbox()};
  CHECK(encode_entry(must(decode_mailbox_entry(encode_entry(mailbox)))) == encode_entry(mailbox));
  CHECK(kind_of(encode_entry(mailbox)) == LineKind::kMailboxEntry);
  GenerationInfo info;
  info.name = {"20260131T080509Z", 1};
  info.store_id = ~std::uint64_t{0};
  info.made_by = "a test";
  CHECK(encode_generation(must(decode_generation(encode_generation(info)))) ==
        encode_generation(info));
  BackupInfo backup{17, true, "a test", UnixTime(std::chrono::seconds(5))};
  CHECK(encode_backup(must(decode_backup(encode_backup(backup)))) == encode_backup(backup));
}

TEST_CASE("a newer format is refused by its number, and what is no backup by its nature") {
  std::string text = encode_backup({17, false, "later", {}});
  text.replace(text.find(":2,"), 3, ":3,");
  CHECK(code_of(decode_backup(text)) == ErrorCode::kNewerFormat);
  CHECK(code_of(decode_backup("{}")) == ErrorCode::kInvalid);
  GenerationInfo info;
  info.name = {"20260131T080509Z", 1};
  text = encode_generation(info);
  text.replace(text.find(":2,"), 3, ":9,");
  CHECK(code_of(decode_generation(text)) == ErrorCode::kNewerFormat);
}

TEST_CASE("only the one form of a generation's name is one") {
  CHECK(parse_generation_name("20260131T080509Z-1"));
  for (const char* bad :
       {"", "20260131T080509Z-", "20260131T080509Z-0", "20260131T080509Z-01", "20260131T080509Z-x",
        "../../etc/passwd", "20260131t080509Z-1", "20260131T080509Z-1/..", ".20260131T080509Z-1",
        "20260131T080509Z-99999999999"}) {
    CHECK_FALSE(parse_generation_name(bad));
  }
  const auto first = next_generation(UnixTime(std::chrono::seconds(1'700'000'000)), std::nullopt);
  CHECK(to_string(first) == "20231114T221320Z-1");
  const auto same_second = next_generation(UnixTime(std::chrono::seconds(1'700'000'000)), first);
  CHECK(first < same_second);
  const auto clock_went_back = next_generation(UnixTime(std::chrono::seconds(1'000)), same_second);
  CHECK(same_second < clock_went_back);
  CHECK(GenerationName{"20231114T221320Z", 9} < GenerationName{"20231114T221320Z", 10});
}

TEST_CASE("UIDs are ascending ranges, and nothing else is read as such") {
  const auto ranges = ranges_of(
      {store::Uid(1), store::Uid(2), store::Uid(2), store::Uid(3), store::Uid(7), store::Uid(~0U)});
  CHECK(encode_uids(ranges) == "1:3,7,4294967295");
  CHECK(encode_uids(*parse_uids("1:3,7,4294967295")) == "1:3,7,4294967295");
  CHECK(parse_uids("")->empty());
  for (const char* bad :
       {"0", "3:1", "5,4", "1:3,3", "1,", ",1", "4294967296", "1:", "a", "1:2:3"}) {
    CHECK_FALSE(parse_uids(bad));
  }
}

TEST_CASE("hostile lines are errors") {
  const std::string good = encode_message(a_message());
  for (const char* bad : {"", "{", "[]", "null", "{}", "{\"uid\":1}", "{\"uid\":-1}",
                          "{\"uid\":\"1\"}", "{\"uid\":1e99}", "{\"uid\":0,\"modseq\":1}"}) {
    CHECK_FALSE(decode_message(bad));
    CHECK_FALSE(decode_mailbox(bad));
    CHECK_FALSE(decode_account(bad));
    CHECK_FALSE(decode_account_entry(bad));
    CHECK_FALSE(decode_mailbox_entry(bad));
    CHECK_FALSE(decode_generation(bad));
    CHECK_FALSE(decode_backup(bad));
  }
  CHECK_FALSE(decode_message(std::string(100'000, '[')));
  CHECK_FALSE(decode_message(std::string(kLargestLine + 1, ' ')));
  std::mt19937 random(4711);
  for (int round = 0; round < 5000; ++round) {
    std::string text = round % 2 == 0 ? good : encode_mailbox(a_mailbox());
    for (unsigned i = 0; i <= random() % 4; ++i) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    if (random() % 4 == 0) text.resize(random() % text.size());
    // Whatever it is taken for, it is taken for the same again.
    if (const auto message = decode_message(text)) {
      CHECK(encode_message(must(decode_message(encode_message(*message)))) ==
            encode_message(*message));
    }
    if (const auto mailbox = decode_mailbox(text)) {
      CHECK(encode_mailbox(must(decode_mailbox(encode_mailbox(*mailbox)))) ==
            encode_mailbox(*mailbox));
    }
  }
}

TEST_CASE("a listing needs a base where it builds on one, and only there") {
  MailboxLine mailbox = a_mailbox();
  mailbox.listing = Listing::kFull;
  CHECK_FALSE(decode_mailbox(encode_mailbox(mailbox)));
  mailbox.base.reset();
  CHECK(decode_mailbox(encode_mailbox(mailbox)));
  mailbox.listing = Listing::kSame;
  CHECK_FALSE(decode_mailbox(encode_mailbox(mailbox)));
}

TEST_CASE("a small file that is damaged is read from its copy, and is none where both are") {
  TempFolder folder;
  const std::string path = folder / "backup.json";
  must(write_sealed_text(path, "some text\n"));
  CHECK(must(read_sealed_text(path, 1000)).text == "some text\n");
  CHECK(must(read_sealed_text(path, 1000)).problem.empty());
  CHECK(code_of(read_sealed_text(path, 10)) == ErrorCode::kTooLarge);
  CHECK(code_of(read_sealed_text(folder / "none", 10)) == ErrorCode::kNotFound);
  const std::string octets = octets_of(path);
  const auto check_other = [&](const std::string& damaged_path, const std::string& damaged) {
    put_octets(damaged_path, damaged);
    const SealedText read = must(read_sealed_text(path, 1000));
    CHECK(read.text == "some text\n");
    CHECK_FALSE(read.problem.empty());
    put_octets(damaged_path, octets);
  };
  for (std::size_t at = 0; at < octets.size(); ++at) {
    std::string damaged = octets;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    check_other(path, damaged);
    check_other(copy_of(path), damaged);
    check_other(path, octets.substr(0, at));
    put_octets(path, damaged);
    put_octets(copy_of(path), octets.substr(0, at));
    CHECK_FALSE(read_sealed_text(path, 1000));
    put_octets(path, octets);
    put_octets(copy_of(path), octets);
  }
  std::filesystem::remove(path);
  CHECK(must(read_sealed_text(path, 1000)).text == "some text\n");
}

TEST_CASE("a line passes its check in its own place only, and not when an octet of it changed") {
  const std::string text = encode_message(a_message());
  const LinePlace place = message_lines(store::AccountId(4), store::MailboxId(7));
  std::string line = with_check(text, place);
  REQUIRE(line.back() == '\n');
  line.pop_back();
  CHECK(checked(line, place) == text.substr(0, text.size() - 1));
  CHECK_FALSE(checked(line, message_lines(store::AccountId(4), store::MailboxId(8))));
  CHECK_FALSE(checked(line, message_lines(store::AccountId(7), store::MailboxId(4))));
  CHECK_FALSE(checked(line, mailbox_lines(store::AccountId(4))));
  CHECK_FALSE(checked(line, kAccountLines));
  CHECK_FALSE(checked("", place));
  for (std::size_t at = 0; at < line.size(); ++at) {
    std::string damaged = line;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    CHECK_FALSE(checked(damaged, place));
    CHECK_FALSE(checked(line.substr(0, at), place));
  }
}

TEST_CASE("a sealed manifest reads as the text that was written, at every place") {
  TempFolder folder;
  const std::string key_file = folder / "keys";
  must(store::Keyring::add_key(key_file));
  const store::BodyCoder sealed(true, must(store::Keyring::load(key_file)));
  const store::BodyCoder plain(true, nullptr);
  std::string text;
  std::mt19937 random(5);
  while (text.size() < 2'500'000) text += std::to_string(random()) + "\n";
  for (const auto* coder : {&plain, &sealed}) {
    const std::string path = folder / "manifest-1";
    auto writer = must(ManifestWriter::create(path, *coder));
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t piece = std::min<std::size_t>(1 + random() % 300'000, text.size() - at);
      must(writer.append(std::string_view(text).substr(at, piece)));
      at += piece;
    }
    const auto written = must(writer.finish());
    const std::string octets = octets_of(path);
    CHECK(written.octets == octets.size());
    CHECK(written.sha256 == sha256(octets));
    CHECK((octets == text) == (coder == &plain));
    auto reader = must(ManifestReader::open(path, coder == &sealed, *coder));
    CHECK(reader.size() == text.size());
    for (int i = 0; i < 200; ++i) {
      const std::size_t offset = random() % text.size();
      const std::size_t length = random() % std::min<std::size_t>(text.size() - offset, 100'000);
      std::string part;
      reader.read(offset, length, part);
      REQUIRE(part == text.substr(offset, length));
    }
    if (coder == &plain) continue;
    // Damaged at random, it loses the blocks that are damaged and nothing else.
    for (int i = 0; i < 300; ++i) {
      std::string damaged = octets;
      const bool is_cut = i % 3 == 0;
      if (is_cut) {
        damaged.resize(random() % damaged.size());
      } else {
        damaged[i < 60 ? static_cast<std::size_t>(i) : random() % damaged.size()] ^= 1;
      }
      put_octets(path, damaged);
      auto opened = must(ManifestReader::open(path, true, *coder));
      std::string all;
      opened.read(0, opened.size(), all);
      REQUIRE(all.size() <= text.size());
      std::size_t lost = 0;
      for (std::size_t at = 0; at < all.size(); ++at) {
        if (all[at] == text[at]) continue;
        REQUIRE(all[at] == '\n');
        ++lost;
      }
      CHECK(lost <= ManifestWriter::kBlockOctets);
      if (!is_cut) CHECK(all.size() + ManifestWriter::kBlockOctets >= text.size());
    }
  }
}
