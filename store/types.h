// The mailbox engine's own vocabulary: ids, records and what callers pass in. No protocol, no LMDB.
//
// All plain values; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/strong_id.h"

namespace twinpost::store {

using AccountId = StrongId<struct AccountIdTag, std::uint32_t>;
using MailboxId = StrongId<struct MailboxIdTag, std::uint32_t>;  // within its account; never reused
using BlobId = StrongId<struct BlobIdTag, std::uint64_t>;
using Uid = StrongId<struct UidTag, std::uint32_t>;  // RFC 9051 2.3.1.1; 0 is none
using UidValidity = StrongId<struct UidValidityTag, std::uint32_t>;
using ModSeq = StrongId<struct ModSeqTag, std::uint64_t>;  // RFC 7162; 63 bits used, 0 is none
// Names one message object for ever, in whatever mailbox it is: kept by MOVE, new for every APPEND and COPY.
// The UIDL is made of it (DESIGN: a UIDL never changes).
using MessageSerial = StrongId<struct MessageSerialTag, std::uint64_t>;
// RFC 8474: equal for copies of one message within an account.
using EmailId = StrongId<struct EmailIdTag, std::uint64_t>;
using ThreadId = StrongId<struct ThreadIdTag, std::uint64_t>;

// A mailbox of an account: what most calls need to say where.
struct MailboxKey {
  AccountId account;
  MailboxId mailbox;
  friend auto operator<=>(const MailboxKey&, const MailboxKey&) = default;
};

// System flags (RFC 9051 2.3.2) as bits. \Recent is not stored here.
enum class Flag : std::uint8_t {
  kSeen = 1,
  kAnswered = 2,
  kFlagged = 4,
  kDeleted = 8,
  kDraft = 16,
};
using FlagBits = std::uint8_t;
[[nodiscard]] constexpr FlagBits bit(Flag flag) { return static_cast<FlagBits>(flag); }

// Keywords of a message: bit i stands for the mailbox's i-th keyword name. At most kMaxKeywords a mailbox.
inline constexpr std::size_t kMaxKeywords = 128;
struct KeywordBits {
  std::uint64_t low = 0;   // keywords 0..63
  std::uint64_t high = 0;  // keywords 64..127
  [[nodiscard]] constexpr bool test(std::size_t i) const {
    return ((i < 64 ? low >> i : high >> (i - 64)) & 1U) != 0;
  }
  constexpr void set(std::size_t i) { (i < 64 ? low : high) |= std::uint64_t{1} << (i % 64); }
  constexpr void reset(std::size_t i) { (i < 64 ? low : high) &= ~(std::uint64_t{1} << (i % 64)); }
  [[nodiscard]] constexpr bool none() const { return low == 0 && high == 0; }
  friend constexpr bool operator==(const KeywordBits&, const KeywordBits&) = default;
};

// IMAP's INTERNALDATE keeps the zone it was given in.
struct InternalDate {
  UnixTime time{};
  std::int16_t zone_minutes = 0;  // east of UTC
  friend bool operator==(const InternalDate&, const InternalDate&) = default;
};

// RFC 6154 special use, one per mailbox.
enum class SpecialUse : std::uint8_t {
  kNone,
  kAll,
  kArchive,
  kDrafts,
  kFlagged,
  kJunk,
  kSent,
  kTrash,
  kImportant
};

struct AccountInfo {
  AccountId id;
  std::string name;            // as in accounts.json, lower case
  std::uint64_t messages = 0;  // quota use: all mailboxes, not `removed`
  std::uint64_t bytes = 0;     // sum of the messages' sizes as clients see them
  bool provisioned = false;    // its mailboxes beside INBOX have been made once (set_provisioned)
  std::uint32_t mailboxes = 0;
  // What `removed` keeps of it; bytes without those of messages that were only moved.
  std::uint64_t removed_messages = 0;
  std::uint64_t removed_bytes = 0;
  // The mailbox that shows its removed messages (WriteTxn::show_removed); 0: none. It is not among
  // `mailboxes`, what is in it not among `messages` and `bytes`.
  MailboxId removed_mailbox;
  bool removed_shown = false;  // ... and those that were removed before it was made
};

inline constexpr std::uint32_t kMostMailboxes = 10'000;  // of one account

struct MailboxInfo {
  MailboxId id;
  std::string name;  // UTF-8, NFC, '/' between levels; the inbox is "INBOX"
  UidValidity uid_validity;
  Uid uid_next;
  ModSeq highest_modseq;
  std::uint32_t messages = 0;
  std::uint32_t unseen = 0;
  std::uint32_t deleted = 0;
  std::uint64_t bytes = 0;
  SpecialUse special_use = SpecialUse::kNone;
  bool subscribed = false;
  // It holds what was removed from the others. Read-only, but for the store itself.
  bool shows_removed = false;
  Uid first_recent;  // messages from here on have not been seen by any read-write SELECT (\Recent)
  std::string mailbox_guid;           // RFC 8474 MAILBOXID, 1..255 of [A-Za-z0-9_-]; kept by RENAME
  std::vector<std::string> keywords;  // names, by bit
};

struct MessageRecord {
  Uid uid;
  FlagBits flags = 0;
  bool pop3_hidden = false;     // POP3 must not show it again (modes `keep` and the like)
  bool pop3_retrieved = false;  // RETR has given it whole in a session that ended by QUIT
  KeywordBits keywords;
  ModSeq modseq;
  InternalDate internal_date;
  UnixTime save_date{};    // RFC 8514: when it came into this mailbox
  std::uint64_t size = 0;  // octets as clients see it: prefix and body, every line end CRLF
  EmailId email_id;
  ThreadId thread_id;  // of its EMAILID's value: each message a thread of its own
  MessageSerial serial;
  BlobId blob;
  // This recipient's own header fields (Return-Path, Delivered-To), CRLF-ended, before the body.
  std::string prefix;
  // Imported, or of a template and fixed (WriteTxn::fix_uidls). Empty: the UIDL is made of the serial.
  std::string imported_uidl;
};

// The body of a message as it is offered to the store: canonical (every line ends in CRLF), already hashed.
// Made by prepare_message() on a worker; immutable and shared afterwards.
struct PreparedMessage;
using PreparedMessagePtr = std::shared_ptr<const PreparedMessage>;

struct Limits {
  std::uint64_t quota_bytes = 0;     // 0: none
  std::uint64_t quota_messages = 0;  // 0: none
  // Percent of either; passing one upwards is announced (QuotaPassed). Ascending.
  std::vector<std::uint64_t> warn_at = {};
};

// An account's use has passed a threshold in a change that is committed. Announced on the loop.
struct QuotaPassed {
  AccountId account;
  std::string name;           // the account's
  std::uint64_t percent = 0;  // the highest threshold that was passed
  bool of_messages = false;   // else of octets
  std::uint64_t used = 0;
  std::uint64_t limit = 0;
};

// Names a message of an import's source for ever (a digest that the importer makes), so that a second
// run knows what the first one has brought, whatever became of it since.
using ImportKey = std::array<std::uint8_t, 16>;

// Where a message that is appended has been before: of a restore or an import. Every part is optional.
struct Origin {
  // Kept where the mailbox has not given it yet (it is not below UIDNEXT); else a new one is given.
  Uid uid;
  std::optional<UnixTime> save_date;
  bool pop3_hidden = false;
  bool pop3_retrieved = false;
  // Of this very store only; 0: new ones.
  EmailId email_id;
  ThreadId thread_id;
  // kExists, and nothing is changed, where a message with this key came before.
  std::optional<ImportKey> key;
};

struct AppendRequest {
  PreparedMessagePtr message;
  std::string prefix;  // see MessageRecord
  FlagBits flags = 0;
  std::vector<std::string> keywords;
  InternalDate internal_date;
  Limits limits;  // the account's quota, checked in the same transaction
  std::string imported_uidl;
  Origin origin = {};
};

struct Appended {
  UidValidity uid_validity;
  Uid uid;
  MessageSerial serial;
  ModSeq modseq;
};

// Who removed a message, kept with it in `removed`.
struct Remover {
  std::string account;   // who was logged in
  std::string protocol;  // "pop3", "imap", "admin"
  std::string address;   // from where
};

// How a message left its mailbox.
enum class Removal : std::uint8_t {
  kExpunged,
  kMailboxDeleted,
  kMoved,  // it is in another mailbox, or was once
};

// Names a row of `removed` within its account; printed and read as "TIME-MAILBOX-UID".
struct RemovedId {
  UnixTime time{};
  MailboxId mailbox;
  Uid uid;
  friend auto operator<=>(const RemovedId&, const RemovedId&) = default;
};
[[nodiscard]] std::string to_string(const RemovedId& id);
[[nodiscard]] std::optional<RemovedId> parse_removed_id(std::string_view text);

struct RemovedMessage {
  RemovedId id;
  MessageRecord message;              // as it was; its keywords are named by the next
  std::vector<std::string> keywords;  // the message's, by name
  std::string mailbox_name;           // as it was called then
  Removal how = Removal::kExpunged;
  Remover remover;
};

struct Undeleted {
  struct Message {
    RemovedId id;
    MailboxKey mailbox;
    Uid uid;
  };
  std::vector<Message> messages;
  std::vector<RemovedId> missing;  // no such removal (any more)
  // It is in the account already: it was only moved, or came back otherwise.
  std::vector<RemovedId> present;
};

// What a mailbox is known by to clients, kept by a restore or an import.
struct MailboxIdentity {
  std::string name;
  UidValidity uid_validity;  // 0: a new one
  // What the mailbox had: for WriteTxn::advance_uid_next() once the messages are in; adopting does
  // not apply it, since a message keeps a UID only where that is not below UIDNEXT.
  Uid uid_next;
  ModSeq highest_modseq;     // at least so much
  std::string mailbox_guid;  // empty: a new one
  SpecialUse special_use = SpecialUse::kNone;
};

// What the layers above keep with an account or one of its mailboxes, beside the messages. What a kind's name and
// value hold is the affair of who writes it.
enum class NoteKind : std::uint32_t {
  kPop3ShowFrom = 1,     // pop3/show_from.h
  kPop3ListedUidls = 2,  // pop3/listed_uidls.h
  kClients = 3,          // which clients have logged in
};
struct NoteKey {
  MailboxId mailbox;  // 0: of the account itself; goes with the mailbox when that is deleted
  NoteKind kind = NoteKind::kClients;
  std::string name;  // at most kMaxNoteName octets
};
inline constexpr std::size_t kMaxNoteName = 64;
inline constexpr std::size_t kMaxNoteOctets = 4064;  // of a value: it has one page with its seal

struct FixedUidl {
  Uid uid;
  std::string uidl;
};

enum class FlagOperation : std::uint8_t { kReplace, kAdd, kRemove };

struct FlagChange {
  FlagOperation operation = FlagOperation::kAdd;
  FlagBits flags = 0;
  std::vector<std::string> keywords;
  // RFC 7162: a message with a larger modseq is left and reported.
  ModSeq unchanged_since{~std::uint64_t{0} >> 1};
};

struct FlagResult {
  // As they are now (those whose flags did not differ are not here).
  std::vector<MessageRecord> changed;
  std::vector<Uid> conflicts;  // failed unchanged_since
};

struct Expunged {
  std::vector<Uid> removed;       // were there, are gone now
  std::vector<Uid> already_gone;  // asked for, but not there any more
  ModSeq modseq;                  // of the removal; none where nothing was removed
};

struct CopiedMessage {
  Uid source;
  Uid target;
};
struct Copied {
  UidValidity uid_validity;  // of the target
  std::vector<CopiedMessage> messages;
  std::vector<Uid> missing;  // asked for, but not in the source any more
};

// What happened in a mailbox after some modseq.
struct Changes {
  ModSeq highest;                      // what the reader knows once it has taken these in
  std::vector<MessageRecord> changed;  // new or with new flags, by UID
  std::vector<Uid> vanished;           // ascending
  // Where not all that changed is in `changed`: the UID from which on the rest is. 0: nothing is left out.
  Uid rest_from;
};

// Inclusive, both ends at least 1.
struct UidRange {
  Uid first;
  Uid last;
};

// Announced on the loop thread after the commit.
struct MailboxChanged {
  MailboxKey mailbox;
  ModSeq highest;
  bool exists = true;  // false: the mailbox itself was deleted
};

// The UIDL that POP3 shows: the imported one, or 32 hexadecimal digits of the store's id and the serial.
[[nodiscard]] std::string uidl_of(const MessageRecord& record, std::uint64_t store_id);

}  // namespace twinpost::store
