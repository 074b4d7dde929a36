// The tables of the store and their keys. Records are drawn in records.cc.
//
//   table          key (big-endian)              value
//   meta           "format" | "store" | "counters"  see records.cc
//   account_names  name                          account
//   accounts       account                       name, counters, whether it is provisioned
//   mailboxes      account, mailbox              what MailboxInfo says, but keywords and subscription
//   mailbox_names  account, name                 mailbox
//   subscriptions  account, name                 (nothing)
//   keywords       account, mailbox, bit         keyword
//   messages       account, mailbox, uid         MessageRecord
//   expunged       account, mailbox, modseq, first uid   last uid of the run
//   removed        account, unix time, mailbox, uid      MessageRecord, mailbox name, how, by whom,
//                                                        where it is shown
//   blob_names     SHA-256                       blob
//   blob_refs      blob                          references, size, codec, checksum...
//   blobs          blob, chunk                   octets, 4080 in every chunk but the last
//   summaries      blob, chunk                   octets of the summary, likewise
//   reapable       blob                          commit in which its last reference went
//   imports        account, import key           unix time when it came
//   notes          account, mailbox or 0, kind, name     what NoteKind says
//
// account, mailbox, uid, bit, kind and chunk are u32; modseq, time and blob u64; all big-endian.
#pragma once

#include "core/base/error.h"
#include "store/codec.h"
#include "store/engine/engine.h"
#include "store/types.h"

namespace twinpost::store {

// Version of the whole layout. A store with a greater one is not opened.
// 2: bodies may be compressed and encrypted; accounts count what `removed` keeps; `imports`; a
//    mailbox may show removed messages.
// 3: `notes`; messages that POP3 has retrieved are marked.
inline constexpr std::uint32_t kFormatVersion = 3;

inline constexpr std::size_t kChunkOctets = engine::kMaxValueOctets;
// Names of accounts and mailboxes: with the account before them they must fit a key.
inline constexpr std::size_t kMaxNameOctets = 500;

struct Tables {
  engine::Table meta = 0;
  engine::Table account_names = 0;
  engine::Table accounts = 0;
  engine::Table mailboxes = 0;
  engine::Table mailbox_names = 0;
  engine::Table subscriptions = 0;
  engine::Table keywords = 0;
  engine::Table messages = 0;
  engine::Table expunged = 0;
  engine::Table removed = 0;
  engine::Table blob_names = 0;
  engine::Table blob_refs = 0;
  engine::Table blobs = 0;
  engine::Table summaries = 0;
  engine::Table reapable = 0;
  engine::Table imports = 0;
  engine::Table notes = 0;

  // All but `meta`, which is opened first. Made where they are missing and `create` is set;
  // kCorrupt where they are missing and it is not.
  [[nodiscard]] Result<void> open(engine::Environment& environment, bool create);
};

[[nodiscard]] inline Key account_key(AccountId account) { return Key().u32(account.value()); }
[[nodiscard]] inline Key mailbox_key(MailboxKey key) {
  return Key().u32(key.account.value()).u32(key.mailbox.value());
}
[[nodiscard]] inline Key name_key(AccountId account, std::string_view name) {
  return Key().u32(account.value()).octets(name);
}
[[nodiscard]] inline Key message_key(MailboxKey key, Uid uid) {
  return mailbox_key(key).u32(uid.value());
}
[[nodiscard]] inline Key keyword_key(MailboxKey key, std::size_t bit) {
  return mailbox_key(key).u32(static_cast<std::uint32_t>(bit));
}
[[nodiscard]] inline Key expunged_key(MailboxKey key, ModSeq modseq, Uid first) {
  return mailbox_key(key).u64(modseq.value()).u32(first.value());
}
[[nodiscard]] inline Key removed_key(MailboxKey key, UnixTime time, Uid uid) {
  return Key()
      .u32(key.account.value())
      .u64(static_cast<std::uint64_t>(time.time_since_epoch().count()))
      .u32(key.mailbox.value())
      .u32(uid.value());
}
[[nodiscard]] inline Key removed_key(AccountId account, const RemovedId& id) {
  return removed_key({account, id.mailbox}, id.time, id.uid);
}
[[nodiscard]] inline Key import_key(AccountId account, const ImportKey& key) {
  return Key().u32(account.value()).octets({reinterpret_cast<const char*>(key.data()), key.size()});
}
[[nodiscard]] inline Key note_prefix(AccountId account, MailboxId mailbox, NoteKind kind) {
  return mailbox_key({account, mailbox}).u32(static_cast<std::uint32_t>(kind));
}
[[nodiscard]] inline Key note_key(AccountId account, const NoteKey& note) {
  return note_prefix(account, note.mailbox, note.kind).octets(note.name);
}
[[nodiscard]] inline Key blob_key(BlobId blob) { return Key().u64(blob.value()); }
[[nodiscard]] inline Key chunk_key(BlobId blob, std::uint32_t chunk) {
  return Key().u64(blob.value()).u32(chunk);
}

}  // namespace twinpost::store
