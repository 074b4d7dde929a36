// Bodies of the sealed records (the seal is drawn in codec.h). Numbers are little-endian; `sized`
// is a varint length and that many octets.
//
//   store     u64 store id, i64 created (unix time), sized created-by
//   counters  u32 next account, u32 last UIDVALIDITY, u64 next blob, u64 next serial
//   note      octets: what NoteKind says
//   number    u64: in account_names, mailbox_names, blob_names, expunged, reapable
//   text      octets: in keywords, subscriptions
//   account   u32 next mailbox, u32 mailboxes, u64 messages, u64 bytes, sized name,
//             u8 1: provisioned (not there: 0), u64 removed messages, u64 removed bytes,
//             u32 mailbox that shows removed messages (not there: 0), u8 1: older ones too
//   mailbox   u8 special use, u32 UIDVALIDITY, u32 UIDNEXT, u32 first recent,
//             u64 HIGHESTMODSEQ, u64 tombstone floor, u32 tombstones, u32 messages, u32 unseen,
//             u32 deleted, u64 bytes, sized MAILBOXID, sized name,
//             u8 1: shows removed messages (not there: 0)
//   blob      u8 codec, u8 1 where it is dying, u32 references, u32 CRC-32C of the stored octets,
//             u64 size, u32 header octets, u32 summary octets, 32 octets name,
//             u64 stored octets (not there: as its size), u32 key
//
//   message   octet   0 u8  flags                    octet 51 u64 EMAILID
//                     1 u8  1: hidden from POP3,           59 u64 THREADID
//                           2: retrieved by POP3           67 u64 serial
//                     2 i16 zone, minutes                  75 u64 blob
//                     4 u64 modseq                         83 u16 octets of prefix
//                    12 u64 keywords 0..63                 85 u8  octets of imported UIDL
//                    20 u64 keywords 64..127               86 prefix, imported UIDL
//                    28 i64 internal date
//                    36 u56 size (seven octets)
//                    43 i64 save date
//
//   removed   u32 UID, sized message (as above), sized mailbox name, sized account,
//             sized protocol, sized address, u8 how (Removal; not there: expunged; +128: the
//             next two are there), u32 mailbox where it is shown, u32 its UID there,
//             sized keyword, as often as there are
#include "store/records.h"

#include <algorithm>
#include <cstring>

#include "store/codec.h"

namespace twinpost::store {

namespace {

constexpr std::uint8_t kVersion = 1;  // of each kind of record
constexpr std::size_t kFixedMessageOctets = 86;
constexpr unsigned kSizeOctets = 7;
constexpr std::uint8_t kHidden = 1;  // of POP3's octet in a message
constexpr std::uint8_t kRetrieved = 2;
constexpr std::uint8_t kIsShown = 128;  // with Removal
constexpr std::size_t kShownOctets = 8;

std::int64_t to_seconds(UnixTime time) { return time.time_since_epoch().count(); }
UnixTime to_time(std::int64_t seconds) { return UnixTime(std::chrono::seconds(seconds)); }

void write_message(Record& out, const MessageRecord& m) {
  out.u8(m.flags)
      .u8(static_cast<std::uint8_t>((m.pop3_hidden ? kHidden : 0) |
                                    (m.pop3_retrieved ? kRetrieved : 0)))
      .u16(static_cast<std::uint16_t>(m.internal_date.zone_minutes))
      .u64(m.modseq.value())
      .u64(m.keywords.low)
      .u64(m.keywords.high)
      .i64(to_seconds(m.internal_date.time));
  for (unsigned i = 0; i < kSizeOctets; ++i) out.u8(static_cast<std::uint8_t>(m.size >> (8 * i)));
  out.i64(to_seconds(m.save_date))
      .u64(m.email_id.value())
      .u64(m.thread_id.value())
      .u64(m.serial.value())
      .u64(m.blob.value())
      .u16(static_cast<std::uint16_t>(m.prefix.size()))
      .u8(static_cast<std::uint8_t>(m.imported_uidl.size()))
      .octets(m.prefix)
      .octets(m.imported_uidl);
}

// `uid` comes from the key, or from beside it.
bool read_message_body(std::string_view body, MessageRecord& m) {
  if (body.size() < kFixedMessageOctets) return false;
  Reader in(body);
  m.flags = in.u8();
  const std::uint8_t pop3 = in.u8();
  m.pop3_hidden = (pop3 & kHidden) != 0;
  m.pop3_retrieved = (pop3 & kRetrieved) != 0;
  m.internal_date.zone_minutes = static_cast<std::int16_t>(in.u16());
  m.modseq = ModSeq(in.u64());
  m.keywords.low = in.u64();
  m.keywords.high = in.u64();
  m.internal_date.time = to_time(in.i64());
  m.size = 0;
  for (unsigned i = 0; i < kSizeOctets; ++i)
    m.size |= static_cast<std::uint64_t>(in.u8()) << (8 * i);
  m.save_date = to_time(in.i64());
  m.email_id = EmailId(in.u64());
  m.thread_id = ThreadId(in.u64());
  m.serial = MessageSerial(in.u64());
  m.blob = BlobId(in.u64());
  const std::uint16_t prefix_octets = in.u16();
  const std::uint8_t uidl_octets = in.u8();
  m.prefix.assign(in.octets(prefix_octets));
  m.imported_uidl.assign(in.octets(uidl_octets));
  return in.at_end();
}

}  // namespace

std::string encode_store(std::string_view key, const StoreRow& row) {
  Record out(kVersion);
  out.u64(row.store_id).i64(to_seconds(row.created)).sized(row.created_by);
  return out.seal(key);
}

Result<StoreRow> decode_store(std::string_view key, std::string_view value) {
  auto body = unseal(key, value, kVersion, "store");
  if (!body) return failed(body);
  Reader in(*body);
  StoreRow row;
  row.store_id = in.u64();
  row.created = to_time(in.i64());
  row.created_by = in.sized();
  if (!in.at_end()) return malformed("store");
  return row;
}

std::string encode_counters(std::string_view key, const Counters& counters) {
  Record out(kVersion);
  out.u32(counters.next_account.value())
      .u32(counters.last_uid_validity.value())
      .u64(counters.next_blob.value())
      .u64(counters.next_serial.value());
  return out.seal(key);
}

Result<Counters> decode_counters(std::string_view key, std::string_view value) {
  auto body = unseal(key, value, kVersion, "counters");
  if (!body) return failed(body);
  Reader in(*body);
  Counters counters;
  counters.next_account = AccountId(in.u32());
  counters.last_uid_validity = UidValidity(in.u32());
  counters.next_blob = BlobId(in.u64());
  counters.next_serial = MessageSerial(in.u64());
  if (!in.at_end()) return malformed("counters");
  return counters;
}

std::string encode_number(std::string_view key, std::uint64_t number) {
  Record out(kVersion);
  out.u64(number);
  return out.seal(key);
}

Result<std::uint64_t> decode_number(std::string_view key, std::string_view value,
                                    const char* what) {
  auto body = unseal(key, value, kVersion, what);
  if (!body) return failed(body);
  Reader in(*body);
  const std::uint64_t number = in.u64();
  if (!in.at_end()) return malformed(what);
  return number;
}

std::string encode_text(std::string_view key, std::string_view text) {
  Record out(kVersion);
  out.octets(text);
  return out.seal(key);
}

Result<std::string> decode_text(std::string_view key, std::string_view value, const char* what) {
  auto body = unseal(key, value, kVersion, what);
  if (!body) return failed(body);
  return std::string(*body);
}

std::string encode_account(std::string_view key, const AccountRow& row) {
  Record out(kVersion);
  out.u32(row.next_mailbox.value())
      .u32(row.info.mailboxes)
      .u64(row.info.messages)
      .u64(row.info.bytes)
      .sized(row.info.name)
      .u8(row.info.provisioned ? 1 : 0)
      .u64(row.info.removed_messages)
      .u64(row.info.removed_bytes)
      .u32(row.info.removed_mailbox.value())
      .u8(row.info.removed_shown ? 1 : 0);
  return out.seal(key);
}

Result<AccountRow> decode_account(std::string_view key, std::string_view value) {
  auto body = unseal(key, value, kVersion, "account");
  if (!body) return failed(body);
  AccountRow row;
  row.info.id = AccountId(Reader(key).key_u32());
  Reader in(*body);
  row.next_mailbox = MailboxId(in.u32());
  row.info.mailboxes = in.u32();
  row.info.messages = in.u64();
  row.info.bytes = in.u64();
  row.info.name = in.sized();
  if (in.left() > 0) row.info.provisioned = in.u8() != 0;
  if (in.left() > 0) {
    row.info.removed_messages = in.u64();
    row.info.removed_bytes = in.u64();
  }
  if (in.left() > 0) {
    row.info.removed_mailbox = MailboxId(in.u32());
    row.info.removed_shown = in.u8() != 0;
  }
  if (!in.at_end()) return malformed("account");
  return row;
}

std::string encode_mailbox(std::string_view key, const MailboxRow& row) {
  const MailboxInfo& info = row.info;
  Record out(kVersion);
  out.u8(static_cast<std::uint8_t>(info.special_use))
      .u32(info.uid_validity.value())
      .u32(info.uid_next.value())
      .u32(info.first_recent.value())
      .u64(info.highest_modseq.value())
      .u64(row.tombstone_floor.value())
      .u32(row.tombstones)
      .u32(info.messages)
      .u32(info.unseen)
      .u32(info.deleted)
      .u64(info.bytes)
      .sized(info.mailbox_guid)
      .sized(info.name)
      .u8(info.shows_removed ? 1 : 0);
  return out.seal(key);
}

Result<MailboxRow> decode_mailbox(std::string_view key, std::string_view value) {
  auto body = unseal(key, value, kVersion, "mailbox");
  if (!body) return failed(body);
  MailboxRow row;
  MailboxInfo& info = row.info;
  Reader key_in(key);
  key_in.key_u32();  // the account
  info.id = MailboxId(key_in.key_u32());
  Reader in(*body);
  const std::uint8_t special_use = in.u8();
  info.uid_validity = UidValidity(in.u32());
  info.uid_next = Uid(in.u32());
  info.first_recent = Uid(in.u32());
  info.highest_modseq = ModSeq(in.u64());
  row.tombstone_floor = ModSeq(in.u64());
  row.tombstones = in.u32();
  info.messages = in.u32();
  info.unseen = in.u32();
  info.deleted = in.u32();
  info.bytes = in.u64();
  info.mailbox_guid = in.sized();
  info.name = in.sized();
  if (in.left() > 0) info.shows_removed = in.u8() != 0;
  if (!in.at_end() || special_use > static_cast<std::uint8_t>(SpecialUse::kImportant)) {
    return malformed("mailbox");
  }
  info.special_use = static_cast<SpecialUse>(special_use);
  return row;
}

std::string encode_message(std::string_view key, const MessageRecord& record) {
  Record out(kVersion);
  write_message(out, record);
  return out.seal(key);
}

Result<void> decode_message(std::string_view key, std::string_view value, MessageRecord& record) {
  auto body = unseal(key, value, kVersion, "message");
  if (!body) return failed(body);
  if (key.size() != 12 || !read_message_body(*body, record)) return malformed("message");
  record.uid = Uid(Reader(key.substr(8)).key_u32());
  return {};
}

std::string encode_removed(std::string_view key, const RemovedRow& row) {
  Record message(kVersion);
  write_message(message, row.message);
  const std::string_view message_body = std::string_view(message.seal({})).substr(kSealOctets);
  const auto cut = [](std::string_view text, std::size_t limit) { return text.substr(0, limit); };
  const bool is_shown = row.shown_as.value() != 0;
  Record out(kVersion);
  out.u32(row.message.uid.value())
      .sized(message_body)
      .sized(row.mailbox_name)
      .sized(cut(row.remover.account, 512))
      .sized(cut(row.remover.protocol, 32))
      .sized(cut(row.remover.address, 128))
      .u8(static_cast<std::uint8_t>(static_cast<std::uint8_t>(row.how) |
                                    (is_shown ? kIsShown : 0)));
  if (is_shown) out.u32(row.shown_in.value()).u32(row.shown_as.value());
  // Room for where it is shown is left in any case, so that no keyword has to go for that later.
  std::size_t room = engine::kMaxValueOctets - out.size() - (is_shown ? 0 : kShownOctets);
  for (const std::string& keyword : row.keywords) {
    const std::size_t needed = keyword.size() + 2;  // the length takes one or two octets
    if (needed > room) break;
    room -= needed;
    out.sized(keyword);
  }
  return out.seal(key);
}

Result<RemovedRow> decode_removed(std::string_view key, std::string_view value) {
  auto body = unseal(key, value, kVersion, "removed");
  if (!body) return failed(body);
  Reader in(*body);
  RemovedRow row;
  const Uid uid(in.u32());
  if (!read_message_body(in.sized(), row.message)) return malformed("removed");
  row.message.uid = uid;
  row.mailbox_name = in.sized();
  row.remover.account = in.sized();
  row.remover.protocol = in.sized();
  row.remover.address = in.sized();
  std::uint8_t how = in.left() > 0 ? in.u8() : 0;
  if ((how & kIsShown) != 0) {
    how = static_cast<std::uint8_t>(how & ~kIsShown);
    row.shown_in = MailboxId(in.u32());
    row.shown_as = Uid(in.u32());
  }
  while (in.left() > 0 && row.keywords.size() < kMaxKeywords) row.keywords.emplace_back(in.sized());
  if (!in.at_end() || how > static_cast<std::uint8_t>(Removal::kMoved)) return malformed("removed");
  row.how = static_cast<Removal>(how);
  return row;
}

std::string encode_blob(std::string_view key, const BlobRow& row) {
  Record out(kVersion);
  out.u8(static_cast<std::uint8_t>(row.codec))
      .u8(row.dying ? 1 : 0)
      .u32(row.references)
      .u32(row.crc32c)
      .u64(row.size)
      .u32(row.header_octets)
      .u32(row.summary_octets)
      .octets({reinterpret_cast<const char*>(row.name.data()), row.name.size()})
      .u64(row.stored)
      .u32(row.key.value());
  return out.seal(key);
}

Result<BlobRow> decode_blob(std::string_view key, std::string_view value) {
  auto body = unseal(key, value, kVersion, "blob");
  if (!body) return failed(body);
  Reader in(*body);
  BlobRow row;
  const std::uint8_t codec = in.u8();
  row.dying = in.u8() != 0;
  row.references = in.u32();
  row.crc32c = in.u32();
  row.size = in.u64();
  row.header_octets = in.u32();
  row.summary_octets = in.u32();
  const std::string_view name = in.octets(row.name.size());
  row.stored = row.size;
  if (in.left() > 0) {
    row.stored = in.u64();
    row.key = KeyId(in.u32());
  }
  if (!in.at_end()) return malformed("blob");
  std::memcpy(row.name.data(), name.data(), name.size());
  if (codec > static_cast<std::uint8_t>(Codec::kZstdSealed)) {
    return fail(ErrorCode::kUnsupported, "blob of codec " + std::to_string(codec));
  }
  row.codec = static_cast<Codec>(codec);
  return row;
}

}  // namespace twinpost::store
