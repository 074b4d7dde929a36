// Every IMAP command as a typed value, and the table that says where each is allowed.
//
// What the parser makes and the handlers take: one struct a command, in one std::variant. Strings are views into
// the CommandReader's buffers, good until the reader is fed the next command (CommandReader::reset); nothing is
// decoded: a mailbox name is the octets of its astring (mailbox_from_wire() makes a name of it), search
// text is in the command's charset. Commands with a UID form have `uid`: numbers in their set are then UIDs.
//
// RFC 3501 and RFC 9051, both whole, and ID 2971, IDLE 2177, NAMESPACE 2342, UIDPLUS 4315, UNSELECT 3691, SASL-IR
// 4959, ENABLE 5161, COMPRESS 4978, ESEARCH 4731, SEARCHRES 5182, WITHIN 5032, LIST-EXTENDED 5258, LIST-STATUS
// 5819, SPECIAL-USE 6154, MOVE 6851, UTF8 6855, CONDSTORE and QRESYNC 7162, APPENDLIMIT 7889, LITERAL 7888, MULTIAPPEND
// 3502, BINARY 3516, UNAUTHENTICATE 8437, STATUS=SIZE 8438, OBJECTID 8474, REPLACE 8508, SAVEDATE 8514, PREVIEW 8970,
// QUOTA 9208, PARTIAL 9394.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "imap/search_key.h"
#include "imap/section.h"
#include "imap/sequence_set.h"
#include "store/types.h"

namespace twinpost::imap {

// ---- any state ----
struct Capability {};
struct Noop {};
struct Logout {};
struct Id {
  // nullopt: ID NIL. A value may be NIL.
  std::optional<std::vector<std::pair<std::string_view, std::optional<std::string_view>>>> fields;
};

// ---- not authenticated ----
struct StartTls {};
struct Login {
  std::string_view user;
  std::string_view password;
};
struct Authenticate {
  std::string_view mechanism;  // as sent; compare without case
  std::optional<std::string_view>
      initial_response;  // base64, not decoded; "" where the client sent "=" (RFC 4959)
};

// ---- authenticated ----
struct Enable {
  std::vector<std::string_view> capabilities;
};
struct Unauthenticate {};
struct Compress {
  std::string_view mechanism;
};
struct Namespace {};
struct Idle {};

struct QResync {
  std::uint32_t uid_validity = 0;
  std::uint64_t mod_seq = 0;
  std::optional<NumberSet> known_uids;
  // seq-match-data: numbers and the UIDs they had, pairwise in ascending order.
  std::optional<std::pair<NumberSet, NumberSet>> sequence_match;
};
struct Select {
  std::string_view mailbox;
  bool read_only = false;  // EXAMINE
  bool condstore = false;
  std::optional<QResync> qresync;
};
struct Create {
  std::string_view mailbox;
  std::vector<std::string_view>
      special_use;  // attributes as sent: "\Sent" (see parse_special_use in response.h)
};
struct Delete {
  std::string_view mailbox;
};
struct Rename {
  std::string_view from;
  std::string_view to;
};
struct Subscribe {
  std::string_view mailbox;
};
struct Unsubscribe {
  std::string_view mailbox;
};

enum class StatusItem : std::uint16_t {
  kMessages = 1U << 0,
  kRecent = 1U << 1,
  kUidNext = 1U << 2,
  kUidValidity = 1U << 3,
  kUnseen = 1U << 4,
  kDeleted = 1U << 5,
  kSize = 1U << 6,
  kAppendLimit = 1U << 7,
  kHighestModSeq = 1U << 8,
  kMailboxId = 1U << 9,
  kDeletedStorage = 1U << 10,
};
using StatusItems = std::uint16_t;  // bits
[[nodiscard]] constexpr StatusItems bit(StatusItem item) { return static_cast<StatusItems>(item); }

struct Status {
  std::string_view mailbox;
  StatusItems items = 0;
};

struct List {
  bool extended =
      false;  // any of the three marks of RFC 5258 section 3: an empty pattern is then no special request
  // Selection options
  bool select_subscribed = false;
  bool select_remote = false;
  bool select_recursive_match = false;
  bool select_special_use = false;
  std::string_view reference;
  std::vector<std::string_view> patterns;  // at least one
  // Return options
  bool return_subscribed = false;
  bool return_children = false;
  bool return_special_use = false;
  StatusItems return_status = 0;
};
struct Lsub {
  std::string_view reference;
  std::string_view pattern;
};

struct GetQuota {
  std::string_view root;
};
struct GetQuotaRoot {
  std::string_view mailbox;
};
struct SetQuota {
  std::string_view root;
  std::vector<std::pair<std::string_view, std::uint64_t>> limits;  // resource names as sent
};

// APPEND and REPLACE. Their messages are not in the command: the reader announces each as Step::Kind::kMessage
// while it is read (CommandReader::message); this is what is left at the end.
struct Append {
  std::string_view mailbox;
  std::uint32_t messages = 0;  // more than one: MULTIAPPEND, all or nothing (RFC 3502)
};
struct Replace {
  bool uid = false;
  std::uint32_t number = 0;  // SequenceSet::kStar for "*"
  std::string_view mailbox;
};

// ---- selected ----
struct Check {};
struct Close {};
struct Unselect {};
struct Expunge {
  std::optional<SequenceSet> uids;  // UID EXPUNGE
};
struct Copy {
  bool uid = false;
  SequenceSet set;
  std::string_view mailbox;
};
struct Move {
  bool uid = false;
  SequenceSet set;
  std::string_view mailbox;
};

struct FlagList {
  store::FlagBits flags = 0;
  std::vector<std::string_view> keywords;  // as sent, no two equal without case
};
struct Store {
  bool uid = false;
  SequenceSet set;
  std::optional<std::uint64_t> unchanged_since;
  store::FlagOperation operation = store::FlagOperation::kReplace;
  bool silent = false;
  FlagList flags;
};

enum class FetchKind : std::uint8_t {
  kUid,
  kFlags,
  kInternalDate,
  kRfc822Size,
  kEnvelope,
  kBodyStructure,  // BODYSTRUCTURE
  kBodyShort,      // BODY: the structure without extension data
  kSection,        // BODY[...] and BODY.PEEK[...]
  kRfc822,         // as BODY[], BODY.PEEK[HEADER] and BODY[TEXT], under their old names
  kRfc822Header,
  kRfc822Text,
  kBinary,
  kBinarySize,
  kModSeq,
  kEmailId,
  kThreadId,
  kSaveDate,
  kPreview,
};
struct FetchItem {
  FetchKind kind = FetchKind::kFlags;
  bool peek = false;  // kSection, kBinary: \Seen stays as it is
  bool lazy = false;  // kPreview
  Section section;    // kSection, kBinary, kBinarySize
  std::optional<Partial> partial;
};
// True where fetching it sets \Seen (RFC 9051 6.4.5).
[[nodiscard]] bool sets_seen(const FetchItem& item);

struct Fetch {
  bool uid = false;
  SequenceSet set;
  std::vector<FetchItem> items;  // macros expanded
  std::optional<std::uint64_t> changed_since;
  bool vanished = false;                // UID FETCH with CHANGEDSINCE only
  std::optional<PartialRange> partial;  // UID FETCH only
};

struct Search {
  bool uid = false;
  bool extended =
      false;  // RETURN was there: answer with ESEARCH (an IMAP4rev2 session always does)
  bool return_min = false;
  bool return_max = false;
  bool return_all = false;  // also for RETURN ()
  bool return_count = false;
  bool return_save = false;
  std::optional<PartialRange> return_partial;
  std::optional<std::string_view> charset;
  SearchKey key;
};

using Arguments = std::variant<Capability, Noop, Logout, Id, StartTls, Login, Authenticate, Enable,
                               Unauthenticate, Compress, Namespace, Idle, Select, Create, Delete,
                               Rename, Subscribe, Unsubscribe, Status, List, Lsub, GetQuota,
                               GetQuotaRoot, SetQuota, Append, Replace, Check, Close, Unselect,
                               Expunge, Copy, Move, Store, Fetch, Search>;

// ---- the table ----

// RFC 9051 section 3. The logout state takes no commands.
enum class State : std::uint8_t { kNotAuthenticated = 1, kAuthenticated = 2, kSelected = 4 };
using StateBits = std::uint8_t;
[[nodiscard]] constexpr StateBits bit(State state) { return static_cast<StateBits>(state); }

enum class CommandId : std::uint8_t {
  kCapability,
  kNoop,
  kLogout,
  kId,
  kStartTls,
  kLogin,
  kAuthenticate,
  kEnable,
  kUnauthenticate,
  kCompress,
  kNamespace,
  kIdle,
  kSelect,
  kExamine,
  kCreate,
  kDelete,
  kRename,
  kSubscribe,
  kUnsubscribe,
  kStatus,
  kList,
  kLsub,
  kGetQuota,
  kGetQuotaRoot,
  kSetQuota,
  kAppend,
  kReplace,
  kCheck,
  kClose,
  kUnselect,
  kExpunge,
  kCopy,
  kMove,
  kStore,
  kFetch,
  kSearch,
};

struct CommandInfo {
  CommandId id;
  std::string_view name;
  StateBits states;  // where it is allowed
  bool has_uid_form = false;
  // RFC 9051 5.5 and 7.5.1: while such a command runs in its message-number form no EXPUNGE may be sent, and no
  // later command is begun before it has ended where that could change what its numbers mean.
  bool uses_message_numbers = false;
  bool is_secret = false;  // its arguments are never logged
};

[[nodiscard]] const CommandInfo& info(CommandId id);
// Without case; null where there is no such command.
[[nodiscard]] const CommandInfo* find_command(std::string_view name);
// Why `command` is not allowed in state `now` ("Select a mailbox first"); empty where it is.
[[nodiscard]] std::string_view wrong_state_text(const CommandInfo& command, State now);

struct Command {
  std::string_view tag;
  CommandId id = CommandId::kNoop;
  bool uid = false;  // the UID form
  Arguments arguments;
};

}  // namespace twinpost::imap
