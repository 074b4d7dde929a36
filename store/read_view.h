// What can be read in one transaction: a consistent snapshot of the whole store.
//
// Given to the function of Store::read() (worker thread) and, as the base of WriteTxn, to that of Store::write()
// (writer thread, where it sees the transaction's own changes). Nothing taken from it may point into it
// afterwards: everything is returned by value. Errors: kNotFound where the thing is not there, kCorrupt where a
// record or checksum does not verify, kIo.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/summary.h"
#include "store/types.h"

namespace twinpost::store {

struct BlobInfo {
  std::uint64_t size = 0;  // octets, plain
  std::uint32_t references = 0;
  // Of its plain octets, for who reads them piece by piece; none where they are kept encoded: then
  // every piece is verified as it is read.
  std::optional<std::uint32_t> crc32c;
  std::uint32_t header_octets = 0;
};

class ReadView {
 public:
  virtual ~ReadView() = default;

  [[nodiscard]] virtual Result<AccountInfo> account(std::string_view name) const = 0;
  [[nodiscard]] virtual Result<AccountInfo> account(AccountId id) const = 0;
  [[nodiscard]] virtual Result<std::vector<AccountInfo>> accounts() const = 0;

  [[nodiscard]] virtual Result<MailboxInfo> mailbox(MailboxKey key) const = 0;
  // By exact name; "INBOX" in any case is the inbox.
  [[nodiscard]] virtual Result<MailboxInfo> find_mailbox(AccountId account,
                                                         std::string_view name) const = 0;
  // By name, INBOX first; without their keywords, which together can be large.
  [[nodiscard]] virtual Result<std::vector<MailboxInfo>> mailboxes(AccountId account) const = 0;
  // Subscribed names, which need not exist (RFC 9051 6.3.7), in order.
  [[nodiscard]] virtual Result<std::vector<std::string>> subscriptions(AccountId account) const = 0;

  [[nodiscard]] virtual Result<MessageRecord> message(MailboxKey key, Uid uid) const = 0;
  // Calls `visit` for each message in the range, by ascending UID, until it returns false.
  virtual Result<void> for_each_message(
      MailboxKey key, UidRange range,
      const std::function<bool(const MessageRecord&)>& visit) const = 0;
  // A message that left this mailbox (expunged, moved) at `since` or later, as it was then: its
  // keywords are this mailbox's, its bytes can be read. nullopt where there is none, its retention
  // is over, or too much was removed since then to look through. For a session whose client has not
  // been told yet that it is gone (RFC 9051 7.5.1); `since` may be much earlier.
  [[nodiscard]] virtual Result<std::optional<MessageRecord>> removed_message(
      MailboxKey key, Uid uid, UnixTime since) const = 0;
  // Removals of the account, oldest first, from `from` on, until `visit` returns false. A row that can't be
  // read is passed over (`check` tells of it).
  virtual Result<void> for_each_removed(
      AccountId account, UnixTime from,
      const std::function<bool(const RemovedMessage&)>& visit) const = 0;
  // Whether a message with this import key came before, whatever became of it.
  [[nodiscard]] virtual Result<bool> was_imported(AccountId account,
                                                  const ImportKey& key) const = 0;
  // What was kept under that key (WriteTxn::put_note); nullopt where there is nothing.
  [[nodiscard]] virtual Result<std::optional<std::string>> note(AccountId account,
                                                                const NoteKey& key) const = 0;
  // All of a kind with one mailbox (or 0: the account), by name, until `visit` returns false. One that can't be
  // read is passed over (`check` tells of it).
  virtual Result<void> for_each_note(
      AccountId account, MailboxId mailbox, NoteKind kind,
      const std::function<bool(const std::string& name, const std::string& value)>& visit)
      const = 0;
  // The UIDs only (fast: what a SELECT makes its sequence numbers of).
  [[nodiscard]] virtual Result<std::vector<Uid>> uids(MailboxKey key) const = 0;

  // Everything that happened after `since`. kInvalid where `since` is older than the tombstones reach (the caller then
  // compares UIDs itself).
  // At most `most` records are given, the first by UID; changed_since() gives the rest.
  [[nodiscard]] virtual Result<Changes> changes_since(MailboxKey key, ModSeq since,
                                                      std::size_t most = kAllChanges) const = 0;
  static constexpr std::size_t kAllChanges = ~std::size_t{0};

  [[nodiscard]] virtual Result<BlobInfo> blob_info(BlobId blob) const = 0;
  // Appends up to `length` octets from `offset` of the message as clients see it (prefix, then body) to `out`; fewer where
  // it ends. A read of the whole body verifies its checksum.
  virtual Result<void> read_message(const MessageRecord& record, std::uint64_t offset,
                                    std::uint64_t length, std::string& out) const = 0;
  // The summary made at arrival; offsets in it are the body's (add record.prefix.size()).
  [[nodiscard]] virtual Result<Summary> summary(BlobId blob) const = 0;
};

}  // namespace twinpost::store
