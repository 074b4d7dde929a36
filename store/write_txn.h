// What can be changed in one transaction. Writer thread only, inside the function of Store::write().
//
// Every change of a mailbox takes the next modseq of that mailbox, once a transaction function, and is announced after
// the commit. Counters and quota use are kept exact in the same transaction.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "store/read_view.h"
#include "store/types.h"

namespace twinpost::store {

class WriteTxn : public ReadView {
 public:
  // The account of that name, made with an empty INBOX if it is not there yet.
  [[nodiscard]] virtual Result<AccountInfo> ensure_account(std::string_view name) = 0;
  // Remembers that the account's mailboxes beside INBOX were made: whoever deletes one then does
  // not get it back.
  virtual Result<void> set_provisioned(AccountId account) = 0;

  // `name` is UTF-8, NFC, checked by the caller for its protocol's rules; missing parents are not made. kExists, kLimit.
  [[nodiscard]] virtual Result<MailboxInfo> create_mailbox(AccountId account, std::string_view name,
                                                           SpecialUse special_use) = 0;
  // Its messages go to `removed`. INBOX can't be deleted (kInvalid). Children stay.
  virtual Result<void> delete_mailbox(MailboxKey key, const Remover& remover) = 0;
  // This mailbox and everything below it. INBOX: its messages move to the new mailbox and INBOX stays (RFC 9051 6.3.6).
  virtual Result<void> rename_mailbox(AccountId account, std::string_view from,
                                      std::string_view to) = 0;
  virtual Result<void> set_subscribed(AccountId account, std::string_view name,
                                      bool subscribed) = 0;
  virtual Result<void> set_special_use(MailboxKey key, SpecialUse special_use) = 0;
  // \Recent: messages below the new UIDNEXT are recent for nobody else any more. Returns the old first_recent.
  virtual Result<Uid> claim_recent(MailboxKey key) = 0;

  // kOverQuota, kExists (see Origin::key), kDiskFull (below the reserve), kLimit (keywords, UIDs used up), kNotFound; kTooLarge for a prefix over
  // 2048 octets or an imported UIDL over 255; kInvalid for a keyword that is empty or over 255.
  [[nodiscard]] virtual Result<Appended> append(MailboxKey key, const AppendRequest& request) = 0;
  // kLimit where a new keyword finds no bit.
  [[nodiscard]] virtual Result<FlagResult> change_flags(MailboxKey key, std::span<const Uid> uids,
                                                        const FlagChange& change) = 0;
  virtual Result<void> hide_from_pop3(MailboxKey key, std::span<const Uid> uids) = 0;
  virtual Result<void> note_retrieved(MailboxKey key, std::span<const Uid> uids) = 0;
  // From now on these are the messages' UIDLs, wherever they go. Those that are gone are passed over.
  // kTooLarge as append().
  virtual Result<void> fix_uidls(MailboxKey key, std::span<const FixedUidl> uidls) = 0;
  // Keeps `value` under the key, or nothing where it is empty. kTooLarge; kNotFound where the mailbox (or the
  // account) is not there (any more).
  virtual Result<void> put_note(AccountId account, const NoteKey& key, std::string_view value) = 0;
  // Moves the records to `removed`; bytes stay until retention is over and nobody pins them.
  [[nodiscard]] virtual Result<Expunged> expunge(MailboxKey key, std::span<const Uid> uids,
                                                 const Remover& remover) = 0;
  // Within one account. kOverQuota counts the copies. A keyword for which the target has no bit left is not copied.
  [[nodiscard]] virtual Result<Copied> copy(MailboxKey from, std::span<const Uid> uids,
                                            MailboxKey to, const Limits& limits) = 0;
  // Puts removed messages back: into the mailbox they were in (by id, whatever its name is now; else by
  // its name then, made where it is missing), or into `to`. New UIDs (RFC 9051 2.3.1.1); flags but
  // \Deleted, dates, EMAILID and UIDL are kept. The removal stays on record as that of a message which was
  // only moved. kOverQuota.
  [[nodiscard]] virtual Result<Undeleted> undelete(AccountId account,
                                                   std::span<const RemovedId> ids,
                                                   std::optional<MailboxId> to,
                                                   const Limits& limits) = 0;
  // Gives removals up before their time. Returns how many there were.
  [[nodiscard]] virtual Result<std::uint64_t> forget_removed(AccountId account,
                                                             std::span<const RemovedId> ids) = 0;

  // Shows the account's removed messages to its users: in a mailbox of this name, made and
  // subscribed, or renamed, if it has another one. From then on each removal puts a message there that goes with
  // its row of `removed`; a message that was only moved is not shown. It counts for no quota, keeps
  // flags but \Deleted, keywords, dates and EMAILID, and has a UIDL of its own. Whatever else would
  // change that mailbox, or make one below it, is refused (kInvalid).
  //
  // What was removed before is shown too, some of it in each call: gives where the next one goes on
  // (`after`); nothing once all is done. kExists where another mailbox has the name.
  [[nodiscard]] virtual Result<std::optional<RemovedId>> show_removed(
      AccountId account, std::string_view name, std::optional<RemovedId> after) = 0;
  // Takes that mailbox away; what is in `removed` stays. Some of it in each call: true once all is
  // done.
  [[nodiscard]] virtual Result<bool> hide_removed(AccountId account) = 0;

  // A mailbox with this identity: made, or, where the mailbox of that name never had a message, given it.
  // One that had keeps its own, and only its special use is set where it had none.
  [[nodiscard]] virtual Result<MailboxInfo> adopt_mailbox(AccountId account,
                                                          const MailboxIdentity& identity) = 0;
  // Never backwards.
  virtual Result<void> advance_uid_next(MailboxKey key, Uid at_least) = 0;
  // Puts the mailbox in the place of the one called `name`, whose messages move to it under new UIDs;
  // or only renames it where there is none. INBOX too.
  virtual Result<void> install_mailbox(MailboxKey key, std::string_view name,
                                       const Remover& remover) = 0;

  // Keeps serial, EMAILID and UIDL; the source gets tombstones, and `removed` a record of what left
  // it.
  [[nodiscard]] virtual Result<Copied> move(MailboxKey from, std::span<const Uid> uids,
                                            MailboxKey to, const Remover& remover) = 0;
};

}  // namespace twinpost::store
