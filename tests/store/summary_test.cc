// Summaries and records: what was encoded comes back; what was damaged is found; hostile octets never harm.
#include "store/summary.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>

#include "store/codec.h"
#include "store/records.h"
#include "store/tables.h"
#include "tests/store/support.h"

using namespace twinpost;
using namespace twinpost::store;
using namespace twinpost::store::test;

namespace {

Summary rich_summary() {
  Summary summary;
  mail::Message& m = summary.message;
  m.date = -5;
  m.preview =
      "Gr\xc3\xbc\xc3\x9f"
      "e";
  m.defects = 0x80000001U;
  m.envelope.subject = "";
  m.envelope.date = "Thu, 1 Jan 1970 00:00:00 +0000";
  m.envelope.from = {{"Ann", std::nullopt, "ann", "example.org"}, {std::nullopt, "@a,@b", "", ""}};
  m.envelope.bcc = {{}};
  m.fields = {{"subject", {10, 30}}, {"x-long", {30, 100'000}}};
  m.root.type = "multipart";
  m.root.parameters = {{"boundary", "b", "", ""}, {"name", "n", "utf-8", "de"}};
  mail::Part child;
  child.envelope = m.envelope;
  child.id = "<1@x>";
  child.description = "";
  child.md5 = "Q2hlY2s=";
  child.disposition = "attachment";
  child.disposition_parameters = {{"filename", "f", "", ""}};
  child.languages = {"de", "en"};
  child.location = "http://example.org/";
  child.header = {100, 200};
  child.body = {200, 1'000'000'000'000};
  child.body_lines = 12;
  mail::Part odd;  // parameters without a disposition
  odd.disposition_parameters = {{"a", "b", "", ""}};
  child.children = {odd, odd};
  m.root.children = {child, odd};
  return summary;
}

// A valid seal over any octets: what only a decoder's own checks can stop.
std::string sealed(std::string body, std::uint8_t version = 1) {
  Record record(version);
  record.octets(body);
  return record.seal({});
}

}  // namespace

TEST_CASE("a summary comes back as it was") {
  const Summary summary = rich_summary();
  CHECK(must(decode_summary(encode_summary(summary))).message == summary.message);
  CHECK(must(decode_summary(encode_summary(Summary{}))).message == mail::Message{});
}

TEST_CASE("every flipped bit and every cut of a summary is found") {
  const std::string good = encode_summary(rich_summary());
  for (std::size_t i = 0; i < good.size(); ++i) {
    CHECK(!decode_summary(good.substr(0, i)).has_value());
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      CHECK(!decode_summary(bad).has_value());
    }
  }
}

TEST_CASE("a summary of another version is unsupported, not corrupt") {
  const std::string body = encode_summary(Summary{}).substr(kSealOctets);
  CHECK(code_of(decode_summary(sealed(body, 2))) == ErrorCode::kUnsupported);
  CHECK(code_of(decode_summary(sealed(body, 0))) == ErrorCode::kUnsupported);
}

TEST_CASE("hostile octets under a valid seal are refused without harm") {
  std::mt19937 random(7);
  const std::string good = encode_summary(rich_summary()).substr(kSealOctets);
  for (int round = 0; round < 20'000; ++round) {
    std::string bad = good;
    const unsigned edits = 1 + random() % 4;
    for (unsigned i = 0; i < edits; ++i) bad[random() % bad.size()] = static_cast<char>(random());
    if (random() % 4 == 0) bad.resize(1 + random() % (bad.size() - 1));
    if (random() % 8 == 0) bad.insert(random() % bad.size(), 10, '\xff');
    (void)decode_summary(sealed(bad));
  }
  for (int round = 0; round < 20'000; ++round) {
    std::string noise(random() % 64, '\0');
    for (char& octet : noise) octet = static_cast<char>(random());
    (void)decode_summary(sealed(noise));
  }
  // Parts within parts without end: the stack is not theirs to take.
  std::string deep = std::string("\0\0\0", 3) + std::string(4 + 6, '\0') + std::string(1, '\0');
  for (int i = 0; i < 100'000; ++i) deep += std::string("\0\0\0\0\0\0\0\0\0\0\1", 11);
  CHECK(code_of(decode_summary(sealed(deep))) == ErrorCode::kCorrupt);
}

TEST_CASE("every flipped bit of a message record is found, and so is a record under another key") {
  MessageRecord record;
  record.uid = Uid(77);
  record.flags = 0x15;
  record.pop3_hidden = true;
  record.keywords.set(3);
  record.keywords.set(127);
  record.modseq = ModSeq(~std::uint64_t{0} >> 1);
  record.internal_date = {UnixTime(std::chrono::seconds(-1)), -720};
  record.save_date = UnixTime(std::chrono::seconds(1'700'000'000));
  record.size = (std::uint64_t{1} << 56) - 1;
  record.email_id = EmailId(1);
  record.thread_id = ThreadId(2);
  record.serial = MessageSerial(3);
  record.blob = BlobId(4);
  record.prefix = "Delivered-To: x\r\n";
  record.imported_uidl = "uidl";
  const Key key = message_key({AccountId(1), MailboxId(2)}, Uid(77));
  const std::string good = encode_message(key.view(), record);
  MessageRecord back;
  must(decode_message(key.view(), good, back));
  CHECK(back.uid == record.uid);
  CHECK(back.flags == record.flags);
  CHECK(back.pop3_hidden);
  CHECK(back.keywords == record.keywords);
  CHECK(back.modseq == record.modseq);
  CHECK(back.internal_date == record.internal_date);
  CHECK(back.save_date == record.save_date);
  CHECK(back.size == record.size);
  CHECK(back.serial == record.serial);
  CHECK(back.blob == record.blob);
  CHECK(back.prefix == record.prefix);
  CHECK(back.imported_uidl == record.imported_uidl);
  const Key other = message_key({AccountId(1), MailboxId(2)}, Uid(78));
  CHECK(code_of(decode_message(other.view(), good, back)) == ErrorCode::kCorrupt);
  for (std::size_t i = 0; i < good.size(); ++i) {
    CHECK(!decode_message(key.view(), good.substr(0, i), back).has_value());
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      CHECK(!decode_message(key.view(), bad, back).has_value());
    }
  }
}

TEST_CASE("decoders of every record take hostile octets under a valid seal") {
  std::mt19937 random(11);
  const std::string key(12, 'k');
  MessageRecord message;
  for (int round = 0; round < 20'000; ++round) {
    Record record(1);
    const std::size_t size = random() % 200;
    for (std::size_t i = 0; i < size; ++i) {
      record.u8(static_cast<std::uint8_t>(random() % 3 == 0 ? random() : 0));
    }
    const std::string value = record.seal(key);
    (void)decode_message(key, value, message);
    (void)decode_mailbox(key, value);
    (void)decode_account(key, value);
    (void)decode_removed(key, value);
    (void)decode_blob(key, value);
    (void)decode_store(key, value);
    (void)decode_counters(key, value);
    (void)decode_number(key, value, "x");
  }
}

TEST_CASE("a record of a newer version says so") {
  Record record(9);
  const std::string key = "key";
  CHECK(code_of(decode_account(key, record.seal(key))) == ErrorCode::kNewerFormat);
}

TEST_CASE("real mail: in and out octet for octet, and its summary comes back") {
  const char* set = std::getenv("TWINPOST_CORPUS");
  const std::string corpus = set != nullptr ? set : "../shared/corpus";
  if (!std::filesystem::is_directory(corpus)) {
    MESSAGE("skipped: no mail corpus at " << corpus);
    return;
  }
  Fixture f;
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(corpus)) {
    if (entry.path().extension() != ".eml") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string octets{std::istreambuf_iterator<char>(file), {}};
    const AppendRequest request = request_of(octets);
    CAPTURE(entry.path().string());
    const Appended appended = f.append(f.inbox, request);
    CHECK(f.text(f.inbox, appended.uid) == request.message->octets);
    const Summary made{mail::parse_message(request.message->octets)};
    const BlobId blob = f.message(f.inbox, appended.uid).blob;
    CHECK(f.read([&](const ReadView& v) { return v.summary(blob); }).message == made.message);
    ++count;
  }
  CHECK(count > 0);
  f.store.reset();
}
