// The format of a backup, version 2.
//
//   DIR/backup.json           which store this is a backup of; ends with a checksum (files.h), and
//                             has a copy beside it, backup.json.copy
//   DIR/lock                  held by the one run, or prune
//   DIR/prune.lock            held by prune, shared by readers
//   DIR/generations/<G>/      one run; G is the time and a number: "20260131T080509Z-1"
//       generation.json       what is in it, and which manifest it has; ends with a checksum, and
//                             has a copy too
//       manifest-<n>          accounts, mailboxes, messages (below); n grows where prune writes
//                             it anew. generation.json has its checksum
//   DIR/packs/000001.pack     bodies, each once over all generations (pack.h), each with checksums
//   DIR/packs/000001.index    what is in that pack, with a checksum; can be made anew from it
//
// A name that begins with '.' below generations/ or packs/ is unfinished or on its way out, and
// nobody reads it. A generation is written as ".<G>" and renamed when everything in it, and all its
// bodies, are on the disk. No name from the store is ever a path.
//
// The manifest is text, JSON lines, each with a check of its own (checked_line.h), so that damage
// costs the lines that it is in. Where the backup is encrypted the text is kept in sealed blocks
// (manifest.h), else the file is the text. First the accounts, each a section:
//
//   {"account":"ann@example.org","id":1,"provisioned":true,"subscriptions":["INBOX","Sent"],
//    "crc":".."}
//   {"mailbox":"INBOX","id":1,"guid":"M0f..","uid_validity":1700000000,"uid_next":18,
//    "highest_modseq":40,"subscribed":true,"keywords":["$Junk"],"messages":3,"octets":5120,
//    "kind":"full","chain":0,"weight":0,"records":3,"left_out":0,"crc":".."}
//   {"uid":3,"flags":["\\Seen"],"modseq":12,"date":1700000000,"zone":60,"saved":1700000001,
//    "size":1700,"prefix":"Return-Path: <sam@example.net>\r\n","uidl":"5f0c..",
//    "email_id":"<16 hex digits>","thread_id":"<16 hex digits>","body":"<64 hex digits>",
//    "crc":".."}
//   ...
//
// then the index, which generation.json says the place of: where each section and each mailbox's
// messages are, with a copy of the line that begins them. A mailbox whose line is damaged is read
// by the index, and one that the index has lost, by the line. An account's entry stands before
// those of its mailboxes:
//
//   {"account_at":0,"mailboxes":7,"messages":201,"size":912000,"line":{"account":..},"crc":".."}
//   {"mailbox_at":113,"account_id":1,"offset":390,"octets":820,"line":{"mailbox":..},"crc":".."}
//
// (each of them one line in the file).
//
// A mailbox (its guid and UIDVALIDITY name it) is listed in one of three ways:
//   full   all its messages
//   delta  those that changed or came since generation "base", by modseq, and in "gone"
//          ("3:7,9") the UIDs that were there then and are no more
//   same   as in generation "base"
// "base" is always an earlier generation. "chain" counts the deltas up to a full listing and
// "weight" the lines in them: a chain that is longer than kLongestChain or heavier than half of the
// mailbox ends with a full listing. A mailbox from which messages had to be left out is never a
// base.
//
// Texts that are not UTF-8 stand under "..._base64". "body" is the name of a body in the packs: the
// SHA-256 of its octets, or, in an encrypted backup, an HMAC of that (BodyCoder::name_of).
//
// Everything here is read as if an enemy had written it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/encoding.h"
#include "core/base/error.h"
#include "store/types.h"

namespace twinpost::tools::backup {

using Json = nlohmann::json;
using BodyName = Sha256Digest;

inline constexpr std::uint64_t kFormatVersion = 2;
inline constexpr unsigned kLongestChain = 16;
inline constexpr std::size_t kLargestLine =
    64 * 1024 * 1024;  // 10,000 subscriptions, 100,000 runs of UIDs
inline constexpr std::size_t kLargestSmallFile = 1024 * 1024;  // backup.json, generation.json

// DIR/backup.json.
struct BackupInfo {
  std::uint64_t store_id = 0;
  bool sealed = false;  // encrypted, all of it
  std::string made_by;
  UnixTime created{};
};
[[nodiscard]] std::string encode_backup(const BackupInfo& info);
// kInvalid for what is something else, kNewerFormat.
[[nodiscard]] Result<BackupInfo> decode_backup(std::string_view text);

// "20260131T080509Z-1", in order of time.
struct GenerationName {
  std::string time;
  std::uint32_t number = 0;
  friend auto operator<=>(const GenerationName&, const GenerationName&) = default;
};
[[nodiscard]] std::string to_string(const GenerationName& name);
[[nodiscard]] std::optional<GenerationName> parse_generation_name(std::string_view text);
// Later than `last`, whatever the clock says.
[[nodiscard]] GenerationName next_generation(UnixTime now,
                                             const std::optional<GenerationName>& last);

// generation.json.
struct GenerationInfo {
  GenerationName name;
  UnixTime time{};
  std::uint64_t store_id = 0;
  std::string made_by;
  bool sealed = false;
  std::uint32_t manifest = 1;  // "manifest-<n>"
  std::uint64_t manifest_octets = 0;
  Sha256Digest manifest_sha256{};  // of the file
  std::uint64_t index_offset = 0;  // in the text
  std::uint64_t index_octets = 0;
  Sha256Digest index_sha256{};
  std::uint64_t accounts = 0;
  std::uint64_t mailboxes = 0;
  std::uint64_t messages = 0;
  std::uint64_t octets = 0;      // of the messages, as clients see them
  std::uint64_t new_bodies = 0;  // that this run wrote
  std::uint64_t new_octets = 0;  // on the disk
  std::uint64_t removed_meanwhile = 0;
  std::uint64_t damaged = 0;  // what could not be read in the store
};
[[nodiscard]] std::string encode_generation(const GenerationInfo& info);
[[nodiscard]] Result<GenerationInfo> decode_generation(std::string_view text);
[[nodiscard]] std::string manifest_name(std::uint32_t number);

struct AccountLine {
  std::string name;
  store::AccountId id;
  bool provisioned = false;
  std::vector<std::string> subscriptions;
};
// These lines are without the check that they have in the file.
[[nodiscard]] std::string encode_account(const AccountLine& account);
[[nodiscard]] Result<AccountLine> decode_account(std::string_view line);

enum class Listing : std::uint8_t { kFull, kDelta, kSame };

struct MailboxLine {
  std::string name;
  store::MailboxId id;
  std::string guid;
  store::UidValidity uid_validity;
  store::Uid uid_next;
  store::ModSeq highest_modseq;
  store::SpecialUse special_use = store::SpecialUse::kNone;
  bool subscribed = false;
  std::vector<std::string> keywords;
  std::uint64_t messages = 0;  // that the listing comes to
  std::uint64_t octets = 0;
  Listing listing = Listing::kFull;
  std::optional<GenerationName> base;  // of kDelta and kSame
  std::uint32_t chain = 0;
  std::uint64_t weight = 0;
  std::vector<store::UidRange> gone;  // ascending, of kDelta
  std::uint64_t records = 0;          // message lines that follow
  std::uint64_t left_out = 0;
};
[[nodiscard]] std::string encode_mailbox(const MailboxLine& mailbox);
[[nodiscard]] Result<MailboxLine> decode_mailbox(std::string_view line);

struct MessageLine {
  store::Uid uid;
  store::FlagBits flags = 0;
  std::vector<std::string> keywords;
  store::ModSeq modseq;
  store::InternalDate date;
  UnixTime save_date{};
  std::uint64_t size = 0;
  std::string prefix;
  std::string uidl;  // as POP3 shows it
  bool pop3_hidden = false;
  bool pop3_retrieved = false;
  store::EmailId email_id;
  store::ThreadId thread_id;
  BodyName body{};
};
[[nodiscard]] std::string encode_message(const MessageLine& message);
[[nodiscard]] Result<MessageLine> decode_message(std::string_view line);

// An account's entry in the index.
struct AccountEntry {
  std::uint64_t at = 0;  // of its line
  std::uint64_t mailboxes = 0;
  std::uint64_t messages = 0;
  std::uint64_t size = 0;
  AccountLine line;
};
[[nodiscard]] std::string encode_entry(const AccountEntry& entry);
[[nodiscard]] Result<AccountEntry> decode_account_entry(std::string_view line);

// A mailbox's.
struct MailboxEntry {
  std::uint64_t at = 0;
  store::AccountId account;
  std::uint64_t offset = 0;  // of its message lines
  std::uint64_t octets = 0;
  MailboxLine line;
};
[[nodiscard]] std::string encode_entry(const MailboxEntry& entry);
[[nodiscard]] Result<MailboxEntry> decode_mailbox_entry(std::string_view line);

// What a line is, by its beginning, without reading it all.
enum class LineKind : std::uint8_t {
  kAccount,
  kMailbox,
  kMessage,
  kAccountEntry,
  kMailboxEntry,
  kOther
};
[[nodiscard]] LineKind kind_of(std::string_view line);
// The UID at a message line's beginning; 0 where there is none.
[[nodiscard]] store::Uid uid_of_line(std::string_view line);

// The body that a message line names, without reading it all. nullopt where it is not in its place.
[[nodiscard]] std::optional<BodyName> body_of_line(std::string_view line);

[[nodiscard]] std::vector<std::string> flag_names(store::FlagBits flags);

[[nodiscard]] std::string encode_uids(const std::vector<store::UidRange>& ranges);
// Ascending, none of them touching the next.
[[nodiscard]] std::optional<std::vector<store::UidRange>> parse_uids(std::string_view text);
[[nodiscard]] std::vector<store::UidRange> ranges_of(const std::vector<store::Uid>& ascending);

[[nodiscard]] std::string hex_number(std::uint64_t number);  // 16 digits

}  // namespace twinpost::tools::backup
