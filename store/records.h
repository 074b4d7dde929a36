// The store's records as values, and their octets. The layouts are drawn in records.cc. Pure; any
// thread.
//
// encode_*() take the key that the record will stand under, decode_*() the one it was found under:
// both are part of its checksum. decode_*() fail with kCorrupt or kNewerFormat and never read past
// what they are given.
#pragma once

#include <string>
#include <string_view>

#include "core/base/encoding.h"
#include "core/base/error.h"
#include "store/body_codec.h"
#include "store/types.h"

namespace twinpost::store {

// A recipient's own header fields, and an imported UIDL: longer ones are refused (kTooLarge), so
// that a message's record and its `removed` form always fit one page.
inline constexpr std::size_t kMaxPrefixOctets = 2048;
inline constexpr std::size_t kMaxUidlOctets = 255;
inline constexpr std::size_t kMaxKeywordOctets = 255;

struct StoreRow {
  std::uint64_t store_id = 0;
  UnixTime created{};
  std::string created_by;
};

struct Counters {
  AccountId next_account{1};
  UidValidity last_uid_validity{0};
  BlobId next_blob{1};
  MessageSerial next_serial{1};
};

struct AccountRow {
  AccountInfo info;
  MailboxId next_mailbox{1};
};

struct MailboxRow {
  MailboxInfo info;        // without keywords and subscription, which have tables of their own
  ModSeq tombstone_floor;  // tombstones up to here are no longer complete
  std::uint32_t tombstones = 0;  // rows of `expunged`
};

struct BlobRow {
  std::uint32_t references = 0;
  Codec codec = Codec::kPlain;
  KeyId key{};         // where it is encrypted
  bool dying = false;  // its name is gone and some of its chunks may be: no new reference to it
  std::uint32_t crc32c = 0;  // of the stored octets
  std::uint64_t size = 0;    // plain octets
  std::uint64_t stored = 0;  // octets in `blobs`
  std::uint32_t header_octets = 0;
  std::uint32_t summary_octets =
      0;                // in `summaries`; encoded with the same key, codec kPlain or kSealed
  Sha256Digest name{};  // BodyCoder::name_of()
};

struct RemovedRow {
  MessageRecord message;
  std::string mailbox_name;  // as it was called then
  Removal how = Removal::kExpunged;
  Remover remover;  // fields cut at 512, 32 and 128 octets
  // The message's keywords by name, as many as fit the page: its mailbox may go.
  std::vector<std::string> keywords;
  // Where users see it (WriteTxn::show_removed); a UID of 0: nowhere. Neither need be there any
  // more.
  MailboxId shown_in;
  Uid shown_as;
};

[[nodiscard]] std::string encode_store(std::string_view key, const StoreRow& row);
[[nodiscard]] Result<StoreRow> decode_store(std::string_view key, std::string_view value);

[[nodiscard]] std::string encode_counters(std::string_view key, const Counters& counters);
[[nodiscard]] Result<Counters> decode_counters(std::string_view key, std::string_view value);

// A name's record: the number that it stands for.
[[nodiscard]] std::string encode_number(std::string_view key, std::uint64_t number);
[[nodiscard]] Result<std::uint64_t> decode_number(std::string_view key, std::string_view value,
                                                  const char* what);
// A record that is only a text.
[[nodiscard]] std::string encode_text(std::string_view key, std::string_view text);
[[nodiscard]] Result<std::string> decode_text(std::string_view key, std::string_view value,
                                              const char* what);

[[nodiscard]] std::string encode_account(std::string_view key, const AccountRow& row);
[[nodiscard]] Result<AccountRow> decode_account(std::string_view key, std::string_view value);

[[nodiscard]] std::string encode_mailbox(std::string_view key, const MailboxRow& row);
[[nodiscard]] Result<MailboxRow> decode_mailbox(std::string_view key, std::string_view value);

[[nodiscard]] std::string encode_message(std::string_view key, const MessageRecord& record);
// Into `record`, so that a scan reuses its strings.
[[nodiscard]] Result<void> decode_message(std::string_view key, std::string_view value,
                                          MessageRecord& record);

[[nodiscard]] std::string encode_removed(std::string_view key, const RemovedRow& row);
[[nodiscard]] Result<RemovedRow> decode_removed(std::string_view key, std::string_view value);

[[nodiscard]] std::string encode_blob(std::string_view key, const BlobRow& row);
[[nodiscard]] Result<BlobRow> decode_blob(std::string_view key, std::string_view value);

}  // namespace twinpost::store
