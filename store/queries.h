// Reading the tables in one engine transaction, whether it is a snapshot or the writer's own: what
// ReadView offers, and the rows under it. A cheap object over the transaction; used by the
// transaction's thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/change_log.h"
#include "store/engine/engine.h"
#include "store/read_view.h"
#include "store/records.h"
#include "store/tables.h"
#include "store/types.h"

namespace twinpost::store {

class Queries {
 public:
  // Without `coder` only plain bodies can be read. `log` must have all that the transaction sees, so
  // it has none where that sees changes of its own.
  Queries(const engine::ReadTxn& txn, const Tables& tables, const BodyCoder* coder = nullptr,
          ChangeLog* log = nullptr)
      : txn_(txn), tables_(tables), coder_(coder), log_(log) {}

  // Rows. kNotFound where they are not there.
  [[nodiscard]] Result<std::optional<AccountId>> account_id(std::string_view name) const;
  [[nodiscard]] Result<AccountRow> account_row(AccountId id) const;
  [[nodiscard]] Result<MailboxRow> mailbox_row(MailboxKey key) const;
  [[nodiscard]] Result<std::optional<MailboxId>> mailbox_id(AccountId account,
                                                            std::string_view canonical) const;
  [[nodiscard]] Result<BlobRow> blob_row(BlobId blob) const;
  [[nodiscard]] Result<std::optional<MessageRecord>> find_message(MailboxKey key, Uid uid) const;
  [[nodiscard]] Result<std::vector<std::string>> keywords(MailboxKey key) const;  // names, by bit
  [[nodiscard]] Result<MailboxInfo> mailbox_without_keywords(MailboxKey key) const;
  // Every (name, mailbox) of an account whose name begins with `prefix`, in order.
  struct NamedMailbox {
    std::string name;
    MailboxId id;
  };
  [[nodiscard]] Result<std::vector<NamedMailbox>> names(AccountId account,
                                                        std::string_view prefix) const;

  // Calls visit(key, value) for every entry whose key begins with `prefix`, from `from` on (which
  // begins with it too), until it returns false or an error.
  template <class Visit>
  [[nodiscard]] Result<void> scan(engine::Table table, std::string_view prefix,
                                  std::string_view from, Visit visit) const;

  // What ReadView promises.
  [[nodiscard]] Result<AccountInfo> account(std::string_view name) const;
  [[nodiscard]] Result<std::vector<AccountInfo>> accounts() const;
  [[nodiscard]] Result<MailboxInfo> mailbox(MailboxKey key) const;
  [[nodiscard]] Result<MailboxInfo> find_mailbox(AccountId account, std::string_view name) const;
  [[nodiscard]] Result<std::vector<MailboxInfo>> mailboxes(AccountId account) const;
  [[nodiscard]] Result<std::vector<std::string>> subscriptions(AccountId account) const;
  [[nodiscard]] Result<MessageRecord> message(MailboxKey key, Uid uid) const;
  [[nodiscard]] Result<void> for_each_message(
      MailboxKey key, UidRange range, const std::function<bool(const MessageRecord&)>& visit) const;
  [[nodiscard]] Result<std::optional<MessageRecord>> removed_message(MailboxKey key, Uid uid,
                                                                     UnixTime since) const;
  [[nodiscard]] Result<void> for_each_removed(
      AccountId account, UnixTime from,
      const std::function<bool(const RemovedMessage&)>& visit) const;
  [[nodiscard]] Result<bool> was_imported(AccountId account, const ImportKey& key) const;
  [[nodiscard]] Result<std::optional<std::string>> note(AccountId account,
                                                        const NoteKey& key) const;
  [[nodiscard]] Result<void> for_each_note(
      AccountId account, MailboxId mailbox, NoteKind kind,
      const std::function<bool(const std::string&, const std::string&)>& visit) const;
  [[nodiscard]] Result<std::vector<Uid>> uids(MailboxKey key) const;
  [[nodiscard]] Result<Changes> changes_since(MailboxKey key, ModSeq since, std::size_t most) const;
  [[nodiscard]] Result<BlobInfo> blob_info(BlobId blob) const;
  [[nodiscard]] Result<void> read_message(const MessageRecord& record, std::uint64_t offset,
                                          std::uint64_t length, std::string& out) const;
  [[nodiscard]] Result<Summary> summary(BlobId blob) const;

 private:
  [[nodiscard]] Result<void> append_chunks(engine::Table table, BlobId blob, std::uint64_t size,
                                           std::uint64_t offset, std::uint64_t length,
                                           std::string& out) const;
  [[nodiscard]] Result<void> read_body(BlobId blob, const BlobRow& row, std::uint64_t offset,
                                       std::uint64_t length, std::string& out) const;
  // Of one that is not kept plain; the range lies inside it.
  [[nodiscard]] Result<void> read_encoded(BlobId blob, const BlobRow& row, std::uint64_t offset,
                                          std::uint64_t length, std::string& out) const;
  [[nodiscard]] Result<Summary> stored_summary(BlobId blob, const BlobRow& row) const;
  [[nodiscard]] Result<std::vector<Uid>> vanished_since(MailboxKey key, ModSeq since) const;
  [[nodiscard]] Result<void> find_changed(MailboxKey key, ModSeq since, std::uint32_t messages,
                                          std::size_t most, Changes& changes) const;

  const engine::ReadTxn& txn_;
  const Tables& tables_;
  const BodyCoder* coder_;
  ChangeLog* log_;
};

// ReadView's methods over Queries, for a read transaction (Base is ReadView) and a write
// transaction (WriteTxn).
template <class Base>
class ViewOver : public Base {
 public:
  ViewOver(const engine::ReadTxn& txn, const Tables& tables, const BodyCoder& coder, ChangeLog* log)
      : queries_(txn, tables, &coder, log) {}

  Result<AccountInfo> account(std::string_view name) const override {
    return queries_.account(name);
  }
  Result<AccountInfo> account(AccountId id) const override {
    auto row = queries_.account_row(id);
    if (!row) return failed(row);
    return std::move(row->info);
  }
  Result<std::vector<AccountInfo>> accounts() const override { return queries_.accounts(); }
  Result<MailboxInfo> mailbox(MailboxKey key) const override { return queries_.mailbox(key); }
  Result<MailboxInfo> find_mailbox(AccountId account, std::string_view name) const override {
    return queries_.find_mailbox(account, name);
  }
  Result<std::vector<MailboxInfo>> mailboxes(AccountId account) const override {
    return queries_.mailboxes(account);
  }
  Result<std::vector<std::string>> subscriptions(AccountId account) const override {
    return queries_.subscriptions(account);
  }
  Result<MessageRecord> message(MailboxKey key, Uid uid) const override {
    return queries_.message(key, uid);
  }
  Result<void> for_each_message(
      MailboxKey key, UidRange range,
      const std::function<bool(const MessageRecord&)>& visit) const override {
    return queries_.for_each_message(key, range, visit);
  }
  Result<std::optional<MessageRecord>> removed_message(MailboxKey key, Uid uid,
                                                       UnixTime since) const override {
    return queries_.removed_message(key, uid, since);
  }
  Result<void> for_each_removed(
      AccountId account, UnixTime from,
      const std::function<bool(const RemovedMessage&)>& visit) const override {
    return queries_.for_each_removed(account, from, visit);
  }
  Result<bool> was_imported(AccountId account, const ImportKey& key) const override {
    return queries_.was_imported(account, key);
  }
  Result<std::optional<std::string>> note(AccountId account, const NoteKey& key) const override {
    return queries_.note(account, key);
  }
  Result<void> for_each_note(
      AccountId account, MailboxId mailbox, NoteKind kind,
      const std::function<bool(const std::string&, const std::string&)>& visit) const override {
    return queries_.for_each_note(account, mailbox, kind, visit);
  }
  Result<std::vector<Uid>> uids(MailboxKey key) const override { return queries_.uids(key); }
  Result<Changes> changes_since(MailboxKey key, ModSeq since, std::size_t most) const override {
    return queries_.changes_since(key, since, most);
  }
  Result<BlobInfo> blob_info(BlobId blob) const override { return queries_.blob_info(blob); }
  Result<void> read_message(const MessageRecord& record, std::uint64_t offset, std::uint64_t length,
                            std::string& out) const override {
    return queries_.read_message(record, offset, length, out);
  }
  Result<Summary> summary(BlobId blob) const override { return queries_.summary(blob); }

 protected:
  Queries queries_;
};

template <class Visit>
Result<void> Queries::scan(engine::Table table, std::string_view prefix, std::string_view from,
                           Visit visit) const {
  auto cursor = txn_.cursor(table);
  if (!cursor) return failed(cursor);
  engine::Cursor& at = **cursor;
  for (auto found = at.seek(from);; found = at.next()) {
    if (!found) return failed(found);
    if (!*found || !at.key().starts_with(prefix)) return {};
    Result<bool> go_on = visit(at.key(), at.value());
    if (!go_on) return failed(go_on);
    if (!*go_on) return {};
  }
}

}  // namespace twinpost::store
