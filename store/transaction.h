// WriteTxn as it is: one function's turn in the writer's engine transaction.
//
//   transaction.cc            accounts, counters, modseqs: what the others share
//   transaction_mailboxes.cc  create, delete, rename, subscribe
//   transaction_messages.cc   append, flags, expunge
//   transaction_copies.cc     copy and move
//   transaction_pop3.cc       what POP3 keeps with messages, and notes
//   transaction_undo.cc       what becomes of removed messages
//   transaction_shown.cc      the mailbox that shows removed messages
//   transaction_identity.cc   mailboxes that come from elsewhere
//
// Rows are read, changed and put back within each method, so that ReadView's methods always see the
// function's own changes. Invariants, in every commit: a mailbox's counts, unseen, deleted and
// bytes are those of its messages; an account's messages and bytes are the sums of its mailboxes'
// (but for the one that shows removed messages, in which each message has a row in `removed`), its
// removed messages and bytes those of its rows in `removed` (bytes without moved ones);
// a blob's references are the records in `messages` and `removed` that name it; no UID, mailbox id
// or UIDVALIDITY is ever given twice.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "store/batch.h"
#include "store/blobs.h"
#include "store/queries.h"
#include "store/write_txn.h"

namespace twinpost::store {

// Tombstones kept in one mailbox, and how many are left when more have come: a client that was away
// longer than that compares UIDs. (A row is a run of UIDs, so that this is at least as many
// messages.)
inline constexpr std::uint32_t kMostTombstones = 100'000;
inline constexpr std::uint32_t kTombstonesLeft = 90'000;

class Transaction final : public ViewOver<WriteTxn> {
 public:
  explicit Transaction(Batch& batch)
      : ViewOver(batch.txn(), batch.tables(), batch.coder(), nullptr),
        batch_(batch),
        blobs_(batch) {}

  Result<AccountInfo> ensure_account(std::string_view name) override {
    return whole([&] { return do_ensure_account(name); });
  }
  Result<void> set_provisioned(AccountId account) override {
    return whole([&] { return do_set_provisioned(account); });
  }

  Result<MailboxInfo> create_mailbox(AccountId account, std::string_view name,
                                     SpecialUse special_use) override {
    return whole([&] { return do_create_mailbox(account, name, special_use); });
  }
  Result<void> delete_mailbox(MailboxKey key, const Remover& remover) override {
    return whole([&] { return do_delete_mailbox(key, remover); });
  }
  Result<void> rename_mailbox(AccountId account, std::string_view from,
                              std::string_view to) override {
    return whole([&] { return do_rename_mailbox(account, from, to); });
  }
  Result<void> set_subscribed(AccountId account, std::string_view name, bool subscribed) override {
    return whole([&] { return do_set_subscribed(account, name, subscribed); });
  }
  Result<void> set_special_use(MailboxKey key, SpecialUse special_use) override {
    return whole([&] { return do_set_special_use(key, special_use); });
  }
  Result<Uid> claim_recent(MailboxKey key) override {
    return whole([&] { return do_claim_recent(key); });
  }

  Result<Appended> append(MailboxKey key, const AppendRequest& request) override {
    return whole([&] { return do_append(key, request); });
  }
  Result<FlagResult> change_flags(MailboxKey key, std::span<const Uid> uids,
                                  const FlagChange& change) override {
    return whole([&] { return do_change_flags(key, uids, change); });
  }
  Result<void> hide_from_pop3(MailboxKey key, std::span<const Uid> uids) override {
    return whole([&] { return do_hide_from_pop3(key, uids); });
  }
  Result<void> note_retrieved(MailboxKey key, std::span<const Uid> uids) override {
    return whole([&] { return do_note_retrieved(key, uids); });
  }
  Result<void> fix_uidls(MailboxKey key, std::span<const FixedUidl> uidls) override {
    return whole([&] { return do_fix_uidls(key, uidls); });
  }
  Result<void> put_note(AccountId account, const NoteKey& key, std::string_view value) override {
    return whole([&] { return do_put_note(account, key, value); });
  }
  Result<Expunged> expunge(MailboxKey key, std::span<const Uid> uids,
                           const Remover& remover) override {
    return whole([&] { return do_expunge(key, uids, remover); });
  }
  Result<Copied> copy(MailboxKey from, std::span<const Uid> uids, MailboxKey to,
                      const Limits& limits) override {
    return whole([&] { return do_copy(from, uids, to, limits); });
  }
  Result<Undeleted> undelete(AccountId account, std::span<const RemovedId> ids,
                             std::optional<MailboxId> to, const Limits& limits) override {
    return whole([&] { return do_undelete(account, ids, to, limits); });
  }
  Result<std::uint64_t> forget_removed(AccountId account, std::span<const RemovedId> ids) override {
    return whole([&] { return do_forget_removed(account, ids); });
  }
  Result<std::optional<RemovedId>> show_removed(AccountId account, std::string_view name,
                                                std::optional<RemovedId> after) override {
    return whole([&] { return do_show_removed(account, name, after); });
  }
  Result<bool> hide_removed(AccountId account) override {
    return whole([&] { return do_hide_removed(account); });
  }
  Result<MailboxInfo> adopt_mailbox(AccountId account, const MailboxIdentity& identity) override {
    return whole([&] { return do_adopt_mailbox(account, identity); });
  }
  Result<void> advance_uid_next(MailboxKey key, Uid at_least) override {
    return whole([&] { return do_advance_uid_next(key, at_least); });
  }
  Result<void> install_mailbox(MailboxKey key, std::string_view name,
                               const Remover& remover) override {
    return whole([&] { return do_install_mailbox(key, name, remover); });
  }
  Result<Copied> move(MailboxKey from, std::span<const Uid> uids, MailboxKey to,
                      const Remover& remover) override {
    return whole([&] { return do_move(from, uids, to, remover); });
  }

  // For the store itself: rows of `removed` of one account go for good, with what shows them. Says
  // how many were there; kCorrupt where one can't be read.
  Result<std::uint64_t> drop_removed(AccountId account, std::span<const std::string> keys) {
    return whole([&] { return do_drop_removed(account, keys); });
  }
  // A message of the mailbox that shows removed ones, for which there is no removal (any more).
  Result<void> drop_shown(MailboxKey key, Uid uid) {
    return whole([&] { return do_drop_shown(key, uid); });
  }

 private:
  // A mailbox under change: its row and the names of its keywords. Put back with put().
  struct Open {
    MailboxKey key;
    MailboxRow row;
    std::vector<std::string> keywords;
  };
  [[nodiscard]] Result<Open> open(MailboxKey key) const;
  // kInvalid for the one that shows removed messages.
  [[nodiscard]] Result<Open> open_to_change(MailboxKey key) const;
  [[nodiscard]] Result<void> put(const Open& mailbox);
  [[nodiscard]] Result<void> put(const AccountRow& account);
  // With the modseq that touch() gave for this function.
  [[nodiscard]] Result<void> put(MailboxKey key, const MessageRecord& record);
  // The mailbox's modseq for this function: the next one the first time, the same from then on.
  ModSeq touch(Open& mailbox);
  // Announced with the modseq that it has.
  void announce(const Open& mailbox);

  // A method that fails after its first write has left half of a change behind: its function can't
  // be committed then, even if it goes on as if nothing were. Expected refusals (quota, limits,
  // names) come before the first write.
  template <class Method>
  std::invoke_result_t<Method&> whole(Method method) {
    const std::uint64_t before = batch_.txn().changes();
    auto result = method();
    const auto shown = result ? put_shown() : Result<void>{};
    shown_.reset();
    if (!shown) result = tl::unexpected(shown.error());
    if (!result && batch_.txn().changes() != before) batch_.spoil(result.error());
    return result;
  }

  [[nodiscard]] Result<AccountInfo> do_ensure_account(std::string_view name);
  [[nodiscard]] Result<void> do_set_provisioned(AccountId id);

  // transaction_mailboxes.cc
  [[nodiscard]] Result<MailboxInfo> do_create_mailbox(AccountId account, std::string_view name,
                                                      SpecialUse special_use);
  [[nodiscard]] Result<void> do_delete_mailbox(MailboxKey key, const Remover& remover);
  [[nodiscard]] Result<void> do_rename_mailbox(AccountId account, std::string_view from,
                                               std::string_view to);
  [[nodiscard]] Result<void> do_set_subscribed(AccountId account, std::string_view name,
                                               bool subscribed);
  [[nodiscard]] Result<void> do_set_special_use(MailboxKey key, SpecialUse special_use);
  [[nodiscard]] Result<Uid> do_claim_recent(MailboxKey key);
  [[nodiscard]] Result<MailboxInfo> insert_mailbox(AccountRow& account, std::string_view canonical,
                                                   SpecialUse special_use,
                                                   bool shows_removed = false);
  [[nodiscard]] Result<void> check_free_name(AccountId account, std::string_view canonical) const;
  // kInvalid below the mailbox that shows removed messages.
  [[nodiscard]] Result<void> check_place(const AccountInfo& account,
                                         std::string_view canonical) const;
  [[nodiscard]] Result<void> rename_one(AccountId account, const Queries::NamedMailbox& mailbox,
                                        std::string_view to);
  [[nodiscard]] Result<void> rename_inbox(AccountRow account, std::string_view to);
  [[nodiscard]] Result<void> erase_prefix(engine::Table table, std::string_view prefix);
  [[nodiscard]] Result<void> remove_all_messages(Open& mailbox, const Remover& remover);

  // transaction_messages.cc
  [[nodiscard]] Result<Appended> do_append(MailboxKey key, const AppendRequest& request);
  [[nodiscard]] Result<FlagResult> do_change_flags(MailboxKey key, std::span<const Uid> uids,
                                                   const FlagChange& change);
  template <class Change>
  [[nodiscard]] Result<void> change_records(MailboxKey key, std::span<const Uid> uids,
                                            Change change);
  [[nodiscard]] Result<void> do_hide_from_pop3(MailboxKey key, std::span<const Uid> uids);
  [[nodiscard]] Result<void> do_note_retrieved(MailboxKey key, std::span<const Uid> uids);
  [[nodiscard]] Result<void> do_fix_uidls(MailboxKey key, std::span<const FixedUidl> uidls);
  [[nodiscard]] Result<void> do_put_note(AccountId account, const NoteKey& note,
                                         std::string_view value);
  [[nodiscard]] Result<Expunged> do_expunge(MailboxKey key, std::span<const Uid> uids,
                                            const Remover& remover);
  [[nodiscard]] Result<void> check_append(AccountId account, const AppendRequest& request) const;
  // Bits for the names, giving new ones a bit: kLimit where there is none left.
  [[nodiscard]] Result<KeywordBits> keyword_bits(Open& mailbox, std::span<const std::string> names);
  // The same, without those for which there is none left.
  [[nodiscard]] Result<KeywordBits> keyword_bits_left(Open& mailbox,
                                                      std::span<const std::string> names);
  [[nodiscard]] Result<bool> apply(Open& mailbox, const FlagChange& change, MessageRecord& record);
  [[nodiscard]] Result<void> remove(Open& mailbox, AccountRow& account, const MessageRecord& record,
                                    Removal how, const Remover& remover);
  [[nodiscard]] Result<void> put_removed(const Open& mailbox, AccountRow& account,
                                         const MessageRecord& record, Removal how,
                                         const Remover& remover);
  // What the account's use was before, and is now: a threshold that was passed is announced.
  void note_use(const AccountInfo& before, const AccountInfo& now, const Limits& limits);
  // A threshold that was passed in this batch and is not any more (REPLACE) is not announced.
  void note_less_use(const AccountInfo& now);
  [[nodiscard]] Result<void> put_tombstones(Open& mailbox, std::span<const Uid> ascending);
  [[nodiscard]] Result<void> prune_tombstones(Open& mailbox);

  // transaction_copies.cc
  [[nodiscard]] Result<Copied> do_copy(MailboxKey from, std::span<const Uid> uids, MailboxKey to,
                                       const Limits& limits);
  [[nodiscard]] Result<Copied> do_move(MailboxKey from, std::span<const Uid> uids, MailboxKey to,
                                       const Remover& remover);
  [[nodiscard]] Result<void> keep_moved(const Open& source, AccountRow& account,
                                        const MessageRecord& record, const Remover& remover);
  // Which of the UIDs are there now, before anything is placed: in a copy within one mailbox a UID that was asked for may
  // come to exist by it. kLimit where the target has not so many UIDs left.
  struct Selection {
    std::vector<Uid> present;
    std::vector<Uid> missing;
    std::uint64_t bytes = 0;  // of those that are there
  };
  [[nodiscard]] Result<Selection> select(MailboxKey from, std::span<const Uid> uids,
                                         const MailboxInfo& target) const;
  [[nodiscard]] Result<KeywordBits> translate_keywords(const Open& from, Open& to,
                                                       KeywordBits bits);
  [[nodiscard]] Result<Uid> place(Open& target, MessageRecord record);

  // transaction_undo.cc
  struct Removed {
    RemovedId id;
    RemovedRow row;
  };
  [[nodiscard]] Result<Undeleted> do_undelete(AccountId account, std::span<const RemovedId> ids,
                                              std::optional<MailboxId> to, const Limits& limits);
  [[nodiscard]] Result<std::uint64_t> do_forget_removed(AccountId account,
                                                        std::span<const RemovedId> ids);
  [[nodiscard]] Result<std::vector<Removed>> find_removed(AccountId account,
                                                          std::span<const RemovedId> ids,
                                                          Undeleted& result) const;
  [[nodiscard]] Result<MailboxId> home_of(AccountId account, const Removed& removed,
                                          std::optional<MailboxId> to);
  [[nodiscard]] Result<void> put_back(MailboxKey key, std::span<Removed> removed,
                                      const Limits& limits, Undeleted& result);
  [[nodiscard]] Result<void> keep_brought_back(AccountRow& account, Removed& removed);
  [[nodiscard]] Result<std::uint64_t> do_drop_removed(AccountId account,
                                                      std::span<const std::string> keys);
  [[nodiscard]] Result<bool> drop_removed(AccountRow& account, std::string_view key);

  // transaction_shown.cc
  [[nodiscard]] Result<std::optional<RemovedId>> do_show_removed(AccountId account,
                                                                 std::string_view name,
                                                                 std::optional<RemovedId> after);
  [[nodiscard]] Result<bool> do_hide_removed(AccountId account);
  [[nodiscard]] Result<void> do_drop_shown(MailboxKey key, Uid uid);
  [[nodiscard]] Result<void> provide_shown(AccountRow& account, const std::string& name);
  [[nodiscard]] Result<std::optional<RemovedId>> show_older(const AccountRow& account,
                                                            std::optional<RemovedId> after);
  [[nodiscard]] Result<bool> show_one(const AccountRow& account, std::string_view key);
  // Null where the account has none, or it is damaged: no removal fails for that.
  [[nodiscard]] Result<Open*> open_shown(const AccountInfo& account);
  // Puts a message for this removal there, where it can be, and says in the row where it is. The
  // caller puts the row.
  [[nodiscard]] Result<void> show(const AccountInfo& account, UnixTime removed_at, RemovedRow& row);
  // Takes it away with the row.
  [[nodiscard]] Result<void> unshow(const AccountInfo& account, const RemovedRow& row);
  [[nodiscard]] Result<void> take_out_shown(Open& mailbox, const MessageRecord& record);
  [[nodiscard]] Result<void> put_shown();

  // transaction_identity.cc
  [[nodiscard]] Result<MailboxInfo> do_adopt_mailbox(AccountId account,
                                                     const MailboxIdentity& identity);
  [[nodiscard]] Result<void> do_advance_uid_next(MailboxKey key, Uid at_least);
  [[nodiscard]] Result<void> do_install_mailbox(MailboxKey key, std::string_view name,
                                                const Remover& remover);
  [[nodiscard]] Result<void> take_identity(Open& mailbox, const MailboxIdentity& identity);
  [[nodiscard]] Result<void> take_special_use(Open& mailbox, SpecialUse special_use);
  [[nodiscard]] Result<void> dissolve(const Open& mailbox);

  Batch& batch_;
  Blobs blobs_;
  std::map<MailboxKey, ModSeq> touched_;
  // Within a method: the mailbox that shows removed messages, and who left it. See put_shown().
  std::optional<Open> shown_;
  std::vector<Uid> unshown_;
};

// Ascending, each once.
[[nodiscard]] std::vector<Uid> in_order(std::span<const Uid> uids);
// Counts a message into, or out of, its mailbox's figures.
void count_in(MailboxInfo& mailbox, const MessageRecord& record);
void count_out(MailboxInfo& mailbox, const MessageRecord& record);
// kOverQuota where the account with `messages` and `bytes` more would be over a limit.
[[nodiscard]] Result<void> check_quota(const AccountInfo& account, const Limits& limits,
                                       std::uint64_t messages, std::uint64_t bytes);
// Counts a row out of what `removed` keeps of the account.
void count_out_removed(AccountInfo& account, const RemovedRow& row);
// An error that says of a record or a body that it is damaged, or can take no more: the rest goes
// on without it.
[[nodiscard]] bool is_unusable(ErrorCode code);
// Names of a message's keywords.
[[nodiscard]] std::vector<std::string> keyword_names(const std::vector<std::string>& names,
                                                     KeywordBits bits);
// The next UID of a mailbox, taken. kLimit where they are used up.
[[nodiscard]] Result<Uid> take_uid(MailboxInfo& mailbox);

}  // namespace twinpost::store
